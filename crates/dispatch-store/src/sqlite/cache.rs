//! Messages admitted a moment ago: a claim that finds them here reads and parses nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use ahash::AHashMap;
use dispatch_model::{Message, MessageId};

/// Bytes of content kept at most: a bulk action of ten thousand, some seconds of traffic as fast as it goes.
const BYTES: usize = 32 << 20;

/// A bounded cache, first in first out: work is mostly claimed in the order it came.
#[derive(Debug, Default)]
pub(super) struct MessageCache {
    kept: AHashMap<MessageId, (Arc<Message>, usize)>,
    order: VecDeque<MessageId>,
    bytes: usize,
}

impl MessageCache {
    pub(super) fn keep(&mut self, message: &Arc<Message>, bytes: usize) {
        if bytes > BYTES / 32 {
            return;
        }
        self.kept.insert(message.id, (Arc::clone(message), bytes));
        self.order.push_back(message.id);
        self.bytes += bytes;
        while self.bytes > BYTES || self.order.len() > 2 * self.kept.len() + 64 {
            let Some(oldest) = self.order.pop_front() else { break };
            self.drop(oldest);
        }
    }

    pub(super) fn get(&self, id: MessageId) -> Option<Arc<Message>> {
        self.kept.get(&id).map(|(message, _)| Arc::clone(message))
    }

    pub(super) fn drop(&mut self, id: MessageId) {
        if let Some((_, bytes)) = self.kept.remove(&id) {
            self.bytes -= bytes;
        }
    }
}
