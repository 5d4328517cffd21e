//! The ledger against dispatcher's own word.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use anyhow::Context as _;
use serde_json::Value;

use super::{Ledger, Taken};
use crate::Daemon;

/// Numbers shown of a list of offenders.
const SHOWN: usize = 5;

/// What was found.
#[derive(Debug, Default, Clone)]
pub struct Verdict {
    /// Answered 2xx.
    pub acknowledged: u64,
    /// Of these, taken by a provider.
    pub delivered: u64,
    /// Came to a provider twice or more, acknowledged or not.
    pub duplicated: u64,
    /// Given up, with a reason that is shown.
    pub dead: u64,
    /// May have been delivered; an operator is asked.
    pub held: u64,
    /// Still has work before it.
    pub waiting: u64,
    /// Acknowledged, and neither delivered nor accounted for.
    pub lost: Vec<u64>,
    /// Of these, said to be accepted by a provider, although none took it.
    pub untrue: Vec<u64>,
    /// Came twice, and is not shown as a possible double.
    pub unsaid: Vec<u64>,
    /// Came twice with different keys: the provider could not have told.
    pub other_key: Vec<u64>,
    /// Answers, unlike any of the table or none at all, and other things that should not be.
    pub strange: Vec<String>,
    /// How many answers of each status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer, and connections refused.
    pub unanswered: (u64, u64),
    /// Connections that had been used, and were closed as the next request was on its way.
    pub stale: u64,
}

/// How many doubles a scenario may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubles {
    /// None: nothing was in flight as anything broke.
    None,
    /// No more than were in flight.
    AtMost(u64),
    /// Any number: the provider itself left each attempt open.
    Any,
}

/// Where the daemon says that a message stands.
struct Word {
    state: String,
    possible_double: bool,
}

impl Verdict {
    /// Asks the daemon where every message stands, and compares.
    pub async fn of(ledger: &Ledger, daemon: &Daemon) -> anyhow::Result<Self> {
        let words = words(daemon).await?;
        Ok(Self::compare(ledger, &words))
    }

    /// When the daemon cannot even start: everything that was not delivered is lost.
    pub fn without_a_daemon(ledger: &Ledger) -> Self {
        Self::compare(ledger, &HashMap::new())
    }

    fn compare(ledger: &Ledger, words: &HashMap<String, Word>) -> Self {
        let book = ledger.book.lock();
        let mut verdict = Self {
            acknowledged: book.acked.len() as u64,
            strange: book.strange.clone(),
            statuses: book.statuses.clone(),
            unanswered: (book.unanswered, book.refused),
            stale: book.stale,
            ..Self::default()
        };
        for n in &book.acked {
            let arrivals = book.arrivals.get(n).map(Vec::as_slice).unwrap_or_default();
            let taken = arrivals.iter().any(|arrival| arrival.taken == Taken::Yes);
            verdict.delivered += u64::from(taken);
            let state = words.get(&Ledger::external_id(*n)).map(|word| word.state.as_str());
            match (state, taken) {
                (Some("held"), _) => verdict.held += 1,
                (Some("unplanned" | "scheduled" | "leased"), _) => verdict.waiting += 1,
                (Some("dead-lettered" | "expired" | "cancelled"), _) => verdict.dead += 1,
                (Some(_), true) => {}
                (None, _) => verdict.lost.push(*n),
                (Some(_), false) => {
                    verdict.lost.push(*n);
                    verdict.untrue.push(*n);
                }
            }
        }
        for (n, arrivals) in &book.arrivals {
            let came: Vec<_> = arrivals.iter().filter(|arrival| arrival.taken != Taken::No).collect();
            if came.len() < 2 {
                continue;
            }
            verdict.duplicated += 1;
            if came.iter().any(|arrival| arrival.key != came[0].key) {
                verdict.other_key.push(*n);
            }
            if !words.get(&Ledger::external_id(*n)).is_some_and(|word| word.possible_double) {
                verdict.unsaid.push(*n);
            }
        }
        verdict
    }

