//! Requests, answers, pooling, and what is known when something breaks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dispatch_engine::Grants;
use dispatch_engine::{SpoolContent, Spooled};
use dispatch_model::{
    Action, AttachmentEncoding, AttachmentFile, Escape, FailureKind, Header, HttpRequest, Piece,
};

use crate::support::server::{Act, Server, ok, respond};
use crate::support::{egress, egress_with, failed, get, grants, http, post};

fn secret(escape: Escape) -> Piece {
    Piece::Secret { name: "key".to_owned(), escape }
}

#[tokio::test]
async fn a_request_arrives_as_written() {
    let server = Server::start(|_| respond(201, "X-Id: 7\r\n", "{\"sid\":1}")).await;
    let mut request = post(server.url("/v1/send?a=b%20c"), "To=%2B525512345678&k=");
    request.body.push(secret(Escape::Percent));
    request.url.push(Piece::text("&key="));
    request.url.push(secret(Escape::Percent));
    request.headers = vec![
        Header {
            name: "Content-Type".to_owned(),
            value: vec![Piece::text("application/x-www-form-urlencoded")],
        },
        Header { name: "x-api-key".to_owned(), value: vec![Piece::text("k:"), secret(Escape::Raw)] },
    ];
    let response = http(egress().perform(&Action::Http(request), &grants()).await);
    assert_eq!((response.status, response.header("x-id"), response.truncated), (201, Some("7"), false));
    assert_eq!(&response.body[..], b"{\"sid\":1}");

    let seen = &server.seen()[0];
    assert_eq!(seen.line(), "POST /v1/send?a=b%20c&key=s3cr3t");
    assert_eq!(seen.text(), "To=%2B525512345678&k=s3cr3t");
    for (name, value) in [
        ("host", server.address.to_string()),
        ("content-length", seen.body.len().to_string()),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("x-api-key", "k:s3cr3t".to_owned()),
    ] {
        assert_eq!(seen.headers(name), [value], "{name}");
    }
    assert!(seen.headers("user-agent")[0].starts_with("dispatcher/"));
}

#[tokio::test]
async fn an_empty_post_says_so_and_a_get_says_nothing() {
    let server = Server::start(|_| ok("")).await;
    let egress = egress();
    let mut empty = post(server.url("/"), "");
    empty.body.clear();
    for request in [empty, get(server.url("/"))] {
        http(egress.perform(&Action::Http(request), &grants()).await);
    }
    let seen = server.seen();
    assert_eq!(seen[0].headers("content-length"), ["0"]);
    assert!(seen[1].headers("content-length").is_empty());
}

#[tokio::test]
async fn connections_are_used_again_by_their_owner_only() {
    let server = Server::start(|_| ok("x")).await;
    let egress = egress();
    let request = Action::Http(post(server.url("/"), "hello"));
    for _ in 0..20 {
        http(egress.perform(&request, &grants()).await);
    }
    assert_eq!(server.accepted(), 1);
    let other = Grants { owner: "another".into(), ..grants() };
    http(egress.perform(&request, &other).await);
    assert_eq!(server.accepted(), 2);
    http(egress.perform(&request, &grants()).await);
    assert_eq!((server.accepted(), server.seen()[21].connection), (2, 0));
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced_silently() {
    let server = Server::start(|request| {
        let Act::Send(bytes) = ok("x") else { unreachable!() };
        if request.connection == 0 { Act::Last(bytes) } else { Act::Send(bytes) }
    })
    .await;
    let egress = egress();
    let request = Action::Http(post(server.url("/"), "hello"));
    http(egress.perform(&request, &grants()).await);
    while server.ended() == 0 {
        tokio::task::yield_now().await;
    }
    http(egress.perform(&request, &grants()).await);
    assert_eq!((server.accepted(), server.seen().len()), (2, 2));
}

#[tokio::test]
async fn an_answer_nobody_asked_for_is_nobodys_answer() {
    // Behind the asked-for answer in one write, so that it is read together with it.
    let server = Server::start(|request| {
        let extra = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse";
        Act::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}{extra}", request.connection).into())
    })
    .await;
    let egress = egress();
    for expected in ["0", "1", "2"] {
        let response = http(egress.perform(&Action::Http(get(server.url("/"))), &grants()).await);
        assert_eq!(response.body.to_text(), expected);
    }
    assert_eq!(server.accepted(), 3);
}

