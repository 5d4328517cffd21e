//! `check`: everything that a start does, except to bind and to lease.

use std::collections::BTreeMap;

use dispatch_config::{Diagnostic, Routers, TestResult};
use serde_json::json;

use super::Place;
use crate::exit::Failure;
use crate::{bundled, configuration, daemon, out, setup};

pub(super) async fn check(place: &Place) -> Result<(), Failure> {
    let inputs = configuration::inputs(&place.config, BTreeMap::new());
    let loaded = match dispatch_config::load(&inputs) {
        Ok(loaded) => loaded,
        Err(problems) => return refused(place, &problems),
    };
    let host = daemon::plugin_host(&loaded.config)?;
    let mut problems = Vec::new();
    let backends = match setup::build(&loaded, &host, 0, None).await {
        Ok(built) => built.rows.len(),
        Err(found) => {
            problems.extend(found);
            0
        }
    };
    if let Err(found) = daemon::ingress_config(&loaded) {
        problems.extend(found);
    }
    if !problems.is_empty() {
        return refused(place, &problems);
    }
    let now = place.now();
    let routers = Routers { outbound: &loaded.router, inbound: &loaded.inbound };
    let tests = dispatch_config::run_tests(&loaded.config, routers, &|body, inbound| {
        if inbound {
            return daemon::read_inbound(body, now);
        }
        let source = loaded.config.sources.first().ok_or_else(|| "there is no source".to_owned())?;
        daemon::read_webhook(body, source, now)
    });
    let failed: Vec<&TestResult> = tests.iter().filter(|test| test.failure.is_some()).collect();

    let shown = json!({
        "ok": failed.is_empty(),
        "routes": loaded.config.routes.len(),
        "inbound": loaded.config.inbound.len(),
        "backends": backends,
        "locations": loaded.config.locations.len(),
        "tests": tests.len(),
        "failed_tests": failed.iter().map(|test| test.failure.clone()).collect::<Vec<_>>(),
        "warnings": loaded.warnings,
        "bundled_plugins": bundled::PLUGINS.iter().map(|plugin| plugin.name).collect::<Vec<_>>(),
    });
    if !place.json {
        configuration::print(&loaded.warnings);
        for test in &failed {
            out::talk(&format!(
                "test {}: {}: {}\n",
                test.index + 1,
                test.message.display(),
                test.failure.as_deref().unwrap_or_default()
            ));
        }
        if bundled::PLUGINS.is_empty() {
            out::talk(
                "This dispatcher was built without bundled plugins (`cargo xtask plugins` makes them).\n",
            );
        }
    }
    place.show(&shown, |_| {
        format!(
            "{} routes, {backends} backends, {} locations, {} tests{}",
            loaded.config.routes.len(),
            loaded.config.locations.len(),
            tests.len(),
            if failed.is_empty() { ": all good" } else { "" }
        )
    })?;
    match failed.len() {
        0 => Ok(()),
        1 => Err(Failure::Config("1 test of the configuration fails".to_owned())),
        many => Err(Failure::Config(format!("{many} tests of the configuration fail"))),
    }
}

fn refused(place: &Place, problems: &[Diagnostic]) -> Result<(), Failure> {
    if place.json {
        out::json(&json!({ "ok": false, "problems": problems }))?;
    } else {
        configuration::print(problems);
    }
    Err(Failure::Config(configuration::summary(problems)))
}
