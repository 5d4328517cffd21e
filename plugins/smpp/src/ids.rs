//! Ids of messages, brought into one form.
//!
//! Some message centres give an id in hexadecimal when they take a message, and the same in decimal in its receipt, or the
//! other way round. References are kept in decimal then, without leading zeros, whichever way they came.

use serde::Deserialize;

/// How the ids in receipts are written, compared with those in answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ids {
    /// In the same way.
    #[default]
    Same,
    /// In decimal, while answers have hexadecimal.
    Decimal,
    /// In hexadecimal, while answers have decimal.
    Hex,
}

impl Ids {
    /// The reference of an id that came in an answer, or in the TLV `receipted_message_id`, which repeats it.
    pub(crate) fn of_answer(self, id: &str) -> String {
        match self {
            Self::Same => clean(id),
            Self::Decimal => number(id, 16),
            Self::Hex => number(id, 10),
        }
    }

    /// The reference of an id that came in the text of a receipt.
    pub(crate) fn of_receipt(self, id: &str) -> String {
        match self {
            Self::Same => clean(id),
            Self::Decimal => number(id, 10),
            Self::Hex => number(id, 16),
        }
    }
}

/// An id in decimal. One that is no number stays what it is: then it is at least the same in both places.
fn number(id: &str, radix: u32) -> String {
    let id = clean(id);
    u128::from_str_radix(&id, radix).map_or(id, |number| number.to_string())
}

/// Without what is not to be seen: blanks around it and control characters, which no reference has.
fn clean(id: &str) -> String {
    id.trim().chars().filter(|character| !character.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_places_give_the_same_reference() {
        for (ids, answer, receipt, reference) in [
            (Ids::Same, "0A1b", "0A1b", "0A1b"),
            (Ids::Same, " 17\u{1b} ", "17", "17"),
            (Ids::Decimal, "0A1b", "2587", "2587"),
            (Ids::Decimal, "0a1B", "0000002587", "2587"),
            (Ids::Hex, "2587", "0A1B", "2587"),
            (Ids::Hex, "0000002587", "a1b", "2587"),
            (
                Ids::Decimal,
                "ffffffffffffffffffffffffffffffff",
                "340282366920938463463374607431768211455",
                "340282366920938463463374607431768211455",
            ),
            (Ids::Decimal, "7f3c-uuid", "7f3c-uuid", "7f3c-uuid"),
        ] {
            assert_eq!(ids.of_answer(answer), reference, "{ids:?} {answer}");
            assert_eq!(ids.of_receipt(receipt), reference, "{ids:?} {receipt}");
        }
    }
}
