//! What providers say, in memory.

use dispatch_model::{BackendName, HeardReceipt, MessageId, Timestamp, hear};

use super::state::{Entry, State};
use crate::receipts::{PARKED_MAX, RECEIPTS_MAX};
use crate::{About, Heard, NewReceipt, News, transition};

/// What makes a receipt the same as another one.
fn same(a: &HeardReceipt, b: &HeardReceipt) -> bool {
    let recipient = |heard: &HeardReceipt| heard.receipt.recipient.clone().unwrap_or_default();
    a.generation == b.generation
        && a.backend == b.backend
        && a.receipt.reference == b.receipt.reference
        && a.receipt.state == b.receipt.state
        && recipient(a) == recipient(b)
}

impl State {
    pub(super) fn hear(&mut self, news: &[News]) -> Vec<Heard> {
        news.iter().map(|News::Receipt(new)| self.take(new)).collect()
    }

    fn take(&mut self, new: &NewReceipt) -> Heard {
        let Some((id, generation)) = self.receipt_for(new) else { return self.park(new) };
        let entry = self.entries.get_mut(&id).expect("it was just found");
        if entry.receipts.len() >= RECEIPTS_MAX {
            return Heard::Surplus(id);
        }
        if !entry.keep(heard(new, generation)) {
            return Heard::Duplicate(id);
        }
        entry.hear(new.received_at);
        Heard::Fresh(id)
    }

    fn receipt_for(&self, new: &NewReceipt) -> Option<(MessageId, u32)> {
        if let Some(about) = new.about.filter(|about| self.entries.contains_key(&about.message)) {
            return Some((about.message, about.generation));
        }
        let spoken_of = |key: &About| {
            let entry = self.entries.get(&key.message);
            entry.is_some_and(|entry| transition::speaks_of(new, *key, &entry.delivery))
        };
        if let Some(key) = new.key.filter(spoken_of) {
            return Some((key.message, key.generation));
        }
        self.entries.values().rev().find_map(|entry| {
            let (delivery, attempts) = (&entry.delivery, &entry.attempts);
            let generation =
                transition::generation_of(delivery, attempts, &new.backend, &new.receipt.reference);
            generation.map(|generation| (entry.message.id, generation))
        })
    }

    fn park(&mut self, new: &NewReceipt) -> Heard {
        if !self.parked.iter().any(|known| same(&heard(known, 0), &heard(new, 0))) {
            self.parked.push_back(new.clone());
        }
        if self.parked.len() > PARKED_MAX {
            self.parked.pop_front();
        }
        Heard::Parked
    }

    /// Gives a message the receipts that came before anybody knew its references, and lets it hear all it has.
    pub(super) fn adopt(&mut self, id: MessageId, backend: Option<&BackendName>, references: &[String]) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let is_ours =
            |new: &NewReceipt| Some(&new.backend) == backend && references.contains(&new.receipt.reference);
        for new in self.parked.iter().filter(|new| is_ours(new)) {
            entry.keep(heard(new, entry.delivery.generation));
        }
        self.parked.retain(|new| !is_ours(new));
        entry.hear(entry.delivery.changed_at);
    }
}

impl Entry {
    /// Whether it is a new one.
    fn keep(&mut self, heard: HeardReceipt) -> bool {
        let is_new = !self.receipts.iter().any(|known| same(known, &heard));
        if is_new {
            self.receipts.push(heard);
        }
        is_new
    }

    /// The delivery in the light of all its receipts.
    pub(super) fn hear(&mut self, at: Timestamp) {
        if self.receipts.is_empty() {
            return;
        }
        let heard = hear(self.delivery.clone(), &self.receipts, at);
        self.references.extend(transition::learnt(&self.delivery, &heard).cloned());
        self.delivery = heard;
    }

    /// Takes what retention takes; what differed by recipient alone becomes one.
    pub(super) fn strip_receipts(&mut self) {
        for mut heard in std::mem::take(&mut self.receipts) {
            transition::strip_receipt(&mut heard);
            self.receipts.retain(|known| !same(known, &heard));
            self.receipts.push(heard);
        }
    }
}

fn heard(new: &NewReceipt, generation: u32) -> HeardReceipt {
    HeardReceipt {
        backend: new.backend.clone(),
        generation,
        receipt: new.receipt.clone(),
        received_at: new.received_at,
    }
}
