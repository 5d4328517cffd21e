//! The compilers: where they are found, and what to install where they are not.

pub(crate) mod javascript;
pub(crate) mod python;
pub(crate) mod rust;

use std::process::{Command, Stdio};

use crate::AuthorError;

/// What a program prints.
pub(crate) fn output(command: &mut Command) -> Result<String, AuthorError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command
        .stderr(Stdio::null())
        .output()
        .map_err(|error| AuthorError::Missing(format!("{program}: {error}")))?;
    if !done.status.success() {
        return Err(AuthorError::Failed(program));
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

/// Runs a program on the terminal; `missing` says what to install where it is not there. What it prints is talk, and
/// goes to standard error.
pub(crate) fn run(command: &mut Command, missing: &str) -> Result<(), AuthorError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .map_err(|error| AuthorError::Missing(format!("{program}: {error}: {missing}")))?;
    if status.success() { Ok(()) } else { Err(AuthorError::Failed(program)) }
}
