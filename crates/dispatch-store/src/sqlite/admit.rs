//! The door: submissions become messages, and what cannot be parsed is kept.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use dispatch_model::{Channel, Delivery, DeliveryState, Lease, Message, MessageId, Submission};
use ring::digest::{SHA256, digest};
use rusqlite::OptionalExtension as _;

use super::content::{MessageRow, channel_number};
use super::delivery::Stored;
use super::error::Failure;
use super::keys::{Key, dedupe_key};
use super::ledger::{Ledger, event_number};
use super::names::Kind;
use super::tally::Counted;
use super::verb::{Progress, Verb, no_room};
use crate::transition::{self, DUPLICATES_SHOWN};
use crate::{
    Admitted, EventKind, Planner, QuarantineRequest, Quarantined, RecipientKey, Stands, StoreError,
    TimelineEvent, Waits,
};

/// A submission, with all that can be made of it before the writer has it.
pub(super) struct Admit {
    submission: Option<Submission>,
    /// Made at the first run and used again should the transaction have to be repeated.
    message: Option<Arc<Message>>,
    key: Key,
    row: MessageRow,
    channel: Channel,
    planner: Option<Arc<dyn Planner>>,
    /// Asked for at the first run, like the message.
    waits: Option<Waits>,
    /// Whether the last run wrote it, and under which lease.
    written: Option<Option<Lease>>,
}

impl Admit {
    pub(super) fn new(submission: Submission, planner: Option<Arc<dyn Planner>>) -> Result<Self, StoreError> {
        let row = MessageRow::of(&submission).map_err(|error| StoreError::Invalid {
            detail: format!("a submission that cannot be written: {error}"),
        })?;
        Ok(Self {
            key: dedupe_key(&submission.dedupe_scope(), &submission.external_id),
            row,
            channel: submission.channel(),
            submission: Some(submission),
            message: None,
            planner,
            waits: None,
            written: None,
        })
    }

    fn duplicate(&self, ledger: &mut Ledger, id: MessageId) -> Result<(), Failure> {
        let at = self.submission.as_ref().map_or_else(|| id.at(), |submission| submission.received_at);
        let known: i64 = ledger
            .db
            .prepare_cached("SELECT count(*) FROM message WHERE id = ?1")?
            .query_row([id.as_i64()], |row| row.get(0))?;
        let shown: i64 = ledger
            .db
            .prepare_cached("SELECT count(*) FROM event WHERE message = ?1 AND kind = ?2")?
            .query_row((id.as_i64(), event_number(EventKind::Duplicate)), |row| row.get(0))?;
        if known > 0 && shown < DUPLICATES_SHOWN as i64 && ledger.no_room.is_none() {
            let event = TimelineEvent { at, kind: EventKind::Duplicate, detail: String::new() };
            ledger.event(id, &event)?;
        }
        Ok(())
    }

    /// Gives it an id, unless it has one from a run that was rolled back.
    fn message(&mut self, ledger: &mut Ledger) -> Result<Arc<Message>, Failure> {
        if let Some(submission) = self.submission.take() {
            match ledger.sequence.next(submission.received_at) {
                Ok(id) => self.message = Some(Arc::new(Message { id, submission })),
                Err(error) => {
                    self.submission = Some(submission);
                    return Err(error.into());
                }
            }
        }
        self.message.clone().ok_or_else(|| {
            Failure::Refused(StoreError::Fatal { detail: "a submission that was lost on its way".into() })
        })
    }
}

impl Admit {
    /// How its delivery begins: planned already, where the planner does it, and then where it stands.
    fn planned(
        &mut self,
        ledger: &mut Ledger,
        message: &Arc<Message>,
        fresh: &mut Stored,
    ) -> Result<Option<Stands>, Failure> {
        if let Some(planner) = self.planner.take() {
            // A defect of the planner is not one of the store: the message is planned later.
            let asked = catch_unwind(AssertUnwindSafe(|| planner.waits(message, self.weight())));
            self.waits = asked.unwrap_or_else(|_| {
                tracing::error!(message_id = %message.id, "store.planner: it failed");
                None
            });
        }
        let Some(waits) = &self.waits else { return Ok(None) };
        if !transition::is_waiting(&waits.planned, message.id) {
            self.waits = None;
            return Ok(None);
        }
        fresh.plan(&waits.planned);
        if waits.stands == Stands::Leased && !ledger.is_suspended(fresh)? {
            let now = fresh.delivery.changed_at;
            transition::lease(&mut fresh.delivery, true, now);
        }
        Ok(Some(waits.stands))
    }
}

impl Verb for Admit {
    type Output = Admitted;

