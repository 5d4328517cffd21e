//! Hostile bytes at every place where bytes of others come in: the webhook, its signature, keys, phone numbers, the
//! configuration, and both sides of the plugins' boundary: what senders and providers say to the bundled plugins in
//! their sandbox, and what a hostile guest says to the host.
//!
//! ```text
//! corpus ──┐
//!          ├─▶ mutation ─▶ target ─▶ what came of it ─▶ never seen before? ─▶ joins the pool
//! pool   ──┘                  └─▶ a panic, a broken promise, too long ─▶ kept in the corpus
//! ```
//!
//! Each [`Target`] is a function over bytes. It says what it found wrong, or in a few words what came of the input:
//! which kind of message, which outcome, which diagnostics. That is the feedback: an input with a result that nobody
//! has seen is worth more than one that is refused like a thousand before it. Coverage of the code would be finer, and
//! needs a build of its own with flags of an unstable compiler; this runs on the very build that the tests use, sandbox
//! included, where coverage could not see into the guests anyway. The functions fit such a fuzzer as they are.

mod boundary;
mod callback;
mod corpus;
mod driver;
mod guests;
mod mutation;
mod seen;
mod settings;
mod texts;

pub use corpus::{corpus, keep};
pub use driver::{Finding, Report, fuzz, replay};
pub use guests::Guests;
pub use seen::Seen;

/// What a target works with: made once, used for every input.
pub struct Bench {
    /// The bundled plugins in their sandbox, and the hostile one.
    pub guests: Guests,
    /// Where files are written that have to be files.
    pub folder: tempfile::TempDir,
}

impl Bench {
    /// Loads the built plugins; compiling them takes seconds.
    ///
    /// # Errors
    /// They are not built, or cannot be loaded.
    pub fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("fuzz-").tempdir()?;
        Ok(Self { guests: Guests::load(folder.path())?, folder })
    }
}

/// What came of an input, or what is wrong with it.
pub type Verdict = Result<Seen, String>;

/// A place where bytes come in.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Takes an input.
    pub run: fn(&Bench, &[u8]) -> Verdict,
    /// Pieces that mean something there.
    pub words: &'static [&'static str],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "webhook", run: texts::webhook, words: texts::WEBHOOK },
    Target { name: "signature", run: texts::signature, words: texts::SIGNATURE },
    Target { name: "key", run: texts::key, words: texts::KEY },
    Target { name: "number", run: texts::number, words: texts::NUMBER },
    Target { name: "config", run: settings::config, words: settings::CONFIG },
    Target { name: "guest-settings", run: guests::settings, words: guests::SETTINGS },
    Target { name: "guest-message", run: guests::message, words: texts::WEBHOOK },
    Target { name: "guest-reply", run: guests::reply, words: guests::REPLY },
    Target { name: "guest-callback", run: callback::callback, words: callback::WORDS },
    Target { name: "boundary-step", run: boundary::step, words: boundary::WORDS },
    Target { name: "boundary-receive", run: boundary::receive, words: boundary::WORDS },
    Target { name: "boundary-lookup", run: boundary::lookup, words: boundary::WORDS },
];
