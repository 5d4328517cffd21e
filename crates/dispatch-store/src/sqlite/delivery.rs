//! A delivery as a row.

use dispatch_model::{BackendName, Delivery, DeliveryState, Lane, MessageId, Plan, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::content::channel_of;
use super::error::{Failure, unreadable};
use super::names::Names;
use super::tally::Counted;
use crate::{Planned, RecipientKey, StoreError, transition};

/// A statement that begins with the columns that [`RawDelivery::of`] reads, in order. `d` is the table.
macro_rules! select_delivery {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.state, d.location, d.channel, d.flags, d.lane, d.route, d.due_at, d.expires_at, ",
            "d.changed_at, d.planned_at, d.recipient, d.epoch, d.position, d.attempts, d.attempts_total, ",
            "d.generation, d.last_attempt, d.called_off, d.reference, d.reason, d.remaining, d.plan ",
            $rest
        )
    };
}
pub(super) use select_delivery;

const MARKED: i64 = 1;
const UNRESOLVED: i64 = 2;
const POSSIBLE_DOUBLE: i64 = 4;
/// Of the message, but it changes, and the message's row does not.
const PURGED: i64 = 8;
const LEARNT: i64 = 16;
/// There are receipts for it.
const HEARD: i64 = 32;

/// Which queue index a row is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    None = 0,
    Ready = 1,
    Later = 2,
    Parked = 3,
}

/// A delivery and what the store keeps beside it.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) delivery: Delivery,
    pub(super) recipient: RecipientKey,
    pub(super) planned_at: Option<Timestamp>,
    pub(super) last_attempt: Option<i64>,
    /// The reason of a cancel that came during the attempt under way.
    pub(super) called_off: Option<String>,
    pub(super) purged: bool,
    /// Whether there are receipts for it.
    pub(super) heard: bool,
    /// As it is counted on disk.
    pub(super) counted: Counted,
}

impl Stored {
    /// Of a message that was just admitted.
    pub(super) fn fresh(delivery: Delivery, recipient: RecipientKey, counted: Counted) -> Self {
        Self {
            delivery,
            recipient,
            planned_at: None,
            last_attempt: None,
            called_off: None,
            purged: false,
            heard: false,
            counted,
        }
    }

    pub(super) fn plan(&mut self, plan: &Planned) {
        self.delivery = transition::planned(&self.delivery, plan);
        self.recipient = plan.recipient;
        self.planned_at = Some(plan.delivery.changed_at);
    }

    pub(super) fn flags(&self) -> i64 {
        let delivery = &self.delivery;
        [
            (delivery.marked, MARKED),
            (delivery.unresolved, UNRESOLVED),
            (delivery.possible_double, POSSIBLE_DOUBLE),
            (self.purged, PURGED),
            (delivery.learnt, LEARNT),
            (self.heard, HEARD),
        ]
        .into_iter()
        .filter_map(|(is, flag)| is.then_some(flag))
        .sum()
    }
}

pub(super) fn is_possible_double(flags: i64) -> bool {
    flags & POSSIBLE_DOUBLE != 0
}

/// A delivery as it stands on disk.
#[derive(Debug)]
pub(super) struct RawDelivery {
    id: i64,
    state: u8,
    location: i64,
    channel: i64,
    flags: i64,
    lane: Option<i64>,
    route: Option<i64>,
    due_at: i64,
    expires_at: i64,
    changed_at: i64,
    planned_at: Option<i64>,
    recipient: i64,
    epoch: u32,
    position: u32,
    attempts: u32,
    attempts_total: u32,
    generation: u32,
    last_attempt: Option<i64>,
    called_off: Option<String>,
    reference: Option<String>,
    reason: Option<String>,
    remaining: Option<String>,
    plan: Option<String>,
}

