//! What a sandboxed call costs, on this machine and with a built guest:
//!
//! ```text
//! cargo run --release -p dispatch-plugins --example plugin_bench -- plugins/dist/twilio.wasm [SETTINGS.json]
//! ```
//!
//! It prints the time each function takes on its thread (store, instance, call, checks, drop), what the same
//! call takes its caller (thread hop included), the processor time of the whole process per call, how
//! long compiling and loading a kept artefact take, and what of it stays in memory.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dispatch_engine::{Backend, Grants};
use dispatch_model::{
    Body, Channel, Content, Context, Direction, EmailContent, FailureKind, HttpResponse, LocationId, Message,
    MessageId, Pair, PhoneNumber, Reply, Secret, SmsContent, SourceName, Step, Submission, Timestamp,
};
use dispatch_plugins::{Allocation, HostConfig, Plugin, PluginHost};

#[path = "shared/samples.rs"]
mod samples;

const CALLS: usize = 20_000;
/// A guest that brings an interpreter along makes as many as it can in this time.
const SERIES: Duration = Duration::from_secs(10);
const TEXT: &str = "Hola María, tu cita es mañana a las 10:00. Responde SÍ para confirmar. ";

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let recorder = samples::Samples::default();
    metrics::set_global_recorder(recorder.clone())?;
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap_or_else(|| "plugins/dist/twilio.wasm".to_owned());
    let wasm = std::fs::read(&file)?;
    let settings = match arguments.next() {
        Some(path) => std::fs::read_to_string(path)?,
        None => r#"{"account_sid":"AC00000000000000000000000000000000","from":"+525512345678"}"#.to_owned(),
    };
    let folder = tempfile::tempdir()?;
    println!("{file}: {} bytes", wasm.len());

    let cache_dir = Some(folder.path().join("artefacts"));
    let config = HostConfig { cache_dir, ..HostConfig::default() };
    let host = PluginHost::new(config.clone())?;
    println!("host: {}", host.describe());
    let started = Instant::now();
    let plugin = host.load("bench", wasm.clone()).await?;
    println!("compiled and loaded in {:?}", started.elapsed());
    drop((plugin, host));
    let host = PluginHost::new(config.clone())?;
    let started = Instant::now();
    let plugin = host.load("bench", wasm.clone()).await?;
    println!("loaded from its artefact in {:?}", started.elapsed());

    println!("resident: {} MB once loaded", resident()? >> 20);

    let mut work = Work::new(&settings, plugin.description().channels.contains(&Channel::Sms));
    if let Err(problems) = plugin.check(&settings).await? {
        return Err(format!("the plugin refuses the settings: {problems:?}").into());
    }
    work.state = match plugin.deliver(&work.context, &work.message, &work.grants).await? {
        Step::Ask(ask) => ask.state,
        Step::Done(outcome) => return Err(format!("deliver asks nothing: {outcome:?}").into()),
    };
    let work = Arc::new(work);
    let mut calls = vec![Call::Deliver, Call::OnReply];
    // A guest may trap on a state that it never gave.
    if work.make(Call::Empty, &plugin).await.is_ok() {
        calls.insert(0, Call::Empty);
    }
    println!("\n{:32} {:>9} {:>9} {:>9} {:>9}", "one after the other (µs)", "median", "p99", "caller", "cpu");
    for call in &calls {
        one_by_one(*call, &plugin, &work, &recorder).await?;
    }
    for tasks in [8, 64] {
        at_once(tasks, &plugin, &work).await?;
    }
    println!("resident: {} MB after them", resident()? >> 20);
    for allocation in [Allocation::PooledWithoutScan, Allocation::OnDemand] {
        let host = PluginHost::new(HostConfig { allocation, ..config.clone() })?;
        let plugin = host.load("bench", wasm.clone()).await?;
        println!("\n{}", host.describe().memory);
        for call in &calls {
            one_by_one(*call, &plugin, &work, &recorder).await?;
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Call {
    /// `on-lookup-reply` with nothing in it: what a call costs by itself.
    Empty,
    Deliver,
    OnReply,
}

impl Call {
    fn name(self) -> &'static str {
        match self {
            Self::Empty => "on-lookup-reply",
            Self::Deliver => "deliver",
            Self::OnReply => "on-reply",
        }
    }
}

/// What the calls are made with.
struct Work {
    context: Context,
    nothing: Context,
    message: Message,
    /// What `deliver` wants back.
    state: Body,
    grants: Grants,
    failed: Reply,
    created: Reply,
}

impl Work {
    fn new(settings: &str, sms: bool) -> Self {
        let at = Timestamp::from_millis(1_795_000_000_000);
        let context = Context {
            settings: settings.into(),
            now: at,
            deadline: at.plus(Duration::from_secs(15)),
            number: 1,
            idempotency_key: "1h7x2k9qzr4mb-0".to_owned(),
            callback_url: Some("https://d.example.com/callbacks/twilio/1h7x2k9qzr4mb".to_owned()),
        };
        let message = Message {
            id: MessageId::first_at(at),
            submission: Submission {
                direction: Direction::Outbound,
                source: SourceName::from("highlevel"),
                location: LocationId::from("GKAWb4yu7A4LSc0skQ6g"),
                external_id: "KRIUtKAiRZRQUyyLDS4X".to_owned(),
                contact: None,
                received_at: at,
                content: if sms { text() } else { mail() },
                attachments: Vec::new(),
                extra: serde_json::Map::new(),
                problem: None,
            },
        };
        let created = r#"{"account_sid":"AC00000000000000000000000000000000","api_version":"2010-04-01","body":"Hola","date_created":"Sun, 22 Nov 2026 22:58:00 +0000","direction":"outbound-api","error_code":null,"error_message":null,"from":"+525512345678","num_media":"0","num_segments":"3","price":null,"price_unit":"USD","sid":"SM0123456789abcdef0123456789abcdef","id":"1","status":"queued","to":"+525512345678","uri":"/2010-04-01/Accounts/AC/Messages/SM.json"}"#;
        Self {
            nothing: Context {
                settings: "{}".into(),
                idempotency_key: String::new(),
                callback_url: None,
                ..context.clone()
            },
            context,
            message,
            state: Body::default(),
            grants: Grants {
                owner: "bench".to_owned(),
                secrets: [("auth_token".to_owned(), Secret::new("0123456789abcdef"))].into(),
                ..Grants::default()
            },
            failed: Reply::Failed { kind: FailureKind::Timeout, detail: String::new(), may_have_left: false },
            created: Reply::Http(HttpResponse {
                status: 201,
                headers: ["content-type", "content-length", "twilio-request-id"]
                    .map(|name| Pair { name: name.to_owned(), value: "application/json".to_owned() })
                    .into(),
                body: Body::from(created),
                truncated: false,
            }),
        }
    }

    async fn make(&self, call: Call, plugin: &Plugin) -> Result<(), Failure> {
        match call {
            Call::Empty => {
                plugin.on_lookup_reply(&self.nothing, &[], &self.failed, &self.grants).await?;
            }
            Call::Deliver => match plugin.deliver(&self.context, &self.message, &self.grants).await? {
                Step::Ask(_) => {}
                Step::Done(outcome) => return Err(format!("deliver asks nothing: {outcome:?}").into()),
            },
            Call::OnReply => {
                plugin.on_reply(&self.context, &self.state, &self.created, &self.grants).await?;
            }
        }
        Ok(())
    }
}

fn text() -> Content {
    let to = PhoneNumber { original: "5512345678".to_owned(), e164: Some("+525512345678".to_owned()) };
    Content::Sms(SmsContent { to, text: TEXT.repeat(4) })
}

fn mail() -> Content {
    Content::Email(EmailContent {
        from: Some("Agency <hello@agency.example>".to_owned()),
        to: vec!["ana@example.com".to_owned()],
        cc: Vec::new(),
        bcc: Vec::new(),
        subject: "Tu cita".to_owned(),
        html: format!("<p>{}</p>", TEXT.repeat(4)),
        text: None,
        in_reply_to: None,
    })
}

/// Bytes of this process in memory.
fn resident() -> Result<u64, Failure> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).ok_or("too few fields in /proc/self/statm")?.parse()?;
    Ok(pages * 4096)
}

