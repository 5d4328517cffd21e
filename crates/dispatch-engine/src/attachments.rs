//! What goes along with a message to a given backend, and what becomes of the rest.
//!
//! A backend takes no attachments, URLs, or content. Content is fetched by the host, bounded in time and
//! size, once per message: what was fetched stays in a bounded spool for the next attempt, and is fetched
//! again if it is gone. What cannot go along is left to the route: the message fails, the attachment is
//! dropped, or it becomes a link in the text.

pub(crate) mod link;
mod spool;

use std::sync::Arc;

use dispatch_model::{Attachment, Delivery, Description, MediaSupport, Message, Outcome, Reason, Rejection};
use tokio::time::Instant;

pub(crate) use spool::Spool;

use crate::attempt::Means;
use crate::core::Core;
use crate::{FetchBounds, FetchError, Spooled};

/// Whether content is fetched.
#[derive(Clone, Copy)]
pub(crate) enum Fetching<'a> {
    /// Where the plugin wants it.
    Now(&'a Core),
    /// Not at all: for telling what would be done. Attachments whose content would be fetched stay as they are.
    Never,
}

/// Whether the plugin wants attachments' content.
pub(crate) fn fetches(description: &Description) -> bool {
    description.limits.media == MediaSupport::Content
}

/// Why an attachment does not go along.
#[derive(Debug)]
pub(crate) enum Why {
    NotTaken,
    TooMany(u32),
    Fetch(FetchError),
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotTaken => f.write_str("the backend takes no attachments"),
            Self::TooMany(most) => write!(f, "the backend takes at most {most}"),
            // The error's words may hold the URL; its kind says enough.
            Self::Fetch(FetchError::Refused(_)) => f.write_str("its address is refused"),
            Self::Fetch(FetchError::TooLarge(most)) => write!(f, "larger than {most} bytes are left for it"),
            Self::Fetch(FetchError::Missing(status)) => write!(f, "its server answered {status}"),
            Self::Fetch(FetchError::Transient(_)) => f.write_str("its server could not be reached"),
        }
    }
}

/// Leaves those attachments in the message that go along; the others with their place and why.
pub(crate) async fn choose(
    fetching: Fetching<'_>,
    means: &Means,
    message: &mut Message,
    left_out: &mut Vec<(usize, String, Why)>,
) -> Vec<Arc<Spooled>> {
    let limits = &means.backend.plugin.description().limits;
    let all = std::mem::take(&mut message.submission.attachments);
    let mut going: Vec<Attachment> = Vec::new();
    let mut files = Vec::new();
    let mut bytes = means.backend.limits.attachment_bytes_max.min(limits.media_bytes_max);
    let began = Instant::now();
    for (index, mut attachment) in all.into_iter().enumerate() {
        let why = match limits.media {
            MediaSupport::None => Why::NotTaken,
            _ if going.len() >= limits.media_max as usize => Why::TooMany(limits.media_max),
            MediaSupport::Url => {
                going.push(attachment);
                continue;
            }
            MediaSupport::Content => {
                let Fetching::Now(core) = fetching else {
                    going.push(attachment);
                    continue;
                };
                let deadline = began + core.config.fetch_timeout;
                match fetch(core, message, index, &attachment.url, bytes, deadline).await {
                    Ok(spooled) => {
                        bytes = bytes.saturating_sub(spooled.file.size);
                        attachment.file = Some(spooled.file.clone());
                        files.push(spooled);
                        going.push(attachment);
                        continue;
                    }
                    Err(error) => Why::Fetch(error),
                }
            }
        };
        left_out.push((index, attachment.url, why));
    }
    message.submission.attachments = going;
    files
}

async fn fetch(
    core: &Core,
    message: &Message,
    index: usize,
    url: &str,
    max_bytes: u64,
    deadline: Instant,
) -> Result<Arc<Spooled>, FetchError> {
    if let Some(spooled) = core.spool.get(message.id, index) {
        return if spooled.file.size <= max_bytes {
            Ok(spooled)
        } else {
            Err(FetchError::TooLarge(max_bytes))
        };
    }
    let timeout = deadline.saturating_duration_since(Instant::now());
    let late = || FetchError::Transient("too slow".to_owned());
    let fetched = tokio::select! {
        biased;
        () = core.abort.cancelled() => Err(late()),
        fetched = tokio::time::timeout(timeout, core.egress.fetch(url, FetchBounds { max_bytes, timeout })) => {
            fetched.unwrap_or_else(|_| Err(late()))
        }
    };
    let spooled = Arc::new(fetched?);
    if spooled.file.size > max_bytes {
        return Err(FetchError::TooLarge(max_bytes));
    }
    core.spool.keep(message.id, index, &spooled);
    Ok(spooled)
}

/// What the route's `attachments = "fail"` makes of it: later where it may work then, else the end.
pub(crate) fn failed(index: usize, why: &Why) -> Outcome {
    let reason = Reason::new("attachment", format!("attachment {}: {why}", index + 1));
    match why {
        Why::Fetch(FetchError::Transient(_)) => Outcome::Deferred { reason, retry_after_ms: None },
        _ => Outcome::Rejected { kind: Rejection::Content, reason },
    }
}

pub(crate) fn note(delivery: &mut Delivery, index: usize, what: &str, why: &Why) {
    let note = format!("attachment {} {what}: {why}", index + 1);
    if !delivery.plan.reasons.contains(&note) {
        delivery.plan.reasons.push(note);
    }
}
