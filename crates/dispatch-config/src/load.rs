//! From files to a configuration: every stage reports all it can find before the next begins.
//!
//! ```text
//! read and merge -> shape -> CSV -> values and secrets -> what they mean together -> routes
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;

use ahash::AHashSet;
use dispatch_routing::{RouteProblem, RouteProblemKind, Router};
use indexmap::IndexMap;

use crate::check::Check;
use crate::coverage::Coverage;
use crate::document::{Document, find};
use crate::layers::{self, Layered};
use crate::node::{Entry, Node, Value};
use crate::origins::Origins;
use crate::problems::Problems;
use crate::reading::Section;
use crate::secret::Vault;
use crate::section::{LOCATIONS, ROOT, inbound};
use crate::validate::Validation;
use crate::{
    Admin, Backend, Config, Diagnostic, Egress, Inputs, Loaded, Location, Log, OptOut, Plugin, PluginHost,
    Route, RouteTest, Server, Source, Store, locations_file,
};

/// Reads, merges and checks all of it; or says all that is wrong, warnings included.
pub fn load(inputs: &Inputs) -> Result<Loaded, Vec<Diagnostic>> {
    let mut problems = Problems::default();
    let Layered { mut root, mut origins, incomplete, include_folders } = layers::read(inputs, &mut problems);
    let whole = root.origin;
    Validation { origins: &origins, problems: &mut problems, path: String::new() }.value(&root, whole, &ROOT);
    let misshapen = problems.spoiled();
    if incomplete {
        // What is missing now may stand in the file that could not be read.
        return Err(problems.finish());
    }
    let sheet = add_locations_file(&mut root, &mut origins, &mut problems);
    let (config, secret_files) = config(&root, &origins, inputs, &mut problems);
    let bundled = &inputs.bundled_plugins;
    Check { config: &config, root: &root, origins: &origins, bundled, problems: &mut problems }.all();
    let mut routers = [(&config.routes, "routes"), (&config.inbound, "inbound")]
        .map(|(routes, list)| router(routes, list, &root, &origins, &misshapen, &mut problems));
    let (Some(router), Some(inbound), false) = (routers[0].take(), routers[1].take(), problems.has_errors())
    else {
        return Err(problems.finish());
    };
    Coverage { config: &config, router: &router, root: &root, origins: &origins, problems: &mut problems }
        .all();
    let watched = include_folders.into_iter().chain(sheet).chain(secret_files).collect();
    let document = Document { root, origins };
    Ok(Loaded { config, router, inbound, document, warnings: problems.finish(), watched })
}

/// Adds what the CSV says to `locations`; gives the CSV's path.
fn add_locations_file(root: &mut Node, origins: &mut Origins, problems: &mut Problems) -> Option<PathBuf> {
    let written = &root.entry("locations_file")?.node;
    let (written_at, path) = (written.origin, origins.resolve(written.origin, written.text()?));
    let backends = root.entry("backends").and_then(|entry| entry.node.table()).cloned().unwrap_or_default();
    let rows = locations_file::read(path.clone(), written_at, &backends, origins, problems)?;
    let mut check = Validation { origins, problems, path: String::new() };
    for row in rows.entries() {
        check.path = format!("locations.{}", row.key);
        check.value(&row.node, row.key_origin, LOCATIONS);
    }
    let Value::Table(table) = &mut root.value else { return Some(path) };
    if let Err(at) = table.position("locations") {
        table.insert_at(
            at,
            Entry { key: "locations".into(), key_origin: written_at, node: layers::empty_table(written_at) },
        );
    }
    if let Some(Entry { node: Node { value: Value::Table(locations), .. }, .. }) = table.get_mut("locations")
    {
        *locations = std::mem::take(locations).join(rows, |entry, row| {
            let message = format!("location {} already stands in a [locations] table", row.key);
            let hint = "keep one of the two".to_owned();
            problems.error(origins, &format!("locations.{}", row.key), row.key_origin, message, Some(hint));
            entry
        });
    }
    Some(path)
}

