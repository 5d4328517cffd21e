//! The verbs that change something: `redrive`, `cancel`, `resolve`, `suspend`, `resume`, `backup`, `reload`.

use dispatch_admin::{
    ApiRequest, CancelRequest, Changed, RedriveRequest, ReloadReport, ResolveRequest, SuspendRequest,
};
use dispatch_store::{Resolution, Suspension};

use super::{Place, filter};
use crate::cli::{BackupArgs, CancelArgs, RedriveArgs, ResolutionWord, ResolveArgs, SuspendArgs};
use crate::exit::Failure;

pub(super) async fn redrive(place: &Place, args: RedriveArgs) -> Result<(), Failure> {
    let mut which = filter(args.filter, place.now())?;
    which.ids = args.ids;
    let request =
        RedriveRequest { filter: which, to: args.to.map(Into::into), note: args.reason, all: args.all };
    let changed: Changed = place.client().await?.call(ApiRequest::post("/v1/redrive", &request)).await?;
    place.show(&changed, |changed| counted(changed, "redriven"))
}

pub(super) async fn cancel(place: &Place, args: CancelArgs) -> Result<(), Failure> {
    let mut which = filter(args.filter, place.now())?;
    which.ids = args.ids;
    let request = CancelRequest { filter: which, reason: args.reason, all: args.all };
    let changed: Changed = place.client().await?.call(ApiRequest::post("/v1/cancel", &request)).await?;
    place.show(&changed, |changed| counted(changed, "cancelled"))
}

pub(super) async fn resolve(place: &Place, args: &ResolveArgs) -> Result<(), Failure> {
    let resolution = match args.resolution {
        ResolutionWord::Accepted => Resolution::Accepted,
        ResolutionWord::Failed => Resolution::Failed,
        ResolutionWord::Retry => Resolution::Retry,
    };
    let target = format!("/v1/messages/{}/resolve", args.id);
    let changed: Changed =
        place.client().await?.call(ApiRequest::post(target, &ResolveRequest { resolution })).await?;
    place.show(&changed, |changed| counted(changed, "resolved"))
}

pub(super) async fn suspend(place: &Place, args: &SuspendArgs, suspended: bool) -> Result<(), Failure> {
    let (what, words) = match (&args.backend, &args.route, &args.location) {
        (Some(backend), _, _) => (Suspension::Backend(backend.as_str().into()), format!("backend {backend}")),
        (_, Some(route), _) => (Suspension::Route(route.as_str().into()), format!("route {route}")),
        (_, _, Some(location)) => {
            (Suspension::Location(location.as_str().into()), format!("location {location}"))
        }
        (None, None, None) => {
            return Err(Failure::Refused("name a backend, a route or a location".to_owned()));
        }
    };
    let request = SuspendRequest { what, suspended };
    let changed: Changed = place.client().await?.call(ApiRequest::post("/v1/suspend", &request)).await?;
    place.show(&changed, |changed| match (changed.changed, suspended) {
        (0, true) => format!("{words} was suspended already"),
        (0, false) => format!("{words} was not suspended"),
        (_, true) => format!("{words} is suspended: what is for it waits until `dispatcher resume`"),
        (_, false) => format!("{words} goes on"),
    })
}

pub(super) async fn backup(place: &Place, args: &BackupArgs) -> Result<(), Failure> {
    let to = std::path::absolute(&args.to)?;
    let request = serde_json::json!({ "to": to });
    let done: serde_json::Value =
        place.client().await?.call(ApiRequest::post("/v1/backup", &request)).await?;
    place.show(&done, |done| format!("{} bytes in {}", done["bytes"], to.display()))
}

pub(super) async fn reload(place: &Place) -> Result<(), Failure> {
    let report: ReloadReport =
        place.client().await?.call(ApiRequest::post("/v1/reload", &serde_json::json!({}))).await?;
    place.show(&report, |report| {
        let mut lines = report.problems.clone();
        lines.push(
            if report.applied {
                "the new configuration is in force"
            } else {
                "refused: the old configuration goes on"
            }
            .to_owned(),
        );
        lines.join("\n\n")
    })?;
    if report.applied { Ok(()) } else { Err(Failure::Config("the configuration was not applied".to_owned())) }
}

fn counted(changed: &Changed, word: &str) -> String {
    match changed.changed {
        0 => format!("nothing {word}: no message matches in a state that allows it"),
        1 => format!("1 message {word}"),
        many => format!("{many} messages {word}"),
    }
}
