//! The command line: what a person can type, and the help that teaches it.

mod plugin;
mod suppressions;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use dispatch_model::{Channel, DeliveryState, MessageId};

pub(crate) use plugin::{
    ChannelWord, LanguageWord, LiveArgs, PluginBenchArgs, PluginBuildArgs, PluginInspectArgs, PluginNewArgs,
    PluginRunArgs, PluginStandInArgs, PluginTestArgs, PluginVerb, TrialArgs,
};

pub(crate) use suppressions::{
    SuppressArgs, SuppressImportArgs, SuppressListArgs, SuppressRemoveArgs, SuppressionsVerb, Where,
};

/// Delivers what HighLevel sends through a custom conversation provider.
#[derive(Debug, Parser)]
#[command(
    name = "dispatcher",
    version = crate::version::short(),
    long_version = crate::version::long(),
    disable_help_subcommand = true,
    after_help = "Start here:\n  dispatcher check            is the configuration right?\n  dispatcher run              receive and deliver\n  dispatcher status           what is it doing?\n  dispatcher message ID       why did this message not go?"
)]
pub(crate) struct Cli {
    /// The configuration file; give it several times to overlay
    #[arg(long, short, global = true, value_name = "FILE", env = "DISPATCHER_CONFIG", value_delimiter = ',')]
    pub(crate) config: Vec<PathBuf>,

    /// The control socket of a running dispatcher; by default the one that the configuration names
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,

    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Receive webhooks and deliver them, until told to stop
    #[command(
        after_help = "Signals: SIGTERM or Ctrl-C drains and exits, a second one aborts; SIGHUP reads the configuration again.\nSaving the configuration file applies it as well: all of it, or none with the reason in the log and in `dispatcher status`."
    )]
    Run(RunArgs),
    /// Check the configuration, its plugins and its tests, without starting
    Check,
    /// Show how a webhook would be routed and what would be sent
    #[command(
        after_help = "FILE holds one webhook body as HighLevel posts it; `-` reads standard input.\nExample: dispatcher explain config/samples/sms.json"
    )]
    Explain(ExplainArgs),
    /// Sign a webhook body with a key of yours and post it to a running dispatcher
    #[command(
        after_help = "Make a key:   dispatcher send --new-key my.pem     prints the public key for `keys = […]` of a source\nSend:         dispatcher send body.json --key my.pem\nHighLevel's own keys cannot be used: only HighLevel has them."
    )]
    Send(SendArgs),
    /// List messages, newest first
    Messages(ListArgs),
    /// Show one message and all that happened to it
    #[command(after_help = "ID is ours (13 characters), HighLevel's messageId, or the provider's reference.")]
    Message(MessageArgs),
    /// List what was given up, with the reason
    DeadLetters(ListArgs),
    /// Route dead letters, expired and cancelled messages anew
    #[command(
        after_help = "Examples:\n  dispatcher redrive 0q3f5v7k9x2mb\n  dispatcher redrive --location LoC1 --since 2h --to twilio-mx"
    )]
    Redrive(RedriveArgs),
    /// Call off messages that wait: the emergency brake for a wrong bulk action
    #[command(
        after_help = "Examples:\n  dispatcher cancel --location LoC1 --since 10m --reason \"wrong bulk action\"\n  dispatcher suspend --location LoC1        stops it while you look"
    )]
    Cancel(CancelArgs),
    /// Say what became of a held message
    Resolve(ResolveArgs),
    /// List verified webhooks that could not be understood, or show one
    Quarantine(QuarantineArgs),
    /// List the backends and how they do
    Backends,
    /// List the URLs to give to providers, for receipts and inbound messages
    Callbacks,
    /// Stop deliveries of a backend, a route or a location; they wait
    Suspend(SuspendArgs),
    /// Let them go on
    Resume(SuspendArgs),
    /// List, add, lift and import who wants no messages
    #[command(
        subcommand,
        after_help = "Who writes STOP, ALTO, BAJA and their like is added by himself, and START lifts it.\nExamples:\n  dispatcher suppressions list --location LoC1\n  dispatcher suppressions add +525512345678 --location LoC1 --note \"asked by phone\"\n  dispatcher suppressions import optouts.csv"
    )]
    Suppressions(SuppressionsVerb),
    /// Show what the dispatcher is doing
    Status,
    /// Read the configuration again, as SIGHUP does, and say what came of it
    Reload,
    /// Write, try and look at delivery plugins
    #[command(
        subcommand,
        after_help = "From nothing to a component:\n  dispatcher plugin new acme --lang rust --channel sms\n  cd acme && dispatcher plugin build && dispatcher plugin test && dispatcher plugin run"
    )]
    Plugin(PluginVerb),
    /// Write a consistent copy of the store while it works
    Backup(BackupArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example: dispatcher completions bash > /etc/bash_completion.d/dispatcher")]
    Completions(CompletionArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Listen here instead of where the configuration says: address:port, unix:PATH or systemd
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Vec<String>,
    /// How the log is written
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise
    Auto,
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A webhook body, or `-`
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The source it would come in by; by default the first one
    #[arg(long, conflicts_with = "inbound")]
    pub(crate) source: Option<String>,
    /// FILE is a message from a person: JSON with backend, location, channel, from, to and text
    #[arg(long)]
    pub(crate) inbound: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// A webhook body, or `-`
    #[arg(value_name = "FILE", required_unless_present = "new_key")]
    pub(crate) file: Option<PathBuf>,
    /// Your private key (Ed25519, PKCS #8 PEM); its public half stands in the source's `keys`
    #[arg(long, value_name = "PEM")]
    pub(crate) key: Option<PathBuf>,
    /// Where to post; by default the first listener and source of the configuration
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// Give the message a new messageId, so that it is no duplicate
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Make a new private key in this file and print its public half
    #[arg(long, value_name = "PEM", conflicts_with_all = ["file", "key", "url", "fresh"])]
    pub(crate) new_key: Option<PathBuf>,
}

/// Which messages.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct FilterArgs {
    /// Of this location (HighLevel's locationId)
    #[arg(long, short)]
    pub(crate) location: Option<String>,
    /// To this contact (HighLevel's contactId)
    #[arg(long)]
    pub(crate) contact: Option<String>,
    /// To this phone number or mail address; of what people sent, also from it
    #[arg(long, short, visible_aliases = ["phone", "email"])]
    pub(crate) recipient: Option<String>,
    /// In this state; give it several times for any of them
    #[arg(long, short, value_parser = parse_state)]
    pub(crate) state: Vec<DeliveryState>,
    /// Taken by this route
    #[arg(long)]
    pub(crate) route: Option<String>,
    /// At this backend
    #[arg(long, short)]
    pub(crate) backend: Option<String>,
    /// sms or email
    #[arg(long, value_parser = parse_channel)]
    pub(crate) channel: Option<Channel>,
    /// Admitted since: 15m, 2h, 3d (ago), or 2026-11-22T18:00:00Z
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Admitted before: the same forms
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// Only those that may have been delivered twice
    #[arg(long)]
    pub(crate) possible_double: bool,
    /// Only those that people sent to us
    #[arg(long)]
    pub(crate) inbound: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 50)]
    pub(crate) limit: usize,
    /// Go on where the last page ended
    #[arg(long)]
    pub(crate) cursor: Option<i64>,
}

