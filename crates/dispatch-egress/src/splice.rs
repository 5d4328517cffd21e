//! Bodies with attachments spliced in: the length known beforehand, the bytes made as they are sent.
//!
//! A 20 MB attachment costs one buffer: [`Chunks`] reads and encodes [`CHUNK`] bytes at a time. Files are read
//! on tokio's blocking threads, memory and plain bytes where they stand. A [`Splice`] can be read as often as
//! needed: for a retry, for a redirect, and for the digest that AWS wants before the first byte.

use std::fs::File;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut as _, Bytes, BytesMut};
use dispatch_engine::{SpoolContent, Spooled};
use dispatch_model::AttachmentEncoding;
use http_body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;

/// Bytes of a MIME line before encoding: 57 make 76 characters.
const MIME_LINE: usize = 57;
/// Bytes read at a time: just under 64 KiB, and whole MIME lines, so that encodings never straddle two chunks
/// (a multiple of 57 is one of 3).
const CHUNK: usize = MIME_LINE * 1149;

/// A run of a body.
#[derive(Clone)]
pub(crate) enum Segment {
    /// The guest's bytes and secrets.
    Bytes(Bytes),
    /// A small attachment.
    Memory { bytes: Bytes, encoding: AttachmentEncoding },
    /// A large one.
    File { spooled: Arc<Spooled>, encoding: AttachmentEncoding },
}

/// A body that can be read any number of times. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Splice {
    segments: Arc<[Segment]>,
    length: u64,
}

impl Splice {
    pub(crate) fn new(segments: Vec<Segment>) -> Self {
        let length = segments.iter().map(Segment::length).sum();
        Self { segments: segments.into(), length }
    }

    pub(crate) fn of_bytes(bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        Self { segments: Arc::new([Segment::Bytes(bytes)]), length }
    }

    pub(crate) fn empty() -> Self {
        Self { segments: Arc::new([]), length: 0 }
    }

    /// The same behind these bytes.
    pub(crate) fn after(&self, bytes: Bytes) -> Self {
        let rest = self.segments.iter().cloned();
        Self::new(std::iter::once(Segment::Bytes(bytes)).chain(rest).collect())
    }

    /// Exactly how many bytes it has.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Whether reading it reads files.
    pub(crate) fn reads_files(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Segment::File { .. }))
    }

    /// Reads it from the start.
    pub(crate) fn chunks(&self) -> Chunks {
        Chunks { segments: Arc::clone(&self.segments), at: 0, offset: 0, file: None }
    }

    /// Reads it from the start without blocking.
    pub(crate) fn body(&self) -> SplicedBody {
        SplicedBody { state: State::Ready(self.chunks()), left: self.length }
    }
}

impl Segment {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Memory { bytes, encoding } => encoded_length(bytes.len() as u64, *encoding),
            Self::File { spooled, encoding } => encoded_length(spooled.file.size, *encoding),
        }
    }
}

/// How long so many bytes are once encoded.
fn encoded_length(bytes: u64, encoding: AttachmentEncoding) -> u64 {
    let base64 = bytes.div_ceil(3) * 4;
    match encoding {
        AttachmentEncoding::Raw => bytes,
        AttachmentEncoding::Base64 => base64,
        AttachmentEncoding::Base64Mime => base64 + 2 * bytes.div_ceil(MIME_LINE as u64),
    }
}

/// Encodes a chunk; all but the last have a length that is a multiple of 57.
fn encode(chunk: Bytes, encoding: AttachmentEncoding) -> Bytes {
    match encoding {
        AttachmentEncoding::Raw => chunk,
        AttachmentEncoding::Base64 => STANDARD.encode(chunk).into(),
        AttachmentEncoding::Base64Mime => {
            let mut out = BytesMut::with_capacity(chunk.len().div_ceil(MIME_LINE) * 78);
            let mut line = [0_u8; 76];
            for raw in chunk.chunks(MIME_LINE) {
                let length =
                    STANDARD.encode_slice(raw, &mut line).expect("57 bytes are 76 characters of base64");
                out.put_slice(&line[..length]);
                out.put_slice(b"\r\n");
            }
            out.freeze()
        }
    }
}

/// A body being read, chunk by chunk. Blocks where the next segment is a file.
pub(crate) struct Chunks {
    segments: Arc<[Segment]>,
    at: usize,
    offset: u64,
    file: Option<File>,
}

impl Chunks {
    /// Whether the next chunk comes from a file.
    pub(crate) fn blocks(&self) -> bool {
        matches!(self.segments.get(self.at), Some(Segment::File { .. }))
    }

    /// The next chunk, never empty.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let Some(segment) = self.segments.get(self.at) else { return Ok(None) };
            let chunk = match segment {
                Segment::Bytes(bytes) if self.offset == 0 => bytes.clone(),
                Segment::Bytes(_) => Bytes::new(),
                Segment::Memory { bytes, encoding } => {
                    let start = usize::try_from(self.offset).unwrap_or(usize::MAX).min(bytes.len());
                    encode(bytes.slice(start..bytes.len().min(start + CHUNK)), *encoding)
                }
                Segment::File { spooled, encoding } => {
                    let raw = read_chunk(spooled, &mut self.file, self.offset)?;
                    encode(Bytes::from(raw), *encoding)
                }
            };
            if chunk.is_empty() {
                (self.at, self.offset, self.file) = (self.at + 1, 0, None);
                continue;
            }
            self.offset += CHUNK as u64;
            return Ok(Some(chunk));
        }
    }
}

