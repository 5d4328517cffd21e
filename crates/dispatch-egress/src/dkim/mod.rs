//! DKIM (RFC 6376, RFC 8463): a domain vouches for a mail by a signature in its head.
//!
//! The host signs and not the plugin, since the key is a secret and the attachments are spliced in on the way out. It
//! costs a first pass over the mail, as the signature stands before what it covers. Our own on ring: the libraries that
//! sign want the whole mail in memory, and the rules of `relaxed` are few.
//!
//! ```text
//! mail -> canonical (head apart, digest of the body) -> field (which headers, in which words) -> key -> a field more
//! ```
//!
//! `Message-ID` and `Date` are left out of the signature: relays such as Amazon SES write their own, and a broken
//! signature is worse than one that covers less. What is in it is named once more than it occurs where a relay has no
//! business to add one: a second `From` or `Subject` then breaks the signature.

mod canonical;
mod key;

use std::sync::Arc;

use ahash::AHashMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use dispatch_engine::Dkim;
use dispatch_model::{Secret, Timestamp};
use parking_lot::Mutex;

use crate::failure::Failure;
use crate::splice::{Chunks, Splice};
use canonical::{Digested, Head};
pub use key::{DkimKey, DkimKeyProblem};

/// Headers that are signed where they occur, and once more than that.
const CLOSED: &[&str] = &["from", "to", "cc", "reply-to", "subject"];
/// Headers that are signed where they occur. Mailbox providers want the last two signed (RFC 8058).
const SIGNED: &[&str] = &[
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "list-unsubscribe",
    "list-unsubscribe-post",
];
/// Keys that are kept read: reading one costs as much as signing. Beyond, all are read anew.
const KEYS_MAX: usize = 1024;
/// Bytes of a folded line, its line end not counted.
const LINE_MAX: usize = 76;

/// Signs mails.
#[derive(Default)]
pub(crate) struct Signer {
    keys: Mutex<AHashMap<Secret, Arc<DkimKey>>>,
}

impl Signer {
    /// The mail with a signature before it.
    pub(crate) async fn sign(&self, dkim: &Dkim, mail: Splice, now: Timestamp) -> Result<Splice, Failure> {
        let key = self.key(&dkim.key)?;
        let (chunks, dkim) = (mail.chunks(), dkim.clone());
        // It reads files, and RSA computes for a millisecond.
        let signed = tokio::task::spawn_blocking(move || signature(&dkim, &key, chunks, now)).await;
        let field = signed
            .unwrap_or_else(|error| Err(Failure::refused(format!("signing the mail broke off: {error}"))))?;
        Ok(mail.after(Bytes::from(field)))
    }

    fn key(&self, secret: &Secret) -> Result<Arc<DkimKey>, Failure> {
        if let Some(key) = self.keys.lock().get(secret) {
            return Ok(Arc::clone(key));
        }
        let key =
            DkimKey::read(secret).map_err(|problem| Failure::refused(format!("the dkim key: {problem}")))?;
        let key = Arc::new(key);
        let mut keys = self.keys.lock();
        if keys.len() >= KEYS_MAX {
            keys.clear();
        }
        keys.insert(secret.clone(), Arc::clone(&key));
        Ok(key)
    }
}

/// The whole header field, its line end included.
fn signature(dkim: &Dkim, key: &DkimKey, mut chunks: Chunks, now: Timestamp) -> Result<String, Failure> {
    let unreadable = |error| Failure::refused(format!("an attachment cannot be read: {error}"));
    let mut reading = canonical::Reading::new();
    while let Some(chunk) = chunks.next_chunk().map_err(unreadable)? {
        reading.chunk(&chunk).map_err(|error| Failure::refused(error.to_string()))?;
    }
    let Digested { head, body } = reading.finish();
    let names = signed_names(&head);
    let mut field = unsigned(dkim, key, &names, &STANDARD.encode(body), now);
    let signature = key.sign(&signed_data(&head, &names, &field));
    let signature = signature.map_err(|problem| Failure::refused(format!("the dkim key: {problem}")))?;
    fold(&mut field, &STANDARD.encode(signature));
    field.push_str("\r\n");
    Ok(field)
}

/// The names under `h=`: one each time it is signed.
fn signed_names(head: &Head) -> Vec<&'static str> {
    let listed = |names: &[&'static str], more: usize| {
        let times = |name: &&'static str| std::iter::repeat_n(*name, head.count(name) + more);
        names.iter().flat_map(times).collect::<Vec<_>>()
    };
    [listed(CLOSED, 1), listed(SIGNED, 0)].concat()
}

/// The field with all but the signature.
fn unsigned(dkim: &Dkim, key: &DkimKey, names: &[&str], body: &str, now: Timestamp) -> String {
    let mut field = format!(
        "DKIM-Signature: v=1; a={}; c=relaxed/relaxed; d={};\r\n s={}; t={};\r\n h=",
        key.algorithm(),
        dkim.domain,
        dkim.selector,
        now.as_millis().div_euclid(1000)
    );
    let mut room = LINE_MAX - 3;
    for (at, name) in names.iter().enumerate() {
        let colon = usize::from(at > 0);
        if name.len() + colon > room {
            field.push_str("\r\n  ");
            room = LINE_MAX - 2;
        }
        if colon > 0 {
            field.push(':');
        }
        field.push_str(name);
        room -= name.len() + colon;
    }
    field.push_str(&format!(";\r\n bh={body};\r\n b="));
    field
}

/// What is signed: the named headers, then the signature's own field without the signature and without its line end.
fn signed_data(head: &Head, names: &[&str], field: &str) -> Vec<u8> {
    let mut data = head.named(names);
    data.extend_from_slice(&canonical::field(field.as_bytes()));
    data
}

/// Appends a long word in lines.
fn fold(field: &mut String, word: &str) {
    let mut room = LINE_MAX - 3;
    let mut rest = word;
    while rest.len() > room {
        let (line, more) = rest.split_at(room);
        field.push_str(line);
        field.push_str("\r\n ");
        (rest, room) = (more, LINE_MAX - 1);
    }
    field.push_str(rest);
}

#[cfg(test)]
mod tests;
