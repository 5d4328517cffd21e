//! A mail as DKIM's `relaxed` rules see it (RFC 6376, section 3.4), read chunk by chunk.
//!
//! Line ends are read as the relay will get them: a bare CR or LF is one, as in [`Stuffing`](crate::smtp), and the last
//! line has one.

use ring::digest;

/// Bytes of a head at most: recipients are few, and the rest is ours.
const HEAD_MAX: usize = 256 * 1024;

/// The head of a mail, and the digest of its body.
pub(super) struct Digested {
    pub(super) head: Head,
    pub(super) body: digest::Digest,
}

/// A head with which nothing can be signed.
#[derive(Debug, thiserror::Error)]
#[error("the head of the mail is longer than {HEAD_MAX} bytes")]
pub(super) struct HeadTooLong;

/// A mail being read.
pub(super) struct Reading {
    after_cr: bool,
    /// Bytes of the present line of the head.
    line: usize,
    head: Vec<u8>,
    body: Option<Body>,
}

impl Reading {
    pub(super) fn new() -> Self {
        Self { after_cr: false, line: 0, head: Vec::new(), body: None }
    }

    /// The next chunk.
    pub(super) fn chunk(&mut self, chunk: &[u8]) -> Result<(), HeadTooLong> {
        let mut rest = chunk;
        while let Some(&first) = rest.first() {
            if self.after_cr && first != b'\n' {
                self.line_end();
            }
            self.after_cr = first == b'\r';
            let run = match first {
                b'\r' => 1,
                b'\n' => {
                    self.line_end();
                    1
                }
                _ => {
                    let run =
                        rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
                    self.text(&rest[..run])?;
                    run
                }
            };
            rest = &rest[run..];
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Digested {
        let open = match &self.body {
            Some(body) => body.in_line(),
            None => self.line > 0,
        };
        if self.after_cr || open {
            self.line_end();
        }
        let body = self.body.unwrap_or_else(Body::new).finish();
        Digested { head: Head::read(&self.head), body }
    }

    fn text(&mut self, run: &[u8]) -> Result<(), HeadTooLong> {
        match &mut self.body {
            Some(body) => body.text(run),
            None => {
                if self.head.len() + run.len() > HEAD_MAX {
                    return Err(HeadTooLong);
                }
                self.head.extend_from_slice(run);
                self.line += run.len();
            }
        }
        Ok(())
    }

    fn line_end(&mut self) {
        match &mut self.body {
            Some(body) => body.line_end(),
            None if self.line == 0 => self.body = Some(Body::new()),
            None => {
                self.head.extend_from_slice(b"\r\n");
                self.line = 0;
            }
        }
    }
}

/// A body: blanks at a line's end go, runs of them become one, and so do the empty lines at its end.
struct Body {
    digest: digest::Context,
    empty_lines: u64,
    blank: bool,
    content: bool,
}

impl Body {
    fn new() -> Self {
        Self { digest: digest::Context::new(&digest::SHA256), empty_lines: 0, blank: false, content: false }
    }

    fn in_line(&self) -> bool {
        self.content || self.blank
    }

    fn text(&mut self, run: &[u8]) {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let mut rest = run;
        while let Some(first) = rest.first() {
            if is_blank(first) {
                self.blank = true;
                rest = &rest[1..];
                continue;
            }
            for _ in 0..std::mem::take(&mut self.empty_lines) {
                self.digest.update(b"\r\n");
            }
            if std::mem::take(&mut self.blank) {
                self.digest.update(b" ");
            }
            let word = rest.iter().position(is_blank).unwrap_or(rest.len());
            self.digest.update(&rest[..word]);
            self.content = true;
            rest = &rest[word..];
        }
    }

    fn line_end(&mut self) {
        self.blank = false;
        if std::mem::take(&mut self.content) {
            self.digest.update(b"\r\n");
        } else {
            self.empty_lines += 1;
        }
    }

    fn finish(self) -> digest::Digest {
        self.digest.finish()
    }
}

/// The fields of a head, each with its name in lower case and in its canonical form.
pub(super) struct Head(Vec<(String, Vec<u8>)>);

impl Head {
    /// Lines that begin with a blank go on with the one before.
    fn read(head: &[u8]) -> Self {
        let mut fields: Vec<Vec<u8>> = Vec::new();
        for line in head.split_inclusive(|byte| *byte == b'\n') {
            match fields.last_mut() {
                Some(last) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                    last.extend_from_slice(line)
                }
                _ => fields.push(line.to_vec()),
            }
        }
        let named = |raw: &Vec<u8>| {
            let canonical = field(raw);
            let colon = canonical.iter().position(|byte| *byte == b':').unwrap_or(canonical.len());
            (String::from_utf8_lossy(&canonical[..colon]).into_owned(), canonical)
        };
        Self(fields.iter().map(named).collect())
    }

    /// How often a header occurs.
    pub(super) fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|(of, _)| of == name).count()
    }

    /// The named fields, each with its line end: of several of one name the last first. One that is named more often than
    /// it occurs is nothing then.
    pub(super) fn named(&self, names: &[&str]) -> Vec<u8> {
        let mut data = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let before = names[..at].iter().filter(|other| *other == name).count();
            if let Some((_, field)) = self.0.iter().rev().filter(|(of, _)| of == name).nth(before) {
                data.extend_from_slice(field);
                data.extend_from_slice(b"\r\n");
            }
        }
        data
    }
}

/// A field in its canonical form, without a line end: the name in lower case, the value in one line, with single blanks.
pub(super) fn field(raw: &[u8]) -> Vec<u8> {
    let colon = raw.iter().position(|byte| *byte == b':').unwrap_or(raw.len());
    let (name, value) = raw.split_at(colon);
    let mut out = name.trim_ascii().to_ascii_lowercase();
    out.push(b':');
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let words = value.get(1..).unwrap_or_default().split(is_blank).filter(|word| !word.is_empty());
    for (at, word) in words.enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
    out
}
