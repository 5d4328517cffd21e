//! `quarantine`: verified webhooks that could not be understood.

use dispatch_admin::{ApiRequest, QuarantineBody};
use dispatch_store::{Page, QuarantineEntry};

use super::Place;
use crate::cli::QuarantineArgs;
use crate::exit::Failure;
use crate::{out, when};

pub(super) async fn quarantine(place: &Place, args: &QuarantineArgs) -> Result<(), Failure> {
    if let Some(id) = args.id {
        let body: QuarantineBody =
            place.client().await?.call(ApiRequest::get(format!("/v1/quarantine/{id}"))).await?;
        return place.show(&body, |body| body.body.to_text());
    }
    let target = format!("/v1/quarantine?limit={}", args.limit);
    let page: Page<QuarantineEntry> = place.client().await?.call(ApiRequest::get(target)).await?;
    place.show(&page, |page| {
        if page.items.is_empty() {
            return "nothing is quarantined".to_owned();
        }
        let rows = page.items.iter().map(|row| {
            [
                row.id.to_string(),
                when::short(row.received_at),
                row.source.to_string(),
                row.size.to_string(),
                row.seen.to_string(),
                row.reason.clone(),
            ]
        });
        out::table(["NUMBER", "RECEIVED (UTC)", "SOURCE", "BYTES", "SEEN", "REASON"], rows)
    })
}
