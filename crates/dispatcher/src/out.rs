//! Writes to standard output: data, and nothing else; talk goes to standard error.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::exit::Failure;

/// Lines of data. Words of providers and senders stand in them: control characters, and marks that turn the writing
/// round, are shown and not obeyed. A reader that has gone away (`| head`) is no failure.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    write(&harmless(text, |c| c.escape_default().to_string()))
}

/// A value as JSON, indented. JSON itself lets DEL and the controls above it stand in strings as they are.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Refused(error.to_string()))?;
    write(&harmless(&text, json_escape))
}

fn write(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Lines without control characters: `escape` shows them as the format of the text does.
fn harmless(text: &str, escape: impl Fn(char) -> String) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && (c.is_control() || turns(c)) {
            safe.push_str(&escape(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Separators of lines, and what shows the letters after it in another order.
fn turns(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// All of them are in the basic plane.
fn json_escape(c: char) -> String {
    format!("\\u{:04x}", u32::from(c))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_shown_and_json_stays_json() {
        let nasty = "a\u{1b}[31m\u{7f}\u{9b}\r\né\\\"";
        let shown = harmless(nasty, |c| c.escape_default().to_string());
        assert_eq!(shown, "a\\u{1b}[31m\\u{7f}\\u{9b}\\r\né\\\"");
        let text = harmless(&serde_json::to_string_pretty(&[nasty]).expect("JSON"), json_escape);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&text).expect("JSON"), [nasty]);
    }

    #[test]
    fn words_of_others_move_no_cursor_and_turn_nothing_round() {
        let said = "no such user\u{1b}[2J\u{1b}]0;title\u{7}\r\u{8}\u{9b}31m \u{202e}dereviled\u{2028}ok";
        let shown = harmless(said, |c| c.escape_default().to_string());
        assert!(!shown.chars().any(|c| c.is_control() || turns(c)), "{shown:?}");
        assert!(
            shown.starts_with("no such user\\u{1b}[2J") && shown.contains("\\u{202e}dereviled"),
            "{shown}"
        );
        assert_eq!(harmless("two\nlines, ñ, 👍🏽, عربي", |_| String::new()), "two\nlines, ñ, 👍🏽, عربي");
    }
}
