//! TLS: who is believed.

use dispatch_egress::{EgressConfig, EgressError, NetworkEgress};
use dispatch_engine::Grants;
use dispatch_model::{Action, FailureKind};
use std::sync::Arc;

use crate::support::certificate::Authority;
use crate::support::server::{Server, ok};
use crate::support::{FixedClock, egress, egress_with, failed, grants, http, post};

fn encrypted() -> Grants {
    Grants { plaintext: false, ..grants() }
}

fn url(server: &Server, host: &str) -> String {
    format!("https://{host}:{}/", server.address.port())
}

#[tokio::test]
async fn a_server_with_the_right_certificate_is_believed_and_its_connection_kept() {
    let authority = Authority::new();
    let server = Server::with_tls(Some(authority.acceptor(&["localhost"])), |_| ok("x")).await;
    let egress = egress_with(|config| config.extra_ca_file = Some(authority.path()));
    for _ in 0..10 {
        http(egress.perform(&Action::Http(post(url(&server, "localhost"), "hello")), &encrypted()).await);
    }
    assert_eq!((server.accepted(), server.seen().len()), (1, 10));
}

#[tokio::test]
async fn others_get_nothing() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let trusting = egress_with(|config| config.extra_ca_file = Some(authority.path()));
    for (acceptor, egress) in [
        (authority.acceptor(&["other.example"]), &trusting),
        (stranger.acceptor(&["localhost"]), &trusting),
        (authority.acceptor(&["localhost"]), &egress()),
    ] {
        let server = Server::with_tls(Some(acceptor), |_| ok("x")).await;
        let action = Action::Http(post(url(&server, "localhost"), "hello"));
        let (kind, left, detail) = failed(egress.perform(&action, &encrypted()).await);
        assert_eq!((kind, left), (FailureKind::Tls, false), "{detail}");
        assert!(server.seen().is_empty());
    }
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = vec![0; 4096];
        let length = stream.read(&mut heard).await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        heard.truncate(length);
        heard
    });
    let (kind, left, _) = failed(egress().perform(&Action::Http(post(url, "hello")), &encrypted()).await);
    assert_eq!((kind, left), (FailureKind::Tls, false));
    assert!(!server.await.unwrap().windows(4).any(|bytes| bytes == b"POST"));
}

#[tokio::test]
async fn a_useless_certificate_file_is_said_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for path in [empty, dir.path().join("absent.pem")] {
        let mut config = EgressConfig::new(dir.path().join("spool"));
        config.extra_ca_file = Some(path);
        let result = NetworkEgress::new(config, Arc::new(FixedClock));
        assert!(matches!(result, Err(EgressError::CaFile { .. })));
    }
}
