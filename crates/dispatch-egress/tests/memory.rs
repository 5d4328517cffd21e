//! What a large attachment costs: a bounded buffer, whatever its size. In a process of its own, since it is the
//! process that is measured.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dispatch_egress::{EgressConfig, NetworkEgress};
use dispatch_engine::{
    Call, Dkim, Egress as _, FetchBounds, Grants, Relay, RelayTls, SpoolContent, SpoolFile, Spooled,
};
use dispatch_model::{
    Action, AttachmentEncoding, AttachmentFile, Clock, Credential, HttpRequest, MailSubmission, Piece, Reply,
    Secret, Timestamp,
};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

const MIB: u64 = 1024 * 1024;

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_305_600_000)
    }
}

/// A file of nothing but its size.
struct Hole(tempfile::NamedTempFile);

impl SpoolFile for Hole {
    fn open(&self) -> io::Result<File> {
        File::open(self.0.path())
    }
}

fn attachment(size: u64) -> Arc<Spooled> {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(size).unwrap();
    let described =
        AttachmentFile { name: "a.bin".into(), media_type: "application/octet-stream".into(), size };
    Arc::new(Spooled { file: described, content: SpoolContent::File(Box::new(Hole(file))) })
}

/// The most memory that this process has had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

async fn serve<F: Future<Output = io::Result<()>> + Send + 'static>(
    handle: impl Fn(BufReader<TcpStream>) -> F + Copy + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Connections are kept, so each has a task; whether a client hangs up early is not what is tested here.
            tokio::spawn(handle(BufReader::new(stream)));
        }
    });
    address
}

/// Reads requests and keeps nothing; a GET of a number gives as many bytes.
async fn http_sink(mut stream: BufReader<TcpStream>) -> io::Result<()> {
    loop {
        let (mut length, mut wanted, mut line) = (0, None, String::new());
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if let Some(path) = line.strip_prefix("GET /") {
                wanted = path.split(' ').next().and_then(|size| size.parse::<u64>().ok());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
        }
        tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink()).await?;
        let size = wanted.unwrap_or(0);
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes()).await?;
        tokio::io::copy(&mut tokio::io::repeat(7).take(size), &mut stream).await?;
        stream.flush().await?;
    }
}

/// Takes mails and keeps nothing.
async fn mail_sink(mut stream: BufReader<TcpStream>) -> io::Result<()> {
    let (mut line, mut in_data) = (Vec::new(), false);
    stream.write_all(b"220 sink\r\n").await?;
    loop {
        stream.flush().await?;
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let reply: &[u8] = match (in_data, line.as_slice()) {
            (true, b".\r\n") => b"250 taken\r\n",
            (true, _) => continue,
            (false, b"DATA\r\n") => b"354 go on\r\n",
            (false, _) => b"250 yes\r\n",
        };
        in_data = line == b"DATA\r\n";
        stream.write_all(reply).await?;
    }
}

#[tokio::test]
async fn memory_does_not_grow_with_an_attachment() {
    let (web, relay) = (serve(http_sink).await, serve(mail_sink).await);
    let spool = tempfile::tempdir().unwrap();
    let mut config = EgressConfig::new(spool.path());
    config.fetch_private = vec!["127.0.0.1/32".parse().unwrap()];
    let egress = NetworkEgress::new(config, Arc::new(FixedClock)).unwrap();
    let grants = Grants {
        owner: "gateway".into(),
        hosts: vec!["127.0.0.1".to_owned()],
        private_networks: vec!["127.0.0.1/32".parse().unwrap()],
        plaintext: true,
        relay: Some(Relay {
            host: "127.0.0.1".to_owned(),
            port: relay.port(),
            tls: RelayTls::None,
            user: None,
            password: None,
            hello: Some("us.example".to_owned()),
        }),
        dkim: Some(Dkim {
            domain: "acme.example".to_owned(),
            selector: "s1".to_owned(),
            key: Secret::new(include_str!("keys/ed25519.pem")),
        }),
        ..Grants::default()
    };
    let within = Duration::from_secs(120);
    let send = async |size: u64| {
        let attachments = [attachment(size)];
        let piece = |encoding| Piece::Attachment { index: 0, encoding };
        for encoding in [AttachmentEncoding::Raw, AttachmentEncoding::Base64] {
            let action = Action::Http(HttpRequest {
                method: "POST".to_owned(),
                url: vec![Piece::text(format!("http://{web}/send"))],
                headers: Vec::new(),
                credential: Credential::None,
                body: vec![piece(encoding)],
                redirects: 0,
            });
            let call = Call { grants: &grants, attachments: &attachments, deadline: Instant::now() + within };
            let reply = egress.perform(&action, &call).await;
            assert!(matches!(&reply, Reply::Http(answer) if answer.status == 200), "{reply:?}");
        }
        let action = Action::Mail(MailSubmission {
            sender: "a@acme.example".to_owned(),
            recipients: vec!["b@c.example".to_owned()],
            body: vec![Piece::text("From: a@acme.example\r\n\r\n"), piece(AttachmentEncoding::Base64Mime)],
        });
        let call = Call { grants: &grants, attachments: &attachments, deadline: Instant::now() + within };
        let reply = egress.perform(&action, &call).await;
        assert!(matches!(&reply, Reply::Mail(mail) if mail.reply.code == 250), "{reply:?}");

        let bounds = FetchBounds { max_bytes: size, timeout: within };
        let fetched = egress.fetch(&format!("http://{web}/{size}"), bounds).await.unwrap();
        assert_eq!(fetched.file.size, size);
    };
    send(MIB).await;
    let before = peak();
    send(20 * MIB).await;
    let grown = peak() - before;
    assert!(grown < 5 * MIB, "{} KiB more for an attachment of 20 MiB", grown / 1024);
}
