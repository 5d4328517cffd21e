//! The message as the relay gets it.
//!
//! The attachments' bytes are not here: the host splices them in, so the frame around them is written piece by piece.
//! Texts and headers are mail-builder's work. Date, Message-ID and boundaries come from what the call is told, so the
//! same call makes the same bytes, and every attempt of a message has the same Message-ID.

use dispatcher_plugin::{Attachment, Context, Encoding, Mailbox, Message, Pieces, Refusal, html_to_text};
use mail_builder::headers::Header;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::text::Text;
use mail_builder::headers::url::URL;
use mail_builder::mime::{BodyPart, MimePart};

use crate::settings::{Sender, Settings};

/// A message with everything that its headers need.
pub(crate) struct Draft<'a> {
    pub(crate) context: &'a Context<Settings>,
    pub(crate) message: &'a Message,
    pub(crate) sender: &'a Sender,
    pub(crate) to: &'a [Mailbox],
    pub(crate) cc: &'a [Mailbox],
}

impl Draft<'_> {
    /// The Message-ID without its brackets: the same at each attempt, so that a double is seen as one.
    pub(crate) fn message_id(&self) -> String {
        format!("{}@{}", self.context.idempotency_key, self.sender.from.domain())
    }

    /// The whole message.
    ///
    /// # Errors
    /// A line end or another control character where a header would be broken by it.
    pub(crate) fn write(&self) -> Result<Pieces, Refusal> {
        let mut out = Vec::new();
        self.headers(&mut out)?;
        let content = self.content();
        let attached: Vec<(u32, &Attachment)> = (0..)
            .zip(&self.message.attachments)
            .filter(|(_, attachment)| attachment.file.is_some())
            .collect();
        if attached.is_empty() {
            content.write_part(&mut out);
            return Ok(out.into());
        }
        let boundary = self.boundary("mixed");
        header(
            &mut out,
            "Content-Type",
            &ContentType::new("multipart/mixed").attribute("boundary", boundary.as_str()),
        );
        out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        content.write_part(&mut out);
        let mut pieces = Pieces::from(out);
        for (index, attachment) in attached {
            pieces.bytes(format!("\r\n--{boundary}\r\n"));
            pieces.bytes(part_headers(attachment)).attachment(index, Encoding::Base64Mime);
        }
        pieces.bytes(format!("\r\n--{boundary}--\r\n"));
        Ok(pieces)
    }

    fn headers(&self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let settings = &self.context.settings;
        let seconds = i64::try_from(self.context.now_ms / 1000).unwrap_or(i64::MAX);
        header(out, "Date", &Date::new(seconds));
        header(out, "Message-ID", &MessageId::new(self.message_id()));
        header(out, "From", &address(&self.sender.from));
        if let Some(reply_to) = &self.sender.reply_to {
            header(out, "Reply-To", &address(reply_to));
        }
        for (name, list) in [("To", self.to), ("Cc", self.cc)] {
            if !list.is_empty() {
                header(out, name, &Address::new_list(list.iter().map(address).collect()));
            }
        }
        let subject = clean("the subject", self.message.subject.as_deref().unwrap_or_default())?;
        header(out, "Subject", &Text::new(subject));
        if let Some(answered) = &self.message.in_reply_to {
            let answered = clean("the Message-ID that is answered", answered)?;
            let id = answered.trim_start_matches('<').trim_end_matches('>');
            if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>".contains(&byte)) {
                header(out, "In-Reply-To", &MessageId::new(id));
                header(out, "References", &MessageId::new(id));
            }
        }
        if !settings.list_unsubscribe.is_empty() {
            header(out, "List-Unsubscribe", &URL::from(settings.list_unsubscribe.as_slice()));
            if settings.one_click_unsubscribe {
                header(out, "List-Unsubscribe-Post", &Text::new("List-Unsubscribe=One-Click"));
            }
        }
        for (name, value) in &settings.headers {
            header(out, name, &Text::new(value.as_str()));
        }
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
        Ok(())
    }

    /// The text, and the HTML where there is one. Attachments that were not fetched are links at their end.
    fn content(&self) -> MimePart<'static> {
        let links: Vec<&str> = self
            .message
            .attachments
            .iter()
            .filter(|attachment| attachment.file.is_none())
            .map(|attachment| attachment.url.as_str())
            .collect();
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let html = given(&self.message.html);
        let mut text =
            given(&self.message.text).or_else(|| html.as_deref().map(html_to_text)).unwrap_or_default();
        for link in &links {
            text.push_str(&format!("\n\n{link}"));
        }
        let plain = MimePart::new("text/plain", BodyPart::Text(lines(&text).into()));
        let Some(mut html) = html else { return plain };
        if !links.is_empty() {
            let end = html.to_ascii_lowercase().rfind("</body>").unwrap_or(html.len());
            html.insert_str(end, &links.iter().map(|link| anchor(link)).collect::<String>());
        }
        let html = MimePart::new("text/html", BodyPart::Text(lines(&html).into()));
        let kind =
            ContentType::new("multipart/alternative").attribute("boundary", self.boundary("alternative"));
        MimePart::new(kind, BodyPart::Multipart(vec![plain, html]))
    }

    /// Nothing in a text can be this: the key is not known to who writes it.
    fn boundary(&self, part: &str) -> String {
        format!("dispatcher-{}-{part}", self.context.idempotency_key)
    }
}

fn header(out: &mut Vec<u8>, name: &str, value: &impl Header) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    value.write_header(out, name.len() + 2);
}

fn address(mailbox: &Mailbox) -> Address<'_> {
    Address::new_address(mailbox.name.as_deref(), mailbox.address.as_str())
}

/// The headers of an attachment and the empty line after them. Name and media type come from a server that nobody
/// trusts: the name is encoded, the type is one or it is none.
fn part_headers(attachment: &Attachment) -> Vec<u8> {
    let mut out = Vec::new();
    let Some(file) = &attachment.file else { return out };
    let mut parts = file.media_type.split('/');
    let token = |part: Option<&str>| {
        part.is_some_and(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
        })
    };
    let known = token(parts.next()) && token(parts.next()) && parts.next().is_none();
    // Whole messages and multiparts may not be written in base64.
    let lower = file.media_type.to_ascii_lowercase();
    let nested = lower.starts_with("message/") || lower.starts_with("multipart/");
    let media_type = if known && !nested { file.media_type.as_str() } else { "application/octet-stream" };
    header(&mut out, "Content-Type", &ContentType::new(media_type));
    header(
        &mut out,
        "Content-Disposition",
        &ContentType::new("attachment").attribute("filename", file.name.as_str()),
    );
    out.extend_from_slice(b"Content-Transfer-Encoding: base64\r\n\r\n");
    out
}

/// The text on one line of a header.
fn clean<'a>(what: &str, text: &'a str) -> Result<&'a str, Refusal> {
    let text = text.trim();
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Refusal::content(
            "injection",
            format!("{what} has a line end or a control character in it"),
        ));
    }
    Ok(text)
}

/// Line ends as mail wants them: CR LF, none of them alone.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

fn anchor(url: &str) -> String {
    let escaped = url.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    format!("<p><a href=\"{escaped}\">{escaped}</a></p>")
}
