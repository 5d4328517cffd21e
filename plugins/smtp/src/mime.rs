//! The message as the relay gets it.
//!
//! The attachments' bytes are not here: the host splices them in, so the frame around them is written piece by piece.
//! Texts and headers are mail-builder's work. Date, Message-ID and boundaries come from what the call is told, so the
//! same call makes the same bytes, and every attempt of a message has the same Message-ID.

use dispatcher_plugin::{Context, Encoding, File, Letter, MailSettings, Mailbox, Pieces};
use mail_builder::headers::Header;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::text::Text;
use mail_builder::headers::url::URL;
use mail_builder::mime::{BodyPart, MimePart};

use crate::settings::Settings;

/// A message with everything that its headers need.
pub(crate) struct Draft<'a> {
    pub(crate) context: &'a Context<Settings>,
    pub(crate) settings: &'a MailSettings<'a>,
    pub(crate) letter: &'a Letter<'a>,
}

impl Draft<'_> {
    /// The Message-ID without its brackets: the same at each attempt, so that a double is seen as one.
    pub(crate) fn message_id(&self) -> String {
        format!("{}@{}", self.context.idempotency_key, self.letter.sender.from.domain())
    }

    /// The whole message: the texts, around them what the HTML shows, around that what is attached.
    pub(crate) fn write(&self) -> Pieces {
        let mut out = Vec::new();
        self.headers(&mut out);
        let mut pieces = Pieces::from(out);
        let (inline, attached): (Vec<&File<'_>>, Vec<_>) =
            self.letter.files.iter().partition(|file| file.inline);
        let related = |pieces: &mut Pieces| {
            self.around("related", &inline, pieces, &|pieces| {
                let mut out = Vec::new();
                self.content().write_part(&mut out);
                pieces.bytes(out);
            });
        };
        self.around("mixed", &attached, &mut pieces, &related);
        pieces
    }

    /// Files after a first part, in a multipart of this kind; where there are none, the first part alone.
    fn around(&self, kind: &str, files: &[&File<'_>], pieces: &mut Pieces, first: &dyn Fn(&mut Pieces)) {
        if files.is_empty() {
            return first(pieces);
        }
        let boundary = self.boundary(kind);
        let media_type = format!("multipart/{kind}");
        let mut out = Vec::new();
        header(
            &mut out,
            "Content-Type",
            &ContentType::new(media_type).attribute("boundary", boundary.as_str()),
        );
        pieces.bytes(out).bytes(format!("\r\n--{boundary}\r\n"));
        first(pieces);
        for file in files {
            pieces.bytes(format!("\r\n--{boundary}\r\n"));
            pieces.bytes(part_headers(file)).attachment(file.index, Encoding::Base64Mime);
        }
        pieces.bytes(format!("\r\n--{boundary}--\r\n"));
    }

    fn headers(&self, out: &mut Vec<u8>) {
        let (settings, letter) = (self.settings, self.letter);
        let seconds = i64::try_from(self.context.now_ms / 1000).unwrap_or(i64::MAX);
        header(out, "Date", &Date::new(seconds));
        header(out, "Message-ID", &MessageId::new(self.message_id()));
        header(out, "From", &address(&letter.sender.from));
        if let Some(reply_to) = &letter.sender.reply_to {
            header(out, "Reply-To", &address(reply_to));
        }
        for (name, list) in [("To", &letter.to), ("Cc", &letter.cc)] {
            if !list.is_empty() {
                header(out, name, &Address::new_list(list.iter().map(address).collect()));
            }
        }
        header(out, "Subject", &Text::new(letter.subject.as_str()));
        if let Some(id) = &letter.answers {
            header(out, "In-Reply-To", &MessageId::new(id.as_str()));
            header(out, "References", &MessageId::new(id.as_str()));
        }
        if !letter.unsubscribe.is_empty() {
            header(out, "List-Unsubscribe", &URL::from(letter.unsubscribe.as_slice()));
            if settings.one_click_unsubscribe {
                header(out, "List-Unsubscribe-Post", &Text::new("List-Unsubscribe=One-Click"));
            }
        }
        for (name, value) in settings.headers {
            header(out, name, &Text::new(value.as_str()));
        }
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }

    /// The text, and the HTML where there is one.
    fn content(&self) -> MimePart<'static> {
        let plain = MimePart::new("text/plain", BodyPart::Text(lines(&self.letter.text).into()));
        let Some(html) = &self.letter.html else { return plain };
        let html = MimePart::new("text/html", BodyPart::Text(lines(html).into()));
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

/// The headers of an attachment and the empty line after them.
fn part_headers(file: &File<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    // Whole messages and multiparts may not be written in base64.
    let lower = file.media_type.to_ascii_lowercase();
    let nested = lower.starts_with("message/") || lower.starts_with("multipart/");
    let media_type = if nested { "application/octet-stream" } else { file.media_type };
    header(&mut out, "Content-Type", &ContentType::new(media_type));
    let disposition = if file.inline { "inline" } else { "attachment" };
    header(&mut out, "Content-Disposition", &ContentType::new(disposition).attribute("filename", file.name));
    if file.inline {
        header(&mut out, "Content-ID", &MessageId::new(file.name));
    }
    out.extend_from_slice(b"Content-Transfer-Encoding: base64\r\n\r\n");
    out
}

/// Line ends as mail wants them: CR LF, none of them alone.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}
