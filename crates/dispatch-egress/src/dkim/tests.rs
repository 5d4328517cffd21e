use dispatch_model::{FailureKind, Secret};
use proptest::prelude::*;
use ring::digest::{SHA256, digest};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::canonical::Reading;
use super::*;

const RSA: &str = include_str!("../../tests/keys/rsa.pem");
const RSA_PKCS1: &str = include_str!("../../tests/keys/rsa-pkcs1.pem");
const RSA_1024: &str = include_str!("../../tests/keys/rsa-1024.pem");
const ED25519: &str = include_str!("../../tests/keys/ed25519.pem");

/// The example of RFC 8463, appendix A.
const EXAMPLE: &str = "From: Joe SixPack <joe@football.example.com>\r\n\
    To: Suzie Q <suzie@shopping.example.net>\r\n\
    Subject: Is dinner ready?\r\n\
    Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
    Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\
    \r\n\
    Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

fn read(mail: &[u8]) -> Digested {
    let mut reading = Reading::new();
    reading.chunk(mail).unwrap();
    reading.finish()
}

fn dkim(key: &str) -> Dkim {
    Dkim { domain: "acme.example".to_owned(), selector: "s1".to_owned(), key: Secret::new(key) }
}

async fn signed(mail: &str, key: &str) -> Result<String, Failure> {
    let splice = Splice::of_bytes(Bytes::from(mail.to_owned()));
    let now = Timestamp::from_millis(1_795_305_600_999);
    let mut chunks = Signer::default().sign(&dkim(key), splice, now).await?.chunks();
    let mut out = Vec::new();
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        out.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn signs_as_the_standard_does() {
    let Digested { head, body } = read(EXAMPLE.as_bytes());
    assert_eq!(STANDARD.encode(body), "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
    let seed = STANDARD.decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap();
    let key = DkimKey::ed25519_of_seed(&seed);
    let names = ["from", "to", "subject", "date", "message-id", "from", "subject", "date"];
    let field = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n \
        d=football.example.com; i=@football.example.com;\r\n \
        q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n \
        subject : date : message-id : from : subject : date;\r\n \
        bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";
    let signature = key.sign(&signed_data(&head, &names, field)).unwrap();
    let expected = "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\
        Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==";
    assert_eq!(STANDARD.encode(signature), expected);
}

#[test]
fn relaxed_heads() {
    // RFC 6376, section 3.4.5, and what it says of fields that occur twice or not at all.
    let head = read(b"A: X\r\nB : Y\t\r\n\tZ  \r\na:  Y:z\r\n\r\n C \r\nD \t E\r\n\r\n\r\n").head;
    let named = |names: &[&str]| String::from_utf8(head.named(names)).unwrap();
    assert_eq!(named(&["b"]), "b:Y Z\r\n");
    assert_eq!(named(&["a", "a", "a", "c"]), "a:Y:z\r\na:X\r\n");
    assert_eq!((head.count("a"), head.count("c")), (2, 0));
}

#[test]
fn relaxed_bodies() {
    for (body, canonical) in [
        (" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"),
        ("", ""),
        ("\r\n\r\n", ""),
        (" \t\r\n", ""),
        ("\r\n\r\na", "\r\n\r\na\r\n"),
        ("a\r\n \r\n\r\nb \r\n", "a\r\n\r\n\r\nb\r\n"),
        ("a\nb\rc", "a\r\nb\r\nc\r\n"),
        ("a\r", "a\r\n"),
    ] {
        let read = read(format!("A: b\r\n\r\n{body}").as_bytes()).body;
        assert_eq!(read.as_ref(), digest(&SHA256, canonical.as_bytes()).as_ref(), "{body:?}");
    }
    // A mail without a body, and one whose head never ends.
    assert_eq!(read(b"A: b").body.as_ref(), digest(&SHA256, b"").as_ref());
    assert!(Reading::new().chunk("A: b\r\n".repeat(100_000).as_bytes()).is_err());
}

proptest! {
    #[test]
    fn what_is_signed_is_what_the_relay_gets(
        text in proptest::collection::vec(prop::sample::select(&b"a.\r\n \t"[..]), 0..60),
        cut in 0_usize..60,
    ) {
        let mail = [b"A: b\r\n\r\n", text.as_slice()].concat();
        let cut = cut.min(mail.len());
        let mut reading = Reading::new();
        reading.chunk(&mail[..cut]).unwrap();
        reading.chunk(&mail[cut..]).unwrap();
        let signed = reading.finish();
        // The wire, with the dots taken off as a relay does.
        let mut stuffing = crate::smtp::Stuffing::new();
        let mut wire = stuffing.chunk(&mail).to_vec();
        wire.extend_from_slice(stuffing.finish());
        let unstuffed = String::from_utf8(wire).unwrap().split("\r\n")
            .map(|line| line.strip_prefix('.').unwrap_or(line)).collect::<Vec<_>>().join("\r\n");
        let got = read(unstuffed.as_bytes());
        prop_assert_eq!(signed.body.as_ref(), got.body.as_ref());
        prop_assert_eq!(signed.head.named(&["a"]), got.head.named(&["a"]));
    }
}

/// A verifier of few words: the named headers and the body, under the published key.
fn verifies(mail: &str) -> bool {
    let end = mail.match_indices("\r\n").find(|(at, _)| !mail[at + 2..].starts_with([' ', '\t'])).unwrap().0;
    let (field, rest) = (&mail[..end], &mail[end + 2..]);
    let tags: String = field.chars().filter(|c| !c.is_whitespace()).collect();
    let tag = |name: &str| {
        let tags = tags.strip_prefix("DKIM-Signature:").unwrap().split(';');
        tags.filter_map(|tag| tag.split_once('=')).find(|(tag, _)| *tag == name).unwrap().1.to_owned()
    };
    let Digested { head, body } = read(rest.as_bytes());
    let names = tag("h");
    let names: Vec<&str> = names.split(':').collect();
    let unsigned = &field[..field.rfind("b=").unwrap() + 2];
    let data = signed_data(&head, &names, unsigned);
    let spki = STANDARD.decode(include_str!("../../tests/keys/rsa.pub")).unwrap();
    // The key itself stands behind the 24 bytes that say that it is RSA.
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &spki[24..]);
    let signature = STANDARD.decode(tag("b")).unwrap();
    tag("bh") == STANDARD.encode(body) && key.verify(&data, &signature).is_ok()
}

#[tokio::test]
async fn a_signed_mail_verifies_and_a_changed_one_does_not() {
    let mail = format!(
        "Date: x\r\nMessage-ID: <1@acme.example>\r\nFrom: =?utf-8?q?=C3=91?= <a@acme.example>\r\nTo: b@c.example,\r\n \
         d@e.example\r\nSubject: x\r\nList-Unsubscribe: <https://a.example>\r\n\r\n{}",
        "texto  \r\n".repeat(20_000)
    );
    for key in [RSA, RSA_PKCS1] {
        let signed = signed(&mail, key).await.unwrap();
        assert!(
            signed.starts_with("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=acme.example;\r\n")
        );
        assert!(signed.contains(" s=s1; t=1795305600;\r\n"));
        let head: String = signed.split("\r\n\r\n").next().unwrap().split_whitespace().collect();
        assert!(head.contains("h=from:from:to:to:cc:reply-to:subject:subject:list-unsubscribe;"), "{head}");
        assert!(signed.split("\r\n").take(12).all(|line| line.len() <= 78), "{signed:.900}");
        assert!(verifies(&signed));
        for (was, is) in [("Subject: x", "Subject: y"), ("texto", "tecto"), ("d@e", "d@f")] {
            assert!(!verifies(&signed.replacen(was, is, 1)), "{was}");
        }
        // A relay may write these two anew, and blanks do not count.
        for (was, is) in [("Date: x", "Date: y"), ("<1@acme", "<2@acme"), ("texto  ", "texto")] {
            assert!(verifies(&signed.replacen(was, is, 1)), "{was}");
        }
        // A second sender or subject is what a signature is there to keep out.
        for more in ["From: evil@x.example\r\n", "Subject: z\r\n", "Cc: z@x.example\r\n"] {
            assert!(!verifies(&signed.replacen("To: b", &format!("{more}To: b"), 1)), "{more}");
        }
    }
}

#[tokio::test]
async fn keys_and_what_is_none() {
    let signed_by = |key| async move { signed("From: a@b.example\r\n\r\nx", key).await };
    assert!(signed_by(ED25519).await.unwrap().contains("a=ed25519-sha256;"));
    for (key, problem) in [
        (RSA_1024, DkimKeyProblem::NotSigning),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", DkimKeyProblem::NotSigning),
        ("s3cr3t", DkimKeyProblem::NotPem),
        ("", DkimKeyProblem::NotPem),
    ] {
        assert_eq!(DkimKey::read(&Secret::new(key)).err(), Some(problem), "{key}");
        let failure = signed_by(key).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Refused);
        assert!(!failure.to_string().contains("s3cr3t"), "{failure}");
    }
    let key = DkimKey::read(&Secret::new(RSA)).unwrap();
    assert_eq!(format!("{key:?}"), "DkimKey(rsa-sha256)");
}