#[tokio::test]
async fn idle_connections_are_closed_in_time() {
    let server = Server::start(|_| ok("x")).await;
    let egress = egress_with(|config| config.idle_timeout = Duration::ZERO);
    for _ in 0..3 {
        http(egress.perform(&Action::Http(get(server.url("/"))), &grants()).await);
    }
    assert_eq!(server.accepted(), 3);
}

#[tokio::test]
async fn a_grant_taken_back_ends_the_use_of_a_connection() {
    let server = Server::start(|_| ok("x")).await;
    let egress = egress();
    let request = Action::Http(get(server.url("/")));
    http(egress.perform(&request, &grants()).await);
    let without = Grants { private_networks: Vec::new(), ..grants() };
    let (kind, left, _) = failed(egress.perform(&request, &without).await);
    assert_eq!((kind, left, server.seen().len()), (FailureKind::Refused, false, 1));
}

#[tokio::test]
async fn no_listener_means_nothing_left() {
    let server = Server::start(|_| ok("")).await;
    let url = server.url("/");
    drop(server);
    let egress = egress();
    // The listening task ends when it is next polled.
    let reply = loop {
        let reply = egress.perform(&Action::Http(post(&url, "hello")), &grants()).await;
        if matches!(reply, dispatch_model::Reply::Failed { kind: FailureKind::Connect, .. }) {
            break reply;
        }
    };
    let (kind, left, _) = failed(reply);
    assert_eq!((kind, left), (FailureKind::Connect, false));
}

#[tokio::test]
async fn what_breaks_after_the_request_left_says_so() {
    for (path, kind) in [
        ("/reset", FailureKind::Reset),
        ("/close", FailureKind::Reset),
        ("/half", FailureKind::Reset),
        ("/garbage", FailureKind::Protocol),
        ("/head", FailureKind::Protocol),
        ("/hang", FailureKind::Timeout),
        ("/drip", FailureKind::Timeout),
    ] {
        let server = Server::start(|request| match request.line() {
            "POST /reset" => Act::Reset,
            "POST /close" => Act::Last(Vec::new()),
            "POST /half" => Act::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec()),
            "POST /garbage" => Act::Last(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),
            "POST /head" => Act::Endless(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 4096]),
            "POST /hang" => Act::Hang,
            _ => Act::Drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n".to_vec()),
        })
        .await;
        let begun = Instant::now();
        let action = Action::Http(post(server.url(path), "hello"));
        let within = Duration::from_millis(if kind == FailureKind::Timeout { 1500 } else { 20_000 });
        let (found, left, detail) = failed(egress().perform_with(&action, &grants(), &[], within).await);
        assert_eq!((found, left), (kind, true), "{path}: {detail}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{path}");
        assert_eq!(server.seen().len(), 1, "{path} was sent twice");
    }
}

#[tokio::test]
async fn a_long_answer_is_cut_at_a_mebibyte() {
    let server = Server::start(|request| match request.line() {
        "GET /endless" => Act::Endless(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
            [b"1000\r\n".to_vec(), vec![b'y'; 4096], b"\r\n".to_vec()].concat(),
        ),
        "GET /exact" => ok(vec![b'z'; 1 << 20]),
        _ => ok(vec![b'z'; (1 << 20) + 1]),
    })
    .await;
    let egress = egress();
    for (path, truncated) in [("/endless", true), ("/exact", false), ("/over", true)] {
        let response = http(egress.perform(&Action::Http(get(server.url(path))), &grants()).await);
        assert_eq!((response.body.len(), response.truncated), (1 << 20, truncated), "{path}");
    }
}

