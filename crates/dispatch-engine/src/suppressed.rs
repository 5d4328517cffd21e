//! Who wants no messages, at hand: asked for each message before its plugin is, when it is planned and again when it is
//! claimed.
//!
//! The store has it on disk; this is the copy that costs no question. It is made at the start and changed with the store,
//! whose only writer is this process. A person who says *stop* is in it before the store is asked, so that nothing slips
//! through between the commit and this copy; all else follows the commit.

use ahash::AHashMap;
use dispatch_model::{Channel, Delivery, LocationId, Message, Reason, SUPPRESSED};
use dispatch_store::{Cursor, SUPPRESSIONS_MAX, Store, StoreError, Suppression, SuppressionFilter};
use dispatch_text::address_form;
use parking_lot::RwLock;
use ring::digest::{Context, SHA256};
use tokio::sync::{Mutex, MutexGuard};

/// Deliveries that ended since their recipient wants no messages, by channel.
pub const SUPPRESSED_TOTAL: &str = "dispatcher_suppressed_total";

/// A person at a channel: half a digest is enough to tell a million apart, and keeps no address in memory.
type Person = [u8; 16];

/// For each person the locations that may not write; none stands for every one.
type People = AHashMap<Person, Vec<Option<LocationId>>>;

/// Who wants no messages.
#[derive(Default)]
pub(crate) struct Suppressed {
    people: RwLock<People>,
    /// Held from before a change of the store until it is in the copy: of two changes the later one is read last.
    changes: Mutex<()>,
}

fn person(channel: Channel, address: &str) -> Person {
    let mut context = Context::new(&SHA256);
    context.update(channel.as_str().as_bytes());
    context.update(&[0]);
    context.update(address.as_bytes());
    let mut person = Person::default();
    let length = person.len();
    person.copy_from_slice(&context.finish().as_ref()[..length]);
    person
}

impl Suppressed {
    /// As the store has them.
    pub(crate) async fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let people = read(store, SuppressionFilter::default()).await?;
        Ok(Self { people: RwLock::new(people), changes: Mutex::default() })
    }

    /// Nobody else changes anything until this is dropped.
    pub(crate) async fn changing(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().await
    }

    /// One more.
    pub(crate) fn add(&self, suppression: &Suppression) {
        let mut people = self.people.write();
        let locations = people.entry(person(suppression.channel, &suppression.address)).or_default();
        if !locations.contains(&suppression.location) {
            locations.push(suppression.location.clone());
        }
    }

    /// Takes over what the store has of this person now.
    pub(crate) async fn refresh(
        &self,
        store: &dyn Store,
        channel: Channel,
        address: &str,
    ) -> Result<(), StoreError> {
        let filter = SuppressionFilter {
            channel: Some(channel),
            address: Some(address.to_owned()),
            ..SuppressionFilter::default()
        };
        let known = read(store, filter).await?;
        let who = person(channel, address);
        let mut people = self.people.write();
        people.remove(&who);
        people.extend(known);
        Ok(())
    }

    /// Takes over what the store has of everybody now.
    pub(crate) async fn refresh_all(&self, store: &dyn Store) -> Result<(), StoreError> {
        let people = read(store, SuppressionFilter::default()).await?;
        *self.people.write() = people;
        Ok(())
    }

    /// Whether all whom a delivery is still to go to want nothing of its location: why it is not to be attempted.
    pub(crate) fn silences(&self, message: &Message, delivery: &Delivery) -> Option<Reason> {
        let unwanted = self.among(message);
        if unwanted.is_empty() {
            return None;
        }
        let goes = |recipient: &&str| match &delivery.remaining {
            Some(remaining) => remaining.iter().any(|one| one == recipient),
            None => true,
        };
        let all = message.recipients().iter().filter(|one| goes(one)).all(|one| unwanted.contains(one));
        let words = match message.channel() {
            Channel::Sms => "the recipient wants no text messages of this location",
            Channel::Email => "the recipients want no mails of this location",
        };
        all.then(|| Reason::new(SUPPRESSED, words))
    }

    /// Those of a message's recipients that want nothing of its location.
    pub(crate) fn among<'a>(&self, message: &'a Message) -> Vec<&'a str> {
        let people = self.people.read();
        if people.is_empty() || message.inbound_from().is_some() {
            return Vec::new();
        }
        let channel = message.channel();
        let unwanted = |recipient: &&str| {
            let locations = people.get(&person(channel, &address_form(channel, recipient)));
            locations.is_some_and(|locations| {
                locations.iter().any(|one| one.as_ref().is_none_or(|one| *one == message.location))
            })
        };
        message.recipients().into_iter().filter(unwanted).collect()
    }
}

async fn read(store: &dyn Store, filter: SuppressionFilter) -> Result<People, StoreError> {
    let mut people = People::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.suppressed(filter.clone(), cursor, SUPPRESSIONS_MAX).await?;
        for known in page.items {
            people.entry(person(known.channel, &known.address)).or_default().push(known.location);
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(people);
        }
    }
}

/// A suppression with its address in the form in which messages are compared.
#[must_use]
pub fn in_form(mut suppression: Suppression) -> Suppression {
    suppression.address = address_form(suppression.channel, &suppression.address);
    suppression
}

/// Tells that a delivery ended so.
pub(crate) fn tell(message: &Message) {
    let channel = message.channel().as_str();
    metrics::counter!(SUPPRESSED_TOTAL, "channel" => channel).increment(1);
    tracing::info!(message_id = %message.id, location = %message.location, channel, "delivery.suppressed");
}
