//! A preloaded library between the daemon and the C library: kills at a sync, syncs that fail or
//! are only pretended, a clock that jumps, names that do not resolve.
//!
//! So a failpoint needs no code in dispatcher, and the program under torture is the program that
//! people run.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// What the page says, word by word. The order is that of `shim/torture.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Seconds added to the wall clock.
    Clock = 0,
    /// How syncs end: see [`SYNC_REAL`], [`SYNC_PRETENDED`], [`SYNC_FAILS`].
    Sync = 1,
    /// The process is killed as it asks for the sync after so many; none when 0.
    KillBefore = 2,
    /// The same, once that sync is done.
    KillAfter = 3,
    /// Not 0: no name resolves.
    Names = 4,
    /// Syncs so far, counted by the library.
    Syncs = 5,
}

/// Syncs are what they are.
pub const SYNC_REAL: i64 = 0;
/// Syncs say that they are done, and do nothing.
pub const SYNC_PRETENDED: i64 = 1;
/// Syncs fail with EIO.
pub const SYNC_FAILS: i64 = 2;

/// The compiled library and the page of one daemon.
pub struct Shim {
    library: PathBuf,
    page: PathBuf,
    file: File,
}

impl Shim {
    /// Compiles it into this folder, where it also keeps the page.
    pub fn build(folder: &Path) -> anyhow::Result<Self> {
        let library = folder.join("torture.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("shim/torture.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
        let status =
            compiler.status().context("a C compiler is needed (Debian: apt-get install gcc libc6-dev)")?;
        ensure!(status.success(), "compiling {} failed with {status}", source.display());
        let page = folder.join("torture.page");
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(true).open(&page)?;
        file.set_len(4096)?;
        Ok(Self { library, page, file })
    }

    /// What the daemon's environment needs.
    pub fn env(&self) -> [(&'static str, String); 2] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("TORTURE_CONTROL", self.page.display().to_string()),
        ]
    }

    /// Says a word; it holds from the daemon's next call on.
    pub fn set(&self, word: Word, value: i64) -> anyhow::Result<()> {
        self.file.write_all_at(&value.to_ne_bytes(), word as u64 * 8).context("writing the shim's page")
    }

    /// What stands there.
    pub fn get(&self, word: Word) -> anyhow::Result<i64> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, word as u64 * 8).context("reading the shim's page")?;
        Ok(i64::from_ne_bytes(bytes))
    }
}
