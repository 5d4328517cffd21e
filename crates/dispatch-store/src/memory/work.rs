//! The working verbs and the upkeep of the store in memory.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use dispatch_model::{DeliveryState, Lane, Lease, MessageId, Timestamp};

use super::state::{Entry, State, matches};
use crate::receipts::PARKED_FOR;
use crate::transition;
use crate::{
    ClaimOne, ClaimRequest, Claimed, Claims, Filter, LaneCount, Planned, Purged, Redrive, Resolution,
    Retention, Settlement, StoreError, Suspension, Unplanned,
};

impl State {
    pub(super) fn unplanned(&self, after: MessageId, limit: usize) -> Vec<Unplanned> {
        self.entries
            .range(after.next()..)
            .filter(|(_, entry)| entry.delivery.state == DeliveryState::Unplanned)
            .take(limit)
            .map(|(_, entry)| Unplanned {
                message: Arc::clone(&entry.message),
                delivery: entry.delivery.clone(),
            })
            .collect()
    }

    pub(super) fn plan(&mut self, plans: &[Planned]) -> Result<(), StoreError> {
        plans.iter().try_for_each(transition::check_planned)?;
        for plan in plans {
            let entry = self.entries.get_mut(&plan.delivery.message);
            if let Some(entry) = entry.filter(|entry| entry.delivery.state == DeliveryState::Unplanned) {
                entry.plan(plan);
            }
        }
        Ok(())
    }

    pub(super) fn claim_one(&mut self, wanted: &ClaimOne) -> Option<Lease> {
        let entry = self.entries.get(&wanted.message)?;
        if self.is_suspended(entry) || !transition::is_claimable(&entry.delivery, wanted) {
            return None;
        }
        let entry = self.entries.get_mut(&wanted.message)?;
        transition::lease(&mut entry.delivery, wanted.marked, wanted.now);
        Some(entry.delivery.lease())
    }

    pub(super) fn is_suspended(&self, entry: &Entry) -> bool {
        let route = entry.delivery.plan.route.clone().map(Suspension::Route);
        self.suspensions.contains_key(&Suspension::Location(entry.delivery.location.clone()))
            || route.is_some_and(|route| self.suspensions.contains_key(&route))
    }

    pub(super) fn claim(&mut self, request: &ClaimRequest) -> Claims {
        // For each location's turn, its due work in order.
        let mut queues: BTreeMap<usize, Vec<(Timestamp, MessageId)>> = BTreeMap::new();
        let mut next_due: Option<Timestamp> = None;
        for entry in self.entries.values() {
            let delivery = &entry.delivery;
            if delivery.state != DeliveryState::Scheduled
                || delivery.lane.as_ref() != Some(&request.lane)
                || self.is_suspended(entry)
            {
                continue;
            }
            if delivery.due_at > request.now {
                next_due = Some(next_due.map_or(delivery.due_at, |due| due.min(delivery.due_at)));
            } else {
                let turn = self.turns[&delivery.location];
                queues.entry(turn).or_default().push((delivery.due_at, delivery.message));
            }
        }
        let after = request.after.as_ref().and_then(|location| self.turns.get(location));
        let split = after.map_or(0, |turn| turn + 1);
        let wrapped = queues.split_off(&split);
        let mut rounds: VecDeque<VecDeque<MessageId>> = wrapped
            .into_values()
            .chain(queues.into_values())
            .map(|mut queue| {
                queue.sort_unstable();
                queue.into_iter().map(|(_, id)| id).collect()
            })
            .collect();
        let mut claims = Claims { after: request.after.clone(), next_due, ..Claims::default() };
        let mut taken = HashSet::new();
        while claims.claimed.len() < request.want
            && let Some(mut queue) = rounds.pop_front()
        {
            while let Some(id) = queue.pop_front() {
                let entry = self.entries.get_mut(&id).expect("the queues were made from the entries");
                let recipient = entry.recipient;
                if request.busy.contains(&recipient.0) || !taken.insert(recipient.0) {
                    continue;
                }
                transition::lease(&mut entry.delivery, false, request.now);
                claims.after = Some(entry.delivery.location.clone());
                claims.claimed.push(Claimed {
                    delivery: entry.delivery.clone(),
                    message: Arc::clone(&entry.message),
                    recipient,
                });
                rounds.push_back(queue);
                break;
            }
        }
        claims.more = rounds.iter().flatten().any(|id| {
            let recipient = self.entries[id].recipient.0;
            !request.busy.contains(&recipient) && !taken.contains(&recipient)
        });
        claims
    }

    fn leased(&mut self, lease: Lease) -> Result<&mut Entry, StoreError> {
        self.entries
            .get_mut(&lease.message)
            .filter(|entry| {
                entry.delivery.state == DeliveryState::Leased && entry.delivery.epoch == lease.epoch
            })
            .ok_or(StoreError::Stale(lease))
    }

    pub(super) fn mark(&mut self, lease: Lease) -> Result<(), StoreError> {
        self.leased(lease)?.delivery.marked = true;
        Ok(())
    }

    pub(super) fn settle(&mut self, settlement: &Settlement) -> Result<(), StoreError> {
        transition::check_settlement(settlement)?;
        let (backend, references) = transition::answered(settlement);
        let (backend, references) = (backend.cloned(), references.to_vec());
        let entry = self.leased(settlement.lease)?;
        entry.references.extend_from_slice(&references);
        let called_off = entry.called_off.take();
        let (delivery, event) =
            transition::settled(&entry.delivery, &settlement.delivery, called_off.as_deref());
        entry.delivery = delivery;
        entry.events.extend(event);
        entry.attempts.extend(settlement.attempt.clone());
        self.adopt(settlement.lease.message, backend.as_ref(), &references);
        Ok(())
    }