/// Reads the next chunk of a spool file; empty at its end. A file that has become shorter than what was
/// promised in Content-Length is an error: padding it would be a lie.
fn read_chunk(spooled: &Spooled, file: &mut Option<File>, offset: u64) -> io::Result<Vec<u8>> {
    let want = spooled.file.size.saturating_sub(offset).min(CHUNK as u64);
    if want == 0 {
        return Ok(Vec::new());
    }
    if file.is_none() {
        let SpoolContent::File(spool) = &spooled.content else {
            return Err(io::Error::other("the attachment is not in a file"));
        };
        *file = Some(spool.open()?);
    }
    let mut raw = vec![0; usize::try_from(want).unwrap_or(CHUNK)];
    file.as_mut().map_or(Ok(()), |file| file.read_exact(&mut raw))?;
    Ok(raw)
}

/// A body being sent.
pub(crate) struct SplicedBody {
    state: State,
    left: u64,
}

enum State {
    Ready(Chunks),
    Reading(JoinHandle<(Chunks, io::Result<Option<Bytes>>)>),
    Done,
}

impl SplicedBody {
    /// The next chunk, never empty.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Poll::Ready(None),
                State::Ready(mut chunks) if chunks.blocks() => {
                    self.state = State::Reading(tokio::task::spawn_blocking(move || {
                        let chunk = chunks.next_chunk();
                        (chunks, chunk)
                    }));
                }
                State::Ready(mut chunks) => {
                    let chunk = chunks.next_chunk();
                    return Poll::Ready(self.settle(chunks, chunk));
                }
                State::Reading(mut task) => {
                    let Poll::Ready(done) = Pin::new(&mut task).poll(cx) else {
                        self.state = State::Reading(task);
                        return Poll::Pending;
                    };
                    return Poll::Ready(match done {
                        Ok((chunks, chunk)) => self.settle(chunks, chunk),
                        Err(error) => Some(Err(io::Error::other(error))),
                    });
                }
            }
        }
    }

    fn settle(&mut self, chunks: Chunks, chunk: io::Result<Option<Bytes>>) -> Option<io::Result<Bytes>> {
        let chunk = chunk.transpose()?;
        if let Ok(bytes) = &chunk {
            self.left = self.left.saturating_sub(bytes.len() as u64);
            self.state = State::Ready(chunks);
        }
        Some(chunk)
    }
}

impl Body for SplicedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(ready!(self.poll_chunk(cx)).map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dispatch_engine::SpoolFile;
    use dispatch_model::AttachmentFile;
    use proptest::prelude::*;
    use std::future::poll_fn;
    use std::io::{Seek as _, Write as _};

    struct TempSpool(File);

    impl SpoolFile for TempSpool {
        fn open(&self) -> io::Result<File> {
            let mut file = self.0.try_clone()?;
            file.rewind()?;
            Ok(file)
        }
    }

    fn spooled(bytes: &[u8], size: u64) -> Arc<Spooled> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(Spooled {
            file: AttachmentFile { name: "a".to_owned(), media_type: "x/y".to_owned(), size },
            content: SpoolContent::File(Box::new(TempSpool(file))),
        })
    }

    fn read(splice: &Splice) -> io::Result<Vec<u8>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut body, mut out) = (splice.body(), Vec::new());
            while let Some(chunk) = poll_fn(|cx| body.poll_chunk(cx)).await {
                let chunk = chunk?;
                assert!(!chunk.is_empty() && chunk.len() <= 2 * CHUNK, "one chunk of {}", chunk.len());
                out.extend_from_slice(&chunk);
            }
            Ok(out)
        })
    }

    fn expected(bytes: &[u8], encoding: AttachmentEncoding) -> Vec<u8> {
        let base64 = STANDARD.encode(bytes);
        match encoding {
            AttachmentEncoding::Raw => bytes.to_vec(),
            AttachmentEncoding::Base64 => base64.into_bytes(),
            AttachmentEncoding::Base64Mime => {
                let lines = base64.as_bytes().chunks(76).map(|line| [line, b"\r\n"].concat());
                lines.collect::<Vec<_>>().concat()
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Around the borders of lines and chunks, from memory and from a file, the length is what was promised.
        #[test]
        fn encodings_stream_across_chunks(
            chunks in 0_usize..3,
            lines in 0_usize..3,
            around in 0_usize..5,
            encoding in prop::sample::select(vec![
                AttachmentEncoding::Raw, AttachmentEncoding::Base64, AttachmentEncoding::Base64Mime,
            ]),
        ) {
            let size = (chunks * CHUNK + lines * MIME_LINE + around).saturating_sub(2);
            let bytes: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
            let splice = Splice::new(vec![
                Segment::Bytes(Bytes::from_static(b"<")),
                Segment::Memory { bytes: bytes.clone().into(), encoding },
                Segment::Bytes(Bytes::from_static(b"|")),
                Segment::File { spooled: spooled(&bytes, size as u64), encoding },
                Segment::Bytes(Bytes::from_static(b">")),
            ]);
            let attachment = expected(&bytes, encoding);
            let whole = [b"<", &attachment[..], b"|", &attachment[..], b">"].concat();
            prop_assert_eq!(splice.length(), whole.len() as u64);
            prop_assert!(read(&splice).unwrap() == whole);
            prop_assert!(read(&splice).unwrap() == whole, "a second reading");
        }
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error_and_a_longer_one_is_cut() {
        let of = |size| {
            Splice::new(vec![Segment::File {
                spooled: spooled(b"12345", size),
                encoding: AttachmentEncoding::Raw,
            }])
        };
        assert!(read(&of(6)).is_err());
        assert_eq!(read(&of(4)).unwrap(), b"1234");
        assert_eq!(read(&Splice::empty()).unwrap(), b"");
    }
}
