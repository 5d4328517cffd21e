//! Whose turn it is. Pure: no threads, no clock.
//!
//! Lanes with calls waiting stand in one of two rings, and each ring is served from its head, one call a
//! turn. A lane is *brisk* until one of its calls turns out to be long; then it is *slow* until so many of
//! its calls in a row were short. Brisk calls may run up to a bound at once. A brisk call that turns out to
//! be long leaves the count, so that it holds up nobody, and its lane moves over, so that it has no
//! successor: a lane can hold at most as many brisk threads as may run at once, and only until its calls'
//! deadline.

use std::collections::{HashMap, VecDeque};

/// Short calls in a row after which a lane is brisk again. A plugin that is long now and then stays where
/// it disturbs nobody.
const PROBATION: u32 = 16;

/// A lane's name among the others.
pub(super) type LaneId = u64;

/// Which threads serve a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Its calls are short, as far as is known.
    Brisk,
    /// Some were long.
    Slow,
}

/// The lanes and what waits in them.
pub(super) struct Rota<J> {
    lanes: HashMap<LaneId, Lane<J>>,
    /// Lanes with something waiting, by pace.
    rings: [VecDeque<LaneId>; 2],
    /// Brisk calls that run and are not long, and how many of them may.
    running: usize,
    running_max: usize,
    opened: LaneId,
}

struct Lane<J> {
    jobs: VecDeque<J>,
    /// Short calls that are still wanted of a slow lane.
    probation: u32,
    /// Nobody adds to it any more.
    closed: bool,
}

impl<J> Lane<J> {
    fn pace(&self) -> Pace {
        if self.probation == 0 { Pace::Brisk } else { Pace::Slow }
    }
}

impl<J> Rota<J> {
    pub(super) fn new(running_max: usize) -> Self {
        Self { lanes: HashMap::new(), rings: Default::default(), running: 0, running_max, opened: 0 }
    }

    /// A new lane.
    pub(super) fn open(&mut self) -> LaneId {
        self.opened += 1;
        self.lanes.insert(self.opened, Lane { jobs: VecDeque::new(), probation: 0, closed: false });
        self.opened
    }

