//! Maps the configuration to what each part of the daemon is set up with.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use dispatch_admin::AdminListener;
use dispatch_config::{Config, Diagnostic, KnownKeys, Loaded};
use dispatch_egress::EgressConfig;
use dispatch_engine::inbound_submission;
use dispatch_highlevel::VerifyingKey;
use dispatch_ingress::{IngressConfig, Limits, Parsed, Proof, Source};
use dispatch_model::{BackendName, Channel, InboundMessage, LocationId, SourceName, Submission, Timestamp};
use dispatch_plugins::{HostConfig, PluginHost};
use dispatch_store::OpenError;
use dispatch_text::Region;
use serde::Deserialize;

use super::listeners::bind_socket_file;
use crate::exit::Failure;

/// The exit code says which kind it is.
pub(crate) fn store_failure(error: OpenError) -> Failure {
    let words = error.to_string();
    match error {
        OpenError::Locked { .. } => Failure::Locked(words),
        OpenError::DiskFull { .. } => Failure::DiskFull(words),
        _ => Failure::Store(words),
    }
}

/// Where guests run.
pub(crate) fn plugin_host(config: &Config) -> Result<Arc<PluginHost>, Failure> {
    let wanted = &config.plugin_host;
    let usual = HostConfig::default();
    PluginHost::new(HostConfig {
        cache_dir: Some(wanted.cache.clone().unwrap_or_else(|| config.data_dir().join("cache"))),
        threads: wanted.threads.map_or(usual.threads, |threads| threads as usize),
        memory_max: usize::try_from(wanted.memory_max).unwrap_or(usize::MAX),
        deadline: wanted.deadline,
        ..usual
    })
    .map_err(|error| Failure::Refused(format!("the plugin host cannot start: {error}")))
}

/// What leaves.
pub(crate) fn egress_config(config: &Config) -> EgressConfig {
    let wanted = &config.egress;
    let mut egress =
        EgressConfig::new(wanted.spool.clone().unwrap_or_else(|| config.data_dir().join("spool")));
    egress.extra_ca_file = wanted.ca_file.clone();
    egress.spool_bytes_max = wanted.spool_max;
    egress
}

/// What comes in; problems point into the file.
pub(crate) fn ingress_config(loaded: &Loaded) -> Result<IngressConfig, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let sources = loaded
        .config
        .sources
        .iter()
        .enumerate()
        .filter_map(|(index, source)| match ingress_source(source) {
            Ok(source) => Some(source),
            Err((key, message)) => {
                let path = format!("sources[{index}].{key}");
                problems.push(loaded.document.diagnostic(&path, message, None));
                None
            }
        })
        .collect();
    let server = &loaded.config.server;
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let limits = Limits {
        body_max: size(server.body_max),
        header_max: size(server.header_max),
        headers_max: server.headers_max as usize,
        idle_timeout: server.idle_timeout,
        header_timeout: server.header_timeout,
        body_timeout: server.body_timeout,
        connections_max: server.connections_max as usize,
        memory_max: size(server.memory_max),
        admit_wait: server.admit_wait,
    };
    match IngressConfig::new(sources, limits) {
        Ok(config) if problems.is_empty() => Ok(config),
        Ok(_) => Err(problems),
        Err(found) => {
            problems.extend(found.into_iter().map(|p| loaded.document.diagnostic(&p.path, p.message, None)));
            Err(problems)
        }
    }
}

fn ingress_source(source: &dispatch_config::Source) -> Result<Source, (&'static str, String)> {
    let mut proofs: Vec<Proof> = source
        .verify
        .iter()
        .map(|known| match known {
            KnownKeys::HighLevel => Proof::Highlevel,
        })
        .collect();
    if !source.keys.is_empty() {
        let keys = source.keys.iter().map(|key| key.parse()).collect::<Result<Vec<VerifyingKey>, _>>();
        proofs.push(Proof::Keys(keys.map_err(|error| ("keys", error.to_string()))?));
    }
    proofs.extend(source.token.clone().map(Proof::Bearer));
    proofs.extend(source.path_secret.clone().map(Proof::PathSecret));
    Ok(Source {
        name: source.name.clone(),
        path: source.path.clone(),
        proofs,
        insecure: source.insecure,
        default_region: region(source)?,
    })
}

fn region(source: &dispatch_config::Source) -> Result<Option<Region>, (&'static str, String)> {
    let parsed = source.default_region.as_deref().map(str::parse).transpose();
    parsed.map_err(|error: dispatch_text::UnknownRegion| ("default_region", error.to_string()))
}

/// What a webhook body would mean at a source, whoever sent it.
pub(crate) fn read_webhook(
    body: &[u8],
    source: &dispatch_config::Source,
    at: Timestamp,
) -> Result<Submission, String> {
    read_body(body, &source.name, region(source).map_err(|(_, why)| why)?, at)
}

/// What a webhook body would mean, by itself.
pub(crate) fn read_body(
    body: &[u8],
    source: &SourceName,
    region: Option<Region>,
    at: Timestamp,
) -> Result<Submission, String> {
    match dispatch_ingress::read(body, source, region, at) {
        Parsed::Submission(submission) => Ok(submission),
        Parsed::Ignored(_) => {
            Err("it is a validation ping or a platform event: answered 200, never delivered".to_owned())
        }
        Parsed::Quarantined { reason } => Err(format!("it would be quarantined: {reason}")),
    }
}

/// A message from a person, as it is written down for a test or an explanation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenInbound {
    backend: BackendName,
    location: Option<LocationId>,
    #[serde(default)]
    id: String,
    channel: Channel,
    from: String,
    to: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    media: Vec<String>,
}

/// What a message from a person would be, that is written down so.
pub(crate) fn read_inbound(body: &[u8], at: Timestamp) -> Result<Submission, String> {
    let written: WrittenInbound = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let WrittenInbound { backend, location, id, channel, from, to, text, media } = written;
    let inbound = InboundMessage { id, channel, from, to, text, media };
    Ok(inbound_submission(&backend, location, &inbound, at))
}

/// The doors of the control API.
pub(crate) fn admin_doors(config: &Config) -> Result<Vec<AdminListener>, Failure> {
    let socket = &config.admin.socket;
    if let Some(folder) = socket.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists())
    {
        std::fs::create_dir_all(folder)?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    let mut doors = vec![AdminListener::Unix(bind_socket_file(socket, 0o600)?)];
    if let (Some(address), Some(token)) = (config.admin.listen, &config.admin.token) {
        let listener = std::net::TcpListener::bind(address)
            .map_err(|error| Failure::Listen(format!("admin.listen {address}: {error}")))?;
        listener.set_nonblocking(true)?;
        doors.push(AdminListener::Tcp(tokio::net::TcpListener::from_std(listener)?, token.clone()));
    }
    Ok(doors)
}
