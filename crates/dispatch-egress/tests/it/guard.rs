//! Hosts, addresses, names that change, and redirects.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use dispatch_egress::Resolver;
use dispatch_engine::Grants;
use dispatch_model::{Action, Credential, Escape, FailureKind, Header, HttpRequest, Piece};

use crate::support::server::{Act, Server, ok, respond};
use crate::support::{egress, egress_resolving, failed, get, grants, http, ip, post};

/// Answers each look-up with the next list; the last one stays.
struct Script {
    answers: Vec<Vec<IpAddr>>,
    asked: Arc<AtomicUsize>,
}

#[async_trait]
impl Resolver for Script {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        match self.answers.get(asked.min(self.answers.len().saturating_sub(1))) {
            Some(answer) => Ok(answer.clone()),
            None => Err(io::Error::other("no such name")),
        }
    }
}

fn script(answers: &[&[&str]]) -> (Script, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let answers = answers.iter().map(|list| list.iter().map(|text| ip(text)).collect()).collect();
    (Script { answers, asked: Arc::clone(&asked) }, asked)
}

fn named(server: &Server, path: &str) -> String {
    format!("http://gateway.test:{}{path}", server.address.port())
}

fn grants_named() -> Grants {
    Grants { hosts: vec!["gateway.test".to_owned()], ..grants() }
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_each_connection_and_checked_each_time() {
    let server = Server::start(|request| {
        let Act::Send(bytes) = ok("x") else { unreachable!() };
        if request.connection == 0 { Act::Last(bytes) } else { Act::Send(bytes) }
    })
    .await;
    // First an address that is granted, then, when it is looked up again, the cloud's metadata service.
    let (resolver, asked) = script(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let egress = egress_resolving(resolver, |_| ());
    let action = Action::Http(get(named(&server, "/")));
    http(egress.perform(&action, &grants_named()).await);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    while server.ended() == 0 {
        tokio::task::yield_now().await;
    }
    let (kind, left, detail) = failed(egress.perform(&action, &grants_named()).await);
    assert_eq!((kind, left), (FailureKind::Refused, false));
    assert!(detail.contains("private_networks = [\"169.254.169.254/32\"]"), "{detail}");
    assert_eq!((asked.load(Ordering::SeqCst), server.accepted()), (2, 1));
}

#[tokio::test]
async fn every_address_of_a_name_is_checked() {
    let server = Server::start(|_| ok("x")).await;
    // The one that is not granted comes first and is passed over.
    let (resolver, _) = script(&[&["10.0.0.1", "::ffff:10.0.0.2", "127.0.0.1"]]);
    let egress = egress_resolving(resolver, |_| ());
    http(egress.perform(&Action::Http(get(named(&server, "/"))), &grants_named()).await);

    for address in
        ["10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fd00::1", "::1", "0.0.0.0"]
    {
        let (resolver, _) = script(&[&[address]]);
        let egress = egress_resolving(resolver, |_| ());
        let without = Grants { private_networks: vec!["192.168.0.0/16".parse().unwrap()], ..grants_named() };
        let (kind, left, _) = failed(egress.perform(&Action::Http(get(named(&server, "/"))), &without).await);
        assert_eq!((kind, left), (FailureKind::Refused, false), "{address}");
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_name_that_is_not_there_is_a_dns_failure() {
    for answers in [&[][..], &[&[][..]]] {
        let (resolver, _) = script(answers);
        let egress = egress_resolving(resolver, |_| ());
        let (kind, left, _) =
            failed(egress.perform(&Action::Http(get("http://gateway.test/")), &grants_named()).await);
        assert_eq!((kind, left), (FailureKind::Dns, false));
    }
}

#[tokio::test]
async fn a_resolver_that_hangs_is_given_up() {
    struct Hangs;
    #[async_trait]
    impl Resolver for Hangs {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            std::future::pending().await
        }
    }
    let egress =
        egress_resolving(Hangs, |config| config.resolve_timeout = std::time::Duration::from_millis(20));
    let (kind, left, _) =
        failed(egress.perform(&Action::Http(get("http://gateway.test/")), &grants_named()).await);
    assert_eq!((kind, left), (FailureKind::Dns, false));
}

#[tokio::test]
async fn addresses_in_any_spelling_are_checked() {
    let server = Server::start(|_| ok("x")).await;
    let port = server.address.port();
    let egress = egress();
    let closed = Grants { private_networks: Vec::new(), ..grants() };
    for host in
        ["127.0.0.1", "2130706433", "0x7f.0.0.1", "0177.0.0.01", "127.1", "[::ffff:127.0.0.1]", "[::1]"]
    {
        let mut closed = closed.clone();
        closed.hosts.push("[::ffff:127.0.0.1]".to_owned());
        closed.hosts.push("::1".to_owned());
        let action = Action::Http(get(format!("http://{host}:{port}/")));
        let (kind, left, detail) = failed(egress.perform(&action, &closed).await);
        assert_eq!((kind, left), (FailureKind::Refused, false), "{host}");
        assert!(detail.contains("private_networks"), "{host}: {detail}");
    }
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn redirects_are_followed_as_asked_and_no_further() {
    let server = Server::start(|request| {
        let at: u32 = request.line().rsplit('/').next().unwrap().parse().unwrap();
        respond(302, &format!("Location: /{}\r\n", at + 1), "")
    })
    .await;
    let egress = egress();
    for (redirects, requests) in [(0, 1), (1, 2), (5, 6)] {
        let before = server.seen().len();
        let request = HttpRequest { redirects, ..get(server.url("/0")) };
        let response = http(egress.perform(&Action::Http(request), &grants()).await);
        assert_eq!((response.status, server.seen().len() - before), (302, requests));
    }
}

#[tokio::test]
async fn redirects_change_the_method_as_the_status_says() {
    for (status, method, after) in [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (301, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
    ] {
        let server = Server::start(move |request| match request.line().ends_with("/from") {
            true => respond(status, "Location: /to\r\n", ""),
            false => ok("there"),
        })
        .await;
        let mut request =
            HttpRequest { redirects: 1, method: method.to_owned(), ..post(server.url("/from"), "body") };
        request.headers =
            vec![Header { name: "content-type".to_owned(), value: vec![Piece::text("text/plain")] }];
        http(egress().perform(&Action::Http(request), &grants()).await);
        let seen = server.seen();
        assert_eq!(seen[1].line(), format!("{after} /to"), "{status} {method}");
        let body = if after == "GET" { "" } else { "body" };
        assert_eq!(seen[1].text(), body, "{status} {method}");
        assert_eq!(seen[1].headers("content-type").is_empty(), after == "GET");
    }
}

#[tokio::test]
async fn secrets_stay_with_the_first_origin() {
    let other = Server::start(|_| ok("x")).await;
    let elsewhere = other.url("/to");
    let server = Server::start(move |request| match request.line() {
        "POST /away" => respond(307, &format!("Location: {elsewhere}\r\n"), ""),
        "POST /near" => respond(307, "Location: /to\r\n", ""),
        _ => ok("x"),
    })
    .await;
    let egress = egress();
    let secret = || Piece::Secret { name: "key".to_owned(), escape: Escape::Raw };
    let request = |path: &str| HttpRequest {
        redirects: 1,
        credential: Credential::Bearer { secret: "key".to_owned() },
        headers: vec![
            Header { name: "x-api-key".to_owned(), value: vec![secret()] },
            Header { name: "x-plain".to_owned(), value: vec![Piece::text("stays")] },
        ],
        ..post(server.url(path), "body")
    };
    http(egress.perform(&Action::Http(request("/near")), &grants()).await);
    let near = &server.seen()[1];
    assert_eq!(
        (near.headers("authorization"), near.headers("x-api-key")),
        (vec!["Bearer s3cr3t"], vec!["s3cr3t"])
    );

    http(egress.perform(&Action::Http(request("/away")), &grants()).await);
    let away = &other.seen()[0];
    assert!(away.headers("authorization").is_empty() && away.headers("x-api-key").is_empty());
    assert_eq!((away.headers("x-plain"), away.text()), (vec!["stays"], "body".to_owned()));

    // A secret in the body that would have to be sent again goes nowhere.
    let mut with_body = request("/away");
    with_body.body.push(secret());
    let (kind, left, detail) = failed(egress.perform(&Action::Http(with_body), &grants()).await);
    assert_eq!((kind, left, other.seen().len()), (FailureKind::Refused, true, 1), "{detail}");
}

#[tokio::test]
async fn a_redirect_is_checked_like_a_first_request() {
    for (location, words) in [
        ("http://169.254.169.254/latest/meta-data/", "hosts ="),
        ("http://localhost.evil.example/", "hosts ="),
        ("http://10.0.0.1/", "private_networks"),
        ("file:///etc/passwd", "write https://"),
        ("http://user:pw@127.0.0.1/", "credential"),
        ("http://[", "cannot be read"),
    ] {
        let server = Server::start(move |_| respond(302, &format!("Location: {location}\r\n"), "")).await;
        let mut grants = grants();
        grants.hosts.push("10.0.0.1".to_owned());
        let request = HttpRequest { redirects: 5, ..get(server.url("/")) };
        let (kind, left, detail) = failed(egress().perform(&Action::Http(request), &grants).await);
        assert_eq!((kind, left), (FailureKind::Refused, true), "{location}");
        assert!(detail.contains(words), "{location}: {detail}");
    }
}
