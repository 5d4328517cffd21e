//! `plugin run`: one delivery, every step printed.

use std::path::PathBuf;
use std::sync::Arc;

use dispatch_egress::{EgressConfig, NetworkEgress};
use dispatch_engine::EngineConfig;

use super::component::Component;
use super::trial::{Answers, Prepared};
use super::{host, steps, trial};
use crate::cli::{LiveArgs, LogFormat, PluginRunArgs};
use crate::clock::SystemClock;
use crate::exit::Failure;
use crate::logging;
use crate::verbs::Place;

pub(super) async fn run(place: &Place, args: &PluginRunArgs) -> Result<(), Failure> {
    let component = Component::of(&args.trial.path)?;
    // The plugin's lines are shown as the daemon would write them.
    let _ = logging::start(LogFormat::Auto, "warn,dispatch_plugins=debug");
    let plugin = component.load(&host()?).await?;
    let answers = |cassette| answers(&args.live, cassette);
    let prepared = Prepared::new(&component, plugin, &args.trial, &args.live, answers).await?;
    let account = prepared.deliver(EngineConfig::default().record_body).await;
    let account = steps::covered(&account, &prepared.grants.secrets)?;
    place.show(&account, |account| steps::text(account, &prepared.answers_from))?;
    match &account.end {
        Ok(_) => Ok(()),
        Err(fault) => Err(trial::ended(fault)),
    }
}

fn answers(live: &LiveArgs, cassette: Option<PathBuf>) -> Result<Answers, Failure> {
    if live.live {
        let spool = std::env::temp_dir().join(format!("dispatcher-trial-{}", std::process::id()));
        let network = NetworkEgress::new(EgressConfig::new(spool), Arc::new(SystemClock::start()))
            .map_err(|error| Failure::Refused(error.to_string()))?;
        return Ok((Arc::new(network), "the provider".to_owned()));
    }
    match cassette {
        Some(path) => trial::cassette(&path),
        None => Err(Failure::Refused(
            "who should answer? --cassette FILE answers from a file, --live really sends".to_owned(),
        )),
    }
}
