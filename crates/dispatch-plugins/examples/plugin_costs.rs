//! What each bundled plugin costs for a message: the time of its two calls, each on its thread, instance and checks
//! included.
//!
//! ```text
//! cargo run --release -p dispatch-plugins --example plugin_costs -- [plugins/dist] [CALLS]
//! ```
//!
//! Settings, and the answer that is an acceptance, are those of `plugins/*/testdata/answers.json`. It prints a line for
//! each plugin; nothing is fetched and nothing is sent.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use std::error::Error;
use std::path::{Path, PathBuf};

use dispatch_engine::{Backend as _, Grants};
use dispatch_model::{
    Body, Content, Context, Direction, EmailContent, HttpResponse, LocationId, MailReply, Message, MessageId,
    Pair, PhoneNumber, Reply, SmppReply, SmsContent, SmtpReply, SourceName, Step, Submission, Timestamp,
};
use dispatch_plugins::{HostConfig, Plugin, PluginHost};
use serde_json::Value;

#[path = "shared/samples.rs"]
mod samples;

const CALLS: usize = 3_000;
/// One part, in UCS-2: a message centre is asked once.
const TEXT: &str = "Hola María, tu cita es mañana a las 10:00. Responde SÍ. ";

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let recorder = samples::Samples::default();
    metrics::set_global_recorder(recorder.clone())?;
    let mut arguments = std::env::args().skip(1);
    let dist = PathBuf::from(arguments.next().unwrap_or_else(|| "plugins/dist".to_owned()));
    let calls = arguments.next().map_or(Ok(CALLS), |count| count.parse())?;
    let host = PluginHost::new(HostConfig::default())?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dist)?.flatten().map(|file| file.path()).collect();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "wasm"));
    files.sort();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let plugin = host.load(&name, std::fs::read(&file)?).await?;
        for work in works(&dist, &name)? {
            println!("{}", measure(&name, &plugin, &work, calls, &recorder).await?);
        }
    }
    Ok(())
}

/// What a plugin's calls are made with.
struct Work {
    about: String,
    context: Context,
    message: Message,
    reply: Option<Reply>,
}

/// One for each way to set a plugin up that its table knows.
fn works(dist: &Path, name: &str) -> Result<Vec<Work>, Failure> {
    let table = dist.join("..").join(name).join("testdata/answers.json");
    if !table.is_file() {
        // The dry run asks nobody, so there is no answer.
        let message = message(false);
        return Ok(vec![Work { about: String::new(), context: context("{}"), message, reply: None }]);
    }
    let groups: Vec<Value> = serde_json::from_slice(&std::fs::read(&table)?)?;
    let work = |group: &Value| {
        let answers = group["answers"].as_array().ok_or("a group has answers")?;
        let taken = answers.iter().find(|answer| answer["becomes"] == "accepted");
        Ok(Work {
            about: group["settings"]["mode"].as_str().map(|mode| format!(" {mode}")).unwrap_or_default(),
            context: context(&group["settings"].to_string()),
            message: message(group["channel"] == "email"),
            reply: Some(reply(taken.ok_or("a group has an acceptance")?)?),
        })
    };
    groups.iter().map(work).collect()
}

fn context(settings: &str) -> Context {
    let now = Timestamp::from_millis(1_795_305_600_000);
    Context {
        settings: settings.into(),
        now,
        deadline: Timestamp::from_millis(1_795_305_615_000),
        number: 1,
        idempotency_key: "dsp-01hzy3k9q8w7e-0".to_owned(),
        callback_url: Some("https://d.example.com/callbacks/bench/AQAAAAAAAAAAAAAAAAAAAAAA".to_owned()),
    }
}

