//! Copies the store while work goes on.
//!
//! `VACUUM INTO` reads one consistent state and writes a whole, compact database. It is written under
//! another name, synced, and only then given its own: a file that bears the name is whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::connection::open_reader;
use crate::StoreError;

pub(super) fn write(store: &Path, to: &Path) -> Result<u64, StoreError> {
    if to.symlink_metadata().is_ok() {
        return Err(StoreError::Invalid { detail: format!("{} exists: give another name", to.display()) });
    }
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    let partial = PathBuf::from(name);
    let written = copy(store, &partial).and_then(|size| {
        // A link and not a rename: it fails where the name was taken meanwhile.
        fs::hard_link(&partial, to).map_err(|error| failed(to, &error))?;
        Ok(size)
    });
    let _ = fs::remove_file(&partial);
    let size = written?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, &error))?;
    Ok(size)
}

fn copy(store: &Path, partial: &Path) -> Result<u64, StoreError> {
    // What an earlier backup left when it was killed.
    let _ = fs::remove_file(partial);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(partial)
        .map_err(|error| failed(partial, &error))?;
    let reader = open_reader(store).map_err(|error| StoreError::Unavailable { detail: error.to_string() })?;
    let Some(path) = partial.to_str() else {
        return Err(StoreError::Invalid { detail: format!("{} is not UTF-8", partial.display()) });
    };
    reader.execute("VACUUM INTO ?1", [path]).map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full { detail: format!("no room for {path}") },
        _ => StoreError::Unavailable { detail: format!("{path}: {error}") },
    })?;
    file.sync_all()
        .and_then(|()| file.metadata())
        .map(|data| data.len())
        .map_err(|error| failed(partial, &error))
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    let detail = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull => StoreError::Full { detail },
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            StoreError::Invalid { detail }
        }
        _ => StoreError::Unavailable { detail },
    }
}
