//! The layers: embedded defaults, files with what they include, the environment, the command line.
//!
//! ```text
//! reference.toml < config.toml + its includes < overlay.toml + its includes < environment < flags
//! ```
//!
//! A later layer lays its values over an earlier one's: tables merge; lists and secrets are replaced
//! as a whole, since half a list of routes or half a secret is never meant. A file and what it includes
//! are *one* layer, though: their lists of tables are joined (each file of `routes.d` brings its
//! routes), and a value that stands in two of them is an error, since the order of included files
//! should not matter.

use std::path::{Path, PathBuf};

use crate::cover::{covered, covered_roughly};
use crate::environment;
use crate::node::{Entry, Node, Origin, Table, Value};
use crate::origins::{FileText, Layer, Origins};
use crate::parse::parse;
use crate::problems::Problems;
use crate::section::ROOT;
use crate::shape::Shape;
use crate::{Diagnostic, Inputs, Severity, glob};

/// Files, included ones counted. More is a mistake in a pattern.
const FILES_MAX: usize = 1000;

/// Bytes of one file: origins are 32 bits wide, and half of that is ample.
const FILE_BYTES_MAX: u64 = 1 << 31;

/// The defaults, and at once the reference that people read.
pub(crate) const REFERENCE: &str = include_str!("../../../config/reference.toml");

/// The name under which the embedded defaults appear in messages.
const REFERENCE_NAME: &str = "reference.toml (built in)";

/// The number of their layer.
const BUILT_IN: u16 = 0;

/// All layers as one tree.
pub(crate) struct Layered {
    pub(crate) root: Node,
    pub(crate) origins: Origins,
    /// Whether some file could not be read at all, so that what is missing means nothing.
    pub(crate) incomplete: bool,
    /// The folders of include patterns: a new file there is a change.
    pub(crate) include_folders: Vec<PathBuf>,
}

/// Reads and merges all layers.
pub(crate) fn read(inputs: &Inputs, problems: &mut Problems) -> Layered {
    let mut reading =
        Reading { origins: Origins::default(), problems, incomplete: false, include_folders: Vec::new() };
    let mut root = reading.text(PathBuf::from(REFERENCE_NAME), REFERENCE.to_owned(), true);
    for path in &inputs.files {
        if let Some(node) = reading.file_with_includes(path) {
            merge(&mut root, node, &ROOT);
        }
    }
    let Reading { mut origins, incomplete, include_folders, .. } = reading;
    environment::lay_over(&mut root, inputs, &mut origins, problems);
    Layered { root, origins, incomplete, include_folders }
}

struct Reading<'a> {
    origins: Origins,
    problems: &'a mut Problems,
    incomplete: bool,
    include_folders: Vec<PathBuf>,
}

