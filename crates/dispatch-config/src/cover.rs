//! What is covered wherever the text of a file is shown.
//!
//! A secret never belongs into the file, but people write it there once. The line that a problem
//! points at must not carry it into a terminal, a log or an issue.

use std::ops::Range;

use crate::node::{Node, Value};

/// Parts of keys under which a value is taken for a secret.
const SECRET_WORDS: [&str; 7] = ["secret", "token", "password", "passwd", "apikey", "api_key", "auth"];

/// What a value is, by where it stands.
#[derive(Clone, Copy, PartialEq)]
enum Stand {
    /// Not a secret.
    Open,
    /// A table of secrets by name.
    Secrets,
    /// A secret: a string of it is one, a table says where it comes from.
    Secret,
    /// Where a secret comes from.
    Reference,
}

/// The bytes of values that stand where secrets do, sorted. `node` is one file's tree.
pub(crate) fn covered(node: &Node) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    walk(node, Stand::Open, &mut ranges);
    ranges.sort_by_key(|range| range.start);
    ranges
}

fn walk(node: &Node, stand: Stand, ranges: &mut Vec<Range<usize>>) {
    match &node.value {
        Value::Table(table) => {
            for entry in table.entries() {
                let stand = match (stand, &*entry.key) {
                    (Stand::Secret, "env" | "file") => Stand::Reference,
                    (Stand::Secret | Stand::Secrets, _) => Stand::Secret,
                    (_, "secrets") => Stand::Secrets,
                    (_, key) if is_secret_word(key) => Stand::Secret,
                    _ => Stand::Open,
                };
                walk(&entry.node, stand, ranges);
            }
        }
        Value::List(items) => items.iter().for_each(|item| walk(item, stand, ranges)),
        _ if matches!(stand, Stand::Secret | Stand::Secrets) => {
            ranges.push(node.origin.start as usize..node.origin.end as usize);
        }
        _ => {}
    }
}

/// What to cover in a text that is not TOML: on a line that speaks of secrets, all after the first `=`.
pub(crate) fn covered_roughly(text: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut ranges = Vec::new();
    for line in text.split_inclusive('\n') {
        let value = line.find('=').map_or(0, |equals| equals + 1);
        if is_secret_word(line) {
            ranges.push(at + value..at + line.len());
        }
        at += line.len();
    }
    ranges
}

fn is_secret_word(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word))
}