#[tokio::test]
async fn an_answer_before_the_body_was_sent_is_heard() {
    // The server answers on the head alone and never reads the rest.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        stream
    });
    let body = "x".repeat(32 << 20);
    let response = http(egress().perform(&Action::Http(post(url, &body)), &grants()).await);
    assert_eq!(response.status, 413);
    drop(server.await.unwrap());
}

#[tokio::test]
async fn attachments_are_spliced_in_whole() {
    let server = Server::start(|_| ok("")).await;
    let bytes: Vec<u8> = (0..200_001_u32).map(|i| (i % 251) as u8).collect();
    let spooled = Arc::new(Spooled {
        file: AttachmentFile {
            name: "a.bin".to_owned(),
            media_type: "application/octet-stream".to_owned(),
            size: bytes.len() as u64,
        },
        content: SpoolContent::Memory(bytes.clone().into()),
    });
    let mut request = post(server.url("/"), "[");
    request.body.push(Piece::Attachment { index: 0, encoding: AttachmentEncoding::Raw });
    request.body.push(Piece::text("]"));
    let action = Action::Http(request);
    http(egress().perform_with(&action, &grants(), &[spooled], Duration::from_secs(20)).await);
    assert_eq!(server.seen()[0].body, [b"[", &bytes[..], b"]"].concat());
}

#[tokio::test]
async fn what_must_not_leave_is_refused_before_a_byte() {
    let server = Server::start(|_| ok("")).await;
    let egress = egress();
    let header = |name: &str, value: Piece| HttpRequest {
        headers: vec![Header { name: name.to_owned(), value: vec![value] }],
        ..get(server.url("/"))
    };
    let odd = || Piece::Secret { name: "odd".to_owned(), escape: Escape::Raw };
    let in_url = |pieces: Vec<Piece>| HttpRequest { url: pieces, ..get("") };
    for (request, words) in [
        (header("x", Piece::text("a\r\nb: c")), "control character"),
        (header("x", Piece::text("a\0b")), "control character"),
        (header("x", odd()), "control character"),
        (header("x\r\ny", Piece::text("a")), "name"),
        (header("", Piece::text("a")), "name"),
        (header("Host", Piece::text("evil.example")), "the host's to write"),
        (header("content-length", Piece::text("1")), "the host's to write"),
        (header("Transfer-Encoding", Piece::text("chunked")), "the host's to write"),
        (header("Connection", Piece::text("close")), "the host's to write"),
        (header("x", Piece::text("y".repeat(40_000))), "larger than"),
        (header("x", Piece::Attachment { index: 0, encoding: AttachmentEncoding::Raw }), "only bodies"),
        (header("x", Piece::Secret { name: "nope".to_owned(), escape: Escape::Raw }), "\"nope\""),
        (in_url(vec![Piece::text(server.url("/")), odd()]), "percent-encode"),
        (in_url(vec![Piece::text("http://"), secret(Escape::Raw), Piece::text("/")]), "scheme or host"),
        (in_url(vec![Piece::text(server.url("/\r\n"))]), "percent-encode"),
        (HttpRequest { method: "CONNECT".to_owned(), ..get(server.url("/")) }, "method"),
        (HttpRequest { method: "GET / HTTP/1.1\r\nX: y".to_owned(), ..get(server.url("/")) }, "method"),
        (HttpRequest { redirects: 6, ..get(server.url("/")) }, "0 to 5"),
        (
            HttpRequest {
                body: vec![Piece::Attachment { index: 3, encoding: AttachmentEncoding::Raw }],
                ..get(server.url("/"))
            },
            "no attachment 3",
        ),
    ] {
        let (kind, left, detail) = failed(egress.perform(&Action::Http(request), &grants()).await);
        assert_eq!((kind, left), (FailureKind::Refused, false), "{detail}");
        assert!(detail.contains(words), "{words}: {detail}");
        assert!(!detail.contains("s3cr3t") && !detail.contains("a\r\nb"), "{detail}");
    }
    assert_eq!(server.accepted(), 0);
}
