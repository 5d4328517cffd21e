//! A guest's lines on their way to the log.
//!
//! Three bounds, since a line costs the operator disk and attention: lines a call, bytes a line, and lines a
//! second of the plugin as a whole. What is beyond is counted and dropped, never waited with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::call::CallState;
use crate::contract::log;
use crate::text;

/// Lines a call, and bytes a line: the contract says so.
const LINES_MAX: u32 = 32;
const LINE_BYTES_MAX: usize = 2048;

/// Lines a second of one plugin, whatever its backends and calls: as many as a daemon at work writes itself,
/// so that a dry run shows its messages, and no plugin fills a disk.
const LINES_PER_SECOND: u32 = 1000;
const SECOND: Duration = Duration::from_secs(1);

/// What a plugin says, over all its calls.
pub(crate) struct Voice {
    plugin: Arc<str>,
    window: Mutex<Window>,
    dropped: metrics::Counter,
}

struct Window {
    since: Instant,
    lines: u32,
}

impl Voice {
    pub(crate) fn new(plugin: Arc<str>) -> Arc<Self> {
        let dropped =
            metrics::counter!("dispatcher_plugin_log_lines_dropped_total", "plugin" => plugin.to_string());
        Arc::new(Self { plugin, window: Mutex::new(Window { since: Instant::now(), lines: 0 }), dropped })
    }

    /// Whether one more line fits into this second.
    fn admits(&self, now: Instant) -> bool {
        let mut window = self.window.lock();
        if now.saturating_duration_since(window.since) >= SECOND {
            *window = Window { since: now, lines: 0 };
        }
        window.lines += 1;
        window.lines <= LINES_PER_SECOND
    }
}

/// On whose behalf a call is made, as far as the log shows it. Never an address or a text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subject {
    /// The backend and lane.
    pub(crate) owner: Arc<str>,
    /// The message's idempotency key, which tells the message too.
    pub(crate) key: String,
    /// The attempt at this backend; 0 where there is none.
    pub(crate) attempt: u32,
}

/// The lines of one call.
pub(crate) struct Journal {
    voice: Option<Arc<Voice>>,
    subject: Subject,
    lines: u32,
    dropped: u32,
}

impl Journal {
    pub(crate) fn new(voice: Arc<Voice>, subject: Subject) -> Self {
        Self { voice: Some(voice), subject, lines: 0, dropped: 0 }
    }

    /// Nobody listens.
    pub(crate) fn silent() -> Self {
        Self { voice: None, subject: Subject::default(), lines: 0, dropped: 0 }
    }

    fn write(&mut self, level: log::Level, message: &str) {
        let Some(voice) = &self.voice else { return };
        if self.lines == LINES_MAX || !voice.admits(Instant::now()) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.lines += 1;
        let text = text::escape(message, LINE_BYTES_MAX);
        let Subject { owner, key, attempt } = &self.subject;
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(plugin = %voice.plugin, backend = %owner, key = %key, attempt, text = %text, "plugin.log")
            };
        }
        match level {
            log::Level::Debug => line!(debug),
            log::Level::Info => line!(info),
            log::Level::Warn => line!(warn),
        }
    }

    /// Says how many lines were dropped.
    pub(crate) fn close(&mut self) {
        if let (Some(voice), 1..) = (&self.voice, self.dropped) {
            voice.dropped.increment(self.dropped.into());
            tracing::debug!(plugin = %voice.plugin, backend = %self.subject.owner, key = %self.subject.key, dropped = self.dropped, "plugin.log.dropped");
            self.dropped = 0;
        }
    }
}

impl log::Host for CallState {
    fn write(&mut self, level: log::Level, message: String) {
        self.journal.write(level, &message);
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use log::Host as _;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::call::CallBounds;
    use crate::config::HostConfig;
    use crate::imports::Vault;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Buffer {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// What the log shows of a call that writes these lines.
    fn logged(lines: impl IntoIterator<Item = String>) -> Vec<String> {
        let buffer = Buffer::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(buffer.clone())
            .with_ansi(false)
            .with_max_level(tracing::Level::DEBUG)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let whose = Subject { owner: "twilio-mx".into(), key: "1h7x-0".to_owned(), attempt: 3 };
            let journal = Journal::new(Voice::new("chatty".into()), whose);
            let bounds = CallBounds::from(&HostConfig::default());
            let mut state = CallState::new(bounds, journal, Vault::default());
            lines.into_iter().for_each(|line| state.write(log::Level::Info, line));
            state.journal.close();
        });
        let text = String::from_utf8(std::mem::take(&mut *buffer.0.lock())).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_is_one_line_and_says_whose_it_is() {
        let shown = logged(["hello\r\nERROR forged\u{1b}[31m".to_owned()]);
        assert_eq!(shown.len(), 1, "{shown:?}");
        for part in
            ["plugin=chatty", "backend=twilio-mx", "key=1h7x-0", "attempt=3", r"hello\r\nERROR forged"]
        {
            assert!(shown[0].contains(part), "{shown:?} lacks {part}");
        }
        assert!(!shown[0].contains('\u{1b}'));
    }

    #[test]
    fn lines_of_a_call_are_bounded_and_the_rest_is_counted() {
        let shown = logged((0..100_000).map(|number| format!("line {number}")));
        assert_eq!(shown.len(), LINES_MAX as usize + 1, "32 lines and a word on the rest");
        assert!(shown.last().unwrap().contains("dropped=99968"), "{shown:?}");
        let long = logged(["x".repeat(1 << 20)]);
        assert!(long[0].len() < LINE_BYTES_MAX + 200);
    }

    #[test]
    fn a_second_holds_so_many_lines() {
        let voice = Voice::new("chatty".into());
        let start = Instant::now();
        let admitted = (0..1000).filter(|_| voice.admits(start)).count();
        assert_eq!(admitted, LINES_PER_SECOND as usize);
        assert!(voice.admits(start + SECOND), "the next second starts anew");
    }
}
