//! SMS by SMPP 3.4: to a carrier, an aggregator or a gateway of one's own.
//!
//! The host binds the session and keeps it; what is here is what a message looks like in it, what the message centre's
//! statuses mean, and how receipts read. A long text goes out part by part, each a step of its own with an id of its own.

mod ids;
mod parts;
mod receipt;
mod receive;
mod settings;
mod status;

use dispatcher_plugin::{
    Acceptance, Channel, Check, Context, DeliverSteps, Description, Message, Plugin, Refusal, Reply,
    SmppReply, SmppStage, Step, export,
};

use parts::Run;
pub use settings::Settings;

/// The plugin.
pub struct Smpp;

impl Plugin for Smpp {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "smpp",
            env!("CARGO_PKG_VERSION"),
            "SMS by SMPP 3.4, over a session that the host keeps.",
            &[Channel::Sms],
            include_str!("settings.schema.json"),
        )
    }

    fn check(settings: &Settings, check: &mut Check) {
        check.session();
        settings.check(check);
    }
}

impl DeliverSteps for Smpp {
    type State = Run;

    fn deliver(context: &Context<Settings>, message: &Message) -> Result<Step<Run>, Refusal> {
        let run = Run::begin(context, message)?;
        Ok(Step::Send(run.next_part(&context.settings).into(), run))
    }

    fn on_reply(context: &Context<Settings>, mut run: Run, reply: Reply) -> Result<Step<Run>, Refusal> {
        let settings = &context.settings;
        let id =
            reply.smpp().and_then(|reply| taken(settings, &reply)).map_err(|refusal| run.broken(refusal))?;
        run.taken(id.map(|id| settings.ids.of_answer(&id)));
        if run.is_done() {
            let parts = Some(run.total());
            return Ok(Step::Done(Acceptance { parts, ..Acceptance::references(run.into_ids()) }));
        }
        Ok(Step::Send(run.next_part(settings).into(), run))
    }
}

/// The message centre's id, where it took the part.
fn taken(settings: &Settings, reply: &SmppReply) -> Result<Option<String>, Refusal> {
    match (reply.stage, reply.status) {
        (SmppStage::Submit, 0) => Ok(reply.message_id.clone()),
        (stage, status) => Err(status::refusal(settings, stage, status)),
    }
}

export!(Smpp: DeliverSteps, ReceiveSmpp);

#[cfg(test)]
mod tests;
