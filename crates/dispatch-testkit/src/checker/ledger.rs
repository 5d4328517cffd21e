//! What was acknowledged, and what arrived.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::{Caught, HttpCatcher, Mail, SmtpCatcher, email, sms};

/// Every so many messages one is a mail.
const MAIL_EVERY: u64 = 8;
/// Locations that the messages are spread over.
const LOCATIONS: u64 = 20;
/// Bytes of a text message's webhook.
const BODY: usize = 512;

/// Whether a provider has a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It said so.
    Yes,
    /// It had all of it and said nothing that can be understood.
    Perhaps,
    /// It refused.
    No,
}

/// A message at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// By which the provider could tell a double.
    pub key: String,
    /// What the provider did with it.
    pub taken: Taken,
}

/// The witness's own record, in memory: it does not depend on the disk under test.
#[derive(Default)]
pub struct Ledger {
    next: AtomicU64,
    frozen: AtomicBool,
    pub(super) book: Mutex<Book>,
}

#[derive(Default)]
pub(super) struct Book {
    pub(super) acked: BTreeSet<u64>,
    pub(super) arrivals: BTreeMap<u64, Vec<Arrival>>,
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Requests that were sent and not answered.
    pub(super) unanswered: u64,
    /// Connections that were refused.
    pub(super) refused: u64,
    /// Used connections that were closed before the next request was answered.
    pub(super) stale: u64,
    /// What should never be seen at all.
    pub(super) strange: Vec<String>,
}

impl Ledger {
    /// The next message's number and its webhook.
    pub fn next(&self) -> (u64, Vec<u8>) {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let location = format!("torture-location-{:03}", n % LOCATIONS);
        let body =
            if n % MAIL_EVERY == MAIL_EVERY - 1 { email(&location, n) } else { sms(&location, n, BODY) };
        (n, body)
    }

    /// The sender's id of a message.
    pub fn external_id(n: u64) -> String {
        format!("{}{n:019}", if n % MAIL_EVERY == MAIL_EVERY - 1 { 'E' } else { 'M' })
    }

    /// From now on an acknowledgement is no evidence: the disk is being cut off.
    pub fn freeze(&self) {
        self.frozen.store(true, Ordering::SeqCst);
        // Whoever is writing one down has done so when the lock is free.
        drop(self.book.lock());
    }

    /// Acknowledgements count again.
    pub fn thaw(&self) {
        self.frozen.store(false, Ordering::SeqCst);
    }

    /// Notes an answer. Whether the message is off the sender's hands.
    pub fn answered(&self, n: u64, status: u16) -> bool {
        let mut book = self.book.lock();
        *book.statuses.entry(status).or_default() += 1;
        match status {
            200..=299 if self.frozen.load(Ordering::SeqCst) => false,
            200..=299 => {
                book.acked.insert(n);
                true
            }
            429 => false,
            other => {
                book.strange.push(format!("message {n} was answered {other}"));
                true
            }
        }
    }

    /// Notes a request that was sent and got no answer.
    pub fn unanswered(&self) {
        self.book.lock().unanswered += 1;
    }

    /// Notes a used connection that was closed under the next request: a server may close an idle one at
    /// any time, and a sender cannot know.
    pub fn stale(&self) {
        self.book.lock().stale += 1;
    }

    /// Notes a connection that did not come about.
    pub fn refused(&self) {
        self.book.lock().refused += 1;
    }

    /// Notes what should never be seen.
    pub fn strange(&self, what: String) {
        self.book.lock().strange.push(what);
    }

    /// How many were acknowledged.
    pub fn acked(&self) -> usize {
        self.book.lock().acked.len()
    }

    /// What came to the providers of this message.
    pub fn arrivals(&self, n: u64) -> Vec<Arrival> {
        self.book.lock().arrivals.get(&n).cloned().unwrap_or_default()
    }

    /// Takes over what came to the providers since the last time.
    pub fn collect(&self, texts: &HttpCatcher, mails: &SmtpCatcher) {
        let (texts, mails) = (texts.take(), mails.take());
        let mut book = self.book.lock();
        for caught in &texts {
            match of_text(caught) {
                Some((n, arrival)) => book.arrivals.entry(n).or_default().push(arrival),
                None => book.strange.push(format!("the provider got {} {}", caught.method, caught.text())),
            }
        }
        for mail in &mails {
            match of_mail(mail) {
                Some((n, arrival)) => book.arrivals.entry(n).or_default().push(arrival),
                None => book.strange.push(format!("the relay got a mail to {:?}", mail.to)),
            }
        }
    }
}

fn of_text(caught: &Caught) -> Option<(u64, Arrival)> {
    let json = caught.json().ok()?;
    let n = json["to"].as_str()?.strip_prefix("+1586")?.parse().ok()?;
    let taken = match caught.answered {
        Some(200..=299) => Taken::Yes,
        Some(_) => Taken::No,
        None => Taken::Perhaps,
    };
    Some((n, Arrival { key: json["key"].as_str()?.to_owned(), taken }))
}

fn of_mail(mail: &Mail) -> Option<(u64, Arrival)> {
    let n = mail.to.first()?.strip_prefix("person")?.strip_suffix("@example.com")?.parse().ok()?;
    let taken = if mail.answered { Taken::Yes } else { Taken::Perhaps };
    Some((n, Arrival { key: mail.header("message-id")?, taken }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_2xx_before_the_cut_is_an_acknowledgement() {
        let ledger = Ledger::default();
        assert!(ledger.answered(1, 200));
        assert!(!ledger.answered(2, 429));
        ledger.freeze();
        assert!(!ledger.answered(3, 200));
        ledger.thaw();
        assert!(ledger.answered(3, 200));
        assert_eq!(ledger.book.lock().acked, BTreeSet::from([1, 3]));
        assert!(ledger.book.lock().strange.is_empty());
        ledger.answered(4, 503);
        assert_eq!(ledger.book.lock().strange.len(), 1, "no answer but those of the table");
    }

    #[test]
    fn an_arrival_is_known_by_its_recipient() {
        let ledger = Ledger::default();
        let numbers: Vec<u64> = (0..MAIL_EVERY).map(|_| ledger.next().0).collect();
        assert_eq!(numbers, (0..MAIL_EVERY).collect::<Vec<_>>());
        let caught = Caught {
            method: "POST".into(),
            target: "/".into(),
            headers: Vec::new(),
            body: br#"{"to":"+15860000007","key":"k"}"#.to_vec(),
            answered: None,
            at: std::time::Instant::now(),
        };
        assert_eq!(of_text(&caught), Some((7, Arrival { key: "k".into(), taken: Taken::Perhaps })));
        assert_eq!(of_text(&Caught { body: b"{}".to_vec(), ..caught }), None);
    }
}
