//! What 20 MiB of attachments cost: a guest's two calls, and the host's memory.
//!
//! ```text
//! cargo run --release -p dispatcher --example attachment_costs -- [plugins/dist] [CALLS]
//! ```
//!
//! Each bundled plugin for mail is called with and without the attachment: it sees its name and size, so both must take
//! the same. Then what it asked for is performed over several connections at once, to a server of this process that
//! keeps nothing; what the process has grown by is divided among them.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use dispatch_egress::{EgressConfig, NetworkEgress};
use dispatch_engine::{
    Backend as _, Call, Egress as _, Grants, Relay, RelayTls, SpoolContent, SpoolFile, Spooled,
};
use dispatch_model::{
    Action, Attachment, AttachmentFile, Clock, Content, Context, Direction, EmailContent, Message, MessageId,
    Reply, Secret, Step, Submission, Timestamp,
};
use dispatch_plugins::{HostConfig, Plugin, PluginHost};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[path = "../src/verbs/plugin/bench/samples.rs"]
mod samples;

const MIB: u64 = 1024 * 1024;
const SIZE: u64 = 20 * MIB;
const CALLS: usize = 1_000;
/// Mails on their way at once.
const CONNECTIONS: usize = 4;
const WITHIN: Duration = Duration::from_secs(300);
const NOW: Timestamp = Timestamp::from_millis(1_795_305_600_000);

