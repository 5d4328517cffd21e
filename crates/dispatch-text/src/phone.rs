//! Phone numbers as people write them, made into what is dialled from anywhere.
//!
//! The numbering plans are libphonenumber's (as the crate `rlibphonenumber`). A number is taken when
//! its *length* is possible in its country. Whether its digits are in use is not asked: plans change
//! faster than metadata, the provider knows better, and the patterns for it would cost 75 MB of
//! memory once numbers of all countries have come by.
//!
//! Three things are decided here and not there:
//! - Mexico dropped its mobile `1` and the trunk prefixes `01`, `044` and `045` in 2019. Contacts keep
//!   them; they are taken off, so that one person has one number.
//! - Argentina's mobile numbers are `+54 9 area number` from abroad; the national `15` becomes that
//!   `9`. A number that has neither is left alone: it may be a landline.
//! - Letters are refused. Read as on a telephone's keypad, a remark after a number would make it a
//!   stranger's.

use std::fmt;

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat};

use crate::Region;

/// Longer than any number with punctuation, an extension and room; the parser sees no more.
const ORIGINAL_CHARS_MAX: usize = 64;

/// `+` and 8 to 15 digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct E164(String);

impl E164 {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, by value.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A number is a person's: it is not shown in passing.
impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E164({} digits)", self.0.len() - 1)
    }
}

/// Why a text is no number that can be dialled. It quotes nothing of the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneProblem {
    /// Nothing there.
    #[error("the number is empty")]
    Empty,
    /// Letters, or something else that is none.
    #[error("this is not a phone number")]
    NotANumber,
    /// A national number, and no region to read it by.
    #[error("the number has no country code, and the source has no default_region")]
    NoRegion,
    /// A country code that does not exist.
    #[error("the number's country code does not exist")]
    UnknownCountry,
    /// Fewer digits than a number of its country has.
    #[error("the number is too short for its country")]
    TooShort,
    /// More digits than a number of its country has.
    #[error("the number is too long for its country")]
    TooLong,
}

/// Reads a number, with `default_region` for those that do not name their country by `+` or `00`.
/// An extension (`ext. 5`, `x5`, `#5`) is left off: texts are not sent to extensions.
pub fn to_e164(original: &str, default_region: Option<Region>) -> Result<E164, PhoneProblem> {
    let number = plain(original)?;
    let e164 = match read(&number, default_region) {
        Ok(e164) => e164,
        // `00` stands for `+` in most of the world, and no national number begins with it where it
        // does not. The region's own reading goes first: it may have another meaning there.
        Err(problem) => match number.strip_prefix("00") {
            Some(rest) => read(&format!("+{rest}"), None).map_err(|_| problem)?,
            None => return Err(problem),
        },
    };
    // Rows of zeros lose one at each reading. What does not read as itself is no number; most were just read as that.
    if e164.0 == number {
        return Ok(e164);
    }
    match read(&e164.0, None) {
        Ok(again) if again == e164 => Ok(e164),
        _ => Err(PhoneProblem::NotANumber),
    }
}

/// Digits and a leading `+`; whatever stands for a space or a hyphen is left out.
fn plain(original: &str) -> Result<String, PhoneProblem> {
    let original = original.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    if original.is_empty() {
        return Err(PhoneProblem::Empty);
    }
    if original.chars().count() > ORIGINAL_CHARS_MAX {
        return Err(PhoneProblem::NotANumber);
    }
    let original = match original.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => &original[4..],
        _ => original,
    };
    let mut number = String::with_capacity(original.len());
    for character in without_extension(original).chars() {
        match character {
            '+' | '\u{ff0b}' if number.is_empty() => number.push('+'),
            _ if is_separator(character) || is_invisible(character) => {}
            _ => number.push(digit(character).ok_or(PhoneProblem::NotANumber)?),
        }
    }
    match number.trim_start_matches('+') {
        "" => Err(PhoneProblem::NotANumber),
        _ => Ok(number),
    }
}

/// What stands before `ext. 5`, `x 5`, `#5` and their like, where only digits follow the word.
fn without_extension(number: &str) -> &str {
    let Some(at) = number.find(|c: char| c.is_alphabetic() || matches!(c, '#' | ';' | ',')) else {
        return number;
    };
    let (before, rest) = number.split_at(at);
    let word_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (word, digits) = rest.split_at(word_end);
    let word: String = word.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    let is_extension = matches!(
        word.as_str(),
        "" | "x" | "e" | "ext" | "extn" | "extension" | "extensión" | "anexo" | "int"
    );
    let digits = digits.trim();
    if is_extension && (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        before
    } else {
        number
    }
}

fn is_separator(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '-' | '.' | '(' | ')' | '[' | ']' | '/' | '~' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff0d}'
        )
}

/// Marks of direction and joining that come along when a number is copied from a web page.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// An ASCII, full-width, Arabic-Indic or Persian digit, as ASCII.
fn digit(character: char) -> Option<char> {
    let zero = match character {
        '0'..='9' => return Some(character),
        '\u{ff10}'..='\u{ff19}' => 0xff10,
        '\u{0660}'..='\u{0669}' => 0x0660,
        '\u{06f0}'..='\u{06f9}' => 0x06f0,
        _ => return None,
    };
    char::from_digit(character as u32 - zero, 10)
}

fn read(number: &str, region: Option<Region>) -> Result<E164, PhoneProblem> {
    if region.is_none() && !number.starts_with('+') {
        return Err(PhoneProblem::NoRegion);
    }
    let parsed =
        PHONE_NUMBER_UTIL.parse(number, region.map(|region| region.0)).map_err(|error| match error {
            ParseError::InvalidCountryCode => PhoneProblem::UnknownCountry,
            ParseError::NotANumber(_) => PhoneProblem::NotANumber,
            ParseError::TooShortAfterIdd | ParseError::TooShortNsn => PhoneProblem::TooShort,
            ParseError::TooLongNsn => PhoneProblem::TooLong,
        })?;
    let text = PHONE_NUMBER_UTIL.format(&parsed, PhoneNumberFormat::E164).into_owned();
    match mexican(&text) {
        Some(text) => return Ok(E164(text)),
        None => has_possible_length(&parsed)?,
    }
    match text.len() - 1 {
        8..=15 => Ok(E164(text)),
        0..8 => Err(PhoneProblem::TooShort),
        _ => Err(PhoneProblem::TooLong),
    }
}

fn has_possible_length(number: &PhoneNumber) -> Result<(), PhoneProblem> {
    use rlibphonenumber::ValidationError;
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(number) {
        Ok(NumberLengthType::IsPossible) => Ok(()),
        // Dialled within a town, and not from anywhere else.
        Ok(NumberLengthType::IsPossibleLocalOnly) => Err(PhoneProblem::TooShort),
        Err(ValidationError::TooShort) => Err(PhoneProblem::TooShort),
        Err(ValidationError::TooLong) => Err(PhoneProblem::TooLong),
        Err(ValidationError::InvalidCountryCode) => Err(PhoneProblem::UnknownCountry),
        Err(ValidationError::InvalidLength) => Err(PhoneProblem::NotANumber),
    }
}

/// A Mexican number without the prefixes of the past: each stood before ten digits.
fn mexican(text: &str) -> Option<String> {
    let national = text.strip_prefix("+52")?;
    let ten = ["1", "01", "044", "045"]
        .iter()
        .find_map(|prefix| national.strip_prefix(prefix).filter(|rest| rest.len() == 10))?;
    Some(format!("+52{ten}"))
}
