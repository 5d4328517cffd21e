//! What the scenarios share: an egress with a clock and a spool of its own, grants, and servers.

pub(crate) mod centre;
pub(crate) mod certificate;
pub(crate) mod relay;
pub(crate) mod server;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dispatch_egress::{EgressConfig, NetworkEgress, Resolver};
use dispatch_engine::{Call, Egress as _, Grants, Spooled};
use dispatch_model::{
    Action, Clock, Credential, FailureKind, HttpRequest, HttpResponse, Piece, Reply, Secret, Timestamp,
};

/// 2015-08-30T12:36:00Z, the time of AWS's examples.
pub(crate) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_440_938_160_000)
    }
}

/// An egress, and the folder that goes with it.
pub(crate) struct Egress {
    pub(crate) network: NetworkEgress,
    pub(crate) spool: tempfile::TempDir,
}

pub(crate) fn egress() -> Egress {
    egress_with(|_| ())
}

pub(crate) fn egress_with(change: impl FnOnce(&mut EgressConfig)) -> Egress {
    let spool = tempfile::tempdir().unwrap();
    let mut config = EgressConfig::new(spool.path());
    config.fetch_private = vec!["127.0.0.1/32".parse().unwrap()];
    change(&mut config);
    Egress { network: NetworkEgress::new(config, Arc::new(FixedClock)).unwrap(), spool }
}

pub(crate) fn egress_resolving(resolver: impl Resolver, change: impl FnOnce(&mut EgressConfig)) -> Egress {
    let spool = tempfile::tempdir().unwrap();
    let mut config = EgressConfig::new(spool.path());
    change(&mut config);
    let network = NetworkEgress::with_resolver(config, Arc::new(FixedClock), Arc::new(resolver)).unwrap();
    Egress { network, spool }
}

impl Egress {
    pub(crate) async fn perform(&self, action: &Action, grants: &Grants) -> Reply {
        self.perform_with(action, grants, &[], Duration::from_secs(20)).await
    }

    pub(crate) async fn perform_with(
        &self,
        action: &Action,
        grants: &Grants,
        attachments: &[Arc<Spooled>],
        within: Duration,
    ) -> Reply {
        self.network.perform(action, &Call { grants, attachments, deadline: Instant::now() + within }).await
    }
}

/// Loopback granted, in clear.
pub(crate) fn grants() -> Grants {
    Grants {
        owner: "gateway".into(),
        hosts: vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
        private_networks: vec!["127.0.0.1/32".parse().unwrap()],
        plaintext: true,
        secrets: Arc::new(
            [("key".to_owned(), Secret::new("s3cr3t")), ("odd".to_owned(), Secret::new("a\r\nb"))].into(),
        ),
        ..Grants::default()
    }
}

pub(crate) fn get(url: impl Into<String>) -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        url: vec![Piece::text(url)],
        headers: Vec::new(),
        credential: Credential::None,
        body: Vec::new(),
        redirects: 0,
    }
}

pub(crate) fn post(url: impl Into<String>, body: &str) -> HttpRequest {
    HttpRequest { method: "POST".to_owned(), body: vec![Piece::text(body)], ..get(url) }
}

#[track_caller]
pub(crate) fn http(reply: Reply) -> HttpResponse {
    match reply {
        Reply::Http(response) => response,
        other => panic!("no HTTP response: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn failed(reply: Reply) -> (FailureKind, bool, String) {
    match reply {
        Reply::Failed { kind, may_have_left, detail } => (kind, may_have_left, detail),
        other => panic!("not failed: {other:?}"),
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
