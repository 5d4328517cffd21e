//! Attachments: from public hosts only, bounded, named and typed.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use dispatch_engine::{Egress as _, FetchBounds, FetchError, SpoolContent, Spooled};
use dispatch_model::{Action, AttachmentEncoding, Piece};

use crate::support::server::{Act, Server, ok, respond};
use crate::support::{Egress, egress, egress_with, grants, http, post};

const BOUNDS: FetchBounds = FetchBounds { max_bytes: 2 << 20, timeout: Duration::from_secs(20) };

async fn fetch(egress: &Egress, url: &str) -> Result<Spooled, FetchError> {
    egress.network.fetch(url, BOUNDS).await
}

fn files(egress: &Egress) -> usize {
    std::fs::read_dir(egress.spool.path()).unwrap().count()
}

#[tokio::test]
async fn small_ones_are_in_memory() {
    let server = Server::start(|_| respond(200, "Content-Type: image/png\r\n", b"\x89PNG")).await;
    let egress = egress();
    let spooled = fetch(&egress, &server.url("/media/photo?token=x")).await.unwrap();
    assert_eq!((spooled.file.name.as_str(), spooled.file.media_type.as_str()), ("photo.png", "image/png"));
    assert_eq!((spooled.file.size, files(&egress)), (4, 0));
    let SpoolContent::Memory(bytes) = &spooled.content else { panic!("in a file") };
    assert_eq!(&bytes[..], b"\x89PNG");
    let seen = &server.seen()[0];
    assert!(seen.headers("authorization").is_empty() && seen.headers("cookie").is_empty());
}

#[tokio::test]
async fn large_ones_are_in_a_file_and_are_sent_from_there() {
    let content: Vec<u8> = (0..1_000_003_u32).map(|i| (i % 253) as u8).collect();
    let body = content.clone();
    let server = Server::start(move |request| match request.line() {
        "GET /a" => respond(200, "Content-Disposition: attachment; filename=\"r.pdf\"\r\n", &body),
        _ => ok(""),
    })
    .await;
    let egress = egress();
    let spooled = Arc::new(fetch(&egress, &server.url("/a")).await.unwrap());
    assert_eq!((spooled.file.name.as_str(), spooled.file.size, files(&egress)), ("r.pdf", 1_000_003, 1));
    let SpoolContent::File(file) = &spooled.content else { panic!("in memory") };
    let mut read = Vec::new();
    file.open().unwrap().read_to_end(&mut read).unwrap();
    assert!(read == content);

    for encoding in [AttachmentEncoding::Raw, AttachmentEncoding::Base64, AttachmentEncoding::Base64Mime] {
        let mut request = post(server.url("/send"), "<");
        request.body.push(Piece::Attachment { index: 0, encoding });
        request.body.push(Piece::text(">"));
        let action = Action::Http(request);
        let attachments = [Arc::clone(&spooled)];
        http(egress.perform_with(&action, &grants(), &attachments, Duration::from_secs(20)).await);
        let seen = server.seen().pop().unwrap();
        assert_eq!(seen.headers("content-length"), [seen.body.len().to_string()]);
        let sent = seen.body.strip_prefix(b"<").unwrap().strip_suffix(b">").unwrap();
        assert!(decoded(sent, encoding) == content, "{encoding:?}");
    }
    drop(spooled);
    assert_eq!(files(&egress), 0);
}

fn decoded(sent: &[u8], encoding: AttachmentEncoding) -> Vec<u8> {
    use base64::Engine as _;
    let base64 = |text: &[u8]| base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    match encoding {
        AttachmentEncoding::Raw => sent.to_vec(),
        AttachmentEncoding::Base64 => base64(sent),
        AttachmentEncoding::Base64Mime => {
            let text = std::str::from_utf8(sent).unwrap();
            let lines: Vec<&str> = text.strip_suffix("\r\n").unwrap().split("\r\n").collect();
            let (last, full) = lines.split_last().unwrap();
            assert!(full.iter().all(|line| line.len() == 76) && (1..=76).contains(&last.len()));
            base64(lines.concat().as_bytes())
        }
    }
}