    /// Takes over what another daemon with another ledger came to.
    pub fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.delivered += other.delivered;
        self.duplicated += other.duplicated;
        self.dead += other.dead;
        self.held += other.held;
        self.waiting += other.waiting;
        self.lost.extend(other.lost);
        self.untrue.extend(other.untrue);
        self.unsaid.extend(other.unsaid);
        self.other_key.extend(other.other_key);
        self.strange.extend(other.strange);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.unanswered.0 += other.unanswered.0;
        self.unanswered.1 += other.unanswered.1;
        self.stale += other.stale;
    }

    /// What is wrong with it, in words; nothing when all holds. `waits` says whether work may be left.
    pub fn problems(&self, doubles: Doubles, waits: bool) -> Option<String> {
        let mut text = String::new();
        let mut list = |what: &str, numbers: &[u64]| {
            if !numbers.is_empty() {
                let shown = &numbers[..numbers.len().min(SHOWN)];
                let _ = writeln!(text, "{} {what}: {shown:?} …", numbers.len());
            }
        };
        list("LOST", &self.lost);
        list("of these said to be accepted", &self.untrue);
        list("came twice and it is not said", &self.unsaid);
        list("came twice under two keys", &self.other_key);
        for strange in self.strange.iter().take(SHOWN) {
            let _ = writeln!(text, "{strange}");
        }
        let most = match doubles {
            Doubles::None => 0,
            Doubles::AtMost(most) => most,
            Doubles::Any => u64::MAX,
        };
        if self.duplicated > most {
            let _ =
                writeln!(text, "{} doubles, and {most} attempts can have been in flight", self.duplicated);
        }
        if !waits && self.waiting > 0 {
            let _ = writeln!(text, "{} still wait", self.waiting);
        }
        (!text.is_empty()).then_some(text)
    }
}

async fn words(daemon: &Daemon) -> anyhow::Result<HashMap<String, Word>> {
    let mut words = HashMap::new();
    let mut cursor = String::new();
    loop {
        let page = daemon.ask(&format!("/v1/messages?limit=1000{cursor}")).await?;
        for item in page["items"].as_array().context("a page has items")? {
            let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
            let word = Word { state: text("state"), possible_double: item["possible_double"] == true };
            words.insert(text("external_id"), word);
        }
        match &page["next"] {
            Value::Null => return Ok(words),
            next => cursor = format!("&cursor={next}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Arrival;

    fn arrived(ledger: &Ledger, n: u64, keys: &[&str]) {
        let arrivals = keys.iter().map(|key| Arrival { key: (*key).into(), taken: Taken::Yes });
        ledger.book.lock().arrivals.insert(n, arrivals.collect());
    }

    fn word(n: u64, state: &str, possible_double: bool) -> (String, Word) {
        (Ledger::external_id(n), Word { state: state.into(), possible_double })
    }

    #[test]
    fn each_way_to_lose_is_found() {
        let ledger = Ledger::default();
        for n in 0..6 {
            ledger.answered(n, 200);
        }
        arrived(&ledger, 0, &["a"]);
        let said = [
            word(0, "accepted", false),
            word(1, "accepted", false),
            word(2, "held", true),
            word(3, "scheduled", false),
            word(4, "dead-lettered", false),
        ];
        let verdict = Verdict::compare(&ledger, &HashMap::from(said));
        assert_eq!(
            (&*verdict.lost, &*verdict.untrue),
            (&[1, 5][..], &[1][..]),
            "one is only said to be delivered, one is forgotten"
        );
        assert_eq!((verdict.acknowledged, verdict.delivered), (6, 1));
        assert_eq!((verdict.held, verdict.waiting, verdict.dead), (1, 1, 1));
        assert!(verdict.problems(Doubles::None, true).is_some_and(|text| text.contains("2 LOST")));
    }

    #[test]
    fn a_double_has_to_be_said_and_to_have_one_key() {
        let ledger = Ledger::default();
        arrived(&ledger, 0, &["a", "a"]);
        arrived(&ledger, 1, &["b", "b"]);
        arrived(&ledger, 2, &["c", "d"]);
        let said = [word(0, "accepted", true), word(1, "accepted", false), word(2, "accepted", true)];
        let verdict = Verdict::compare(&ledger, &HashMap::from(said));
        assert_eq!((verdict.duplicated, &*verdict.unsaid, &*verdict.other_key), (3, &[1][..], &[2][..]));
        assert!(verdict.problems(Doubles::AtMost(2), false).is_some_and(|text| text.contains("3 doubles")));
    }

    #[test]
    fn nothing_is_found_where_all_holds() {
        let ledger = Ledger::default();
        ledger.answered(0, 200);
        ledger.answered(1, 429);
        arrived(&ledger, 0, &["a"]);
        let verdict = Verdict::compare(&ledger, &HashMap::from([word(0, "accepted", false)]));
        assert_eq!(verdict.problems(Doubles::None, false), None);
    }
}
