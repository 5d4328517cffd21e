//! The country that a number without a country code belongs to.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::PHONE_NUMBER_UTIL;

/// A country as ISO 3166 writes it in two letters, known to have phone numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region(pub(crate) rlibphonenumber::Region);

/// Not a country, or not one with phone numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a region: write the two letters of a country, for example MX, US or ES")]
pub struct UnknownRegion;

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Self, UnknownRegion> {
        let letters = text.trim().to_ascii_uppercase();
        if letters.len() != 2 {
            return Err(UnknownRegion);
        }
        let region = rlibphonenumber::Region::try_from(letters.as_str()).map_err(|_| UnknownRegion)?;
        PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| Self(region)).ok_or(UnknownRegion)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_known_and_others_are_not() {
        for (text, expected) in [("MX", "MX"), ("us", "US"), (" Ar ", "AR")] {
            assert_eq!(text.parse::<Region>().unwrap().to_string(), expected);
        }
        for text in ["", "M", "MEX", "México", "QQ", "ZZ", "52", "ñ"] {
            assert_eq!(text.parse::<Region>(), Err(UnknownRegion), "{text}");
        }
    }
}
