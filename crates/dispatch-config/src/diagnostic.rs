//! A problem as people read it: where, what, and what to write instead.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// One problem of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether it stops the daemon.
    pub severity: Severity,
    /// The path of the value, dots between: `backends.twilio-mx.settings.from`, `routes[2].deliver`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// What to write instead.
    pub hint: Option<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing starts or changes until it is mended.
    Error,
    /// It works, but perhaps not as meant.
    Warning,
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "in", rename_all = "lowercase")]
pub enum Place {
    /// In a file, as TOML or CSV.
    File {
        /// Which.
        file: PathBuf,
        /// The line, from 1.
        line: u32,
        /// The character in the line, from 1.
        column: u32,
        /// How many characters of the line are meant.
        length: u32,
        /// The line itself; secrets in it are covered.
        text: String,
    },
    /// In the environment.
    Environment {
        /// The variable.
        variable: String,
    },
    /// On the command line.
    Flag {
        /// The path it sets.
        path: String,
    },
}

/// Terminal colours, or none.
struct Paint {
    on: bool,
}

impl Paint {
    fn wrap(&self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn severity(&self, severity: Severity, text: &str) -> String {
        self.wrap(if severity == Severity::Error { "1;31" } else { "1;33" }, text)
    }

    fn frame(&self, text: &str) -> String {
        self.wrap("1;34", text)
    }
}

impl Diagnostic {
    /// As text of several lines: the message, the place, the line with a caret, the hint.
    pub fn render(&self, colour: bool) -> String {
        let paint = Paint { on: colour };
        let word = if self.severity == Severity::Error { "error" } else { "warning" };
        let mut out = format!(
            "{}{}",
            paint.severity(self.severity, word),
            paint.wrap("1", &format!(": {}", printable(&self.message)))
        );
        let mut margin = " ".to_owned();
        match &self.place {
            Some(Place::File { file, line, column, length, text }) => {
                margin = " ".repeat(line.to_string().len());
                let arrow = paint.frame(&format!("{margin}-->"));
                out.push_str(&format!("\n{arrow} {}:{line}:{column}", file.display()));
                let bar = paint.frame(&format!("{margin} |"));
                let shown = Excerpt::new(text, *column, *length);
                let caret = paint.severity(self.severity, &"^".repeat(shown.carets));
                let number = paint.frame(&format!("{line} |"));
                let line = format!("{number} {}", shown.text);
                out.push_str(&format!("\n{bar}\n{}\n{bar} {}{caret}", line.trim_end(), shown.indent));
            }
            Some(Place::Environment { variable }) => {
                out.push_str(&format!("\n{} environment {variable}", paint.frame(" -->")));
            }
            Some(Place::Flag { path }) => {
                out.push_str(&format!("\n{} command line: {path}", paint.frame(" -->")));
            }
            None => {}
        }
        if let Some(hint) = &self.hint {
            out.push_str(&format!("\n{} {}", paint.frame(&format!("{margin} = help:")), printable(hint)));
        }
        out
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// Text without characters that could move the cursor or change colours: keys of a file are anybody's.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The part of a line that is shown.
struct Excerpt {
    text: String,
    indent: String,
    carets: usize,
}

impl Excerpt {
    /// A line of a minified or generated file would fill the terminal: a window around the caret is shown.
    fn new(text: &str, column: u32, length: u32) -> Self {
        const WIDTH_MAX: usize = 160;
        const BEFORE: usize = 60;
        let start = column as usize - 1;
        let total = text.chars().count();
        let skip = if total > WIDTH_MAX { start.saturating_sub(BEFORE) } else { 0 };
        // A tab counts as one character here, so that the caret stands where it should.
        let shown: String = text.chars().skip(skip).take(WIDTH_MAX).collect();
        let mut shown = printable(&shown);
        if skip > 0 {
            shown.insert_str(0, "… ");
        }
        if skip + WIDTH_MAX < total {
            shown.push_str(" …");
        }
        let indent = start - skip + if skip > 0 { 2 } else { 0 };
        let room = shown.chars().count().saturating_sub(indent);
        Self { text: shown, indent: " ".repeat(indent), carets: (length as usize).min(room).max(1) }
    }
}