    pub(super) fn lanes(&self) -> Vec<LaneCount> {
        let mut lanes: BTreeMap<Lane, LaneCount> = BTreeMap::new();
        for entry in self.entries.values().filter(|e| e.delivery.state == DeliveryState::Scheduled) {
            let Some(lane) = &entry.delivery.lane else { continue };
            let due = if self.is_suspended(entry) {
                Timestamp::from_millis(i64::MAX)
            } else {
                entry.delivery.due_at
            };
            let count = lanes.entry(lane.clone()).or_insert(LaneCount {
                lane: lane.clone(),
                waiting: 0,
                first_due: due,
            });
            count.waiting += 1;
            count.first_due = count.first_due.min(due);
        }
        lanes.into_values().collect()
    }

    pub(super) fn relane(&mut self, from: &Lane, to: &Lane, limit: usize) -> Result<usize, StoreError> {
        if from == to {
            return Err(StoreError::Invalid { detail: format!("lane {from} moved to itself") });
        }
        let mut moved = 0;
        for entry in self.entries.values_mut() {
            let delivery = &mut entry.delivery;
            if moved < limit
                && delivery.state == DeliveryState::Scheduled
                && delivery.lane.as_ref() == Some(from)
            {
                delivery.lane = Some(to.clone());
                delivery.due_at = delivery.due_at.min(delivery.changed_at);
                moved += 1;
            }
        }
        Ok(moved)
    }

    pub(super) fn recover(&mut self, now: Timestamp) -> (usize, usize) {
        let mut count = (0, 0);
        for entry in self.entries.values_mut().filter(|e| e.delivery.state == DeliveryState::Leased) {
            if entry.delivery.marked {
                count.1 += 1
            } else {
                count.0 += 1
            };
            let called_off = entry.called_off.take();
            let event = transition::recover(&mut entry.delivery, called_off.as_deref(), now);
            entry.hear(now);
            entry.events.push(event);
        }
        for entry in self.entries.values_mut() {
            if transition::is_of_the_future(&entry.delivery, now) {
                transition::rewind(&mut entry.delivery, now);
            }
        }
        count
    }

    pub(super) fn cancel(&mut self, filter: &Filter, reason: &str, now: Timestamp) -> usize {
        let mut count = 0;
        for entry in self.entries.values_mut().filter(|entry| matches(filter, entry)) {
            let leased = entry.delivery.state == DeliveryState::Leased;
            if transition::is_cancellable(entry.delivery.state) {
                let event = transition::cancel(&mut entry.delivery, reason, now);
                entry.events.push(event);
            } else if leased && !filter.ids.is_empty() && entry.called_off.is_none() {
                entry.called_off = Some(reason.to_owned());
                entry.events.push(transition::cancel_asked(reason, now));
            } else {
                continue;
            }
            count += 1;
        }
        count
    }

    /// The plan becomes a thing of the past: it must stay in the timeline.
    fn retire_plan(entry: &mut Entry) {
        if let Some(at) = entry.planned_at.take() {
            entry.events.push(transition::planned_event(&entry.delivery.plan, at));
        }
    }

    pub(super) fn redrive(&mut self, request: &Redrive, now: Timestamp) -> usize {
        let mut count = 0;
        for entry in self.entries.values_mut().filter(|entry| matches(&request.filter, entry)) {
            if entry.purged || !transition::is_redrivable(entry.delivery.state) {
                continue;
            }
            Self::retire_plan(entry);
            let event = transition::redrive(&mut entry.delivery, request, now);
            entry.hear(now);
            entry.events.push(event);
            count += 1;
        }
        count
    }

    pub(super) fn resolve(&mut self, id: MessageId, resolution: &Resolution, now: Timestamp) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        if entry.delivery.state != DeliveryState::Held {
            return false;
        }
        if *resolution == Resolution::Retry {
            Self::retire_plan(entry);
        }
        let event = transition::resolve(&mut entry.delivery, resolution, now);
        entry.events.push(event);
        true
    }

    pub(super) fn purge(&mut self, retention: &Retention, now: Timestamp) -> Result<Purged, StoreError> {
        transition::check_retention(retention)?;
        let old = |at: Timestamp, span| at.plus(span) <= now;
        let mut purged = Purged::default();
        for entry in self.entries.values_mut() {
            let delivery = &mut entry.delivery;
            if delivery.state.is_ended() && !entry.purged && old(delivery.changed_at, retention.content) {
                entry.message = Arc::new(transition::without_content(&entry.message));
                delivery.remaining = None;
                entry.attempts.iter_mut().for_each(transition::strip_attempt);
                entry.strip_receipts();
                entry.purged = true;
                purged.contents += 1;
            }
        }
        let before = (self.entries.len(), self.keys.len(), self.quarantine.len());
        let parked = self.parked.len();
        self.parked.retain(|new| !old(new.received_at, PARKED_FOR));
        purged.receipts = parked - self.parked.len();
        self.entries.retain(|_, entry| {
            !(entry.delivery.state.is_ended() && old(entry.delivery.changed_at, retention.record))
        });
        let keys = retention.dedupe.max(retention.record);
        self.keys.retain(|_, id| self.entries.contains_key(id) || !old(id.at(), keys));
        self.quarantine.retain(|_, (entry, _)| !old(entry.received_at, retention.quarantine));
        purged.records = before.0 - self.entries.len();
        purged.keys = before.1 - self.keys.len();
        purged.quarantined = before.2 - self.quarantine.len();
        Ok(purged)
    }
}
