//! `suppressions`: who wants no messages.

mod import;
mod person;

use dispatch_admin::{ApiRequest, Changed, SuppressRequest, SuppressedPerson};
use dispatch_model::{Channel, LocationId};
use dispatch_store::{Page, SUPPRESSIONS_MAX, Suppression, SuppressionFilter};

use super::Place;
use crate::cli::{SuppressArgs, SuppressListArgs, SuppressRemoveArgs, SuppressionsVerb, Where};
use crate::exit::Failure;
use crate::{out, when};

pub(super) async fn execute(place: &Place, verb: SuppressionsVerb) -> Result<(), Failure> {
    match verb {
        SuppressionsVerb::List(args) => list(place, &args).await,
        SuppressionsVerb::Add(args) => add(place, &args).await,
        SuppressionsVerb::Remove(args) => remove(place, &args).await,
        SuppressionsVerb::Import(args) => {
            let people = import::read(&args)?;
            let total = people.len();
            let changed = suppress(place, people).await?;
            place.show(&changed, |changed| {
                format!("{} of {total} people suppressed; the others were before", changed.changed)
            })
        }
    }
}

async fn list(place: &Place, args: &SuppressListArgs) -> Result<(), Failure> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &args.limit.to_string());
    let texts = [
        ("address", args.address.clone()),
        ("location", args.place.location.clone()),
        ("channel", args.channel.map(|channel| channel.as_str().to_owned())),
        ("cursor", args.cursor.map(|cursor| cursor.to_string())),
        ("everywhere", args.place.everywhere.then(|| "true".to_owned())),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            query.append_pair(key, &text);
        }
    }
    let target = format!("/v1/suppressions?{}", query.finish());
    let page: Page<Suppression> = place.client().await?.call(ApiRequest::get(target)).await?;
    place.show(&page, |page| {
        if page.items.is_empty() {
            return "nobody is suppressed".to_owned();
        }
        let rows = page.items.iter().map(|row| {
            [
                when::short(row.since),
                row.channel.to_string(),
                row.address.clone(),
                row.location.as_ref().map_or("every one", LocationId::as_str).to_owned(),
                row.backend.as_ref().map_or("an operator", |backend| backend.as_str()).to_owned(),
                row.note.clone(),
            ]
        });
        let table = out::table(["SINCE (UTC)", "CHANNEL", "ADDRESS", "LOCATION", "BY", "NOTE"], rows);
        match page.next {
            None => table,
            Some(next) => format!("{table}\n\nMore: --cursor {}", next.0),
        }
    })
}

async fn add(place: &Place, args: &SuppressArgs) -> Result<(), Failure> {
    let location = location(&args.place).ok_or_else(|| {
        Failure::Refused("say for which location: --location LOC, or --everywhere".to_owned())
    })?;
    let person = |address: &String| {
        let (channel, address) = person::read(address, None, args.region)
            .map_err(|why| Failure::Refused(format!("{address}: {why}")))?;
        Ok(SuppressedPerson { channel, address, location: location.clone(), note: args.note.clone() })
    };
    let people = args.addresses.iter().map(person).collect::<Result<Vec<_>, Failure>>()?;
    let changed = suppress(place, people).await?;
    place.show(&changed, |changed| match changed.changed {
        0 => "suppressed already".to_owned(),
        1 => "1 person suppressed".to_owned(),
        many => format!("{many} people suppressed"),
    })
}

async fn remove(place: &Place, args: &SuppressRemoveArgs) -> Result<(), Failure> {
    let (channel, address) = person::read(&args.address, None, args.region)
        .map_err(|why| Failure::Refused(format!("{}: {why}", args.address)))?;
    let filter = SuppressionFilter {
        channel: Some(channel),
        address: Some(address),
        location: args.place.location.as_deref().map(Into::into),
        everywhere: args.place.everywhere,
    };
    let changed: Changed =
        place.client().await?.call(ApiRequest::post("/v1/suppressions/remove", &filter)).await?;
    place.show(&changed, |changed| match changed.changed {
        0 => "nothing lifted: this person is not suppressed there".to_owned(),
        1 => "1 suppression lifted".to_owned(),
        many => format!("{many} suppressions lifted"),
    })
}

/// Some for one location, none in it for every one; nothing where neither was said.
fn location(place: &Where) -> Option<Option<LocationId>> {
    match (&place.location, place.everywhere) {
        (Some(location), _) => Some(Some(location.as_str().into())),
        (None, true) => Some(None),
        (None, false) => None,
    }
}

/// In as many requests as it takes. What was added before a request that fails stays: adding all of it again is no harm.
async fn suppress(place: &Place, people: Vec<SuppressedPerson>) -> Result<Changed, Failure> {
    let mut changed = 0;
    for chunk in people.chunks(SUPPRESSIONS_MAX) {
        let request = SuppressRequest { people: chunk.to_vec() };
        let done: Changed =
            place.client().await?.call(ApiRequest::post("/v1/suppressions", &request)).await?;
        changed += done.changed;
    }
    Ok(Changed { changed })
}

/// The channel that an address is of.
fn channel_of(address: &str) -> Channel {
    if address.contains('@') { Channel::Email } else { Channel::Sms }
}
