//! One delivery, walked again and again.

use std::sync::Arc;

use dispatch_engine::{Backend as _, Grants};
use dispatch_model::{Context, FailureKind, Message, Outcome, Reply, Step};
use dispatch_plugins::Plugin;

use crate::exit::Failure;
use crate::verbs::plugin::trial::{self, Prepared};

/// What a plugin is given in the course of a delivery.
pub(super) struct Conversation {
    plugin: Arc<Plugin>,
    context: Context,
    message: Arc<Message>,
    grants: Grants,
    /// To each step.
    replies: Vec<Arc<Reply>>,
}

impl Conversation {
    /// Delivers once and keeps the answers. It has to come to an end, whichever.
    pub(super) async fn first(prepared: &Prepared) -> Result<(Self, Outcome), Failure> {
        let account = prepared.deliver(usize::MAX).await;
        let mut replies = Vec::new();
        for exchange in account.exchanges {
            // The cassette's own word where nothing fits, and the guard's where a host is not granted.
            if let Reply::Failed { kind: FailureKind::Refused, detail, .. } = &exchange.reply {
                let step = replies.len() + 1;
                let from = &prepared.answers_from;
                return Err(Failure::Refused(format!("step {step} got no answer ({from}): {detail}")));
            }
            replies.push(Arc::new(exchange.reply));
        }
        let end = account.end.map_err(|fault| trial::ended(&fault))?;
        let Prepared { plugin, context, message, grants, .. } = prepared;
        let conversation = Self {
            plugin: Arc::clone(plugin),
            context: context.clone(),
            message: message.clone(),
            grants: grants.clone(),
            replies,
        };
        Ok((conversation, end))
    }

    /// The same with a plugin that was loaded by another host.
    pub(super) fn with(self, plugin: Arc<Plugin>) -> Self {
        Self { plugin, ..self }
    }

    /// How often `on-reply` is called.
    pub(super) fn steps(&self) -> usize {
        self.replies.len()
    }

    /// Walks it.
    pub(super) async fn walk(&self) -> Result<(), Failure> {
        let Self { plugin, context, message, grants, replies } = self;
        let mut step =
            plugin.deliver(context, message, grants).await.map_err(|fault| trial::ended(&fault))?;
        for reply in replies {
            let Step::Ask(ask) = step else { return Err(changed()) };
            step = plugin
                .on_reply(context, &ask.state, reply, grants)
                .await
                .map_err(|fault| trial::ended(&fault))?;
        }
        match step {
            Step::Done(_) => Ok(()),
            Step::Ask(_) => Err(changed()),
        }
    }
}

fn changed() -> Failure {
    let words =
        "the same call ended in another way than the first time: `dispatcher plugin test` shows where";
    Failure::Refused(words.to_owned())
}
