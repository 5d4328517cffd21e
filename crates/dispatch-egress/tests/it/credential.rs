//! Credentials on the wire, and nowhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dispatch_engine::Grants;
use dispatch_model::{
    Action, ClientCredentials, Credential, FailureKind, Header, HttpRequest, Piece, Secret, SigV4,
};

use crate::support::server::{Server, ok, respond};
use crate::support::{egress, failed, get, grants, http, post};

fn with(credential: Credential, url: String) -> Action {
    Action::Http(HttpRequest { credential, ..post(url, "hello") })
}

#[tokio::test]
async fn basic_and_bearer() {
    let server = Server::start(|_| ok("")).await;
    let egress = egress();
    for (credential, expected) in [
        (Credential::Basic { user: "AC1".to_owned(), secret: "key".to_owned() }, "Basic QUMxOnMzY3IzdA=="),
        (Credential::Bearer { secret: "key".to_owned() }, "Bearer s3cr3t"),
    ] {
        http(egress.perform(&with(credential, server.url("/")), &grants()).await);
        assert_eq!(server.seen().last().unwrap().headers("authorization"), [expected]);
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_without_the_secret() {
    let server = Server::start(|_| ok("")).await;
    let egress = egress();
    for credential in [
        Credential::Basic { user: "AC1".to_owned(), secret: "nope".to_owned() },
        Credential::Basic { user: "a:b".to_owned(), secret: "key".to_owned() },
        Credential::Bearer { secret: "odd".to_owned() },
    ] {
        let (kind, left, detail) =
            failed(egress.perform(&with(credential, server.url("/")), &grants()).await);
        assert_eq!((kind, left), (FailureKind::Refused, false), "{detail}");
        assert!(!detail.contains("s3cr3t") && !detail.contains('\r'), "{detail}");
    }
    let mut both =
        HttpRequest { credential: Credential::Bearer { secret: "key".to_owned() }, ..get(server.url("/")) };
    both.headers = vec![Header { name: "Authorization".to_owned(), value: vec![Piece::text("x")] }];
    assert_eq!(failed(egress.perform(&Action::Http(both), &grants()).await).0, FailureKind::Refused);
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn aws_requests_are_signed() {
    let server = Server::start(|_| ok("")).await;
    let credential = Credential::SigV4(SigV4 {
        region: "us-east-1".to_owned(),
        service: "ses".to_owned(),
        key_id: "AKIDEXAMPLE".to_owned(),
        secret: "key".to_owned(),
        session_token: Some("token".to_owned()),
    });
    let mut grants = grants();
    Arc::make_mut(&mut grants.secrets).insert("token".to_owned(), Secret::new("session"));
    http(egress().perform(&with(credential, server.url("/v2/email")), &grants).await);
    let seen = &server.seen()[0];
    assert_eq!(seen.headers("x-amz-date"), ["20150830T123600Z"]);
    assert_eq!(seen.headers("x-amz-security-token"), ["session"]);
    let authorization = seen.headers("authorization")[0];
    assert!(
        authorization.starts_with(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/ses/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-security-token, Signature="
        ),
        "{authorization}"
    );
}

/// A provider and its token server in one: tokens are numbered, and `/api` takes those from `valid_from` on.
async fn provider(expires_in: u32, basic: bool, valid_from: usize) -> (Server, Arc<AtomicUsize>) {
    let issued = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&issued);
    let server = Server::start(move |request| {
        if request.line() == "POST /token" {
            let said_basic = !request.headers("authorization").is_empty();
            if said_basic != basic {
                return respond(401, "", "{\"error\":\"invalid_client\"}");
            }
            let number = count.fetch_add(1, Ordering::SeqCst);
            return ok(format!(
                "{{\"access_token\":\"t{number}\",\"token_type\":\"Bearer\",\"expires_in\":{expires_in}}}"
            ));
        }
        let bearer = request.headers("authorization")[0].strip_prefix("Bearer t").unwrap();
        if bearer.parse::<usize>().unwrap() < valid_from { respond(401, "", "old") } else { ok("sent") }
    })
    .await;
    (server, issued)
}

fn oauth(server: &Server) -> Action {
    let client = ClientCredentials {
        token_url: server.url("/token"),
        client_id: "me+you".to_owned(),
        secret: "key".to_owned(),
        scope: Some("sms send".to_owned()),
    };
    with(Credential::OAuth2ClientCredentials(client), server.url("/api"))
}

#[tokio::test]
async fn a_token_is_fetched_once_and_kept() {
    let (server, issued) = provider(3600, true, 0).await;
    let egress = Arc::new(egress());
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (egress, action) = (Arc::clone(&egress), oauth(&server));
        running.spawn(async move { http(egress.perform(&action, &grants()).await).status });
    }
    assert!(running.join_all().await.iter().all(|status| *status == 200));
    http(egress.perform(&oauth(&server), &grants()).await);
    assert_eq!(issued.load(Ordering::SeqCst), 1);
    let token = server.seen().into_iter().find(|request| request.line() == "POST /token").unwrap();
    assert_eq!(token.text(), "grant_type=client_credentials&scope=sms%20send");
    assert_eq!(token.headers("authorization"), ["Basic bWUlMkJ5b3U6czNjcjN0"]);

    // Another owner, and a changed secret, have tokens of their own.
    let other = Grants { owner: "other".into(), ..grants() };
    http(egress.perform(&oauth(&server), &other).await);
    let mut changed = grants();
    Arc::make_mut(&mut changed.secrets).insert("key".to_owned(), Secret::new("new"));
    http(egress.perform(&oauth(&server), &changed).await);
    assert_eq!(issued.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_token_at_its_end_is_not_used() {
    let (server, issued) = provider(0, true, 0).await;
    let egress = egress();
    for _ in 0..3 {
        http(egress.perform(&oauth(&server), &grants()).await);
    }
    assert_eq!(issued.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_server_that_wants_the_secret_in_the_body_gets_it_there() {
    let (server, _) = provider(3600, false, 0).await;
    assert_eq!(http(egress().perform(&oauth(&server), &grants()).await).status, 200);
    assert!(server.seen()[1].text().ends_with("&client_id=me%2Byou&client_secret=s3cr3t"));
}

#[tokio::test]
async fn a_refused_token_is_dropped_and_a_kept_one_replaced_at_once() {
    let (server, issued) = provider(3600, true, 1).await;
    let egress = egress();
    // New and refused: the provider's answer counts.
    assert_eq!(http(egress.perform(&oauth(&server), &grants()).await).status, 401);
    assert_eq!(issued.load(Ordering::SeqCst), 1);
    // It was dropped, and the next one is good.
    assert_eq!(http(egress.perform(&oauth(&server), &grants()).await).status, 200);
    assert_eq!(issued.load(Ordering::SeqCst), 2);

    let revoked = Arc::new(AtomicUsize::new(0));
    let from = Arc::clone(&revoked);
    let issued = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&issued);
    let server = Server::start(move |request| match request.line() {
        "POST /token" => ok(format!("{{\"access_token\":\"{}\"}}", count.fetch_add(1, Ordering::SeqCst))),
        _ => {
            let token: usize = request.headers("authorization")[0][7..].parse().unwrap();
            if token < from.load(Ordering::SeqCst) { respond(401, "", "") } else { ok("") }
        }
    })
    .await;
    assert_eq!(http(egress.perform(&oauth(&server), &grants()).await).status, 200);
    revoked.store(1, Ordering::SeqCst);
    assert_eq!(http(egress.perform(&oauth(&server), &grants()).await).status, 200);
    assert_eq!(issued.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn without_a_token_nothing_has_left() {
    let egress = egress();
    for (status, body, expected) in [
        (401, "{\"error\":\"invalid_client\",\"error_description\":\"s3cr3t\"}", FailureKind::Refused),
        (503, "", FailureKind::Connect),
        (429, "", FailureKind::Connect),
        (200, "{\"token\":\"s3cr3t\"}", FailureKind::Protocol),
        (200, "not json s3cr3t", FailureKind::Protocol),
        (200, "{\"access_token\":\"x\\r\\ny\"}", FailureKind::Refused),
    ] {
        let server = Server::start(move |_| respond(status, "", body)).await;
        let (kind, left, detail) = failed(egress.perform(&oauth(&server), &grants()).await);
        assert_eq!((kind, left), (expected, false), "{status} {body}: {detail}");
        assert!(!detail.contains("s3cr3t"), "{detail}");
    }
    let hanging = Server::start(|_| crate::support::server::Act::Hang).await;
    let reply = egress.perform_with(&oauth(&hanging), &grants(), &[], Duration::from_millis(100)).await;
    let (kind, left, detail) = failed(reply);
    assert_eq!((kind, left), (FailureKind::Timeout, false), "{detail}");
}

#[tokio::test]
async fn a_token_server_must_be_granted() {
    let server = Server::start(|_| ok("")).await;
    let client = ClientCredentials {
        token_url: "https://login.example/token".to_owned(),
        client_id: "me".to_owned(),
        secret: "key".to_owned(),
        scope: None,
    };
    let action = with(Credential::OAuth2ClientCredentials(client), server.url("/"));
    let (kind, left, detail) = failed(egress().perform(&action, &grants()).await);
    assert_eq!((kind, left, server.accepted()), (FailureKind::Refused, false, 0));
    assert!(detail.contains("hosts = [\"login.example\"]"), "{detail}");
}
