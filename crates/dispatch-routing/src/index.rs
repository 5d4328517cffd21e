//! Which rules can be for a location and channel at all.
//!
//! A router of 100 000 locations has at least as many rules, and a message may concern only a few of
//! them: those that name its location, and those for any. Both lists are kept in file order, so that
//! merging them gives the candidates in file order without looking at any other rule.

use ahash::AHashMap;
use dispatch_model::{Channel, LocationId};

use crate::Rule;

/// Rule numbers by channel.
type ByChannel = [Numbers; 2];

/// Rule numbers in order. Nearly every location has one rule a channel, so one stands in the table
/// itself: with 100 000 locations each further place in memory is one more cache miss.
#[derive(Clone, Debug, Default)]
enum Numbers {
    #[default]
    None,
    One(u32),
    Several(Vec<u32>),
}

impl Numbers {
    fn push(&mut self, number: u32) {
        match self {
            Self::None => *self = Self::One(number),
            // A rule may name a location twice.
            Self::One(last) if *last == number => {}
            Self::One(first) => *self = Self::Several(vec![*first, number]),
            Self::Several(list) if list.last() == Some(&number) => {}
            Self::Several(list) => list.push(number),
        }
    }

    fn as_slice(&self) -> &[u32] {
        match self {
            Self::None => &[],
            Self::One(number) => std::slice::from_ref(number),
            Self::Several(list) => list,
        }
    }
}

/// Rule numbers by location and channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    named: AHashMap<LocationId, ByChannel>,
    any: ByChannel,
}

const CHANNELS: [Channel; 2] = [Channel::Sms, Channel::Email];

fn slot(channel: Channel) -> usize {
    match channel {
        Channel::Sms => 0,
        Channel::Email => 1,
    }
}

/// The channels that a rule is for.
pub(crate) fn channels(rule: &Rule) -> impl Iterator<Item = Channel> {
    CHANNELS.into_iter().filter(|channel| rule.channel.is_none_or(|wanted| wanted == *channel))
}

impl Index {
    /// Enters a rule. Rules are entered in file order, which keeps the lists sorted.
    pub(crate) fn add(&mut self, number: u32, rule: &Rule) {
        for channel in channels(rule) {
            if rule.locations.is_empty() {
                self.any[slot(channel)].push(number);
            }
            for location in &rule.locations {
                self.named.entry(location.clone()).or_default()[slot(channel)].push(number);
            }
        }
    }

    /// The rules that name this location and channel, in order.
    pub(crate) fn named(&self, location: &LocationId, channel: Channel) -> &[u32] {
        self.named.get(location).map_or(&[], |lists| lists[slot(channel)].as_slice())
    }

    /// The rules for any location and this channel, in order.
    pub(crate) fn any(&self, channel: Channel) -> &[u32] {
        self.any[slot(channel)].as_slice()
    }

    /// All rules for this location and channel, in order.
    pub(crate) fn candidates(&self, location: &LocationId, channel: Channel) -> Candidates<'_> {
        Candidates { named: self.named(location, channel), any: self.any(channel) }
    }
}

/// Two sorted lists read as one.
pub(crate) struct Candidates<'a> {
    named: &'a [u32],
    any: &'a [u32],
}

impl Iterator for Candidates<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let list = match (self.named.first(), self.any.first()) {
            (Some(named), Some(any)) if any < named => &mut self.any,
            (Some(_), _) => &mut self.named,
            (None, _) => &mut self.any,
        };
        let (first, rest) = list.split_first()?;
        *list = rest;
        Some(*first)
    }
}
