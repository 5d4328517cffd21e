//! What the store in memory holds, and its answers to questions.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use dispatch_model::{
    AttemptRecord, Delivery, DeliveryState, HeardReceipt, Lane, LocationId, Message, MessageId, Submission,
    Timestamp,
};

use crate::form::search_forms;
use crate::sequence::Sequence;
use crate::transition::{self, DUPLICATES_SHOWN};
use crate::{
    Admitted, Cursor, EventKind, Filter, LaneRecord, MessageSummary, MessageView, NewReceipt, Page, Planned,
    Planner, QuarantineEntry, QuarantineRequest, Quarantined, RecipientKey, Stands, StoreError, StoreStats,
    Suppression, Suspension, TimelineEvent, Waits,
};

/// Ids that [`crate::Store::find`] gives at most.
const FOUND_MAX: usize = 20;

/// One message and all that is known of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) message: Arc<Message>,
    pub(super) purged: bool,
    pub(super) delivery: Delivery,
    pub(super) recipient: RecipientKey,
    pub(super) planned_at: Option<Timestamp>,
    /// The reason of a cancel that came during the attempt under way.
    pub(super) called_off: Option<String>,
    pub(super) attempts: Vec<AttemptRecord>,
    pub(super) receipts: Vec<HeardReceipt>,
    pub(super) events: Vec<TimelineEvent>,
    pub(super) references: Vec<String>,
}

impl Entry {
    pub(super) fn plan(&mut self, plan: &Planned) {
        self.delivery = transition::planned(&self.delivery, plan);
        self.recipient = plan.recipient;
        self.planned_at = Some(plan.delivery.changed_at);
    }
}

pub(super) struct State {
    location_waiting_max: u64,
    pub(super) planner: Option<Arc<dyn Planner>>,
    sequence: Sequence,
    pub(super) entries: BTreeMap<MessageId, Entry>,
    /// By scope and external id.
    pub(super) keys: HashMap<(String, String), MessageId>,
    /// The turn of each location: in the order in which they first came.
    pub(super) turns: HashMap<LocationId, usize>,
    pub(super) quarantine: BTreeMap<i64, (QuarantineEntry, Vec<u8>)>,
    last_quarantined: i64,
    pub(super) suspensions: BTreeMap<Suspension, Timestamp>,
    lanes: BTreeMap<Lane, LaneRecord>,
    /// Receipts that nobody could be found for, as they came.
    pub(super) parked: VecDeque<NewReceipt>,
    pub(super) secrets: BTreeMap<String, Vec<u8>>,
    /// Who wants no messages, by number as they came.
    pub(super) suppressed: BTreeMap<i64, Suppression>,
    pub(super) last_suppressed: i64,
}

impl State {
    pub(super) fn new(location_waiting_max: u64) -> Self {
        Self {
            location_waiting_max,
            planner: None,
            sequence: Sequence::after(MessageId::ZERO),
            entries: BTreeMap::new(),
            keys: HashMap::new(),
            turns: HashMap::new(),
            quarantine: BTreeMap::new(),
            last_quarantined: 0,
            suspensions: BTreeMap::new(),
            lanes: BTreeMap::new(),
            parked: VecDeque::new(),
            secrets: BTreeMap::new(),
            suppressed: BTreeMap::new(),
            last_suppressed: 0,
        }
    }

