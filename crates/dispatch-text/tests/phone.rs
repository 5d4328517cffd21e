//! Numbers as they stand in contact lists.

use dispatch_text::{PhoneProblem, Region, to_e164};
use proptest::prelude::*;

fn check(original: &str, region: &str) -> Result<String, PhoneProblem> {
    let region = (!region.is_empty()).then(|| region.parse::<Region>().unwrap());
    to_e164(original, region).map(|number| number.into_string())
}

#[test]
fn what_is_dialled() {
    for (original, region, expected) in [
        ("+15864603685", "", "+15864603685"),
        ("+15864603685", "MX", "+15864603685"),
        ("(586) 460-3685", "US", "+15864603685"),
        ("1-586-460-3685", "US", "+15864603685"),
        ("+34 612 34 56 78", "MX", "+34612345678"),
        ("+44 (0) 7911 123456", "MX", "+447911123456"),
        // Mexico
        ("55 1234 5678", "MX", "+525512345678"),
        ("5512345678", "MX", "+525512345678"),
        ("525512345678", "MX", "+525512345678"),
        ("+525512345678", "US", "+525512345678"),
        ("+5215512345678", "MX", "+525512345678"),
        ("+52 1 55 1234 5678", "", "+525512345678"),
        ("5215512345678", "MX", "+525512345678"),
        ("1 55 1234 5678", "MX", "+525512345678"),
        ("01 55 1234 5678", "MX", "+525512345678"),
        ("044 55 1234 5678", "MX", "+525512345678"),
        ("045 55 1234 5678", "MX", "+525512345678"),
        ("+52 044 55 1234 5678", "MX", "+525512345678"),
        // Argentina
        ("+54 9 11 2345-6789", "MX", "+5491123456789"),
        ("011 15-2345-6789", "AR", "+5491123456789"),
        ("+54 11 15 2345 6789", "MX", "+5491123456789"),
        ("11 2345 6789", "AR", "+541123456789"),
        ("+541123456789", "", "+541123456789"),
        // 00 for +
        ("0052 55 1234 5678", "MX", "+525512345678"),
        ("0052 55 1234 5678", "", "+525512345678"),
        ("0052 55 1234 5678", "US", "+525512345678"),
        ("00521 55 1234 5678", "US", "+525512345678"),
        ("011 52 55 1234 5678", "US", "+525512345678"),
        // as copied and as typed
        ("\u{202a}+52 55 1234 5678\u{202c}", "MX", "+525512345678"),
        ("+52\u{a0}55\u{2011}1234\u{2011}5678", "MX", "+525512345678"),
        ("＋５２５５１２３４５６７８", "MX", "+525512345678"),
        ("tel:+525512345678", "MX", "+525512345678"),
        ("+52 55 1234 5678 ext. 5", "MX", "+525512345678"),
        ("+525512345678;ext=12", "MX", "+525512345678"),
        ("55 1234 5678 x12", "MX", "+525512345678"),
        ("55 1234 5678 #12", "MX", "+525512345678"),
    ] {
        assert_eq!(check(original, region).as_deref(), Ok(expected), "{original:?} in {region:?}");
    }
}

#[test]
fn what_is_no_number() {
    use PhoneProblem::*;
    for (original, region, expected) in [
        ("", "MX", Empty),
        (" \u{200b} ", "MX", Empty),
        ("abc", "MX", NotANumber),
        ("+", "MX", NotANumber),
        ("---", "MX", NotANumber),
        ("1 800 FLOWERS", "US", NotANumber),
        ("551234 casa", "MX", NotANumber),
        ("55 1234 5678 o 55 8765 4321", "MX", NotANumber),
        ("55 1234 5678, 55 8765 4321", "MX", NotANumber),
        ("55 1234 5678 ext", "MX", NotANumber),
        ("+52+5512345678", "MX", NotANumber),
        ("ana@example.com", "MX", NotANumber),
        ("55 1234 5678", "", NoRegion),
        ("+999 12345678", "MX", UnknownCountry),
        ("12345", "MX", TooShort),
        ("+52 1234", "", TooShort),
        ("460-3685", "US", TooShort),
        ("+52 55 1234 5678 90", "MX", TooLong),
        ("+1 586 460 3685 1", "", TooLong),
        ("5491123456789", "MX", TooLong),
    ] {
        assert_eq!(check(original, region), Err(expected), "{original:?} in {region:?}");
    }
    assert_eq!(check(&"1".repeat(100_000), "MX"), Err(NotANumber));
}

#[test]
fn a_number_is_not_shown_in_passing() {
    let number = to_e164("+525512345678", None).unwrap();
    assert_eq!(format!("{number:?}"), "E164(12 digits)");
}

fn any_region() -> impl Strategy<Value = Option<Region>> {
    prop::sample::select(vec!["", "MX", "US", "AR", "BR", "ES", "IT", "DE", "GB", "JP", "AU", "CI", "NU"])
        .prop_map(|text| text.parse().ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_gives_a_number_or_a_problem(text in "\\PC{0,30}", region in any_region()) {
        holds(&text, region)?;
    }

    #[test]
    fn digits_give_a_number_that_reads_as_itself(text in "(\\+|00|0)?[0-9]{3,17}", region in any_region(), other in any_region()) {
        holds(&text, region)?;
        if let Ok(number) = to_e164(&text, region) {
            prop_assert_eq!(to_e164(number.as_str(), other), Ok(number));
        }
    }

    #[test]
    fn mexican_and_argentine_numbers_read_as_themselves(text in "\\+?(52|54)(1|9|0|01|044|045|15)?[0-9]{8,12}", region in any_region()) {
        holds(&text, region)?;
    }
}

fn holds(text: &str, region: Option<Region>) -> Result<(), TestCaseError> {
    if let Ok(number) = to_e164(text, region) {
        let digits = number.as_str().strip_prefix('+').unwrap();
        prop_assert!((8..=15).contains(&digits.len()), "{}", number.as_str());
        prop_assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{}", number.as_str());
        let again = to_e164(number.as_str(), region);
        prop_assert_eq!(again.as_ref().map(|n| n.as_str()), Ok(number.as_str()));
    }
    Ok(())
}
