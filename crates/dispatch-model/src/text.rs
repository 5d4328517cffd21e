//! How a text message is written: what a route wants of it, and what became of it.

use serde::{Deserialize, Serialize};

/// The alphabet that a text message is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TextEncoding {
    /// GSM 03.38 with its extension table: 160 septets, or 153 in each of several parts.
    #[serde(rename = "GSM-7")]
    Gsm7,
    /// UTF-16: 70 units, or 67 in each of several parts.
    #[serde(rename = "UCS-2")]
    Ucs2,
}

impl TextEncoding {
    /// The name that people know it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "GSM-7",
            Self::Ucs2 => "UCS-2",
        }
    }
}

impl std::fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a route wants of its text messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPolicy {
    /// Whether characters that GSM-7 lacks are replaced by what reads the same.
    pub transliterate: Transliterate,
    /// So many parts at most, 1 to 255.
    pub parts_max: u32,
    /// What becomes of a text with more.
    pub too_long: TooLong,
}

impl Default for TextPolicy {
    fn default() -> Self {
        // The number of parts is one byte of their header: beyond there are none.
        Self { transliterate: Transliterate::Never, parts_max: 255, too_long: TooLong::Reject }
    }
}

/// When characters that GSM-7 lacks are replaced by what reads the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transliterate {
    /// Never: a text goes out as it came.
    #[default]
    Never,
    /// Where it makes fewer parts.
    Saving,
    /// Wherever all of the text can be written so.
    Always,
}

/// What becomes of a text that is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TooLong {
    /// It is rejected: half a message may say something else than the whole.
    #[default]
    Reject,
    /// Its end is cut off; links to attachments stay.
    Cut,
}

/// How a text message was written, before a plugin saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenText {
    /// The alphabet it needs.
    pub encoding: TextEncoding,
    /// Into how many parts the network cuts it.
    pub parts: u32,
    /// Its length in septets or UTF-16 units.
    pub units: u32,
    /// How many characters were replaced by what reads the same.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub changed: u32,
    /// How many characters were cut off its end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn characters(count: u32) -> String {
    match count {
        1 => "1 character".to_owned(),
        count => format!("{count} characters"),
    }
}

/// In words: `2 parts, UCS-2`.
impl std::fmt::Display for WrittenText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = if self.parts == 1 { "part" } else { "parts" };
        write!(f, "{} {parts}, {}", self.parts, self.encoding)?;
        if self.changed > 0 {
            write!(f, ", {} replaced", characters(self.changed))?;
        }
        if self.cut > 0 {
            write!(f, ", {} cut off", characters(self.cut))?;
        }
        Ok(())
    }
}
