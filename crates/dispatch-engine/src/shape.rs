//! The message as a given backend gets it: to whom it is still to go, with what of its attachments, and how its text
//! is written. All before the plugin sees it, so that no plugin has to know of encodings, parts or fetching.

use std::sync::Arc;

use dispatch_model::{AttachmentPolicy, Content, Delivery, Message, Outcome, Reason, Rejection, TextPolicy};
use dispatch_text::Writing;

use crate::Spooled;
use crate::attachments::{self, Fetching, link};
use crate::attempt::Means;
use crate::core::Core;

/// The message as a backend gets it.
pub(crate) struct Shaped {
    pub(crate) message: Arc<Message>,
    /// The fetched attachments, by index.
    pub(crate) files: Vec<Arc<Spooled>>,
    /// How an SMS was written; none for a mail, and for media, which has no parts.
    pub(crate) writing: Option<Writing>,
}

/// Shapes a message for the delivery's present backend. What was left out of it is noted among the plan's reasons. An
/// outcome instead, where the route's rules want it to fail.
pub(crate) async fn shape(
    fetching: Fetching<'_>,
    means: &Means,
    delivery: &mut Delivery,
    message: &Arc<Message>,
) -> Result<Shaped, Outcome> {
    let mut shaped = Arc::clone(message);
    if let Some(remaining) = &delivery.remaining {
        narrow(&mut Arc::make_mut(&mut shaped).submission.content, remaining);
        if shaped.recipients().is_empty() {
            let reason = Reason::new("no-recipient", "none of those it is still to go to is a recipient");
            return Err(Outcome::Rejected { kind: Rejection::Recipient, reason });
        }
    }
    if let Fetching::Now(core) = fetching {
        spare(core, &mut shaped, delivery);
    }
    let (mut files, mut links) = (Vec::new(), Vec::new());
    if !message.attachments.is_empty() {
        let mut left_out = Vec::new();
        files = attachments::choose(fetching, means, Arc::make_mut(&mut shaped), &mut left_out).await;
        for (index, url, why) in left_out {
            match means.policy.attachments {
                AttachmentPolicy::Fail => return Err(attachments::failed(index, &why)),
                AttachmentPolicy::Drop => attachments::note(delivery, index, "left out", &why),
                AttachmentPolicy::Link if link::is_web_link(&url) => {
                    attachments::note(delivery, index, "became a link", &why);
                    links.push(url);
                }
                AttachmentPolicy::Link => {
                    attachments::note(delivery, index, "left out, since its URL is no web link", &why);
                }
            }
        }
    }
    let writing = write(&mut shaped, &links, means)?;
    Ok(Shaped { message: shaped, files, writing })
}

/// Leaves only those recipients to whom it is still to go.
fn narrow(content: &mut Content, remaining: &[String]) {
    if let Content::Email(email) = content {
        for list in [&mut email.to, &mut email.cc, &mut email.bcc] {
            list.retain(|recipient| remaining.contains(recipient));
        }
    }
}

/// Leaves out those recipients of a mail that want none; those of whom nobody wants it do not come here.
fn spare(core: &Core, message: &mut Arc<Message>, delivery: &mut Delivery) {
    let unwanted: Vec<String> = core.suppressed.among(message).into_iter().map(str::to_owned).collect();
    let Content::Email(_) = &message.content else { return };
    if unwanted.is_empty() {
        return;
    }
    if let Content::Email(email) = &mut Arc::make_mut(message).submission.content {
        for list in [&mut email.to, &mut email.cc, &mut email.bcc] {
            list.retain(|recipient| !unwanted.contains(recipient));
        }
    }
    let note = format!("{} of the recipients left out: suppressed", unwanted.len());
    if !delivery.plan.reasons.contains(&note) {
        delivery.plan.reasons.push(note);
    }
}

/// Writes the text as the route wants it, with the links at its end.
fn write(message: &mut Arc<Message>, links: &[String], means: &Means) -> Result<Option<Writing>, Outcome> {
    let Content::Sms(sms) = &message.content else {
        if !links.is_empty()
            && let Content::Email(mail) = &mut Arc::make_mut(message).submission.content
        {
            links.iter().for_each(|url| link::append(mail, url));
        }
        return Ok(None);
    };
    let is_media = !message.attachments.is_empty();
    let policy = match is_media || message.inbound_from().is_some() {
        // A media message has no parts, and costs the same whatever is written in it; what a person wrote to us goes to a
        // program, as it was written.
        true => TextPolicy { too_long: means.policy.text.too_long, ..TextPolicy::default() },
        false => means.policy.text,
    };
    let most = means.backend.plugin.description().limits.text_max;
    let writing = dispatch_text::write(&sms.text, links, &policy, most)
        .map_err(|reason| Outcome::Rejected { kind: Rejection::Content, reason })?;
    if writing.text != sms.text
        && let Content::Sms(sms) = &mut Arc::make_mut(message).submission.content
    {
        sms.text.clone_from(&writing.text);
    }
    Ok((!is_media).then_some(writing))
}
