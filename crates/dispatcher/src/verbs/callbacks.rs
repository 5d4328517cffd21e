//! `callbacks`: the URLs for the providers' consoles.

use dispatch_admin::{ApiRequest, BackendRow};

use super::Place;
use crate::exit::Failure;
use crate::out;

pub(super) async fn callbacks(place: &Place) -> Result<(), Failure> {
    let rows: Vec<BackendRow> = place.client().await?.call(ApiRequest::get("/v1/backends")).await?;
    let urls: Vec<serde_json::Value> = rows.iter().flat_map(listed).collect();
    place.show(&urls, |urls| {
        let cell = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
        let cells = urls.iter().map(|row| [cell(row, "backend"), cell(row, "location"), cell(row, "url")]);
        if urls.is_empty() {
            "no backend takes callbacks: set server.public_url, and use a plugin that understands them"
                .to_owned()
        } else {
            out::table(["BACKEND", "LOCATION", "URL"], cells)
        }
    })
}

fn listed(row: &BackendRow) -> impl Iterator<Item = serde_json::Value> {
    row.callbacks.iter().map(|callback| {
        serde_json::json!({ "backend": row.name, "location": callback.location, "url": callback.url })
    })
}
