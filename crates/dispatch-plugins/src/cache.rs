//! Compiled plugins, kept on disk between starts.
//!
//! An artefact is native code, and reading it back is believing it. So the folder belongs to us and to
//! nobody else (checked at start; otherwise the host goes without), a file is used only if it is ours too,
//! and its header must name exactly this plugin, this wasmtime and this configuration, with a checksum over
//! the rest. Anything else is compiled anew and replaced. Nothing is ever accepted from elsewhere: the key
//! is made here from the plugin's bytes.

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256, digest};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The version in Cargo.toml. The engine's own hash covers it as well; here it makes the key speak for itself.
pub(crate) const WASMTIME: &str = "48.0.8";
/// What an artefact of ours begins with; the digit counts this layout.
const MAGIC: &[u8; 8] = b"dispcwa1";
const SUFFIX: &str = "cwasm";
/// What a file that is still being written ends with; it begins with the writer's process id.
const ASIDE: &str = ".tmp";
/// Artefacts kept. Each is as large as the plugin, a few times over; the oldest goes first.
const FILES_MAX: usize = 64;
/// Bytes of one: the largest guests known compile to 50 MB.
const ARTEFACT_MAX: u64 = 512 << 20;

type Key = [u8; 32];

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("{} cannot be used", .0.display())]
    Io(PathBuf, #[source] io::Error),
    #[error("{} belongs to user {owner} and not to us ({us})", .path.display())]
    Owner { path: PathBuf, owner: u32, us: u32 },
    #[error("{} is open to others (mode {mode:03o}): chmod 700 it", .path.display())]
    Mode { path: PathBuf, mode: u32 },
}

/// Why an artefact is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stale {
    #[error("it is not a file of ours alone")]
    Foreign,
    #[error("it was made for something else")]
    Header,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("wasmtime refuses it")]
    Refused,
}

pub(crate) struct ArtefactCache {
    dir: PathBuf,
    /// wasmtime's version and everything of its configuration that shapes code.
    engine: Key,
}

impl ArtefactCache {
    /// Makes or takes over a folder.
    pub(crate) fn open(dir: &Path, engine: &Engine) -> Result<Self, CacheError> {
        let io = |error| CacheError::Io(dir.to_owned(), error);
        DirBuilder::new().mode(0o700).recursive(true).create(dir).map_err(io)?;
        let found = std::fs::symlink_metadata(dir).map_err(io)?;
        if !found.is_dir() {
            return Err(io(io::ErrorKind::NotADirectory.into()));
        }
        ours_alone(dir, found.uid(), rustix::process::geteuid().as_raw(), found.mode() & 0o777)?;
        let cache = Self { dir: dir.to_owned(), engine: engine_key(engine, WASMTIME) };
        cache.sweep(left_behind, 0);
        Ok(cache)
    }

    /// The artefact of a plugin, if there is one to believe.
    pub(crate) fn load(&self, engine: &Engine, wasm: &Key) -> Option<Component> {
        let key = self.key(wasm);
        let path = self.path(&key);
        match self.read(engine, &key, &path) {
            Ok(component) => component,
            Err(stale) => {
                tracing::warn!(path = %path.display(), reason = %stale, "plugin.artefact.stale");
                None
            }
        }
    }

    fn read(&self, engine: &Engine, key: &Key, path: &Path) -> Result<Option<Component>, Stale> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        let mut file = match options.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => return Err(Stale::Foreign),
        };
        let found = file.metadata().map_err(|_| Stale::Foreign)?;
        let ours = found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o077 == 0;
        if !found.is_file() || !ours || found.len() > ARTEFACT_MAX {
            return Err(Stale::Foreign);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0));
        file.read_to_end(&mut bytes).map_err(|_| Stale::Foreign)?;
        let rest = bytes.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(key)).ok_or(Stale::Header)?;
        let (sum, code) = rest.split_at_checked(SHA256.output_len()).ok_or(Stale::Header)?;
        if digest(&SHA256, code).as_ref() != sum {
            return Err(Stale::Checksum);
        }
        deserialize(engine, code).map(Some).map_err(|_| Stale::Refused)
    }

    /// Keeps an artefact. That it cannot be kept is no reason not to run the plugin.
    pub(crate) fn store(&self, wasm: &Key, component: &Component) {
        let key = self.key(wasm);
        if let Err(error) = self.write(&key, component) {
            tracing::warn!(path = %self.path(&key).display(), %error, "plugin.artefact.not_kept");
        }
        self.sweep(|name| name.ends_with(SUFFIX), FILES_MAX);
    }

    /// Written aside and renamed, so that no reader meets half a file. Not synced: after a power cut the
    /// checksum tells.
    fn write(&self, key: &Key, component: &Component) -> io::Result<()> {
        let code = component.serialize().map_err(|error| io::Error::other(error.to_string()))?;
        let mut file = tempfile::Builder::new()
            .prefix(&format!("{}-", std::process::id()))
            .suffix(ASIDE)
            .tempfile_in(&self.dir)?;
        write_all(file.as_file_mut(), key, &code)?;
        file.persist(self.path(key)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes the oldest files of a kind beyond `keep`.
    fn sweep(&self, kind: impl Fn(&str) -> bool, keep: usize) {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return };
        let mut files: Vec<_> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_str().is_some_and(&kind))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort();
        let surplus = files.len().saturating_sub(keep);
        for (_, path) in files.into_iter().take(surplus) {
            let _ = std::fs::remove_file(path);
        }
    }

    fn key(&self, wasm: &Key) -> Key {
        let mut context = Context::new(&SHA256);
        context.update(wasm);
        context.update(&self.engine);
        finish(context)
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.dir.join(format!("{}.{SUFFIX}", hex(key)))
    }
}

/// Whoever else could write into the folder could have us run native code of theirs; whoever else could read it could
/// at least watch.
fn ours_alone(dir: &Path, owner: u32, us: u32, mode: u32) -> Result<(), CacheError> {
    if owner != us {
        return Err(CacheError::Owner { path: dir.to_owned(), owner, us });
    }
    if mode & 0o077 != 0 {
        return Err(CacheError::Mode { path: dir.to_owned(), mode });
    }
    Ok(())
}

/// Whether a file was being written by a process that is gone.
fn left_behind(name: &str) -> bool {
    name.strip_suffix(ASIDE)
        .and_then(|rest| rest.split_once('-'))
        .and_then(|(writer, _)| writer.parse::<u32>().ok())
        .is_some_and(|writer| !Path::new("/proc").join(writer.to_string()).exists())
}

fn write_all(file: &mut File, key: &Key, code: &[u8]) -> io::Result<()> {
    file.write_all(MAGIC)?;
    file.write_all(key)?;
    file.write_all(digest(&SHA256, code).as_ref())?;
    file.write_all(code)
}

#[expect(
    unsafe_code,
    reason = "an artefact is native code; the caller has checked that the file is ours alone, that its header \
              names this plugin, wasmtime and configuration, and that its checksum is right"
)]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are those that `Component::serialize` gave us under the same key, see above.
    unsafe { Component::deserialize(engine, code) }
}

fn engine_key(engine: &Engine, version: &str) -> Key {
    struct Digester(Context);
    impl Hasher for Digester {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut digester = Digester(Context::new(&SHA256));
    digester.write(version.as_bytes());
    engine.precompile_compatibility_hash().hash(&mut digester);
    finish(digester.0)
}

fn finish(context: Context) -> Key {
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Bytes as hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of a plugin's bytes.
pub(crate) fn sha256(bytes: &[u8]) -> Key {
    digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests;
