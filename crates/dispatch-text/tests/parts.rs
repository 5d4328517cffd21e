//! What holds for every text that is cut or written otherwise.

use dispatch_model::{TextEncoding, TextPolicy, TooLong, Transliterate};
use dispatch_text::{PARTS_MAX, Parts, transliterate, write};
use proptest::prelude::*;

/// Characters of one septet, of two, of one unit, of two, and those that hold together.
fn text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "Z",
        " ",
        "\n",
        "\r\n",
        "@",
        "é",
        "ñ",
        "¿",
        "€",
        "{",
        "|",
        "\u{c}",
        "á",
        "í",
        "“",
        "…",
        "\u{a0}",
        "ç",
        "\u{1f600}",
        "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "e\u{301}",
        "\u{1f1f2}\u{1f1fd}",
        "日",
        "\u{301}",
    ]);
    let mixed = prop::collection::vec(pieces, 0..400).prop_map(|pieces| pieces.concat());
    // GSM-7 alone is the common case, and one in so many characters would seldom be.
    let plain = prop::collection::vec(prop::sample::select(vec!["a", "é", "€", "[", " ", "\r\n"]), 0..700)
        .prop_map(|pieces| pieces.concat());
    prop_oneof![mixed, plain, any::<String>()]
}

/// The length of a part, counted by the rules of the standards and not by the code under test.
fn length(part: &str, encoding: TextEncoding) -> usize {
    match encoding {
        TextEncoding::Ucs2 => part.encode_utf16().count(),
        TextEncoding::Gsm7 => part.chars().map(|c| if "\u{c}^{}\\[~]|€".contains(c) { 2 } else { 1 }).sum(),
    }
}

proptest! {
    #[test]
    fn parts_are_the_text(text in text()) {
        let parts = Parts::of(&text);
        // Parts are slices of the text at characters' bounds: neither an escape nor a surrogate pair can be torn.
        prop_assert_eq!(parts.parts.concat() + parts.left, text.clone());
        let lengths: Vec<usize> = parts.parts.iter().map(|part| length(part, parts.encoding)).collect();
        let (single, each) = match parts.encoding {
            TextEncoding::Gsm7 => (160, 153),
            TextEncoding::Ucs2 => (70, 67),
        };
        prop_assert_eq!(parts.units, length(&text, parts.encoding));
        match lengths.as_slice() {
            [only] => prop_assert!(*only <= single),
            several => {
                prop_assert!(parts.units > single, "cut without need");
                prop_assert!(several.iter().all(|length| (1..=each).contains(length)), "{:?}", several);
            }
        }
        // None could have taken the first character of the next as well, unless what holds together is longer.
        for pair in parts.parts.windows(2) {
            let (this, next) = (length(pair[0], parts.encoding), pair[1].chars().next());
            let alone = next.is_some_and(|c| parts.encoding == TextEncoding::Gsm7 || c.is_ascii());
            let follows = pair[1].chars().nth(1).is_some_and(|c| c.is_ascii() || parts.encoding == TextEncoding::Gsm7);
            if alone && follows {
                let size = next.map_or(0, |c| length(c.encode_utf8(&mut [0; 4]), parts.encoding));
                prop_assert!(this + size > each, "{:?}", pair);
            }
        }
    }

    #[test]
    fn what_is_written_otherwise_is_gsm_7_and_stays_so(text in text()) {
        if let Some(done) = transliterate(&text) {
            prop_assert_eq!(Parts::of(&done.text).encoding, TextEncoding::Gsm7);
            prop_assert_eq!(transliterate(&done.text), None);
            prop_assert!(Parts::of(&text).encoding == TextEncoding::Ucs2 && done.changed as usize <= text.chars().count());
        }
    }

    #[test]
    fn what_is_written_keeps_to_the_bounds(text in text(), parts_max in 1_u32..5, chars_max in 10_u32..900, cut: bool) {
        let too_long = if cut { TooLong::Cut } else { TooLong::Reject };
        let policy = TextPolicy { transliterate: Transliterate::Saving, parts_max, too_long };
        let links = ["https://a.example/x".to_owned()];
        match write(&text, &links, &policy, Some(chars_max)) {
            Ok(writing) => {
                let parts = Parts::of(&writing.text);
                prop_assert_eq!(writing.written.parts as usize, parts.count());
                prop_assert_eq!(writing.written.encoding, parts.encoding);
                prop_assert!(parts.count() <= parts_max as usize);
                prop_assert!(writing.text.chars().count() <= chars_max as usize);
                prop_assert!(writing.text.ends_with(&links[0]), "the link stays whole");
                let whole = writing.written.changed == 0 && writing.written.cut == 0;
                prop_assert!(!whole || writing.text.starts_with(&text));
            }
            Err(_) => prop_assert!(!cut || chars_max < 24, "it could have been cut"),
        }
    }

    #[test]
    fn the_number_of_parts_has_a_bound(units in 153 * 250_usize..153 * 260) {
        let text = "x".repeat(units);
        let parts = Parts::of(&text);
        prop_assert!(parts.parts.len() <= PARTS_MAX);
        prop_assert_eq!(parts.count(), units.div_ceil(153).min(PARTS_MAX + 1));
    }
}
