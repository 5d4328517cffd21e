//! An outcome in words.

use std::fmt::Write as _;

use dispatch_model::Outcome;

use crate::when;

/// What stands behind the kind.
pub(super) fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted(acceptance) => {
            let mut words = match &acceptance.references[..] {
                [] => "without a reference".to_owned(),
                references => references.join(", "),
            };
            if let Some(state) = &acceptance.state {
                let _ = write!(words, " ({state})");
            }
            if let Some(parts) = acceptance.parts.filter(|parts| *parts > 1) {
                let _ = write!(words, " in {parts} parts");
            }
            for refused in &acceptance.refused {
                let _ = write!(words, "; {} refused: {}", refused.recipient, refused.reason);
            }
            words
        }
        Outcome::Rejected { kind, reason } => format!("{} {reason}", kind.as_str()),
        Outcome::Deferred { reason, retry_after_ms } | Outcome::Throttled { reason, retry_after_ms } => {
            match retry_after_ms {
                Some(millis) => {
                    format!(
                        "{reason}, asks to wait {}",
                        when::span(std::time::Duration::from_millis(*millis))
                    )
                }
                None => reason.to_string(),
            }
        }
        Outcome::Unknown { reason } => reason.to_string(),
    }
}