#[derive(Debug, Args)]
pub(crate) struct MessageArgs {
    /// Ours, HighLevel's or the provider's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Play its attempts again, with the recorded answers, and show where today's plugin goes another way
    #[arg(long)]
    pub(crate) replay: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RedriveArgs {
    /// These messages
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<MessageId>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// To this backend alone, whatever the routes say
    #[arg(long, value_name = "BACKEND")]
    pub(crate) to: Option<String>,
    /// Why, for the timeline
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
    /// All of them
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// These messages
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<MessageId>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Why, for the timeline
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
    /// All of them
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// The held message
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// What became of it
    #[arg(value_enum)]
    pub(crate) resolution: ResolutionWord,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResolutionWord {
    /// It arrived
    Accepted,
    /// It did not, and is not worth another try
    Failed,
    /// Try again, double or not
    Retry,
}

#[derive(Debug, Args)]
pub(crate) struct QuarantineArgs {
    /// Show the body of this one
    #[arg(value_name = "NUMBER")]
    pub(crate) id: Option<i64>,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 50)]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct SuspendArgs {
    /// A backend
    #[arg(long, short)]
    pub(crate) backend: Option<String>,
    /// A route
    #[arg(long)]
    pub(crate) route: Option<String>,
    /// A location
    #[arg(long, short)]
    pub(crate) location: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to write; it must not exist
    #[arg(value_name = "FILE")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// Which shell
    pub(crate) shell: clap_complete::Shell,
}

fn parse_state(text: &str) -> Result<DeliveryState, String> {
    text.parse()
        .map_err(|()| format!("expected one of {}", DeliveryState::ALL.map(DeliveryState::as_str).join(", ")))
}

pub(crate) fn parse_channel(text: &str) -> Result<Channel, String> {
    match text {
        "sms" => Ok(Channel::Sms),
        "email" => Ok(Channel::Email),
        _ => Err("expected sms or email".to_owned()),
    }
}
