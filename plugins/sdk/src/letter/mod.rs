//! A mail, read once for whoever writes it out: a relay's plugin as MIME, an API's plugin as its fields.
//!
//! What every mail needs is decided here, so that no plugin decides it otherwise: who it is from, who gets it and who
//! cannot, a text where there is only HTML, links for what could not be attached, the headers of a thread and of a list.
//! Nothing that has a line end or a control character in it becomes a header.

mod recipients;
mod settings;
mod unsubscribe;

use crate::{Attachment, Message, Refusal, html_to_text};

pub use recipients::Recipients;
pub use settings::{MailSettings, Sender};

/// A mail, ready to be written out.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter<'a> {
    /// Who it is from, and where answers go.
    pub sender: Sender,
    /// Who gets it and who cannot: a plugin carries this to the provider's answer.
    pub recipients: Recipients,
    /// Those in `To`, each once.
    pub to: Vec<crate::Mailbox>,
    /// Those in `Cc` who are not in `to`.
    pub cc: Vec<crate::Mailbox>,
    /// Those whom nobody sees, who are in neither.
    pub bcc: Vec<crate::Mailbox>,
    /// One line; perhaps empty.
    pub subject: String,
    /// The text part: the sender's, or made from the HTML. Empty only where there is no HTML either.
    pub text: String,
    /// The HTML part.
    pub html: Option<String>,
    /// The Message-ID that this answers, without its brackets.
    pub answers: Option<String>,
    /// Where this mail's reader leaves the list.
    pub unsubscribe: Vec<String>,
    /// What is attached, in the sender's order. What could not be fetched is a link in the texts.
    pub files: Vec<File<'a>>,
}

/// An attachment that the host has fetched.
#[derive(Clone, Debug, PartialEq)]
pub struct File<'a> {
    /// Its index in the message: for [`Json::Attachment`](crate::Json::Attachment) and its like.
    pub index: u32,
    /// A safe file name.
    pub name: &'a str,
    /// A media type such as `image/png`. What a server called none is `application/octet-stream`.
    pub media_type: &'a str,
    /// Bytes.
    pub size: u64,
    /// Whether the HTML shows it, by `cid:` and its name: then it belongs to the HTML under this Content-ID, its name,
    /// and is not attached to the mail.
    pub inline: bool,
}

impl<'a> Letter<'a> {
    /// Reads a message. More than `recipients_max` recipients are refused: what one request can hold.
    ///
    /// # Errors
    /// No usable sender or recipient, too many recipients, nothing to say, or a line end where it would make a header.
    pub fn read(
        settings: &MailSettings<'_>,
        message: &'a Message,
        recipients_max: usize,
    ) -> Result<Self, Refusal> {
        let sender = settings.sender(message.sender.as_deref())?;
        let mut recipients = Recipients::default();
        let to = recipients.add(&message.to);
        let cc = recipients.add(&message.cc);
        let bcc = recipients.add(&message.bcc);
        recipients.check(recipients_max)?;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let subject = one_line("the subject", message.subject.as_deref().unwrap_or_default())?.to_owned();
        let (text, html) = (given(&message.text), given(&message.html));
        if message.attachments.is_empty() && subject.is_empty() && text.is_none() && html.is_none() {
            return Err(Refusal::content("empty", "there is neither subject, text nor attachment"));
        }
        let text = text.or_else(|| html.as_deref().map(html_to_text)).unwrap_or_default();
        let files = files(&message.attachments, html.as_deref().unwrap_or_default());
        let mut letter = Self {
            sender,
            recipients,
            to,
            cc,
            bcc,
            subject,
            text,
            html,
            answers: answered(message)?,
            unsubscribe: settings
                .list_unsubscribe
                .iter()
                .map(|way| unsubscribe::filled(way, message))
                .collect(),
            files,
        };
        letter.link(&message.attachments);
        Ok(letter)
    }

    /// A recipient in `To`, which APIs insist on; a relay does not.
    ///
    /// # Errors
    /// There is none.
    pub fn check_to(&self) -> Result<(), Refusal> {
        if self.to.is_empty() {
            return Err(Refusal::recipient("address", "there is no usable recipient in To"));
        }
        Ok(())
    }