    pub(super) fn admit(
        &mut self,
        submission: Submission,
        planner: Option<&dyn Planner>,
        room: Result<(), StoreError>,
    ) -> Result<Admitted, StoreError> {
        let key = (submission.dedupe_scope().into_owned(), submission.external_id.clone());
        if let Some(id) = self.keys.get(&key) {
            if let (Some(entry), Ok(())) = (self.entries.get_mut(id), room) {
                let shown = entry.events.iter().filter(|event| event.kind == EventKind::Duplicate).count();
                if shown < DUPLICATES_SHOWN {
                    let at = submission.received_at;
                    entry.events.push(TimelineEvent {
                        at,
                        kind: EventKind::Duplicate,
                        detail: String::new(),
                    });
                }
            }
            return Ok(Admitted::Duplicate(*id));
        }
        room?;
        let mine = |entry: &&Entry| {
            entry.delivery.location == submission.location && entry.delivery.state.is_waiting()
        };
        let waiting = self.entries.values().filter(mine).count() as u64;
        if waiting >= self.location_waiting_max {
            return Err(StoreError::LocationFull { location: submission.location, waiting });
        }
        let id = self.sequence.next(submission.received_at)?;
        let turn = self.turns.len();
        self.turns.entry(submission.location.clone()).or_insert(turn);
        let delivery = Delivery::unplanned(
            id,
            submission.location.clone(),
            submission.channel(),
            submission.received_at,
        );
        let message = Arc::new(Message { id, submission });
        self.keys.insert(key, id);
        let mut entry = Entry {
            recipient: RecipientKey::of(&message),
            message: Arc::clone(&message),
            purged: false,
            delivery,
            planned_at: None,
            called_off: None,
            attempts: Vec::new(),
            receipts: Vec::new(),
            events: Vec::new(),
            references: Vec::new(),
        };
        let waits = planner.and_then(|planner| planner.waits(&message, size_of::<Entry>()));
        let waits = waits.filter(|waits| transition::is_waiting(&waits.planned, id));
        let Some(Waits { planned, stands, arrival }) = waits else {
            self.entries.insert(id, entry);
            return Ok(Admitted::Fresh(message));
        };
        entry.plan(&planned);
        let leased = stands == Stands::Leased && !self.is_suspended(&entry);
        if leased {
            let now = entry.delivery.changed_at;
            transition::lease(&mut entry.delivery, true, now);
        }
        let lease = leased.then(|| entry.delivery.lease());
        self.entries.insert(id, entry);
        arrival.written(lease);
        Ok(Admitted::Waiting(message))
    }

    pub(super) fn quarantine(
        &mut self,
        request: QuarantineRequest,
        room: Result<(), StoreError>,
    ) -> Result<Quarantined, StoreError> {
        if let Some((entry, _)) = self.quarantine.values_mut().find(|(_, body)| *body == request.body) {
            if room.is_ok() {
                entry.seen += 1;
            }
            return Ok(Quarantined::Duplicate(entry.id));
        }
        room?;
        self.last_quarantined += 1;
        let entry = QuarantineEntry {
            id: self.last_quarantined,
            source: request.source,
            received_at: request.received_at,
            reason: request.reason,
            size: request.body.len() as u64,
            seen: 1,
        };
        self.quarantine.insert(entry.id, (entry, request.body));
        Ok(Quarantined::Fresh(self.last_quarantined))
    }

    pub(super) fn message(&self, id: MessageId) -> Option<MessageView> {
        let entry = self.entries.get(&id)?;
        let mut events = entry.events.clone();
        transition::insert_plan(&mut events, &entry.delivery.plan, entry.planned_at);
        Some(MessageView {
            message: (*entry.message).clone(),
            content_purged: entry.purged,
            delivery: entry.delivery.clone(),
            attempts: entry.attempts.clone(),
            receipts: sorted(&entry.receipts),
            events,
        })
    }

    pub(super) fn find(&self, any_id: &str) -> Vec<MessageId> {
        let ours = any_id.parse().ok().filter(|id| self.entries.contains_key(id));
        let newest = || self.entries.values().rev();
        let external = newest().filter(|entry| entry.message.external_id == any_id);
        let referred = newest().filter(|entry| entry.references.iter().any(|known| known == any_id));
        let mut found = Vec::new();
        for id in ours.into_iter().chain(external.chain(referred).map(|entry| entry.message.id)) {
            if !found.contains(&id) && found.len() < FOUND_MAX {
                found.push(id);
            }
        }
        found
    }