async fn one_by_one(
    call: Call,
    plugin: &Plugin,
    work: &Work,
    recorder: &samples::Samples,
) -> Result<(), Failure> {
    let warm = Instant::now();
    for _ in 0..CALLS / 10 {
        work.make(call, plugin).await?;
        if warm.elapsed() > SERIES / 10 {
            break;
        }
    }
    recorder.take(call.name());
    let mut caller = Vec::with_capacity(CALLS);
    let (series, processor) = (Instant::now(), processor_time()?);
    while caller.len() < CALLS && series.elapsed() < SERIES {
        let started = Instant::now();
        work.make(call, plugin).await?;
        caller.push(started.elapsed().as_secs_f64());
    }
    let processor = (processor_time()? - processor).as_secs_f64() / caller.len() as f64;
    let mut thread = recorder.take(call.name());
    thread.sort_by(f64::total_cmp);
    caller.sort_by(f64::total_cmp);
    let [median, p99, caller] =
        [thread[thread.len() / 2], thread[thread.len() * 99 / 100], caller[caller.len() / 2]];
    println!(
        "{:32} {:9.1} {:9.1} {:9.1} {:9.1}",
        call.name(),
        median * 1e6,
        p99 * 1e6,
        caller * 1e6,
        processor * 1e6
    );
    Ok(())
}

/// Deliveries (both calls) from several tasks.
async fn at_once(tasks: usize, plugin: &Arc<Plugin>, work: &Arc<Work>) -> Result<(), Failure> {
    let (started, processor) = (Instant::now(), processor_time()?);
    let running: Vec<_> = (0..tasks)
        .map(|_| {
            let (plugin, work) = (Arc::clone(plugin), Arc::clone(work));
            tokio::spawn(async move {
                let mut made = 0;
                while made < 2 * (CALLS / tasks) && started.elapsed() < SERIES {
                    work.make(Call::Deliver, &plugin).await?;
                    work.make(Call::OnReply, &plugin).await?;
                    made += 2;
                }
                Ok::<_, Failure>(made)
            })
        })
        .collect();
    let mut calls = 0;
    for task in running {
        calls += task.await??;
    }
    let calls = calls as f64;
    println!(
        "{tasks} tasks: {:.0} calls/s, {:.1} µs of processor per delivery (both calls)",
        calls / started.elapsed().as_secs_f64(),
        (processor_time()? - processor).as_secs_f64() * 2e6 / calls
    );
    Ok(())
}

/// Processor time of the process, in ticks of 10 ms.
fn processor_time() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(") ").ok_or("no name in /proc/self/stat")?.1;
    let field = |number: usize| -> Result<u64, Failure> {
        Ok(after_name.split(' ').nth(number - 3).ok_or("too few fields in /proc/self/stat")?.parse()?)
    };
    Ok(Duration::from_millis(10 * (field(14)? + field(15)?)))
}
