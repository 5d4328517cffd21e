//! What the configuration allows and bounds, as the engine has it.

use dispatch_config::Backend as BackendConfig;
use dispatch_engine::{Limits, Rate, Relay, RelayTls, Session};

/// What a backend speaks through by having it configured.
pub(super) struct Doors<'a> {
    pub(super) relay: Option<&'a dispatch_config::Relay>,
    pub(super) dkim: Option<&'a dispatch_config::Dkim>,
    pub(super) session: Option<&'a dispatch_config::Session>,
}

pub(super) fn session(session: &dispatch_config::Session) -> Session {
    Session {
        host: session.host.clone(),
        port: session.port,
        tls: session.tls,
        system_id: session.system_id.clone(),
        password: session.password.as_ref().map(|password| password.value.clone()),
        system_type: session.system_type.clone(),
        window: session.window,
        enquire_link: session.enquire_link,
    }
}

pub(super) fn relay(relay: &dispatch_config::Relay) -> Relay {
    Relay {
        host: relay.host.clone(),
        port: relay.port,
        tls: match relay.tls {
            dispatch_config::RelayTls::StartTls => RelayTls::StartTls,
            dispatch_config::RelayTls::Implicit => RelayTls::Implicit,
            dispatch_config::RelayTls::None => RelayTls::None,
        },
        user: relay.user.clone(),
        password: relay.password.as_ref().map(|password| password.value.clone()),
        hello: relay.hello.clone(),
    }
}

pub(super) fn limits(backend: &BackendConfig) -> Limits {
    let limits = &backend.limits;
    Limits {
        rate: limits.rate.map(|rate| Rate { count: rate.count, per: rate.per }),
        concurrency: limits.concurrency,
        timeout: limits.timeout,
        pause_max: limits.pause_max,
        breaker_failures: limits.breaker_failures,
        breaker_open: limits.breaker_open,
        attachment_bytes_max: limits.attachments_max,
    }
}
