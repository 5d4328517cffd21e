//! One file for each verb, or for those that share a shape.

mod action;
mod callbacks;
mod check;
mod explain;
mod list;
mod message;
mod orders;
mod outcome;
mod plugin;
mod quarantine;
mod replay;
mod run;
mod send;
mod status;
mod suppressions;

use std::path::PathBuf;

use clap::CommandFactory as _;
use dispatch_model::{Clock as _, Timestamp};
use dispatch_store::Filter;
use tokio::runtime::{Builder, Runtime};

use crate::cli::{Cli, FilterArgs, PluginVerb, Verb};
use crate::client::Client;
use crate::clock::SystemClock;
use crate::exit::Failure;
use crate::{configuration, out};

/// Does what the command line says.
pub(crate) fn execute(cli: Cli) -> Result<(), Failure> {
    let Cli { config, socket, json, verb } = cli;
    let place = Place { config, socket, json };
    match verb {
        Verb::Run(args) => run::run(&place, &args),
        Verb::Completions(args) => {
            clap_complete::generate(args.shell, &mut Cli::command(), "dispatcher", &mut std::io::stdout());
            Ok(())
        }
        verb => runtime(&verb)?.block_on(asked(place, verb)),
    }
}

async fn asked(place: Place, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Check => check::check(&place).await,
        Verb::Explain(args) => explain::explain(&place, &args).await,
        Verb::Send(args) => send::send(&place, &args).await,
        Verb::Messages(args) => list::messages(&place, &args).await,
        Verb::DeadLetters(args) => list::dead_letters(&place, &args).await,
        Verb::Message(args) => message::message(&place, &args).await,
        Verb::Redrive(args) => orders::redrive(&place, args).await,
        Verb::Cancel(args) => orders::cancel(&place, args).await,
        Verb::Resolve(args) => orders::resolve(&place, &args).await,
        Verb::Suspend(args) => orders::suspend(&place, &args, true).await,
        Verb::Resume(args) => orders::suspend(&place, &args, false).await,
        Verb::Backup(args) => orders::backup(&place, &args).await,
        Verb::Reload => orders::reload(&place).await,
        Verb::Suppressions(verb) => suppressions::execute(&place, verb).await,
        Verb::Quarantine(args) => quarantine::quarantine(&place, &args).await,
        Verb::Backends => status::backends(&place).await,
        Verb::Callbacks => callbacks::callbacks(&place).await,
        Verb::Status => status::status(&place).await,
        Verb::Plugin(verb) => plugin::execute(&place, verb).await,
        Verb::Run(_) | Verb::Completions(_) => unreachable!("done without a runtime of one thread"),
    }
}

/// Where the verb works: which configuration, which daemon, for whom.
pub(crate) struct Place {
    pub(crate) config: Vec<PathBuf>,
    socket: Option<PathBuf>,
    pub(crate) json: bool,
}

impl Place {
    /// The control API.
    async fn client(&self) -> Result<Client, Failure> {
        let (socket, store) = configuration::doors(&self.config, self.socket.as_deref())?;
        Client::connect(&socket, store).await
    }

    /// This moment, by the system's clock.
    fn now(&self) -> Timestamp {
        SystemClock::start().now()
    }

    /// JSON for a program, or text for a person.
    fn show<T: serde::Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        if self.json { out::json(value) } else { out::line(&text(value)) }
    }
}

/// One thread, as long as it only asks. What is measured runs as it does in the daemon.
fn runtime(verb: &Verb) -> Result<Runtime, Failure> {
    let mut builder = match verb {
        Verb::Plugin(PluginVerb::Bench(_)) => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    Ok(builder.enable_all().build()?)
}

/// The filter that the options say.
fn filter(args: FilterArgs, now: Timestamp) -> Result<Filter, Failure> {
    let at = |text: Option<String>| {
        text.map(|text| crate::when::parse(&text, now).map_err(Failure::Refused)).transpose()
    };
    Ok(Filter {
        ids: Vec::new(),
        location: args.location.map(Into::into),
        contact: args.contact,
        recipient: args.recipient,
        states: args.state,
        route: args.route.map(Into::into),
        backend: args.backend.map(Into::into),
        channel: args.channel,
        since: at(args.since)?,
        until: at(args.until)?,
        possible_double: args.possible_double.then_some(true),
        inbound: args.inbound.then_some(true),
    })
}
