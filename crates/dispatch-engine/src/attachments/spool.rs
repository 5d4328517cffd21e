//! What was fetched, kept for the next attempt at the same message.
//!
//! Bounded in messages and bytes; the oldest goes first, and is fetched again if it is needed.

use std::collections::VecDeque;
use std::sync::Arc;

use dispatch_model::MessageId;
use parking_lot::Mutex;

use crate::Spooled;

/// Attachments kept. Retries come within seconds or after long; either way few are worth keeping.
const FILES_MAX: usize = 256;
/// Bytes kept, in memory and in files together.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What was fetched.
#[derive(Default)]
pub(crate) struct Spool {
    kept: Mutex<VecDeque<Kept>>,
}

struct Kept {
    message: MessageId,
    index: usize,
    spooled: Arc<Spooled>,
}

impl Spool {
    /// An attachment of a message, where it is still there.
    pub(crate) fn get(&self, message: MessageId, index: usize) -> Option<Arc<Spooled>> {
        let kept = self.kept.lock();
        kept.iter().find(|it| it.message == message && it.index == index).map(|it| Arc::clone(&it.spooled))
    }

    /// Keeps one, and lets go of the oldest beyond the bounds.
    pub(crate) fn keep(&self, message: MessageId, index: usize, spooled: &Arc<Spooled>) {
        let mut kept = self.kept.lock();
        kept.push_back(Kept { message, index, spooled: Arc::clone(spooled) });
        let mut bytes: u64 = kept.iter().map(|it| it.spooled.file.size).sum();
        while kept.len() > FILES_MAX || bytes > BYTES_MAX {
            let Some(oldest) = kept.pop_front() else { break };
            bytes = bytes.saturating_sub(oldest.spooled.file.size);
        }
    }

    /// The message has ended.
    pub(crate) fn forget(&self, message: MessageId) {
        let mut kept = self.kept.lock();
        if !kept.is_empty() {
            kept.retain(|it| it.message != message);
        }
    }
}

#[cfg(test)]
mod tests {
    use dispatch_model::AttachmentFile;

    use super::*;
    use crate::SpoolContent;

    fn spooled(size: u64) -> Arc<Spooled> {
        let file = AttachmentFile { name: "a".into(), media_type: "b/c".into(), size };
        Arc::new(Spooled { file, content: SpoolContent::Memory(bytes::Bytes::new()) })
    }

    #[test]
    fn the_oldest_goes_first_and_an_ended_message_at_once() {
        let spool = Spool::default();
        let id = |n| MessageId::from_i64(n);
        spool.keep(id(1), 0, &spooled(BYTES_MAX / 2));
        spool.keep(id(2), 0, &spooled(BYTES_MAX / 2));
        assert!(spool.get(id(1), 0).is_some());
        spool.keep(id(3), 0, &spooled(1));
        assert!(spool.get(id(1), 0).is_none());
        assert!(spool.get(id(2), 0).is_some());
        spool.forget(id(2));
        assert!(spool.get(id(2), 0).is_none());
        for n in 10..10 + FILES_MAX as i64 + 1 {
            spool.keep(id(n), 0, &spooled(1));
        }
        assert!(spool.get(id(10), 0).is_none());
    }
}