/// The values, and the files that secrets come from.
fn config(
    root: &Node,
    origins: &Origins,
    inputs: &Inputs,
    problems: &mut Problems,
) -> (Config, Vec<PathBuf>) {
    let file = Section::new(origins, root);
    let defaults = file.section("defaults");
    let mut vault = Vault::new(&inputs.environment, origins, problems);
    let store = Store::read(&file.section("store"));
    let sources = file.tables("sources");
    let sources = sources
        .iter()
        .enumerate()
        .map(|(index, source)| Source::read(source, &format!("sources[{index}]"), &mut vault))
        .collect();
    let backend_defaults = defaults.section("backend");
    let mut backends = IndexMap::new();
    for (name, section) in file.section("backends").entries() {
        let backend = Backend::read(&section.or(backend_defaults), &format!("backends.{name}"), &mut vault);
        backends.insert(name.into(), backend);
    }
    let route_defaults = defaults.section("route");
    let routes =
        file.tables("routes").into_iter().map(|route| Route::read(&route.or(route_defaults))).collect();
    let inbound =
        file.tables("inbound").into_iter().map(|route| inbound::read(&route.or(route_defaults))).collect();
    let plugins: BTreeMap<_, _> = file
        .section("plugins")
        .entries()
        .into_iter()
        .map(|(name, plugin)| (name.to_owned(), Plugin::read(&plugin)))
        .collect();
    let mut config = Config {
        server: Server::read(&file.section("server")),
        admin: Admin::read(&file.section("admin"), &store.folder(), &mut vault),
        log: Log::read(&file.section("log")),
        plugin_host: PluginHost::read(&file.section("plugin_host")),
        egress: Egress::read(&file.section("egress")),
        store,
        sources,
        plugins,
        backends,
        locations: IndexMap::default(),
        routes,
        inbound,
        opt_out: OptOut::read(&file.section("opt_out")),
        tests: file.tables("tests").iter().map(RouteTest::read).collect(),
    };
    let backend_of = |backend: &str| config.backends.get(backend);
    let locations = file.section("locations").entries();
    let mut read = IndexMap::with_capacity_and_hasher(locations.len(), ahash::RandomState::default());
    for (id, section) in locations {
        let path = format!("locations.{id}");
        read.insert(id.into(), Location::read(&section, &path, &backend_of, &mut vault));
    }
    config.locations = read;
    (config, vault.into_files())
}

/// The routes of a list, indexed; what is wrong with them is reported where they were written.
fn router(
    routes: &[Route],
    list: &str,
    root: &Node,
    origins: &Origins,
    misshapen: &AHashSet<String>,
    problems: &mut Problems,
) -> Option<Router> {
    let deliver = if list == "inbound" { "to" } else { "deliver" };
    let rules = routes.iter().map(|route| route.rule.clone()).collect();
    let found = match Router::new(rules) {
        Ok(router) => return Some(router),
        Err(found) => found,
    };
    for RouteProblem { index, name, kind } in found {
        let at = format!("{list}[{index}]");
        // A route with a wrong value is read without it: what the router makes of that is not meant.
        let half_read = |index: &usize| misshapen.contains(&format!("{list}[{index}]"));
        let follows = match &kind {
            RouteProblemKind::DuplicateName { first } => {
                half_read(&index) && half_read(first) && name.as_str().is_empty()
            }
            RouteProblemKind::Unreachable { by } => {
                half_read(&index) || by.iter().any(|(by, _)| half_read(by))
            }
            _ => half_read(&index),
        };
        if follows {
            continue;
        }
        let (key, message, hint) = match kind {
            RouteProblemKind::DuplicateName { first } => {
                let first = places(origins, root, list, [first].into_iter());
                (
                    "name",
                    format!("there is another route named \"{name}\""),
                    format!("names tell routes apart; the first stands in {first}"),
                )
            }
            RouteProblemKind::NoBackend => {
                (deliver, format!("the route \"{name}\" delivers to nobody"), "name a backend".to_owned())
            }
            RouteProblemKind::DuplicateBackend { backend } => (
                deliver,
                format!("the backend \"{backend}\" stands twice in this list"),
                "take one away; `retry` says how often it is tried".to_owned(),
            ),
            RouteProblemKind::NoWeight => (
                deliver,
                "all weights are 0, so no backend is ever the first".to_owned(),
                "give at least one a weight above 0".to_owned(),
            ),
            RouteProblemKind::Unreachable { by } => {
                let names: Vec<String> = by.iter().map(|(_, name)| format!("\"{name}\"")).collect();
                let takes = if by.len() == 1 { "takes" } else { "take" };
                let message = format!(
                    "the route \"{name}\" can never match: {} {takes} all its messages",
                    crate::suggestion::listed(&names, "and")
                );
                let first = places(origins, root, list, by.iter().map(|(index, _)| *index));
                ("name", message, format!("the first that matches wins: put this route before {first}"))
            }
        };
        let path = format!("{at}.{key}");
        let origin = find(root, &path).unwrap_or(root.origin);
        problems.error(origins, &path, origin, message, Some(hint));
    }
    None
}

/// Where routes stand, in words.
fn places(origins: &Origins, root: &Node, list: &str, routes: impl Iterator<Item = usize>) -> String {
    let places = routes.filter_map(|index| match origins.place(find(root, &format!("{list}[{index}]"))?) {
        crate::Place::File { file, line, .. } => Some(format!("{}:{line}", file.display())),
        _ => None,
    });
    crate::suggestion::listed(&places.collect::<Vec<_>>(), "and")
}
