//! Guests that ask for what they may not have, on the real network: what is refused, and that nothing leaves.
//!
//! The step loop, the guest and the egress are those of production; only names are resolved by the test. After each
//! case an honest guest delivers through the same host and the same egress.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use dispatch_egress::{EgressConfig, NetworkEgress, Resolver};
use dispatch_engine::{Account, Trial};
use dispatch_model::{FailureKind, Reply};
use dispatch_testkit::{Act, Answer, HttpCatcher, ManualClock};
use serde_json::{Value, json};

use super::*;

/// Answers each look-up of a name with the next address; the last one stays.
struct Script(Mutex<Vec<&'static str>>);

#[async_trait]
impl Resolver for Script {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let mut answers = self.0.lock().expect("nobody panics with it");
        let now = answers[0];
        if answers.len() > 1 {
            answers.remove(0);
        }
        now.parse().map(|address| vec![address]).map_err(io::Error::other)
    }
}

/// The guest that asks, an honest one, and a provider on loopback.
struct Ground {
    asker: Arc<Plugin>,
    echo: Arc<Plugin>,
    egress: NetworkEgress,
    provider: HttpCatcher,
    _spool: tempfile::TempDir,
}

impl Ground {
    async fn new() -> Self {
        Self::resolving(&["127.0.0.1"]).await
    }

    async fn resolving(addresses: &[&'static str]) -> Self {
        let host = host();
        let (spool, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::default()));
        let names = Arc::new(Script(Mutex::new(addresses.to_vec())));
        let egress = NetworkEgress::with_resolver(EgressConfig::new(spool.path()), clock, names);
        Self {
            asker: load(&host, "fixtures/asker").await,
            echo: load(&host, "fixtures/echo").await,
            egress: egress.unwrap(),
            provider: HttpCatcher::start().await.unwrap(),
            _spool: spool,
        }
    }

    /// One whole attempt.
    async fn attempt(&self, plugin: &Plugin, settings: &Value, grants: &Grants, within: Duration) -> Account {
        let trial = Trial {
            plugin,
            egress: &self.egress,
            clock: &ManualClock::default(),
            grants,
            attachments: &[],
            timeout: within,
            record_body: 1024,
        };
        trial.deliver(&context(&settings.to_string()), &Arc::new(sms("hello"))).await
    }

    async fn ask(&self, settings: Value, grants: &Grants) -> Account {
        self.attempt(&self.asker, &settings, grants, Duration::from_secs(20)).await
    }

    /// Asks for what the host must refuse before a byte of it leaves; `words` stand in the refusal. Then
    /// an honest delivery goes through.
    async fn refused(&self, settings: Value, grants: &Grants, words: &str) {
        let account = self.ask(settings.clone(), grants).await;
        let [exchange] = &account.exchanges[..] else { panic!("{settings}: {account:?}") };
        let Reply::Failed { kind, detail, may_have_left } = &exchange.reply else {
            panic!("{settings}: {account:?}")
        };
        assert_eq!((*kind, *may_have_left), (FailureKind::Refused, false), "{settings}: {detail}");
        assert!(detail.contains(words), "{settings}: {detail:?} lacks {words:?}");
        assert!(!detail.contains("s3cret"), "{detail}");
        self.honest().await;
    }

    /// An honest delivery, which gets its answer.
    async fn honest(&self) {
        self.provider.next(Answer::json(200, &json!({ "id": "honest" })));
        let before = self.provider.count();
        let settings = json!({ "url": self.provider.url() });
        let account = self.attempt(&self.echo, &settings, &loopback(), Duration::from_secs(20)).await;
        assert_eq!(said(&account), "honest");
        assert_eq!(self.provider.count(), before + 1, "only the honest request left");
    }
}

/// Loopback, as an operator may grant it.
fn loopback() -> Grants {
    Grants {
        hosts: vec!["127.0.0.1".to_owned(), "rebound.test".to_owned()],
        private_networks: vec!["127.0.0.0/8".parse().unwrap()],
        plaintext: true,
        ..grants(&[("mine", "s3cret"), ("torn", "s3cret\r\nX-Evil: yes")])
    }
}

/// The reference of an attempt that was accepted.
#[track_caller]
fn said(account: &Account) -> String {
    match &account.end {
        Ok(Outcome::Accepted(taken)) => taken.references.concat(),
        other => panic!("not accepted: {other:?}"),
    }
}

