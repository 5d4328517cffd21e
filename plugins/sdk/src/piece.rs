//! Runs of a URL, a header or a body.
//!
//! A plugin holds neither secrets nor the bytes of attachments: it writes where they go, and the host puts them in
//! as it sends.

/// A run of a URL, header value or body. At most 4096 a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The plugin's own bytes.
    Bytes(Vec<u8>),
    /// An attachment's bytes. In bodies only.
    Attachment {
        /// Index into the message's attachments.
        index: u32,
        /// How they are written.
        encoding: Encoding,
    },
    /// A secret.
    Secret {
        /// The name under the backend's `secrets`.
        name: String,
        /// How it is escaped for the place it stands in.
        escape: Escape,
    },
}

/// How an attachment's bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Raw,
    /// Base64 in one line.
    Base64,
    /// Base64 in lines of 76 characters and CR LF.
    Base64Mime,
}

/// How a secret is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Not at all.
    Raw,
    /// Percent-encoded, all but unreserved characters.
    Percent,
    /// As the inside of a JSON string.
    Json,
    /// Base64 of its bytes.
    Base64,
}

/// A list of pieces under construction: neighbouring bytes are joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pieces(Vec<Piece>);

impl Pieces {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes of the plugin's own.
    pub fn bytes(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        match self.0.last_mut() {
            _ if bytes.is_empty() => {}
            Some(Piece::Bytes(last)) => last.extend_from_slice(bytes),
            _ => self.0.push(Piece::Bytes(bytes.to_vec())),
        }
        self
    }

    /// Adds the content of an attachment.
    pub fn attachment(&mut self, index: u32, encoding: Encoding) -> &mut Self {
        self.0.push(Piece::Attachment { index, encoding });
        self
    }

    /// Adds a secret.
    pub fn secret(&mut self, name: impl Into<String>, escape: Escape) -> &mut Self {
        self.0.push(Piece::Secret { name: name.into(), escape });
        self
    }

    /// Adds others.
    pub fn append(&mut self, other: Pieces) -> &mut Self {
        for piece in other.0 {
            match piece {
                Piece::Bytes(bytes) => {
                    self.bytes(bytes);
                }
                piece => self.0.push(piece),
            }
        }
        self
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list.
    pub fn into_vec(self) -> Vec<Piece> {
        self.0
    }

    /// The list as text for tests and logs: attachments as `{attachment 0}`, secrets as `{secret NAME}`.
    pub fn to_text(&self) -> String {
        self.0.iter().map(Piece::to_text).collect()
    }
}

impl Piece {
    /// The piece as text for tests and logs.
    pub fn to_text(&self) -> String {
        match self {
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Attachment { index, .. } => format!("{{attachment {index}}}"),
            Self::Secret { name, .. } => format!("{{secret {name}}}"),
        }
    }
}

impl From<&str> for Pieces {
    fn from(text: &str) -> Self {
        let mut pieces = Self::new();
        pieces.bytes(text);
        pieces
    }
}

impl From<String> for Pieces {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<Vec<u8>> for Pieces {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.is_empty() { Self::new() } else { Self(vec![Piece::Bytes(bytes)]) }
    }
}

impl From<Vec<Piece>> for Pieces {
    fn from(pieces: Vec<Piece>) -> Self {
        Self(pieces)
    }
}
