//! `message ID --replay`: the recorded attempts, played again by today's plugins and settings.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dispatch_engine::{Difference, EngineConfig, Replay};
use dispatch_store::MessageView;
use serde::Serialize;

use super::{Place, action, outcome};
use crate::exit::Failure;
use crate::{configuration, daemon, setup};

#[derive(Serialize)]
struct Played {
    attempt: u32,
    backend: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<Replay>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_played: Option<String>,
}

pub(super) async fn replay(place: &Place, view: &MessageView) -> Result<(), Failure> {
    if view.content_purged {
        return Err(Failure::Refused(
            "its content is purged, as retention says: there is nothing to play".to_owned(),
        ));
    }
    if view.attempts.is_empty() {
        return Err(Failure::Refused("it has no attempt yet".to_owned()));
    }
    let loaded = configuration::load(&configuration::inputs(&place.config, BTreeMap::new()))?;
    let host = daemon::plugin_host(&loaded.config)?;
    let built = setup::build(&loaded, &host, 0, None).await.map_err(|problems| {
        configuration::print(&problems);
        Failure::Config(configuration::summary(&problems))
    })?;
    let record_body = EngineConfig::default().record_body;
    let mut all = Vec::new();
    for (index, attempt) in view.attempts.iter().enumerate() {
        let route = view.delivery.plan.route.as_ref();
        let played =
            dispatch_engine::replay(&built.setup, &view.message, route, &view.attempts, index, record_body)
                .await;
        let (replay, not_played) = match played {
            Ok(replay) => (Some(replay), None),
            Err(why) => (None, Some(why.to_string())),
        };
        all.push(Played {
            attempt: attempt.number,
            backend: attempt.backend.to_string(),
            replay,
            not_played,
        });
    }
    place.show(&all, |all| all.iter().map(text).collect::<Vec<_>>().join("\n"))
}

fn text(played: &Played) -> String {
    let mut text = format!("attempt {} at {}", played.attempt, played.backend);
    let Some(replay) = &played.replay else {
        let _ = write!(text, ": not played: {}", played.not_played.as_deref().unwrap_or_default());
        return text;
    };
    if !replay.same_plugin {
        text.push_str(", by another plugin file than then");
    }
    if replay.differences.is_empty() {
        text.push_str(": the same");
        return text;
    }
    text.push('\n');
    for difference in &replay.differences {
        match difference {
            Difference::Action { step, then, now } => {
                let _ = write!(
                    text,
                    "  step {step} asks for something else\n    then:\n{}    now:\n{}",
                    action::shown(then, "      "),
                    action::shown(now, "      ")
                );
            }
            Difference::More { step, now } => {
                let _ =
                    writeln!(text, "  step {step} is new, and has no recorded answer: {}", action::head(now));
            }
            Difference::Fewer { then, now } => {
                let _ = writeln!(text, "  done after {now} steps, then after {then}");
            }
            Difference::End { then } => {
                let now = match &replay.end {
                    Ok(now) => format!("{} {}", now.kind(), outcome::words(now)),
                    Err(fault) => format!("a plugin fault: {fault}"),
                };
                let _ = writeln!(
                    text,
                    "  ends otherwise\n    then: {} {}\n    now:  {now}",
                    then.kind(),
                    outcome::words(then)
                );
            }
        }
    }
    text.trim_end().to_owned()
}
