//! Where fetched attachments lie while they are needed: small ones in memory, large ones in files that go with
//! their last holder. All of them together are bounded, and what a crash left behind is removed at start.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use dispatch_engine::{SpoolContent, SpoolFile};
use tokio::io::AsyncWriteExt as _;

/// Up to this an attachment stays in memory: most pictures sent by phone, and not worth a file.
pub(crate) const MEMORY_MAX: usize = 256 * 1024;
/// The end of our files' names, so that cleaning up touches no others.
const SUFFIX: &str = ".spool";

/// The folder and what is in use of it.
pub(crate) struct Spool {
    dir: PathBuf,
    max: u64,
    used: AtomicU64,
}

impl Spool {
    /// Makes the folder if need be and removes what an earlier process left there.
    pub(crate) fn open(dir: &Path, max: u64) -> io::Result<Arc<Self>> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(SUFFIX) {
                fs::remove_file(path)?;
            }
        }
        Ok(Arc::new(Self { dir: dir.to_owned(), max, used: AtomicU64::new(0) }))
    }

    /// Begins an attachment.
    pub(crate) fn begin(self: &Arc<Self>) -> Incoming {
        Incoming { share: Share { spool: Arc::clone(self), bytes: 0 }, memory: BytesMut::new(), file: None }
    }

    /// Bytes in use.
    #[cfg(test)]
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// What one attachment uses of the spool; given back when dropped.
struct Share {
    spool: Arc<Spool>,
    bytes: u64,
}

impl Share {
    fn grow(&mut self, bytes: u64) -> io::Result<()> {
        let used = &self.spool.used;
        if used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > self.spool.max {
            used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the spool of attachments is full"));
        }
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.spool.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// An attachment being written.
pub(crate) struct Incoming {
    share: Share,
    memory: BytesMut,
    file: Option<(tokio::fs::File, OnDisk)>,
}

impl Incoming {
    /// Bytes so far.
    pub(crate) fn size(&self) -> u64 {
        self.share.bytes
    }

    pub(crate) async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.share.grow(chunk.len() as u64)?;
        if self.file.is_none() && self.memory.len() + chunk.len() > MEMORY_MAX {
            let (file, on_disk) = create(&self.share.spool.dir)?;
            let mut file = tokio::fs::File::from_std(file);
            file.write_all(&std::mem::take(&mut self.memory)).await?;
            self.file = Some((file, on_disk));
        }
        match &mut self.file {
            Some((file, _)) => file.write_all(chunk).await,
            None => {
                self.memory.extend_from_slice(chunk);
                Ok(())
            }
        }
    }

    pub(crate) async fn finish(self) -> io::Result<SpoolContent> {
        Ok(match self.file {
            Some((mut file, mut on_disk)) => {
                file.flush().await?;
                on_disk.share = Some(self.share);
                SpoolContent::File(Box::new(on_disk))
            }
            None => {
                SpoolContent::Memory(Bytes::from_owner(InMemory { bytes: self.memory, _share: self.share }))
            }
        })
    }
}

/// Bytes in memory that count as spool while they are held.
struct InMemory {
    bytes: BytesMut,
    _share: Share,
}

impl AsRef<[u8]> for InMemory {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A file that is removed when dropped.
struct OnDisk {
    path: PathBuf,
    share: Option<Share>,
}

impl SpoolFile for OnDisk {
    fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "a spool file could not be removed");
        }
    }
}

/// A new file that nobody else can read. The name is random only so that none is met twice.
fn create(dir: &Path) -> io::Result<(File, OnDisk)> {
    let path = dir.join(format!("{:032x}{SUFFIX}", rand::random::<u128>()));
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    Ok((file, OnDisk { path, share: None }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;

    fn files(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[tokio::test]
    async fn small_ones_stay_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path(), 1 << 20).unwrap();
        let mut incoming = spool.begin();
        incoming.write(b"hello").await.unwrap();
        let SpoolContent::Memory(bytes) = incoming.finish().await.unwrap() else { panic!("in a file") };
        assert_eq!((&bytes[..], spool.used(), files(dir.path())), (&b"hello"[..], 5, 0));
        let part = bytes.slice(1..2);
        drop(bytes);
        assert_eq!(spool.used(), 5, "still held by a part of it");
        drop(part);
        assert_eq!(spool.used(), 0);
    }

    #[tokio::test]
    async fn large_ones_go_to_a_private_file_that_goes_with_them() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path(), 1 << 20).unwrap();
        let mut incoming = spool.begin();
        for _ in 0..5 {
            incoming.write(&[7; 100_000]).await.unwrap();
        }
        let SpoolContent::File(file) = incoming.finish().await.unwrap() else { panic!("in memory") };
        let mut read = Vec::new();
        file.open().unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, vec![7; 500_000]);
        let mode = file.open().unwrap().metadata().unwrap().permissions().mode();
        assert_eq!((mode & 0o777, files(dir.path()), spool.used()), (0o600, 1, 500_000));
        drop(file);
        assert_eq!((files(dir.path()), spool.used()), (0, 0));
    }

    #[tokio::test]
    async fn is_bounded_and_frees_what_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path(), 400_000).unwrap();
        let mut incoming = spool.begin();
        incoming.write(&[1; 300_000]).await.unwrap();
        let error = incoming.write(&[1; 200_000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        drop(incoming);
        assert_eq!((files(dir.path()), spool.used()), (0, 0));
    }

    #[test]
    fn start_removes_leftovers_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("1f.spool"), "left").unwrap();
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        Spool::open(dir.path(), 1).unwrap();
        assert!(dir.path().join("notes.txt").exists());
        assert_eq!(files(dir.path()), 1);
    }
}
