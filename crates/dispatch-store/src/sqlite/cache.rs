//! Messages admitted a moment ago, and how their deliveries stand: a verb that finds them here reads and parses nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use ahash::AHashMap;
use dispatch_model::{Message, MessageId};

use super::delivery::Stored;

/// Bytes of content kept at most: a bulk action of ten thousand, some seconds of traffic as fast as it goes.
const BYTES: usize = 32 << 20;

/// A bounded cache, first in first out: work is mostly claimed in the order it came.
#[derive(Debug, Default)]
pub(super) struct MessageCache {
    kept: AHashMap<MessageId, Kept>,
    order: VecDeque<MessageId>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    message: Arc<Message>,
    bytes: usize,
    /// The row of its delivery, as it stands in the present transaction; none where it has to be read.
    row: Option<Stored>,
}

impl MessageCache {
    pub(super) fn keep(&mut self, message: &Arc<Message>, bytes: usize, row: Stored) {
        if bytes > BYTES / 32 {
            return;
        }
        self.drop(message.id);
        self.kept.insert(message.id, Kept { message: Arc::clone(message), bytes, row: Some(row) });
        self.order.push_back(message.id);
        self.bytes += bytes;
        while self.bytes > BYTES || self.order.len() > 2 * self.kept.len() + 64 {
            let Some(oldest) = self.order.pop_front() else { break };
            self.drop(oldest);
        }
    }

    pub(super) fn get(&self, id: MessageId) -> Option<Arc<Message>> {
        self.kept.get(&id).map(|kept| Arc::clone(&kept.message))
    }

    pub(super) fn drop(&mut self, id: MessageId) {
        if let Some(kept) = self.kept.remove(&id) {
            self.bytes -= kept.bytes;
        }
    }

    /// How a delivery stands, if that is known; from then on it is not, until whoever took it puts it back.
    pub(super) fn take_row(&mut self, id: MessageId) -> Option<Stored> {
        self.kept.get_mut(&id)?.row.take()
    }

    /// The place for a delivery's row, of a message that is kept. Whoever writes a row puts it here, or none.
    pub(super) fn row_mut(&mut self, id: MessageId) -> Option<&mut Option<Stored>> {
        self.kept.get_mut(&id).map(|kept| &mut kept.row)
    }

    /// What was written does not stand.
    pub(super) fn rolled_back(&mut self) {
        self.kept.values_mut().for_each(|kept| kept.row = None);
    }
}
