//! A disk of its own in a file: mounted through a loop device, cut off, filled, remounted.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// What is put on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileSystem {
    Ext4,
    Xfs,
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        })
    }
}

impl FileSystem {
    /// The smallest that mkfs makes without complaint; the file has holes.
    pub(super) fn mebibytes(self) -> u64 {
        match self {
            Self::Ext4 => 128,
            Self::Xfs => 320,
        }
    }
}

/// Whether this machine lets us, by a trial; else why not.
pub(super) fn possible(kind: FileSystem) -> Result<(), String> {
    let tried = || -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let disk = Disk::make(folder.path(), &folder.path().join("disk"), kind, kind.mebibytes())?;
        disk.cut()?;
        disk.unmount()
    };
    tried().map_err(|error| format!("{error:#}"))
}

/// Whether this kernel lets an ext4 break down.
pub(super) fn can_break() -> Result<(), String> {
    possible(FileSystem::Ext4)?;
    let tried = || -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let disk = Disk::make(folder.path(), &folder.path().join("disk"), FileSystem::Ext4, 128)?;
        let trigger = disk.trigger()?;
        ensure!(trigger.is_file(), "there is no {}", trigger.display());
        Ok(())
    };
    tried().map_err(|error| format!("{error:#}"))
}

/// The disk. It is unmounted with the value.
pub(super) struct Disk {
    image: PathBuf,
    place: PathBuf,
}

impl Disk {
    /// Makes the image in `folder` and mounts it at `place`.
    pub(super) fn make(
        folder: &Path,
        place: &Path,
        kind: FileSystem,
        mebibytes: u64,
    ) -> anyhow::Result<Self> {
        let image = folder.join("disk.img");
        std::fs::File::create(&image)?.set_len(mebibytes << 20)?;
        let mut mkfs = Command::new(format!("mkfs.{kind}"));
        mkfs.arg("-q");
        if kind == FileSystem::Ext4 {
            // No blocks kept for root, which is who runs this.
            mkfs.args(["-m", "0"]);
        }
        quietly(mkfs.arg(&image))?;
        std::fs::create_dir_all(place)?;
        let disk = Self { image, place: place.to_owned() };
        disk.mount()?;
        Ok(disk)
    }

    pub(super) fn mount(&self) -> anyhow::Result<()> {
        quietly(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.place))
    }

    /// Shuts the file system down as a power cut would: its log is not flushed, and whatever was not
    /// synced is gone. `FS_IOC_SHUTDOWN` with `NOLOGFLUSH`; Python is at hand for the tests anyway, and
    /// an ioctl of our own would need unsafe code.
    pub(super) fn cut(&self) -> anyhow::Result<()> {
        let script = "import fcntl, os, struct, sys\n\
                      fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";
        quietly(Command::new("python3").args(["-c", script]).arg(&self.place))
    }

    /// Everything that is on it so far, durable.
    pub(super) fn sync(&self) -> anyhow::Result<()> {
        quietly(Command::new("sync").arg("-f").arg(&self.place))
    }

    pub(super) fn unmount(&self) -> anyhow::Result<()> {
        quietly(Command::new("umount").arg(&self.place))
    }

    /// Has ext4 find an error in itself: it gives up its journal at once, and turns read-only some milliseconds later.
    /// In between a sync may say that it is done, and is not.
    pub(super) fn break_down(&self) -> anyhow::Result<()> {
        quietly(Command::new("mount").args(["-o", "remount,errors=remount-ro"]).arg(&self.place))?;
        let trigger = self.trigger()?;
        std::fs::write(&trigger, "1").with_context(|| format!("writing {}", trigger.display()))
    }

    fn trigger(&self) -> anyhow::Result<PathBuf> {
        let device = std::fs::metadata(&self.place)?.dev();
        let minor = (device & 0xff) | ((device >> 12) & 0xfff00);
        Ok(PathBuf::from(format!("/sys/fs/ext4/loop{minor}/trigger_fs_error")))
    }

    /// Repairs what an error left, and mounts it again.
    pub(super) fn repair(&self) -> anyhow::Result<()> {
        self.unmount()?;
        // 1 says: errors were corrected.
        let code =
            Command::new("e2fsck").args(["-p", "-f"]).arg(&self.image).stdout(Stdio::null()).status()?.code();
        ensure!(matches!(code, Some(0 | 1)), "e2fsck left with {code:?}");
        self.mount()
    }

    /// Lets nothing be written to these files any more, or lets it again; whoever has them open is not spared.
    pub(super) fn freeze(&self, names: &[&str], frozen: bool) -> anyhow::Result<()> {
        let files = names.iter().map(|name| self.place.join(name));
        quietly(Command::new("chattr").arg(if frozen { "+i" } else { "-i" }).args(files))
    }

    /// Takes all the room there is; the file that does so.
    pub(super) fn fill(&self) -> anyhow::Result<PathBuf> {
        let path = self.place.join("filler");
        let mut file = std::fs::File::create(&path)?;
        let mut piece = 1 << 20;
        while piece > 0 {
            match std::io::Write::write_all(&mut file, &vec![0x55; piece]) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => piece /= 16,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever still holds a file of it is on its way out. It may be unmounted already.
        let _ = quietly(Command::new("umount").arg("-l").arg(&self.place));
    }
}

fn quietly(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {}", said.trim());
    Ok(())
}