#[tokio::test]
async fn redirects_are_followed_and_looked_at() {
    let server = Server::start(|request| match request.line() {
        "GET /loop" => respond(302, "Location: /loop\r\n", ""),
        "GET /inside" => respond(302, "Location: http://10.0.0.1/x\r\n", ""),
        "GET /meta" => respond(301, "Location: http://169.254.169.254/\r\n", ""),
        "GET /file" => respond(302, "Location: file:///etc/passwd\r\n", ""),
        "GET /nowhere" => respond(302, "", ""),
        "GET /to/there.txt" => ok("there"),
        _ => respond(307, "Location: /to/there.txt\r\n", ""),
    })
    .await;
    let egress = egress();
    assert_eq!(fetch(&egress, &server.url("/from")).await.unwrap().file.name, "there.txt");
    let before = server.seen().len();
    for path in ["/loop", "/inside", "/meta", "/file", "/nowhere"] {
        let result = fetch(&egress, &server.url(path)).await;
        assert!(matches!(result, Err(FetchError::Refused(_))), "{path}: {result:?}");
    }
    assert_eq!(server.seen().len() - before, 6 + 4);
}

#[tokio::test]
async fn private_places_and_odd_urls_are_refused() {
    let server = Server::start(|_| ok("x")).await;
    let egress = egress_with(|config| config.fetch_private.clear());
    let port = server.address.port();
    for url in [
        server.url("/"),
        format!("http://2130706433:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://localhost:{port}/"),
        "http://169.254.169.254/".to_owned(),
        "http://[fe80::1]/".to_owned(),
        "ftp://example.com/x".to_owned(),
        "data:text/plain,x".to_owned(),
        "file:///etc/passwd".to_owned(),
        "https://user:pw@example.com/".to_owned(),
        "https://exa mple.com/".to_owned(),
        "not a url".to_owned(),
        String::new(),
        format!("https://example.com/{}", "x".repeat(9000)),
    ] {
        let result = fetch(&egress, &url).await;
        assert!(matches!(result, Err(FetchError::Refused(_))), "{url}: {result:?}");
    }
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn too_large_ends_early_and_leaves_nothing() {
    let server = Server::start(|request| match request.line() {
        "GET /said" => Act::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec()),
        _ => Act::Endless(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
            [b"1000\r\n".to_vec(), vec![b'y'; 4096], b"\r\n".to_vec()].concat(),
        ),
    })
    .await;
    let egress = egress();
    for path in ["/said", "/endless"] {
        let result = fetch(&egress, &server.url(path)).await;
        assert_eq!(result.unwrap_err(), FetchError::TooLarge(2 << 20), "{path}");
    }
    assert_eq!(files(&egress), 0);
}

#[tokio::test]
async fn the_spool_is_bounded() {
    let server = Server::start(|_| ok(vec![1; 600_000])).await;
    let egress = egress_with(|config| config.spool_bytes_max = 1_000_000);
    let held = fetch(&egress, &server.url("/")).await.unwrap();
    assert!(matches!(fetch(&egress, &server.url("/")).await, Err(FetchError::Transient(_))));
    drop(held);
    fetch(&egress, &server.url("/")).await.unwrap();
}

#[tokio::test]
async fn what_went_wrong_is_told_apart() {
    let server = Server::start(|request| match request.line().strip_prefix("GET /").unwrap() {
        "half" => Act::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec()),
        "drip" => Act::Drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".to_vec()),
        "hang" => Act::Hang,
        status => respond(status.parse().unwrap(), "", "x"),
    })
    .await;
    let egress = egress();
    for (path, expected) in [
        ("404", "missing"),
        ("403", "missing"),
        ("410", "missing"),
        ("408", "transient"),
        ("429", "transient"),
        ("500", "transient"),
        ("503", "transient"),
        ("204", "refused"),
        ("half", "transient"),
        ("drip", "transient"),
        ("hang", "transient"),
    ] {
        let bounds = FetchBounds { timeout: Duration::from_millis(500), ..BOUNDS };
        let result = egress.network.fetch(&server.url(&format!("/{path}")), bounds).await;
        let found = match result.unwrap_err() {
            FetchError::Missing(_) => "missing",
            FetchError::Transient(_) => "transient",
            FetchError::Refused(_) => "refused",
            FetchError::TooLarge(_) => "too large",
        };
        assert_eq!(found, expected, "{path}");
    }
    assert_eq!(files(&egress), 0);
}
