//! Where each value was written, for problems that others find.

use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::node::{Node, Origin, Value};
use crate::origins::Origins;

/// Where each value was written. It lives beside the configuration, so that whoever finds a problem
/// later (a plugin that refuses its settings) can name it by path and have it shown with its line.
#[derive(Debug)]
pub struct Document {
    pub(crate) root: Node,
    pub(crate) origins: Origins,
}

impl Document {
    /// An error with the value at a path (`backends.twilio-mx.settings.from`, `sources[0].keys[1]`). If
    /// nothing stands there, the nearest table around it is shown.
    pub fn diagnostic(&self, path: &str, message: impl Into<String>, hint: Option<String>) -> Diagnostic {
        self.problem(Severity::Error, path, message.into(), hint)
    }

    /// A warning about the value at a path.
    pub fn warning(&self, path: &str, message: impl Into<String>, hint: Option<String>) -> Diagnostic {
        self.problem(Severity::Warning, path, message.into(), hint)
    }

    /// Where the value at a path was written; none if nothing is written there or around it.
    pub fn place(&self, path: &str) -> Option<Place> {
        find(&self.root, path).map(|origin| self.origins.place(origin))
    }

    fn problem(&self, severity: Severity, path: &str, message: String, hint: Option<String>) -> Diagnostic {
        Diagnostic { severity, path: path.to_owned(), message, place: self.place(path), hint }
    }
}

/// The origin of a path, or of the nearest thing around it.
pub(crate) fn find(root: &Node, path: &str) -> Option<Origin> {
    let (mut node, mut nearest, mut rest) = (root, None, path);
    while !rest.is_empty() {
        match step(node, rest) {
            Some((below, origin, after)) => {
                (node, rest) = (below, after);
                // A table is shown by its key, since it may be many lines; a value is shown itself.
                nearest = Some(if rest.is_empty() && node.table().is_none() { node.origin } else { origin });
            }
            None => break,
        }
    }
    nearest
}

/// The value at a path.
pub(crate) fn at<'n>(root: &'n Node, path: &str) -> Option<&'n Node> {
    let (mut node, mut rest) = (root, path);
    while !rest.is_empty() {
        (node, _, rest) = step(node, rest)?;
    }
    Some(node)
}

/// One segment down: the value there, where it is named, and the rest of the path.
fn step<'n, 'p>(node: &'n Node, path: &'p str) -> Option<(&'n Node, Origin, &'p str)> {
    match &node.value {
        Value::List(items) => {
            let (number, rest) = path.strip_prefix('[')?.split_once(']')?;
            let item = items.get(number.parse::<usize>().ok()?)?;
            Some((item, item.origin, rest.strip_prefix('.').unwrap_or(rest)))
        }
        Value::Table(table) => {
            // A key may have dots itself, so the first dot is not always its end.
            let ends = path.match_indices(['.', '[']).map(|(at, _)| at).chain([path.len()]);
            for end in ends {
                if let Some(entry) = table.get(&path[..end]) {
                    let rest = &path[end..];
                    return Some((&entry.node, entry.key_origin, rest.strip_prefix('.').unwrap_or(rest)));
                }
            }
            None
        }
        _ => None,
    }
}
