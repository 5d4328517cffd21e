//! `message ID`: the answer to "why did this message not go?".

use std::fmt::Write as _;

use dispatch_admin::ApiRequest;
use dispatch_model::{AttemptRecord, Content, DeliveryState, HeardReceipt, Message, Timestamp};
use dispatch_store::{MessageView, TimelineEvent};

use super::{Place, outcome, replay};
use crate::cli::MessageArgs;
use crate::exit::Failure;
use crate::when;

/// Characters shown of what a person wrote.
const TEXT_SHOWN: usize = 400;

pub(super) async fn message(place: &Place, args: &MessageArgs) -> Result<(), Failure> {
    let id: String = url::form_urlencoded::byte_serialize(args.id.as_bytes()).collect();
    let target = format!("/v1/messages/{}", id.replace('+', "%20"));
    let view: MessageView = place.client().await?.call(ApiRequest::get(target)).await?;
    if args.replay {
        return replay::replay(place, &view).await;
    }
    let now = place.now();
    place.show(&view, |view| text(view, now))
}

fn text(view: &MessageView, now: Timestamp) -> String {
    let mut text = String::new();
    head(&mut text, view, now);
    text.push('\n');
    for (at, line) in timeline(view) {
        let _ = writeln!(text, "  {}  {line}", when_in_line(at));
    }
    if let Some(next) = what_next(view, now) {
        let _ = write!(text, "\n{next}");
    }
    text.trim_end().to_owned()
}

fn head(text: &mut String, view: &MessageView, now: Timestamp) {
    let (message, delivery) = (&view.message, &view.delivery);
    let from = message.inbound_from().map(|from| format!("from {from} ")).unwrap_or_default();
    let to = message.recipients().join(", ");
    let _ = writeln!(text, "{}  {} {from}to {to}", message.id, message.channel());
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<11}{value}");
    };
    row("state", state(view, now));
    if let Some(reason) = &delivery.reason {
        row("because", reason.to_string());
    }
    let location = message.location.as_str();
    row("location", if location.is_empty() { "not known" } else { location }.to_owned());
    match message.inbound_from() {
        None => row("sender id", message.external_id.clone()),
        Some(_) => {
            row("provider id", message.external_id.clone());
            row("text", written(message));
        }
    }
    if let Some(contact) = &message.contact {
        row("contact", contact.to_string());
    }
    if let Content::Sms(sms) = &message.content
        && sms.to.e164.as_ref().is_some_and(|e164| *e164 != sms.to.original)
    {
        row("as given", sms.to.original.clone());
    }
    if let Some(route) = &delivery.plan.route {
        let chain: Vec<&str> = delivery.plan.chain.iter().map(|backend| backend.as_str()).collect();
        row("route", format!("{route}: {}", chain.join(", then ")));
    }
    if !delivery.references.is_empty() {
        row("reference", delivery.references.join(", "));
    }
    if !message.attachments.is_empty() {
        row("attached", message.attachments.len().to_string());
    }
    if view.content_purged {
        row("content", "purged, as retention says".to_owned());
    }
    if delivery.possible_double {
        row("double?", "the recipient may have got it more than once".to_owned());
    }
}

/// What a person wrote, on one line.
fn written(message: &Message) -> String {
    let text = match &message.content {
        Content::Sms(sms) => sms.text.as_str(),
        Content::Email(mail) => mail.text.as_deref().unwrap_or_default(),
    };
    let mut shown: String = text.chars().take(TEXT_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn state(view: &MessageView, now: Timestamp) -> String {
    let delivery = &view.delivery;
    match delivery.state {
        DeliveryState::Scheduled if delivery.due_at > now => {
            format!("scheduled, next try {}", when::until(delivery.due_at, now))
        }
        DeliveryState::Scheduled => "scheduled, due: waits for its turn".to_owned(),
        other => other.to_string(),
    }
}

/// Everything that happened, in order of time.
fn timeline(view: &MessageView) -> Vec<(Timestamp, String)> {
    let word = if view.message.inbound_from().is_some() { "received" } else { "admitted" };
    let admitted = (view.message.received_at, format!("{word:<12} by {}", view.message.source));
    let mut lines = vec![admitted];
    lines.extend(view.events.iter().map(event));
    lines.extend(view.attempts.iter().flat_map(attempt));
    lines.extend(view.receipts.iter().map(|heard| receipt(heard, view)));
    lines.sort_by_key(|(at, _)| *at);
    lines
}

fn event(event: &TimelineEvent) -> (Timestamp, String) {
    let kind = serde_json::to_value(event.kind)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default();
    (event.at, format!("{kind:<12} {}", event.detail))
}

fn attempt(attempt: &AttemptRecord) -> Vec<(Timestamp, String)> {
    let mut began = format!("attempt {:<4} at {}", attempt.number, attempt.backend);
    if let Some(text) = &attempt.text {
        let _ = write!(began, " ({text})");
    }
    let took = when::span(attempt.ended_at.since(attempt.started_at));
    let mut ended = format!("{:<12} {}", attempt.outcome.kind(), outcome::words(&attempt.outcome));
    if let Some(fault) = &attempt.fault {
        let _ = write!(ended, " (plugin fault: {fault})");
    }
    if attempt.possible_double {
        ended.push_str(" (possible double)");
    }
    let _ = write!(ended, "  [{took}]");
    vec![(attempt.started_at, began), (attempt.ended_at, ended)]
}

fn receipt(heard: &HeardReceipt, view: &MessageView) -> (Timestamp, String) {
    let said = &heard.receipt;
    let mut line = format!("{:<12} {} says of {}", said.state.as_str(), heard.backend, said.reference);
    if let Some(recipient) = &said.recipient {
        let _ = write!(line, " to {recipient}");
    }
    if let Some(reason) = &said.reason {
        let _ = write!(line, ": {reason}");
    }
    if heard.generation != view.delivery.generation {
        line.push_str(" (before the redrive)");
    } else if !view.delivery.references.contains(&said.reference) {
        line.push_str(" (not what was answered for this message: of another attempt)");
    }
    (heard.received_at, line)
}

fn when_in_line(at: Timestamp) -> String {
    at.to_string().get(..23).unwrap_or_default().replace('T', " ")
}

fn what_next(view: &MessageView, now: Timestamp) -> Option<String> {
    let id = view.message.id;
    match view.delivery.state {
        DeliveryState::DeadLettered | DeliveryState::Expired | DeliveryState::Cancelled => {
            Some(format!("Route it anew when the cause is gone: dispatcher redrive {id}"))
        }
        DeliveryState::Kept => {
            Some(format!("Hand it on once an [[inbound]] route takes it: dispatcher redrive {id}"))
        }
        DeliveryState::Held => Some(format!(
            "Nobody knows whether it arrived. Ask the provider, then: dispatcher resolve {id} accepted|failed|retry"
        )),
        DeliveryState::Scheduled if view.delivery.due_at > now => Some(format!(
            "Expires {}. Call it off: dispatcher cancel {id}",
            when::until(view.delivery.expires_at, now)
        )),
        _ => None,
    }
}