    pub(super) fn search(
        &self,
        filter: &Filter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Page<MessageSummary> {
        let before = cursor.map_or(i64::MAX, |cursor| cursor.0);
        let mut items = Vec::new();
        for entry in self.entries.values().rev().filter(|entry| matches(filter, entry)) {
            if entry.message.id.as_i64() >= before {
                continue;
            }
            if items.len() == limit.max(1) {
                let last: &MessageSummary = &items[items.len() - 1];
                let next = Some(Cursor(last.id.as_i64()));
                return Page { items, next };
            }
            items.push(summary(entry));
        }
        Page { items, next: None }
    }

    pub(super) fn quarantined(&self, cursor: Option<Cursor>, limit: usize) -> Page<QuarantineEntry> {
        let before = cursor.map_or(i64::MAX, |cursor| cursor.0);
        let mut rest = self.quarantine.range(..before).rev().map(|(_, (entry, _))| entry.clone());
        let items: Vec<_> = rest.by_ref().take(limit.max(1)).collect();
        let next = if rest.next().is_some() { items.last().map(|entry| Cursor(entry.id)) } else { None };
        Page { items, next }
    }

    pub(super) fn quarantined_body(&self, id: i64) -> Option<Vec<u8>> {
        self.quarantine.get(&id).map(|(_, body)| body.clone())
    }

    pub(super) fn stats(&self) -> StoreStats {
        let count =
            |state| self.entries.values().filter(|entry| entry.delivery.state == state).count() as u64;
        StoreStats {
            by_state: DeliveryState::ALL.map(|state| (state.as_str().to_owned(), count(state))).into(),
            quarantined: self.quarantine.len() as u64,
            parked_receipts: self.parked.len() as u64,
            bytes: 0,
            disk_free: 0,
        }
    }

    pub(super) fn suspensions(&self) -> Vec<(Suspension, Timestamp)> {
        self.suspensions.iter().map(|(what, since)| (what.clone(), *since)).collect()
    }

    pub(super) fn suspend(&mut self, what: Suspension, suspended: bool, now: Timestamp) -> bool {
        if let Suspension::Location(location) = &what {
            // Naming a location gives it its turn, as it gives it its number on disk.
            let turn = self.turns.len();
            self.turns.entry(location.clone()).or_insert(turn);
        }
        let is = self.suspensions.contains_key(&what);
        match suspended {
            true if !is => drop(self.suspensions.insert(what, now)),
            false if is => drop(self.suspensions.remove(&what)),
            _ => {}
        }
        is != suspended
    }

    pub(super) fn save_lane(&mut self, lane: Lane, record: LaneRecord) {
        self.lanes.insert(lane, record);
    }

    pub(super) fn lane_records(&self) -> Vec<(Lane, LaneRecord)> {
        self.lanes.iter().map(|(lane, record)| (lane.clone(), record.clone())).collect()
    }
}

fn sorted(receipts: &[HeardReceipt]) -> Vec<HeardReceipt> {
    let mut receipts = receipts.to_vec();
    receipts.sort_by(transition::receipt_order);
    receipts
}

/// Whether a filter takes this one in.
pub(super) fn matches(filter: &Filter, entry: &Entry) -> bool {
    let (message, delivery) = (&entry.message, &entry.delivery);
    let admitted_at = message.id.at();
    let recipient =
        |wanted: &String| !entry.purged && search_forms(message).contains(&crate::form::search_form(wanted));
    (filter.ids.is_empty() || filter.ids.contains(&message.id))
        && filter.location.as_ref().is_none_or(|location| *location == delivery.location)
        && filter
            .contact
            .as_ref()
            .is_none_or(|wanted| message.contact.as_ref().is_some_and(|contact| contact.as_str() == wanted))
        && filter.recipient.as_ref().is_none_or(recipient)
        && (filter.states.is_empty() || filter.states.contains(&delivery.state))
        && filter.route.as_ref().is_none_or(|route| delivery.plan.route.as_ref() == Some(route))
        && filter.backend.as_ref().is_none_or(|name| transition::current_backend(delivery) == Some(name))
        && filter.channel.is_none_or(|channel| channel == delivery.channel)
        && filter.since.is_none_or(|since| admitted_at >= since)
        && filter.until.is_none_or(|until| admitted_at < until)
        && filter.possible_double.is_none_or(|double| double == delivery.possible_double)
        && filter.inbound.is_none_or(|inbound| inbound == message.inbound_from().is_some())
}

fn summary(entry: &Entry) -> MessageSummary {
    let (message, delivery) = (&entry.message, &entry.delivery);
    let recipients = if entry.purged { Vec::new() } else { message.recipients() };
    MessageSummary {
        id: message.id,
        external_id: message.external_id.clone(),
        admitted_at: message.id.at(),
        location: delivery.location.clone(),
        channel: delivery.channel,
        recipients: recipients.into_iter().map(str::to_owned).collect(),
        sender: message.inbound_from().map(str::to_owned),
        state: delivery.state,
        route: delivery.plan.route.clone(),
        backend: transition::current_backend(delivery).cloned(),
        attempts: delivery.attempts_total,
        due_at: delivery.due_at,
        references: delivery.references.clone(),
        reason: delivery.reason.clone(),
        possible_double: delivery.possible_double,
    }
}