fn message(is_mail: bool) -> Message {
    let at = Timestamp::from_millis(1_795_305_600_000);
    let to = PhoneNumber { original: "5512345678".to_owned(), e164: Some("+525512345678".to_owned()) };
    let sms = SmsContent { to, text: TEXT.to_owned() };
    let email = EmailContent {
        from: Some("Agency <hello@agency.example>".to_owned()),
        to: vec!["ana@example.com".to_owned()],
        cc: Vec::new(),
        bcc: Vec::new(),
        subject: "Tu cita".to_owned(),
        html: format!("<p>{}</p>", TEXT.repeat(4)),
        text: None,
        in_reply_to: None,
    };
    Message {
        id: MessageId::first_at(at),
        submission: Submission {
            direction: Direction::Outbound,
            source: SourceName::from("highlevel"),
            location: LocationId::from("GKAWb4yu7A4LSc0skQ6g"),
            external_id: "KRIUtKAiRZRQUyyLDS4X".to_owned(),
            contact: None,
            received_at: at,
            content: if is_mail { Content::Email(email) } else { Content::Sms(sms) },
            attachments: Vec::new(),
            extra: serde_json::Map::new(),
            problem: None,
        },
    }
}

/// The reply that a row of the table stands for.
fn reply(answer: &Value) -> Result<Reply, Failure> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let said = &answer["mail"];
    if !said.is_null() {
        let reply = SmtpReply {
            code: serde_json::from_value(said["code"].clone())?,
            enhanced: text(&said["enhanced"]),
            text: text(&said["text"]).unwrap_or_default(),
        };
        let stage = serde_json::from_value(said["stage"].clone())?;
        return Ok(Reply::Mail(MailReply { stage, reply, recipients: Vec::new() }));
    }
    let said = &answer["smpp"];
    if !said.is_null() {
        let stage = serde_json::from_value(said["stage"].clone())?;
        let status = serde_json::from_value(said["status"].clone())?;
        let message_id = text(&said["message_id"]);
        return Ok(Reply::Smpp(SmppReply { stage, status, message_id, tlvs: Vec::new() }));
    }
    let kind = Pair { name: "content-type".to_owned(), value: "application/json".to_owned() };
    let more = answer["headers"].as_object().into_iter().flatten();
    let more = more.filter_map(|(name, value)| Some(Pair { name: name.clone(), value: text(value)? }));
    let body =
        if answer["json"].is_null() { text(&answer["body"]) } else { Some(answer["json"].to_string()) };
    Ok(Reply::Http(HttpResponse {
        status: serde_json::from_value(answer["status"].clone())?,
        headers: [kind].into_iter().chain(more).collect(),
        body: Body::from(body.unwrap_or_default()),
        truncated: false,
    }))
}

/// The line of a plugin.
async fn measure(
    name: &str,
    plugin: &Plugin,
    work: &Work,
    calls: usize,
    recorder: &samples::Samples,
) -> Result<String, Failure> {
    if let Err(problems) = plugin.check(&work.context.settings).await? {
        return Err(format!("{name} refuses its settings: {problems:?}").into());
    }
    let grants = Grants { owner: name.to_owned(), ..Grants::default() };
    // The first tenth warms caches, and is not counted.
    for call in 0..calls + calls / 10 {
        if call == calls / 10 {
            recorder.take("deliver");
            recorder.take("on-reply");
        }
        let step = plugin.deliver(&work.context, &work.message, &grants).await?;
        match (step, &work.reply) {
            (Step::Ask(ask), Some(reply)) => {
                let step = plugin.on_reply(&work.context, &ask.state, reply, &grants).await?;
                if matches!(step, Step::Ask(_)) {
                    return Err(format!("{name} asks once more").into());
                }
            }
            (Step::Done(_), None) => {}
            (step, _) => return Err(format!("{name}: {step:?}").into()),
        }
    }
    let (deliver, answered) = (Series::of(recorder, "deliver"), Series::of(recorder, "on-reply"));
    Ok(format!(
        "{:16} deliver {:6.1} + on-reply {:6.1} = {:6.1} us at the median, {:6.1} us at p99",
        format!("{name}{}", work.about),
        deliver.median,
        answered.median,
        deliver.median + answered.median,
        deliver.p99 + answered.p99
    ))
}

/// Microseconds of a call.
#[derive(Default)]
struct Series {
    median: f64,
    p99: f64,
}

impl Series {
    fn of(recorder: &samples::Samples, call: &str) -> Self {
        let mut seconds = recorder.take(call);
        seconds.sort_by(f64::total_cmp);
        let at = |share: usize| seconds.get(seconds.len() * share / 100).map_or(0.0, |second| second * 1e6);
        Self { median: at(50), p99: at(99) }
    }
}
