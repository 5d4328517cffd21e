//! `dispatcher plugin`: what an author types.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum PluginVerb {
    /// Make a folder with a plugin that builds, passes its tests and delivers
    New(PluginNewArgs),
    /// Build a plugin's folder into dist/NAME.wasm
    #[command(
        after_help = "It needs the language's compiler, and its registry once:\n  rust        rustup target add wasm32-unknown-unknown\n  javascript  Node.js 20 and npm\n  python      Python 3.10 and venv"
    )]
    Build(PluginBuildArgs),
    /// Run a plugin's own tests, then hold the component against the contract
    Test(PluginTestArgs),
    /// Show what a component is, asks for and weighs, and what would be refused and why
    Inspect(PluginInspectArgs),
    /// Deliver one message and print every step
    #[command(
        after_help = "In a plugin's folder, message.json, settings.json and cassette.json are taken from there.\nWith --live it really sends: dispatcher plugin run --live --secret api_key=ACME_KEY"
    )]
    Run(PluginRunArgs),
    /// Measure what a delivery costs: the time of each call, and the CPU of the process
    #[command(
        after_help = "Message, settings and cassette are found as `plugin run` finds them; nothing is sent.\nA call's time is that of its thread: a fresh instance, the function, the checks of what it returned."
    )]
    Bench(PluginBenchArgs),
    /// Be a provider on loopback: answer from a cassette and print what comes
    #[command(
        name = "stand-in",
        after_help = "For trying a plugin through a daemon without an account: let the backend's URL point here,\nwith plaintext = true and private_networks = [\"127.0.0.0/8\"]."
    )]
    StandIn(PluginStandInArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PluginNewArgs {
    /// a-z, 0-9 and hyphens; the folder is made here
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What it is written in
    #[arg(long, value_enum, default_value_t = LanguageWord::Rust)]
    pub(crate) lang: LanguageWord,
    /// What it carries
    #[arg(long, value_enum, default_value_t = ChannelWord::Sms)]
    pub(crate) channel: ChannelWord,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LanguageWord {
    /// The smallest and fastest
    Rust,
    /// By componentize-js
    #[value(alias = "javascript")]
    Js,
    /// By componentize-py
    Python,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChannelWord {
    /// Text messages
    Sms,
    /// Mails
    Email,
}

#[derive(Debug, Args)]
pub(crate) struct PluginBuildArgs {
    /// The plugin's folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PluginTestArgs {
    /// A component, or a plugin's folder
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) path: PathBuf,
    /// Settings it should accept, as JSON or TOML; left out: settings.json, or its schema's example
    #[arg(long, short, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// Made-up messages for each channel
    #[arg(long, default_value_t = 100)]
    pub(crate) cases: u32,
    /// What they are made from: the same seed finds the same
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct PluginInspectArgs {
    /// A component, or a plugin's folder
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) path: PathBuf,
    /// Settings, to show what they ask for, as JSON or TOML; left out: settings.json, or its schema's example
    #[arg(long, short, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PluginRunArgs {
    #[command(flatten)]
    pub(crate) trial: TrialArgs,
    #[command(flatten)]
    pub(crate) live: LiveArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PluginBenchArgs {
    #[command(flatten)]
    pub(crate) trial: TrialArgs,
    /// Deliveries of each series, which ends after ten seconds however many there were
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) calls: u32,
}

/// What is tried, and with what.
#[derive(Debug, Args)]
pub(crate) struct TrialArgs {
    /// A component, or a plugin's folder
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) path: PathBuf,
    /// A webhook body as HighLevel posts it
    #[arg(long, short, value_name = "FILE")]
    pub(crate) message: Option<PathBuf>,
    /// The plugin's settings, as JSON or TOML; left out: settings.json, or its schema's example
    #[arg(long, short, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// Answers, recorded or written by hand (JSON)
    #[arg(long, value_name = "FILE")]
    pub(crate) cassette: Option<PathBuf>,
}

/// How it is really sent.
#[derive(Debug, Default, Args)]
pub(crate) struct LiveArgs {
    /// Really send
    #[arg(long, conflicts_with = "cassette")]
    pub(crate) live: bool,
    /// A secret, from an environment variable
    #[arg(long, value_name = "NAME=VARIABLE")]
    pub(crate) secret: Vec<String>,
    /// With --live: allow http without TLS
    #[arg(long, requires = "live")]
    pub(crate) plaintext: bool,
    /// With --live: a private network that may be reached, for example 127.0.0.0/8
    #[arg(long, value_name = "NETWORK", requires = "live")]
    pub(crate) private_network: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PluginStandInArgs {
    /// A plugin's folder, for its cassette.json
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub(crate) folder: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9099")]
    pub(crate) listen: std::net::SocketAddr,
    /// Answers, recorded or written by hand (JSON)
    #[arg(long, value_name = "FILE")]
    pub(crate) cassette: Option<PathBuf>,
}
