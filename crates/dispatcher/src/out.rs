//! Writes to standard output: data, and nothing else; talk goes to standard error.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::exit::Failure;

/// Lines of data. Words of providers and senders stand in them: control characters are shown and
/// not obeyed. A reader that has gone away (`| head`) is no failure.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", harmless(text)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A value as JSON, indented.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Refused(error.to_string()))?;
    line(&text)
}

/// A line of talk.
pub(crate) fn talk(text: &str) {
    // Nobody reads it: nothing to be done about that.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Columns, aligned, the first row as their heads.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_header(head);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