    /// The text part, for APIs that take no mail without one: where there is neither text nor HTML, the names of what is
    /// attached, or the subject.
    pub fn words(&self) -> String {
        if !self.text.is_empty() {
            return self.text.clone();
        }
        let names: Vec<&str> = self.files.iter().map(|file| file.name).collect();
        if names.is_empty() { self.subject.clone() } else { names.join("\n") }
    }

    /// The headers that an API has no fields for: of the thread, of the list, and the operator's own.
    pub fn headers(&self, settings: &MailSettings<'_>) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        if let Some(id) = &self.answers {
            headers.push(("In-Reply-To".to_owned(), format!("<{id}>")));
            headers.push(("References".to_owned(), format!("<{id}>")));
        }
        if !self.unsubscribe.is_empty() {
            let ways: Vec<String> = self.unsubscribe.iter().map(|way| format!("<{way}>")).collect();
            headers.push(("List-Unsubscribe".to_owned(), ways.join(", ")));
            if settings.one_click_unsubscribe {
                headers.push(("List-Unsubscribe-Post".to_owned(), "List-Unsubscribe=One-Click".to_owned()));
            }
        }
        headers.extend(settings.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        headers
    }

    /// Attachments that were not fetched become links at the end of both texts.
    fn link(&mut self, attachments: &[Attachment]) {
        let links: Vec<&str> =
            attachments.iter().filter(|each| each.file.is_none()).map(|each| each.url.as_str()).collect();
        if links.is_empty() {
            return;
        }
        for link in &links {
            let gap = if self.text.is_empty() { "" } else { "\n\n" };
            self.text.push_str(&format!("{gap}{link}"));
        }
        if let Some(html) = &mut self.html {
            let end = html.to_ascii_lowercase().rfind("</body>").unwrap_or(html.len());
            html.insert_str(end, &links.iter().map(|link| anchor(link)).collect::<String>());
        }
    }
}

/// The text on one line, as a header wants it.
///
/// # Errors
/// A line end or another control character in it.
pub(crate) fn one_line<'a>(what: &str, text: &'a str) -> Result<&'a str, Refusal> {
    let text = text.trim();
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Refusal::content(
            "injection",
            format!("{what} has a line end or a control character in it"),
        ));
    }
    Ok(text)
}

/// The Message-ID that is answered; one that could stand in no header is none.
fn answered(message: &Message) -> Result<Option<String>, Refusal> {
    let Some(answered) = &message.in_reply_to else { return Ok(None) };
    let answered = one_line("the Message-ID that is answered", answered)?;
    let id = answered.trim_start_matches('<').trim_end_matches('>');
    let plain = id.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>".contains(&byte));
    Ok((!id.is_empty() && plain).then(|| id.to_owned()))
}

fn files<'a>(attachments: &'a [Attachment], html: &str) -> Vec<File<'a>> {
    let fetched = (0..).zip(attachments).filter_map(|(index, each)| Some((index, each.file.as_ref()?)));
    fetched
        .map(|(index, file)| File {
            index,
            name: &file.name,
            media_type: media_type(&file.media_type),
            size: file.size,
            inline: shows(html, &file.name),
        })
        .collect()
}

/// Whether an HTML refers to a file by `cid:` and its name: `<img src="cid:logo.png">`. A name that could not stand in a
/// Content-ID as it is cannot be referred to.
fn shows(html: &str, name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let wanted = format!("cid:{name}");
    // The name of another file may begin with this one.
    let whole = |at: usize| html[at + wanted.len()..].bytes().next().is_none_or(|next| !plain(next));
    !name.is_empty() && name.bytes().all(plain) && html.match_indices(&wanted).any(|(at, _)| whole(at))
}

/// A media type as a server gave it, where it is one.
fn media_type(given: &str) -> &str {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    match given.split_once('/') {
        Some((kind, subtype)) if token(kind) && token(subtype) => given,
        _ => "application/octet-stream",
    }
}

fn anchor(url: &str) -> String {
    let escaped = url.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    format!("<p><a href=\"{escaped}\">{escaped}</a></p>")
}

#[cfg(test)]
mod tests;