impl Reading<'_> {
    fn file_with_includes(&mut self, path: &Path) -> Option<Node> {
        let mut whole = self.file(path, None)?;
        let include = match &mut whole.value {
            Value::Table(table) => table.remove("include"),
            _ => None,
        };
        for (pattern, origin) in include.iter().flat_map(|entry| patterns(&entry.node)) {
            let resolved = self.origins.resolve(origin, &pattern);
            let Some(matches) = glob::files(&resolved) else {
                let hint = "`*` may stand in the last part of the path, and its folder must exist".to_owned();
                self.fail("include", origin, format!("cannot look for {}", resolved.display()), Some(hint));
                continue;
            };
            self.include_folders.extend(resolved.parent().map(Path::to_owned));
            if matches.is_empty() && !glob::is_pattern(&resolved) {
                self.fail("include", origin, format!("there is no file {}", resolved.display()), None);
            }
            for file in matches {
                let Some(part) = self.file(&file, Some(origin)) else { continue };
                if let Some(nested) = part.entry("include") {
                    let hint = "list all files in the file that is given to the daemon".to_owned();
                    self.fail(
                        "include",
                        nested.key_origin,
                        "an included file cannot include others".to_owned(),
                        Some(hint),
                    );
                }
                self.combine(&mut whole, part, &ROOT, String::new());
            }
        }
        // Left in the tree, so that its shape is checked with all else.
        if let (Some(entry), Value::Table(table)) = (include, &mut whole.value)
            && let Err(at) = table.position("include")
        {
            table.insert_at(at, entry);
        }
        Some(whole)
    }

    fn file(&mut self, path: &Path, included_at: Option<Origin>) -> Option<Node> {
        if self.origins.len() > FILES_MAX {
            self.unread(path, included_at, format!("more than {FILES_MAX} files are included"));
            return None;
        }
        let text = std::fs::metadata(path).and_then(|metadata| {
            if metadata.len() > FILE_BYTES_MAX {
                return Err(std::io::Error::other("the file is too large"));
            }
            std::fs::read(path)
        });
        let text = text.and_then(|bytes| {
            String::from_utf8(bytes).map_err(|error| {
                std::io::Error::other(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to() + 1))
            })
        });
        match text {
            Ok(text) => Some(self.text(path.to_owned(), text, false)),
            Err(error) => {
                self.unread(path, included_at, format!("cannot read {}: {error}", path.display()));
                None
            }
        }
    }

    fn text(&mut self, path: PathBuf, text: String, embedded: bool) -> Node {
        let mut file = FileText::new(path, text, embedded);
        let number = self.origins.len() as u16;
        let (node, error) = parse(&file.text, number);
        file.covered = covered(&node);
        if error.is_some() {
            file.covered.extend(covered_roughly(&file.text));
            file.covered.sort_by_key(|range| range.start);
        }
        self.origins.add(Layer::File(file));
        if let Some(error) = error {
            self.incomplete = true;
            let origin = Origin {
                layer: number,
                start: error.span.start as u32,
                end: error.span.end.max(error.span.start + 1) as u32,
            };
            let hint = syntax_hint(&error.message);
            self.fail("", origin, format!("this is not TOML: {}", error.message), hint);
            // Half a file would only give rise to more problems that are none.
            return empty_table(node.origin);
        }
        node
    }

    fn unread(&mut self, path: &Path, included_at: Option<Origin>, message: String) {
        self.incomplete = true;
        match included_at {
            Some(origin) => self.fail("include", origin, message, None),
            None => {
                let hint = Some(format!("give another file with --config, or make {}", path.display()));
                let severity = Severity::Error;
                self.problems.add(Diagnostic { severity, path: String::new(), message, place: None, hint });
            }
        }
    }

    fn fail(&mut self, path: &str, origin: Origin, message: String, hint: Option<String>) {
        self.problems.error(&self.origins, path, origin, message, hint);
    }

    /// Puts a file and one that it includes together.
    fn combine(&mut self, base: &mut Node, part: Node, shape: &Shape, path: String) {
        let origin = part.origin;
        match (&mut base.value, part.value) {
            (Value::Table(table), Value::Table(part)) if !matches!(shape, Shape::Secret) => {
                let joined = std::mem::take(table).join(part, |mut entry, second| {
                    let path =
                        if path.is_empty() { entry.key.to_string() } else { format!("{path}.{}", entry.key) };
                    match shape.of_key(&entry.key) {
                        _ if &*entry.key == "include" => {}
                        Some(shape) => self.combine(&mut entry.node, second.node, shape, path),
                        None => self.twice(second.key_origin, &path),
                    }
                    entry
                });
                *table = joined;
            }
            (Value::List(items), Value::List(more)) if matches!(shape, Shape::List(Shape::Table(_))) => {
                items.extend(more)
            }
            _ => self.twice(origin, &path),
        }
    }

    fn twice(&mut self, origin: Origin, path: &str) {
        let hint =
            "a file and those it includes are one; to lay a value over another, give a second --config"
                .to_owned();
        self.fail(path, origin, format!("{path} is already set in another of these files"), Some(hint));
    }
}

fn patterns(node: &Node) -> Vec<(String, Origin)> {
    node.one_or_many()
        .iter()
        .filter_map(|item| item.text().map(|text| (text.to_owned(), item.origin)))
        .collect()
}

/// Lays a later layer over an earlier one.
pub(crate) fn merge(base: &mut Node, over: Node, shape: &Shape) {
    match (&mut base.value, over.value) {
        // An empty table in a later file is still a table to be merged: it changes nothing.
        (Value::Table(table), Value::Table(over)) if !matches!(shape, Shape::Secret) => {
            *table = std::mem::take(table).join(over, |mut entry, over| {
                match shape.of_key(&entry.key) {
                    Some(shape) => merge(&mut entry.node, over.node, shape),
                    None => merge(&mut entry.node, over.node, &Shape::Settings),
                }
                // A value is shown where it was last written; a table where it was first, since that is the one
                // with most in it. The built-in defaults come before all others and are nobody's.
                let first = entry.node.table().is_some() && entry.key_origin.layer != BUILT_IN;
                let key_origin = if first { entry.key_origin } else { over.key_origin };
                Entry { key_origin, ..entry }
            });
        }
        (base_value, over_value) => {
            *base_value = over_value;
            base.origin = over.origin;
        }
    }
}

/// A table without entries, for what a layer sets where nothing was.
pub(crate) fn empty_table(origin: Origin) -> Node {
    Node { origin, value: Value::Table(Table::default()) }
}

fn syntax_hint(message: &str) -> Option<String> {
    let hint = match message {
        _ if message.contains("duplicate key") => {
            "each key and each [table] stands once; put what belongs together into one"
        }
        _ if ["string values must be quoted", "invalid float", "invalid integer", "expected nothing"]
            .iter()
            .any(|words| message.contains(words)) =>
        {
            "put the text in double quotes"
        }
        _ if message.contains("invalid basic string")
            || message.contains("invalid multi-line basic string") =>
        {
            "a text begins and ends with `\"` in one line; inside, write `\\\"` and `\\\\`"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}