    fn weight(&self) -> usize {
        self.row.content.len() + 1024
    }

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<Admitted>, Failure> {
        self.written = None;
        if let Some(id) = ledger.keys.promised(&ledger.db, &self.key)? {
            self.duplicate(ledger, id)?;
            return Ok(Progress::Done(Admitted::Duplicate(id)));
        }
        if let Some(detail) = &ledger.no_room {
            return Err(no_room(detail));
        }
        let location = match (&self.submission, &self.message) {
            (Some(submission), _) => submission.location.clone(),
            (None, Some(message)) => message.location.clone(),
            (None, None) => return Err(StoreError::Fatal { detail: "an empty submission".into() }.into()),
        };
        if let Some(number) = ledger.names.number(&ledger.db, Kind::Location, location.as_str())? {
            let waiting = ledger.tally.waiting(&ledger.db, number)?;
            if waiting >= ledger.location_waiting_max {
                return Err(StoreError::LocationFull { location, waiting }.into());
            }
        }
        let message = self.message(ledger)?;
        let number = ledger.names.intern(&ledger.db, Kind::Location, location.as_str())?;
        let source = ledger.names.intern(&ledger.db, Kind::Source, message.source.as_str())?;
        let (id, received_at) = (message.id.as_i64(), message.received_at.as_millis());
        let channel = channel_number(self.channel);
        ledger.keys.keep(self.key, id);
        ledger
            .db
            .prepare_cached(
                "INSERT INTO message(id, location, channel, source, received_at, external_id, contact, \
                 recipients, original, content, sender) \
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute((
                id,
                number,
                channel,
                source,
                received_at,
                &message.external_id,
                message.contact.as_ref().map(|contact| contact.as_str()),
                &self.row.recipients,
                &self.row.original,
                &self.row.content,
                &self.row.sender,
            ))?;
        let counted = Counted { state: DeliveryState::Unplanned, location: number, lane: None };
        let delivery = Delivery::unplanned(message.id, location, self.channel, message.received_at);
        let mut stored = Stored::fresh(delivery, RecipientKey::of(&message), counted);
        let planned = self.planned(ledger, &message, &mut stored)?;
        ledger.insert(&mut stored, planned == Some(Stands::InLine))?;
        let leased = stored.delivery.state == DeliveryState::Leased;
        self.written = Some(leased.then(|| stored.delivery.lease()));
        ledger.indexed.admitted();
        ledger.messages.keep(&message, self.weight(), stored);
        Ok(Progress::Done(match planned {
            Some(_) => Admitted::Waiting(message),
            None => Admitted::Fresh(message),
        }))
    }

    fn committed(&mut self) {
        if let (Some(lease), Some(waits)) = (self.written, self.waits.take()) {
            let told = catch_unwind(AssertUnwindSafe(|| waits.arrival.written(lease)));
            if told.is_err() {
                tracing::error!("store.planner: it failed over a message that is written");
            }
        }
    }
}

/// A body to keep.
pub(super) struct Quarantine {
    request: QuarantineRequest,
    digest: [u8; 32],
}

impl Quarantine {
    pub(super) fn new(request: QuarantineRequest) -> Self {
        let mut sum = [0; 32];
        sum.copy_from_slice(digest(&SHA256, &request.body).as_ref());
        Self { request, digest: sum }
    }
}

impl Verb for Quarantine {
    type Output = Quarantined;

    fn weight(&self) -> usize {
        self.request.body.len() + 512
    }

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<Quarantined>, Failure> {
        let db = &ledger.db;
        let kept: Option<i64> = db
            .prepare_cached("SELECT id FROM quarantine WHERE digest = ?1")?
            .query_row([self.digest], |row| row.get(0))
            .optional()?;
        if let Some(id) = kept {
            if ledger.no_room.is_none() {
                db.prepare_cached("UPDATE quarantine SET seen = seen + 1 WHERE id = ?1")?.execute([id])?;
            }
            return Ok(Progress::Done(Quarantined::Duplicate(id)));
        }
        if let Some(detail) = &ledger.no_room {
            return Err(no_room(detail));
        }
        let source = ledger.names.intern(&ledger.db, Kind::Source, self.request.source.as_str())?;
        ledger
            .db
            .prepare_cached(
                "INSERT INTO quarantine(digest, source, received_at, reason, size, seen, body) \
                 VALUES(?1, ?2, ?3, ?4, ?5, 1, ?6)",
            )?
            .execute((
                self.digest,
                source,
                self.request.received_at.as_millis(),
                &self.request.reason,
                self.request.body.len() as i64,
                &self.request.body,
            ))?;
        ledger.tally.quarantined(1);
        Ok(Progress::Done(Quarantined::Fresh(ledger.db.last_insert_rowid())))
    }
}
