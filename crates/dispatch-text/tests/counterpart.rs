//! Parts as others count them: Twilio's own calculator, and smpplib.

use dispatch_testkit::Counterparts;
use dispatch_text::Parts;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// Texts around the bounds of parts, by a fixed seed.
fn texts(alphabet: &[&str], count: usize) -> Vec<String> {
    let mut rng = SmallRng::seed_from_u64(7);
    let mut text = |_| {
        let near = *[70, 134, 153, 160, 201, 306, 320, 459].choose(&mut rng).unwrap_or(&160);
        let length = rng.random_range(0..near + 12_usize).max(near.saturating_sub(12));
        // Mostly one character, so that what costs two falls on every place of a part.
        let rare = rng.random_range(0.0..0.2);
        let pick = |rng: &mut SmallRng| *alphabet[1..].choose(rng).unwrap_or(&"x");
        (0..length).map(|_| if rng.random_bool(rare) { pick(&mut rng) } else { alphabet[0] }).collect()
    };
    (0..count).map(&mut text).collect()
}

fn ours(texts: &[String]) -> Vec<(String, u64)> {
    let told = |text: &String| {
        let parts = Parts::of(text);
        (parts.encoding.to_string(), parts.count() as u64)
    };
    texts.iter().map(told).collect()
}

fn compare(texts: &[String], theirs: &[(String, u64)]) {
    assert_eq!(texts.len(), theirs.len());
    for ((text, ours), theirs) in texts.iter().zip(ours(texts)).zip(theirs) {
        assert_eq!(ours, *theirs, "{text:?}");
    }
}

const GSM: &[&str] = &["a", "é", "ñ", "€", "[", "~", "\n", "@", "¿", "Ω", "\u{c}"];

#[tokio::test]
#[ignore = "needs sms-segments-calculator: run `cargo xtask test`"]
async fn twilio_counts_the_same() {
    let unicode = &["x", "á", "“", "\u{1f600}", "é", "日", "e\u{301}", "€"];
    let texts = [texts(GSM, 200), texts(unicode, 200)].concat();
    let theirs = Counterparts::find().unwrap().segments_by_twilio(&texts).await.unwrap();
    compare(&texts, &theirs);
}

#[tokio::test]
#[ignore = "needs smpplib: run `cargo xtask test`"]
async fn smpplib_counts_the_same() {
    // It tears surrogate pairs and clusters, so only characters of one unit can be compared; and it knows no form feed,
    // the last of the alphabet.
    let texts = [texts(&GSM[..GSM.len() - 1], 200), texts(&["x", "á", "“", "é", "日", "€"], 200)].concat();
    let theirs = Counterparts::find().unwrap().segments_by_smpplib(&texts).await.unwrap();
    compare(&texts, &theirs);
}