    /// Nothing more comes into a lane. What waits in it still has its turn.
    pub(super) fn close(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.closed = true;
            if lane.jobs.is_empty() {
                self.lanes.remove(&id);
            }
        }
    }

    /// Something to do.
    pub(super) fn push(&mut self, id: LaneId, job: J) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.jobs.push_back(job);
        if lane.jobs.len() == 1 {
            self.rings[lane.pace() as usize].push_back(id);
        }
    }

    /// Whether a thread of this pace could take something.
    pub(super) fn waits(&self, pace: Pace) -> bool {
        self.waits_beside(pace, 0)
    }

    /// Whether a thread of this pace could take something when so many others are on their way to take something.
    pub(super) fn waits_beside(&self, pace: Pace, coming: usize) -> bool {
        let free = pace == Pace::Slow || self.running + coming < self.running_max;
        let ring = &self.rings[pace as usize];
        // Each lane in a ring has something.
        let waiting =
            || ring.iter().filter_map(|id| self.lanes.get(id)).map(|lane| lane.jobs.len()).sum::<usize>();
        free && (ring.len() > coming || waiting() > coming)
    }

    /// What is to be done next by a thread of this pace.
    pub(super) fn take(&mut self, pace: Pace) -> Option<(LaneId, J)> {
        if !self.waits(pace) {
            return None;
        }
        let ring = &mut self.rings[pace as usize];
        let id = ring.pop_front()?;
        let lane = self.lanes.get_mut(&id)?;
        let job = lane.jobs.pop_front()?;
        if !lane.jobs.is_empty() {
            ring.push_back(id);
        } else if lane.closed {
            self.lanes.remove(&id);
        }
        if pace == Pace::Brisk {
            self.running += 1;
        }
        Some((id, job))
    }

    /// A call that was taken at this pace turned out to be long. True if that is news of its lane.
    pub(super) fn overran(&mut self, id: LaneId, pace: Pace) -> bool {
        if pace == Pace::Brisk {
            self.running -= 1;
        }
        self.judge(id, |_| PROBATION)
    }

    /// A call that was taken at this pace is over.
    pub(super) fn ended(&mut self, id: LaneId, pace: Pace, long: bool) {
        if long {
            return;
        }
        if pace == Pace::Brisk {
            self.running -= 1;
        }
        self.judge(id, |left| left.saturating_sub(1));
    }

    /// Changes a lane's probation, and its ring where its pace changes with it. True if it became slow.
    fn judge(&mut self, id: LaneId, change: impl FnOnce(u32) -> u32) -> bool {
        let Some(lane) = self.lanes.get_mut(&id) else { return false };
        let before = lane.pace();
        lane.probation = change(lane.probation);
        let after = lane.pace();
        if before != after && !lane.jobs.is_empty() {
            self.rings[before as usize].retain(|other| *other != id);
            self.rings[after as usize].push_back(id);
        }
        before == Pace::Brisk && after == Pace::Slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(rota: &mut Rota<&'static str>, jobs: &[&'static str]) -> LaneId {
        let id = rota.open();
        jobs.iter().for_each(|job| rota.push(id, job));
        id
    }

    /// What is taken when each call is over before the next one begins.
    fn one_by_one(rota: &mut Rota<&'static str>, pace: Pace) -> Vec<&'static str> {
        std::iter::from_fn(|| {
            let (id, job) = rota.take(pace)?;
            rota.ended(id, pace, false);
            Some(job)
        })
        .collect()
    }

    #[test]
    fn lanes_take_turns() {
        let mut rota = Rota::new(1);
        filled(&mut rota, &["a1", "a2", "a3"]);
        filled(&mut rota, &["b1"]);
        filled(&mut rota, &["c1", "c2"]);
        assert_eq!(one_by_one(&mut rota, Pace::Brisk), ["a1", "b1", "c1", "a2", "c2", "a3"]);
        assert!(rota.take(Pace::Slow).is_none());
    }

    #[test]
    fn so_many_run_at_once_and_long_ones_do_not_count() {
        let mut rota = Rota::new(2);
        let (spin, honest) = (filled(&mut rota, &["s1", "s2", "s3"]), rota.open());
        assert!(rota.take(Pace::Brisk).is_some() && rota.take(Pace::Brisk).is_some());
        rota.push(honest, "h1");
        assert!(!rota.waits(Pace::Brisk) && rota.take(Pace::Brisk).is_none(), "two are running");
        assert!(rota.overran(spin, Pace::Brisk), "the first long call is news");
        assert!(!rota.overran(spin, Pace::Brisk), "and the second one of the same lane is none");
        assert_eq!(rota.take(Pace::Brisk), Some((honest, "h1")), "though s3 was there before");
        assert!(rota.take(Pace::Brisk).is_none());
        assert_eq!(rota.take(Pace::Slow), Some((spin, "s3")));
        for (id, pace, long) in
            [(spin, Pace::Brisk, true), (spin, Pace::Brisk, true), (honest, Pace::Brisk, false)]
        {
            rota.ended(id, pace, long);
        }
        assert_eq!(rota.running, 0);
    }

    #[test]
    fn nobody_is_wanted_for_what_others_are_coming_for() {
        let mut rota = Rota::new(2);
        filled(&mut rota, &["a1", "a2", "a3"]);
        assert!(rota.waits_beside(Pace::Brisk, 1), "a second one may run");
        assert!(!rota.waits_beside(Pace::Brisk, 2), "a third one may not");
        assert!(rota.take(Pace::Brisk).is_some());
        assert!(rota.waits_beside(Pace::Brisk, 0) && !rota.waits_beside(Pace::Brisk, 1));
        let mut rota = Rota::new(8);
        filled(&mut rota, &["a1", "a2"]);
        filled(&mut rota, &["b1"]);
        assert!(rota.waits_beside(Pace::Brisk, 2) && !rota.waits_beside(Pace::Brisk, 3));
    }

    #[test]
    fn a_slow_lane_is_brisk_again_after_enough_short_calls() {
        let mut rota = Rota::new(1);
        let id = filled(&mut rota, &["long"]);
        rota.take(Pace::Brisk);
        rota.overran(id, Pace::Brisk);
        rota.ended(id, Pace::Brisk, true);
        for _ in 0..PROBATION {
            rota.push(id, "short");
            assert!(!rota.waits(Pace::Brisk));
            assert_eq!(one_by_one(&mut rota, Pace::Slow), ["short"]);
        }
        rota.push(id, "short");
        assert_eq!(one_by_one(&mut rota, Pace::Brisk), ["short"]);
    }

    #[test]
    fn a_lane_that_changes_its_pace_takes_what_waits_along() {
        let mut rota = Rota::new(1);
        let id = filled(&mut rota, &["long", "waits"]);
        rota.take(Pace::Brisk);
        rota.overran(id, Pace::Brisk);
        assert!(!rota.waits(Pace::Brisk) && rota.waits(Pace::Slow));
        rota.judge(id, |_| 0);
        assert_eq!(rota.take(Pace::Brisk), Some((id, "waits")));
        assert!(!rota.waits(Pace::Slow));
    }

    #[test]
    fn a_closed_lane_is_forgotten_once_it_is_empty() {
        let mut rota = Rota::new(1);
        let (empty, filled) = (rota.open(), filled(&mut rota, &["last"]));
        rota.close(empty);
        rota.close(filled);
        rota.push(empty, "never");
        assert_eq!(one_by_one(&mut rota, Pace::Brisk), ["last"]);
        assert!(rota.lanes.is_empty());
        assert!(!rota.overran(filled, Pace::Slow), "a call may outlive its lane");
    }
}
