//! Pieces become bytes: secrets are looked up, escaped and written in, at the last moment before sending.

use bytes::{Bytes, BytesMut};
use dispatch_engine::{Call, Grants, SpoolContent};
use dispatch_model::{Escape, Piece, Secret};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::failure::Failure;
use crate::splice::{Segment, Splice};

/// Everything but the unreserved characters of RFC 3986.
pub(crate) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The secret of this name.
pub(crate) fn secret<'a>(grants: &'a Grants, name: &str) -> Result<&'a Secret, Failure> {
    grants.secrets.get(name).ok_or_else(|| {
        Failure::refused(format!(
            "there is no secret named {name:?}; to set it, write secrets = {{ {name} = {{ env = \"…\" }} }}"
        ))
    })
}

/// Writes a secret as its place wants it.
pub(crate) fn write_escaped(secret: &Secret, escape: Escape, out: &mut BytesMut) {
    use base64::Engine as _;
    let value = secret.expose();
    match escape {
        Escape::Raw => out.extend_from_slice(value.as_bytes()),
        Escape::Percent => {
            percent_encode(value.as_bytes(), RESERVED).for_each(|run| out.extend_from_slice(run.as_bytes()));
        }
        Escape::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            out.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
        }
        Escape::Base64 => {
            out.extend_from_slice(base64::engine::general_purpose::STANDARD.encode(value).as_bytes());
        }
    }
}

/// A URL or header value, and where the first secret begins in it.
pub(crate) struct Line {
    pub(crate) bytes: Bytes,
    pub(crate) secrets_from: Option<usize>,
}

/// Puts together what cannot hold an attachment. `place` is for the words of a refusal.
pub(crate) fn line(pieces: &[Piece], grants: &Grants, place: &str) -> Result<Line, Failure> {
    if let [Piece::Bytes(bytes)] = pieces {
        return Ok(Line { bytes: bytes.0.clone(), secrets_from: None });
    }
    let mut out = BytesMut::new();
    let mut secrets_from = None;
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => out.extend_from_slice(bytes),
            Piece::Secret { name, escape } => {
                secrets_from.get_or_insert(out.len());
                write_escaped(secret(grants, name)?, *escape, &mut out);
            }
            Piece::Attachment { .. } => {
                return Err(Failure::refused(format!(
                    "an attachment stands in {place}: only bodies take them"
                )));
            }
        }
    }
    Ok(Line { bytes: out.freeze(), secrets_from })
}

/// A body ready to be sent, and whether a secret is in it.
pub(crate) fn body(pieces: &[Piece], call: &Call<'_>) -> Result<(Splice, bool), Failure> {
    if let [Piece::Bytes(bytes)] = pieces {
        return Ok((Splice::of_bytes(bytes.0.clone()), false));
    }
    let mut segments = Vec::new();
    let mut run = BytesMut::new();
    let mut has_secret = false;
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => run.extend_from_slice(bytes),
            Piece::Secret { name, escape } => {
                has_secret = true;
                write_escaped(secret(call.grants, name)?, *escape, &mut run);
            }
            Piece::Attachment { index, encoding } => {
                let spooled = usize::try_from(*index).ok().and_then(|index| call.attachments.get(index));
                let Some(spooled) = spooled else {
                    return Err(Failure::refused(format!(
                        "there is no attachment {index}; {} were fetched for this message",
                        call.attachments.len()
                    )));
                };
                if !run.is_empty() {
                    segments.push(Segment::Bytes(run.split().freeze()));
                }
                segments.push(match &spooled.content {
                    SpoolContent::Memory(bytes) => {
                        Segment::Memory { bytes: bytes.clone(), encoding: *encoding }
                    }
                    SpoolContent::File(_) => {
                        Segment::File { spooled: std::sync::Arc::clone(spooled), encoding: *encoding }
                    }
                });
            }
        }
    }
    if !run.is_empty() {
        segments.push(Segment::Bytes(run.freeze()));
    }
    Ok((Splice::new(segments), has_secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_fit_their_place() {
        for (escape, expected) in [
            (Escape::Raw, "a\"b/ü&\n"),
            (Escape::Percent, "a%22b%2F%C3%BC%26%0A"),
            (Escape::Json, "a\\\"b/ü&\\n"),
            (Escape::Base64, "YSJiL8O8Jgo="),
        ] {
            let mut out = BytesMut::new();
            write_escaped(&Secret::new("a\"b/ü&\n"), escape, &mut out);
            assert_eq!(out, expected, "{escape:?}");
        }
    }

    #[test]
    fn an_unknown_secret_is_refused_by_name() {
        let failure = secret(&Grants::default(), "auth_token").unwrap_err();
        assert!(failure.detail.contains("\"auth_token\""), "{failure}");
    }
}
