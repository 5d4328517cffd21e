//! A filter of messages as a query string: how it travels, and how a person may type it.

use dispatch_model::{Channel, DeliveryState, MessageId, Timestamp};
use dispatch_store::Filter;

/// A query that makes no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A value that its key cannot take.
    #[error("{key}={value}: expected {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// What stood there.
        value: String,
        /// What may stand there.
        expected: String,
    },
    /// A key that no filter has.
    #[error(
        "unknown filter {0}: expected one of id, location, contact, recipient, state, route, backend, channel, since, until, possible_double, inbound"
    )]
    Key(String),
}

/// Reads a filter; `limit` and `cursor` are left to the caller.
pub fn filter_from_query(query: &str) -> Result<Filter, FilterError> {
    let mut filter = Filter::default();
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let text = value.into_owned();
        match &*key {
            "id" => filter.ids.push(parse("id", &text, "a message id of 13 characters")?),
            "location" => filter.location = Some(text.into()),
            "contact" => filter.contact = Some(text),
            "recipient" => filter.recipient = Some(text),
            "state" => filter.states.push(state(&text)?),
            "route" => filter.route = Some(text.into()),
            "backend" => filter.backend = Some(text.into()),
            "channel" => filter.channel = Some(channel(&text)?),
            "since" => filter.since = Some(millis("since", &text)?),
            "until" => filter.until = Some(millis("until", &text)?),
            "possible_double" => {
                filter.possible_double = Some(parse("possible_double", &text, "true or false")?);
            }
            "inbound" => filter.inbound = Some(parse("inbound", &text, "true or false")?),
            "limit" | "cursor" => {}
            other => return Err(FilterError::Key(other.to_owned())),
        }
    }
    Ok(filter)
}

/// Writes a filter so that [`filter_from_query`] reads the same back.
pub fn filter_to_query(filter: &Filter) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for id in &filter.ids {
        query.append_pair("id", &id.to_string());
    }
    for state in &filter.states {
        query.append_pair("state", state.as_str());
    }
    let texts = [
        ("location", filter.location.as_ref().map(|l| l.as_str())),
        ("contact", filter.contact.as_deref()),
        ("recipient", filter.recipient.as_deref()),
        ("route", filter.route.as_ref().map(|r| r.as_str())),
        ("backend", filter.backend.as_ref().map(|b| b.as_str())),
        ("channel", filter.channel.map(Channel::as_str)),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            query.append_pair(key, text);
        }
    }
    for (key, at) in [("since", filter.since), ("until", filter.until)] {
        if let Some(at) = at {
            query.append_pair(key, &at.as_millis().to_string());
        }
    }
    for (key, flag) in [("possible_double", filter.possible_double), ("inbound", filter.inbound)] {
        if let Some(flag) = flag {
            query.append_pair(key, if flag { "true" } else { "false" });
        }
    }
    query.finish()
}

fn parse<T: std::str::FromStr>(key: &'static str, text: &str, expected: &str) -> Result<T, FilterError> {
    text.parse().map_err(|_| FilterError::Value {
        key,
        value: text.to_owned(),
        expected: expected.to_owned(),
    })
}

fn millis(key: &'static str, text: &str) -> Result<Timestamp, FilterError> {
    parse(key, text, "milliseconds since 1970").map(Timestamp::from_millis)
}

fn state(text: &str) -> Result<DeliveryState, FilterError> {
    let words = DeliveryState::ALL.map(DeliveryState::as_str).join(", ");
    parse::<DeliveryState>("state", text, &format!("one of {words}"))
}

fn channel(text: &str) -> Result<Channel, FilterError> {
    match text {
        "sms" => Ok(Channel::Sms),
        "email" => Ok(Channel::Email),
        _ => Err(FilterError::Value {
            key: "channel",
            value: text.to_owned(),
            expected: "sms or email".to_owned(),
        }),
    }
}

/// Whether a filter names nothing, so that it would take in everything.
pub(crate) fn is_empty(filter: &Filter) -> bool {
    *filter == Filter::default()
}

/// The id as [`MessageId`], where a person gave ours.
pub(crate) fn our_id(text: &str) -> Option<MessageId> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_survives_the_wire() {
        let filter = Filter {
            ids: vec![MessageId::from_i64(77)],
            location: Some("L&1".into()),
            contact: Some("c 1".into()),
            recipient: Some("+525512345678".into()),
            states: vec![DeliveryState::DeadLettered, DeliveryState::Held],
            route: Some("acme, Mexican numbers".into()),
            backend: Some("twilio-mx".into()),
            channel: Some(Channel::Email),
            since: Some(Timestamp::from_millis(1)),
            until: Some(Timestamp::from_millis(2)),
            possible_double: Some(true),
            inbound: Some(false),
        };
        assert_eq!(filter_from_query(&filter_to_query(&filter)), Ok(filter));
    }

    #[test]
    fn a_wrong_filter_is_named() {
        let wrong = filter_from_query("state=sent").unwrap_err().to_string();
        assert!(wrong.contains("accepted, delivered"), "{wrong}");
        assert!(filter_from_query("colour=red").unwrap_err().to_string().contains("colour"));
    }
}