/// The plugins that are given the bytes, with their settings and the key that says where the provider is.
const PLUGINS: [(&str, &str, &str); 5] = [
    ("mailgun", r#""domain": "mg.acme.example", "#, "base_url"),
    ("resend", "", "base_url"),
    ("sendgrid", "", "base_url"),
    ("ses", r#""region": "us-east-1", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "#, "endpoint"),
    ("smtp", "", ""),
];

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// A file of nothing but its size.
struct Hole(tempfile::NamedTempFile);

impl SpoolFile for Hole {
    fn open(&self) -> io::Result<File> {
        File::open(self.0.path())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let recorder = samples::Samples::default();
    metrics::set_global_recorder(recorder.clone())?;
    let mut arguments = std::env::args().skip(1);
    let dist = arguments.next().unwrap_or_else(|| "plugins/dist".to_owned());
    let calls = arguments.next().map_or(Ok(CALLS), |count| count.parse())?;
    let (web, relay) = (serve(web_sink).await?, serve(mail_sink).await?);
    let spool = tempfile::tempdir()?;
    let egress = Arc::new(NetworkEgress::new(EgressConfig::new(spool.path()), Arc::new(FixedClock))?);
    let host = PluginHost::new(HostConfig::default())?;
    for (name, settings, place) in PLUGINS {
        let file = Path::new(&dist).join(format!("{name}.wasm"));
        let plugin = host.load(name, std::fs::read(&file).context(file.display().to_string())?).await?;
        let url = format!(r#""{place}": "http://{web}""#);
        let place = if place.is_empty() { "" } else { url.as_str() };
        let rig = Rig { name, settings: format!("{{ {settings}{place} }}"), grants: grants(name, relay)? };
        let bare = rig.guest(&plugin, 0, calls, &recorder).await?;
        let laden = rig.guest(&plugin, SIZE, calls, &recorder).await?;
        rig.host(&plugin, &egress, MIB).await?;
        let before = peak()?;
        let started = Instant::now();
        rig.host(&plugin, &egress, SIZE).await?;
        println!(
            "{name:9} deliver {bare:5.1} us without, {laden:5.1} us with 20 MiB; host +{:.2} MiB for each of \
             {CONNECTIONS} connections, {:.2} s",
            (peak()? - before) as f64 / MIB as f64 / CONNECTIONS as f64,
            started.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

fn grants(name: &str, relay: SocketAddr) -> anyhow::Result<Arc<Grants>> {
    let secret = || Secret::new("0123456789abcdef");
    Ok(Arc::new(Grants {
        owner: name.into(),
        hosts: vec!["127.0.0.1".to_owned()],
        private_networks: vec!["127.0.0.1/32".parse()?],
        plaintext: true,
        secrets: Arc::new(
            [("api_key".to_owned(), secret()), ("secret_access_key".to_owned(), secret())].into(),
        ),
        relay: Some(Relay {
            host: "127.0.0.1".to_owned(),
            port: relay.port(),
            tls: RelayTls::None,
            user: None,
            password: None,
            hello: Some("us.example".to_owned()),
        }),
        ..Grants::default()
    }))
}

/// A plugin as a backend.
struct Rig {
    name: &'static str,
    settings: String,
    grants: Arc<Grants>,
}

impl Rig {
    fn context(&self) -> Context {
        Context {
            settings: self.settings.as_str().into(),
            now: NOW,
            deadline: Timestamp::from_millis(1_795_305_615_000),
            number: 1,
            idempotency_key: "dsp-01hzy3k9q8w7e-0".to_owned(),
            callback_url: None,
        }
    }

    /// What the plugin asks for with an attachment of this size.
    async fn ask(&self, plugin: &Plugin, size: u64) -> anyhow::Result<Action> {
        match plugin.deliver(&self.context(), &Arc::new(message(size)), &self.grants).await? {
            Step::Ask(ask) => Ok(ask.action),
            Step::Done(outcome) => bail!("{} asks nothing: {outcome:?}", self.name),
        }
    }

    /// Microseconds of `deliver` on its thread, at the median.
    async fn guest(
        &self,
        plugin: &Plugin,
        size: u64,
        calls: usize,
        recorder: &samples::Samples,
    ) -> anyhow::Result<f64> {
        for call in 0..calls + calls / 10 {
            if call == calls / 10 {
                recorder.take("deliver");
            }
            self.ask(plugin, size).await?;
        }
        let mut seconds = recorder.take("deliver");
        seconds.sort_by(f64::total_cmp);
        Ok(seconds.get(seconds.len() / 2).context("there is a sample of each call")? * 1e6)
    }

    /// Sends the mail over all connections at once.
    async fn host(&self, plugin: &Plugin, egress: &Arc<NetworkEgress>, size: u64) -> anyhow::Result<()> {
        let action = Arc::new(self.ask(plugin, size).await?);
        let attachment = spooled(size)?;
        let sending: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let (action, egress, grants) =
                    (Arc::clone(&action), Arc::clone(egress), Arc::clone(&self.grants));
                let attachments = [Arc::clone(&attachment)];
                tokio::spawn(async move {
                    let deadline = Instant::now() + WITHIN;
                    let call = Call { grants: &grants, attachments: &attachments, deadline };
                    egress.perform(&action, &call).await
                })
            })
            .collect();
        for reply in sending {
            let reply = reply.await?;
            let taken = match &reply {
                Reply::Http(answer) => answer.status == 200,
                Reply::Mail(mail) => mail.reply.code == 250,
                _ => false,
            };
            ensure!(taken, "{}: {reply:?}", self.name);
        }
        Ok(())
    }
}

fn described(size: u64) -> AttachmentFile {
    AttachmentFile { name: "a.bin".to_owned(), media_type: "application/octet-stream".to_owned(), size }
}

fn spooled(size: u64) -> anyhow::Result<Arc<Spooled>> {
    let file = tempfile::NamedTempFile::new()?;
    file.as_file().set_len(size)?;
    Ok(Arc::new(Spooled { file: described(size), content: SpoolContent::File(Box::new(Hole(file))) }))
}

fn message(size: u64) -> Message {
    let attachment = Attachment { url: "https://f.example/a.bin".to_owned(), file: Some(described(size)) };
    Message {
        id: MessageId::first_at(NOW),
        submission: Submission {
            direction: Direction::Outbound,
            source: "highlevel".into(),
            location: "GKAWb4yu7A4LSc0skQ6g".into(),
            external_id: "KRIUtKAiRZRQUyyLDS4X".to_owned(),
            contact: None,
            received_at: NOW,
            content: Content::Email(EmailContent {
                from: Some("Agency <hello@agency.example>".to_owned()),
                to: vec!["ana@example.com".to_owned()],
                cc: Vec::new(),
                bcc: Vec::new(),
                subject: "Tu cita".to_owned(),
                html: "<p>Hola María, tu cita es mañana a las 10:00.</p>".to_owned(),
                text: None,
                in_reply_to: None,
            }),
            attachments: if size == 0 { Vec::new() } else { vec![attachment] },
            extra: serde_json::Map::new(),
            problem: None,
        },
    }
}

/// The most memory that this process has had, in bytes.
fn peak() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("there is a peak")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

async fn serve<F: Future<Output = io::Result<()>> + Send + 'static>(
    handle: impl Fn(BufReader<TcpStream>) -> F + Copy + Send + 'static,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handle(BufReader::new(stream)));
        }
    });
    Ok(address)
}

/// Reads requests and keeps nothing.
async fn web_sink(mut stream: BufReader<TcpStream>) -> io::Result<()> {
    let mut line = String::new();
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
        }
        tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink()).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await?;
    }
}

/// Takes mails and keeps nothing.
async fn mail_sink(mut stream: BufReader<TcpStream>) -> io::Result<()> {
    let (mut line, mut in_data) = (Vec::new(), false);
    stream.write_all(b"220 sink\r\n").await?;
    loop {
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
