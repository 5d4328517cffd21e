//! `messages` and `dead-letters`.

use dispatch_admin::{ApiRequest, filter_to_query};
use dispatch_model::DeliveryState;
use dispatch_store::{MessageSummary, Page};

use super::{Place, filter};
use crate::cli::ListArgs;
use crate::exit::Failure;
use crate::{out, when};

pub(super) async fn messages(place: &Place, args: &ListArgs) -> Result<(), Failure> {
    let page = page(place, args, &[]).await?;
    place.show(&page, |page| {
        let rows = page.items.iter().map(|row| {
            [
                row.id.to_string(),
                when::short(row.admitted_at),
                location(row),
                row.channel.to_string(),
                people(row),
                state(row),
                row.backend.as_ref().map(ToString::to_string).unwrap_or_default(),
                row.attempts.to_string(),
                detail(row),
            ]
        });
        let head = [
            "ID",
            "ADMITTED (UTC)",
            "LOCATION",
            "CHANNEL",
            "TO (OR FROM)",
            "STATE",
            "BACKEND",
            "TRIES",
            "DETAIL",
        ];
        finish(page, out::table(head, rows), "no message matches")
    })
}

pub(super) async fn dead_letters(place: &Place, args: &ListArgs) -> Result<(), Failure> {
    let page = page(place, args, &[DeliveryState::DeadLettered, DeliveryState::Expired]).await?;
    place.show(&page, |page| {
        let rows = page.items.iter().map(|row| {
            [
                row.id.to_string(),
                when::short(row.admitted_at),
                location(row),
                row.route.as_ref().map(ToString::to_string).unwrap_or_else(|| "-".into()),
                row.backend.as_ref().map(ToString::to_string).unwrap_or_else(|| "-".into()),
                row.attempts.to_string(),
                row.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
            ]
        });
        let head = ["ID", "ADMITTED (UTC)", "LOCATION", "ROUTE", "BACKEND", "TRIES", "REASON"];
        let mut text = finish(page, out::table(head, rows), "no dead letters");
        if !page.items.is_empty() {
            text.push_str("\n\nRoute them anew when the cause is gone: dispatcher redrive ID, or by filter.");
        }
        text
    })
}

async fn page(
    place: &Place,
    args: &ListArgs,
    states: &[DeliveryState],
) -> Result<Page<MessageSummary>, Failure> {
    let mut filter = filter(args.filter.clone(), place.now())?;
    if filter.states.is_empty() {
        filter.states = states.to_vec();
    }
    let mut target = format!("/v1/messages?limit={}&{}", args.limit, filter_to_query(&filter));
    if let Some(cursor) = args.cursor {
        target.push_str(&format!("&cursor={cursor}"));
    }
    place.client().await?.call(ApiRequest::get(target)).await
}

fn location(row: &MessageSummary) -> String {
    if row.location.as_str().is_empty() { "-".to_owned() } else { row.location.to_string() }
}

fn people(row: &MessageSummary) -> String {
    match row.sender.as_deref() {
        None => recipients(row),
        Some("") => "from (purged)".to_owned(),
        Some(from) => format!("from {from}"),
    }
}

fn recipients(row: &MessageSummary) -> String {
    match row.recipients.as_slice() {
        [] => "(purged)".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()),
    }
}

fn state(row: &MessageSummary) -> String {
    if row.possible_double { format!("{} (double?)", row.state) } else { row.state.to_string() }
}

fn detail(row: &MessageSummary) -> String {
    match (row.references.first(), &row.reason) {
        (_, Some(reason)) => reason.to_string(),
        (Some(reference), None) => reference.clone(),
        (None, None) => String::new(),
    }
}

fn finish<T>(page: &Page<T>, table: String, none: &str) -> String {
    match (page.items.is_empty(), page.next) {
        (true, _) => none.to_owned(),
        (false, None) => table,
        (false, Some(next)) => format!("{table}\n\nMore: --cursor {}", next.0),
    }
}
