//! `multipart/form-data` with attachments that the host splices in.

use crate::{Attachment, Encoding, Escape, Pieces};

/// A multipart body under construction.
///
/// The boundary is made from a word of the caller's, since there is no randomness: the idempotency key is a good one.
/// No part of a text can hold it by accident, since texts of people do not know the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multipart {
    boundary: String,
    body: Pieces,
}

impl Multipart {
    /// No part yet; `key` is the idempotency key or another word that no part holds.
    pub fn new(key: &str) -> Self {
        let key: String = key.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        Self { boundary: format!("dispatcher-{key}"), body: Pieces::new() }
    }

    /// Adds a text field.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.head(name, None, None);
        self.body.bytes(value.as_ref()).bytes("\r\n");
        self
    }

    /// Adds a field whose value is a secret.
    #[must_use]
    pub fn secret(mut self, name: &str, secret: impl Into<String>) -> Self {
        self.head(name, None, None);
        self.body.secret(secret, Escape::Raw).bytes("\r\n");
        self
    }

    /// Adds the content of an attachment, by its index in the message. One that was not fetched is named by its index.
    #[must_use]
    pub fn attachment(mut self, name: &str, index: u32, attachment: &Attachment) -> Self {
        let (file, media_type) = match &attachment.file {
            Some(file) => (file.name.clone(), file.media_type.as_str()),
            None => (format!("attachment-{index}"), "application/octet-stream"),
        };
        self.head(name, Some(&file), Some(media_type));
        self.body.attachment(index, Encoding::Raw).bytes("\r\n");
        self
    }

    /// The value of `Content-Type`.
    pub fn media_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// The body.
    pub fn into_pieces(mut self) -> Pieces {
        let end = format!("--{}--\r\n", self.boundary);
        self.body.bytes(end);
        self.body
    }

    fn head(&mut self, name: &str, file: Option<&str>, media_type: Option<&str>) {
        let mut head =
            format!("--{}\r\nContent-Disposition: form-data; name=\"{}\"", self.boundary, quoted(name));
        if let Some(file) = file {
            head.push_str(&format!("; filename=\"{}\"", quoted(file)));
        }
        head.push_str("\r\n");
        if let Some(media_type) = media_type {
            // From a server that nobody trusts: one that is no media type is not repeated.
            let known = media_type.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            head.push_str(&format!(
                "Content-Type: {}\r\n",
                if known { media_type } else { "application/octet-stream" }
            ));
        }
        head.push_str("\r\n");
        self.body.bytes(head);
    }
}

/// Names as browsers write them: quotes and line ends percent-encoded, UTF-8 as it is.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AttachmentFile;

    #[test]
    fn a_part_cannot_break_out() {
        let hostile = Attachment {
            url: "https://example.com/x".into(),
            file: Some(AttachmentFile {
                name: "a\"\r\nX-Evil: 1".into(),
                media_type: "image/png\r\nX-Evil: 1".into(),
                size: 3,
            }),
        };
        let body = Multipart::new("key-1").field("to", "a@b").attachment("file", 0, &hostile);
        assert_eq!(body.media_type(), "multipart/form-data; boundary=dispatcher-key1");
        assert_eq!(
            body.into_pieces().to_text(),
            "--dispatcher-key1\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\na@b\r\n\
             --dispatcher-key1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%22%0D%0AX-Evil: 1\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n{attachment 0}\r\n--dispatcher-key1--\r\n"
        );
    }
}