#[tokio::test]
async fn a_host_that_is_not_granted_is_not_asked() {
    let ground = Ground::new().await;
    let port = ground.provider.addr().port();
    for url in [
        "https://evil.example/".to_owned(),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.1.evil.example:{port}/"),
        format!("http://127.0.0.2:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        format!("http://evil.example\\@127.0.0.1:{port}/"),
    ] {
        ground.refused(json!({ "url": url }), &loopback(), "hosts = [").await;
    }
    let user = format!("http://127.0.0.1:{port}@evil.example/");
    ground.refused(json!({ "url": user }), &loopback(), "user or password").await;
    let clear = Grants { plaintext: false, ..loopback() };
    ground.refused(json!({ "url": ground.provider.url() }), &clear, "plaintext = true").await;
    ground.refused(json!({ "url": "file:///etc/passwd" }), &loopback(), "write https://").await;
}

/// A relay and a session are the operator's: what is not configured, and asked for, is not there.
#[tokio::test]
async fn a_relay_or_a_session_that_is_not_granted_is_not_used() {
    let ground = Ground::new().await;
    let url = ground.provider.url();
    for (instead, words) in [("mail", "no relay"), ("short message", "no session")] {
        ground.refused(json!({ "url": url, "instead": instead }), &loopback(), words).await;
    }
}

#[tokio::test]
async fn a_private_address_is_refused_in_every_spelling() {
    let ground = Ground::new().await;
    for (spelled, means) in [
        ("127.0.0.1", "127.0.0.1"),
        ("169.254.169.254", "169.254.169.254"),
        ("[::1]", "::1"),
        ("[::ffff:10.0.0.1]", "::ffff:10.0.0.1"),
        ("[::ffff:a00:1]", "::ffff:10.0.0.1"),
        ("[64:ff9b::a00:1]", "64:ff9b::a00:1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("2852039166", "169.254.169.254"),
        ("0251.0376.0251.0376", "169.254.169.254"),
        ("0xa9.0xfe.0xa9.0xfe", "169.254.169.254"),
        ("0", "0.0.0.0"),
        ("0300.0250.0.1", "192.168.0.1"),
        ("%31%32%37.0.0.1", "127.0.0.1"),
        ("１２７.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
    ] {
        // Granted by name, since that is what a plugin can be granted; the address it has is another matter.
        let grants = Grants { hosts: vec![means.to_owned()], private_networks: Vec::new(), ..loopback() };
        let url = format!("http://{spelled}:{}/", ground.provider.addr().port());
        ground.refused(json!({ "url": url }), &grants, "private_networks").await;
    }
}

#[tokio::test]
async fn a_name_with_a_private_address_is_refused() {
    for address in ["10.0.0.1", "::1", "::ffff:10.0.0.1", "169.254.169.254", "fd00::1", "0.0.0.0"] {
        let ground = Ground::resolving(&[address]).await;
        let closed = Grants { private_networks: Vec::new(), ..loopback() };
        ground.refused(json!({ "url": "http://rebound.test/" }), &closed, "is not public").await;
    }
}

#[tokio::test]
async fn a_name_that_moves_to_a_private_address_is_refused_at_its_second_look() {
    let ground = Ground::resolving(&["127.0.0.1", "169.254.169.254"]).await;
    // The connection does not last, so that the second step has to look the name up again.
    ground.provider.next(Answer::text(200, "x").header("connection", "close"));
    let url = format!("http://rebound.test:{}/", ground.provider.addr().port());
    let account = ground.ask(json!({ "url": url, "steps": 2, "delivers": false }), &loopback()).await;
    let [first, second] = &account.exchanges[..] else { panic!("{account:?}") };
    assert!(matches!(&first.reply, Reply::Http(response) if response.status == 200), "{first:?}");
    let Reply::Failed { kind, detail, .. } = &second.reply else { panic!("{second:?}") };
    assert_eq!(*kind, FailureKind::Refused);
    assert!(detail.contains("169.254.169.254"), "{detail}");
    ground.honest().await;
}

#[tokio::test]
async fn a_redirect_is_held_against_the_same_rules() {
    let ground = Ground::new().await;
    let mut grants = loopback();
    grants.hosts.extend(["169.254.169.254".to_owned(), "10.0.0.1".to_owned()]);
    for (location, words) in [
        ("http://169.254.169.254/latest/meta-data/", "private_networks"),
        ("http://10.0.0.1/", "private_networks"),
        ("http://[::1]/", "hosts = ["),
        ("http://evil.example/", "hosts = ["),
        ("file:///etc/passwd", "write https://"),
    ] {
        ground.provider.next(Answer::text(302, "").header("location", location));
        let account = ground.ask(json!({ "url": ground.provider.url(), "redirects": 5 }), &grants).await;
        let [exchange] = &account.exchanges[..] else { panic!("{account:?}") };
        let Reply::Failed { kind, detail, may_have_left } = &exchange.reply else { panic!("{account:?}") };
        // The first request was sent, so it may have delivered.
        assert_eq!((*kind, *may_have_left), (FailureKind::Refused, true), "{location}");
        assert!(detail.contains(words), "{location}: {detail}");
        assert!(matches!(account.end, Ok(Outcome::Unknown { .. })), "{location}: {:?}", account.end);
        ground.honest().await;
    }
    // Unless the request says so none is followed.
    ground.provider.next(Answer::text(302, "").header("location", &ground.provider.url()));
    let account = ground.ask(json!({ "url": ground.provider.url() }), &grants).await;
    assert_eq!(said(&account), "302, 0 bytes");
    let many = ground.ask(json!({ "url": ground.provider.url(), "redirects": 6 }), &grants).await;
    assert!(matches!(many.end, Err(Fault::Contract { .. })), "{many:?}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_and_a_dripping_one_is_given_up() {
    let ground = Ground::new().await;
    ground.provider.next(Act::EndlessBody);
    let account = ground.ask(json!({ "url": ground.provider.url() }), &loopback()).await;
    assert_eq!(said(&account), "200, 1048576 bytes, truncated");
    ground.honest().await;

    for act in [Act::Drip(Duration::from_millis(50), Answer::text(200, "x".repeat(100_000))), Act::Hang] {
        ground.provider.next(act);
        let (settings, within) = (json!({ "url": ground.provider.url() }), Duration::from_millis(300));
        let account = ground.attempt(&ground.asker, &settings, &loopback(), within).await;
        let Reply::Failed { kind, may_have_left, .. } = &account.exchanges[0].reply else {
            panic!("{account:?}")
        };
        assert_eq!((*kind, *may_have_left), (FailureKind::Timeout, true));
        assert!(matches!(account.end, Ok(Outcome::Unknown { .. })), "{:?}", account.end);
        ground.honest().await;
    }
}

#[tokio::test]
async fn line_ends_in_headers_and_urls_inject_nothing() {
    let ground = Ground::new().await;
    let url = ground.provider.url();
    for header in [
        ["x-a", "b\r\nX-Evil: yes"],
        ["x-a", "b\nX-Evil: yes"],
        ["x-a", "b\r"],
        ["x-a", "b\0c"],
        ["x-a\r\nX-Evil", "yes"],
        ["x a", "b"],
        ["", "b"],
        ["Host", "evil.example"],
        ["Content-Length", "0"],
        ["Transfer-Encoding", "chunked"],
        ["Connection", "upgrade"],
    ] {
        ground.refused(json!({ "url": url, "headers": [header] }), &loopback(), "").await;
    }
    for path in ["/a\r\nHost: evil.example", "/a HTTP/1.1\r\n\r\nGET /b", "/a\tb", "/\0"] {
        ground.refused(json!({ "url": format!("{url}{path}") }), &loopback(), "percent-encode").await;
    }
    // A secret's value is not trusted either, where it would stand in a line; in a body it may be anything.
    let account = ground.ask(json!({ "url": url, "secret_in_url": "torn" }), &loopback()).await;
    assert_eq!(said(&account), "200, 2 bytes");
    let asked = ground.provider.requests().pop().unwrap();
    assert_eq!(asked.target, "/?key=s3cret%0D%0AX-Evil%3A%20yes");
    assert!(asked.header("x-evil").is_none());
    let account =
        ground.ask(json!({ "url": url, "method": "GET /x HTTP/1.1\r\nX-Evil: yes" }), &loopback()).await;
    assert!(matches!(account.end, Err(Fault::Contract { .. })), "{account:?}");
    ground.honest().await;
}

#[tokio::test]
async fn a_secret_of_another_backend_is_not_written_into_a_request() {
    let ground = Ground::new().await;
    for place in ["secret", "secret_in_url"] {
        let settings = json!({ "url": ground.provider.url(), (place): "theirs", "method": "POST" });
        ground.refused(settings, &loopback(), "theirs").await;
    }
    // Nor its own towards another host, not even as a part of the host's name.
    let settings = json!({ "url": "https://evil.example/", "secret": "mine", "method": "POST" });
    ground.refused(settings, &loopback(), "hosts = [").await;
    ground.refused(json!({ "url": "https:", "secret_in_url": "mine" }), &loopback(), "path and query").await;
}

#[tokio::test]
async fn an_attachment_that_does_not_exist_is_refused() {
    let ground = Ground::new().await;
    for index in [0_u32, 7, u32::MAX] {
        let settings = json!({ "url": ground.provider.url(), "method": "POST", "attachment": index });
        ground.refused(settings, &loopback(), "attachment").await;
    }
}

#[tokio::test]
async fn a_hundred_steps_end_at_the_bound() {
    let ground = Ground::new().await;
    for delivers in [true, false] {
        let before = ground.provider.count();
        let settings = json!({ "url": ground.provider.url(), "steps": 100, "delivers": delivers });
        let account = ground.ask(settings, &loopback()).await;
        assert_eq!(account.end, Err(Fault::Steps { limit: 32 }));
        assert_eq!((ground.provider.count() - before, account.exchanges.len()), (32, 32));
        ground.honest().await;
    }
}