impl RawDelivery {
    /// From [`COLUMNS`].
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            state: row.get(1)?,
            location: row.get(2)?,
            channel: row.get(3)?,
            flags: row.get(4)?,
            lane: row.get(5)?,
            route: row.get(6)?,
            due_at: row.get(7)?,
            expires_at: row.get(8)?,
            changed_at: row.get(9)?,
            planned_at: row.get(10)?,
            recipient: row.get(11)?,
            epoch: row.get(12)?,
            position: row.get(13)?,
            attempts: row.get(14)?,
            attempts_total: row.get(15)?,
            generation: row.get(16)?,
            last_attempt: row.get(17)?,
            called_off: row.get(18)?,
            reference: row.get(19)?,
            reason: row.get(20)?,
            remaining: row.get(21)?,
            plan: row.get(22)?,
        })
    }

    /// With its names.
    pub(super) fn resolve(self, db: &Connection, names: &mut Names) -> Result<Stored, Failure> {
        let state = DeliveryState::from_u8(self.state)
            .ok_or_else(|| unreadable("a delivery", format_args!("state {}", self.state)))?;
        let (chain, reasons) = match &self.plan {
            Some(text) => parse::<(Vec<BackendName>, Vec<String>)>("a plan", text)?,
            None => (Vec::new(), Vec::new()),
        };
        let route = match self.route {
            Some(number) => Some((&*names.text(db, number)?).into()),
            None => None,
        };
        let lane = match self.lane {
            Some(number) => Some(Lane::from(&*names.text(db, number)?)),
            None => None,
        };
        let delivery = Delivery {
            message: MessageId::from_i64(self.id),
            location: (&*names.text(db, self.location)?).into(),
            channel: channel_of(self.channel),
            state,
            plan: Plan { route, chain, reasons },
            position: self.position,
            lane,
            attempts: self.attempts,
            attempts_total: self.attempts_total,
            generation: self.generation,
            due_at: Timestamp::from_millis(self.due_at),
            expires_at: Timestamp::from_millis(self.expires_at),
            epoch: self.epoch,
            marked: self.flags & MARKED != 0,
            unresolved: self.flags & UNRESOLVED != 0,
            possible_double: self.flags & POSSIBLE_DOUBLE != 0,
            learnt: self.flags & LEARNT != 0,
            references: self.reference.as_deref().map(references_of).unwrap_or_default(),
            remaining: self.remaining.as_deref().map(|text| parse("recipients", text)).transpose()?,
            reason: self.reason.as_deref().map(|text| parse("a reason", text)).transpose()?,
            changed_at: Timestamp::from_millis(self.changed_at),
        };
        Ok(Stored {
            delivery,
            recipient: RecipientKey(self.recipient),
            planned_at: self.planned_at.map(Timestamp::from_millis),
            last_attempt: self.last_attempt,
            called_off: self.called_off,
            purged: self.flags & PURGED != 0,
            heard: self.flags & HEARD != 0,
            counted: Counted { state, location: self.location, lane: self.lane },
        })
    }
}

fn parse<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| unreadable(what, error))
}

/// The provider's ids as one text, a line each: none has control characters.
pub(super) fn references_text(references: &[String]) -> Option<String> {
    (!references.is_empty()).then(|| references.join("\n"))
}

/// Whether a reference is one of those that stand in a column.
pub(super) fn is_among(references: Option<&str>, reference: &str) -> bool {
    references.is_some_and(|text| text.lines().any(|one| one == reference))
}

/// The provider's ids from their text.
pub(super) fn references_of(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// As JSON. Strings and lists of strings can always be written.
pub(super) fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| Failure::Refused(StoreError::Invalid { detail: error.to_string() }))
}

/// Reads one delivery.
pub(super) fn load(db: &Connection, names: &mut Names, id: MessageId) -> Result<Option<Stored>, Failure> {
    let raw = db
        .prepare_cached(select_delivery!("FROM delivery d WHERE d.id = ?1"))?
        .query_row([id.as_i64()], RawDelivery::of)
        .optional()?;
    raw.map(|raw| raw.resolve(db, names)).transpose()
}
