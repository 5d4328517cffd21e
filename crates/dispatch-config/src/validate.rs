//! Whether a tree has the shape that the file should have: all that is wrong, in one walk.

use crate::kind::Kind;
use crate::node::{Entry, Node, Origin, Table, Value};
use crate::origins::Origins;
use crate::problems::Problems;
use crate::section::ROOT;
use crate::shape::{Field, SECRET, Shape, WEIGHTED};
use crate::suggestion::nearest;

/// Walks a tree.
pub(crate) struct Validation<'a> {
    pub(crate) origins: &'a Origins,
    pub(crate) problems: &'a mut Problems,
    /// The path of the value being looked at.
    pub(crate) path: String,
}

impl Validation<'_> {
    /// Checks a value against its shape. `at` is where a missing key is reported: the key or header
    /// that the value belongs to.
    pub(crate) fn value(&mut self, node: &Node, at: Origin, shape: &'static Shape) {
        match shape {
            Shape::Text(kind) => self.text(node, *kind),
            Shape::Integer { min, max } => self.integer(node, *min, *max),
            Shape::Number { min, max } => self.number(node, *min, *max),
            Shape::Flag => {
                let loose = self.loose(node).is_some_and(|text| matches!(text, "true" | "false"));
                if !loose && !matches!(node.value, Value::Flag(_)) {
                    self.wrong_type(node, "true or false", Some("write true or false, without quotes"));
                }
            }
            Shape::OneOrMany(item) => match &node.value {
                Value::List(items) if items.is_empty() => {
                    self.report(
                        node.origin,
                        "the list is empty".to_owned(),
                        Some("write one value or several, or leave the key out"),
                    );
                }
                _ => self.items(node, node.one_or_many(), at, item),
            },
            Shape::List(item) => match &node.value {
                Value::List(items) => self.items(node, items, at, item),
                _ => self.not_a_list(node, item),
            },
            Shape::Secret => self.secret(node, at),
            Shape::Table(fields) => match &node.value {
                Value::Table(table) => self.fields(table, at, fields),
                _ => self.wrong_type(node, "a table", None),
            },
            Shape::Map { keys, of } => match &node.value {
                Value::Table(table) => self.map(table, *keys, of),
                _ => self.wrong_type(node, "a table", None),
            },
            Shape::Deliver => self.deliver(node, at),
            Shape::Settings => self.settings(node),
        }
    }

    /// Goes down to a key.
    fn below(&mut self, segment: &str, check: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if !self.path.is_empty() && !segment.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(segment);
        check(self);
        self.path.truncate(length);
    }

    fn items(&mut self, parent: &Node, items: &[Node], at: Origin, shape: &'static Shape) {
        let listed = parent.list().is_some();
        for (index, item) in items.iter().enumerate() {
            if listed {
                self.below(&format!("[{index}]"), |this| this.value(item, item.origin, shape));
            } else {
                self.value(item, at, shape);
            }
        }
    }

    fn fields(&mut self, table: &Table, at: Origin, fields: &'static [Field]) {
        for entry in table.in_written_order() {
            match fields.iter().find(|field| field.name == &*entry.key) {
                Some(field) => self.entry(entry, &field.shape),
                None => self.unknown_key(entry, fields.iter().map(|field| field.name)),
            }
        }
        for field in fields.iter().filter(|field| field.required && table.get(field.name).is_none()) {
            let hint = format!("add `{} = …`: {}", field.name, lower_first(field.doc));
            let message = format!("{} needs `{}`", self.subject(), field.name);
            self.below(field.name, |this| this.report(at, message, Some(&hint)));
        }
    }

    fn map(&mut self, table: &Table, keys: Kind, of: &'static Shape) {
        for entry in table.in_written_order() {
            if let Err(misfit) = keys.check(&entry.key) {
                let hint = misfit.hint;
                self.below(&entry.key, |this| this.report(entry.key_origin, misfit.message, hint.as_deref()));
            }
            self.entry(entry, of);
        }
    }

    fn entry(&mut self, entry: &Entry, shape: &'static Shape) {
        self.below(&entry.key, |this| this.value(&entry.node, entry.key_origin, shape));
    }

    fn unknown_key<'k>(&mut self, entry: &Entry, known: impl Iterator<Item = &'k str> + Clone) {
        let elsewhere = if self.path.is_empty() { section_of(&entry.key) } else { None };
        let hint = match (elsewhere, nearest(&entry.key, known.clone())) {
            (Some(section), _) => format!("`{}` belongs under [{section}]", entry.key),
            (None, Some(key)) => format!("did you mean `{key}`?"),
            (None, None) => {
                let keys: Vec<String> = known.map(|key| format!("`{key}`")).collect();
                format!("keys here are {}", keys.join(", "))
            }
        };
        let message = match self.path.as_str() {
            "" => format!("unknown key `{}`", entry.key),
            path => format!("unknown key `{}` in {path}", entry.key),
        };
        self.below(&entry.key, |this| this.report(entry.key_origin, message, Some(&hint)));
    }

    fn text(&mut self, node: &Node, kind: Kind) {
        let Value::Text(text) = &node.value else {
            let hint = match (kind, &node.value) {
                (Kind::Size, Value::Integer(count)) => {
                    Some(format!("write \"{count} B\", or with KiB, MiB or GiB"))
                }
                (Kind::Span, Value::Integer(count)) => {
                    Some(format!("write \"{count}s\" if seconds are meant"))
                }
                (Kind::Rate, Value::Integer(count)) => {
                    Some(format!("write \"{count}/s\" if a second is meant"))
                }
                (_, Value::Integer(_) | Value::Float(_) | Value::Date | Value::Flag(_)) => {
                    Some("put it in quotes".to_owned())
                }
                _ => None,
            };
            return self.wrong_type(node, kind.expects(), hint.as_deref());
        };
        if let Err(misfit) = kind.check(text) {
            self.report(node.origin, misfit.message, misfit.hint.as_deref());
        }
    }

    fn integer(&mut self, node: &Node, min: i64, max: i64) {
        let number = match (&node.value, self.loose(node)) {
            (Value::Integer(number), _) => Some(*number),
            (_, Some(text)) => text.parse().ok(),
            _ => None,
        };
        match number {
            None => self.wrong_type(
                node,
                "a whole number",
                Some("write it without quotes and without a fraction"),
            ),
            Some(number) if number < min => self.report(
                node.origin,
                format!("{number} is too little"),
                Some(&format!("{min} is the least")),
            ),
            Some(number) if number > max => {
                self.report(node.origin, format!("{number} is too much"), Some(&format!("{max} is the most")))
            }
            Some(_) => {}
        }
    }

    fn number(&mut self, node: &Node, min: f64, max: f64) {
        let number = match (&node.value, self.loose(node)) {
            (Value::Integer(number), _) => Some(*number as f64),
            (Value::Float(number), _) => Some(*number),
            (_, Some(text)) => text.parse().ok(),
            _ => None,
        };
        match number {
            None => self.wrong_type(node, "a number", Some("write it without quotes")),
            Some(number) if !(min..=max).contains(&number) => {
                self.report(
                    node.origin,
                    format!("{number} is out of range"),
                    Some(&format!("write a number from {min} to {max}")),
                );
            }
            Some(_) => {}
        }
    }

    /// A secret says where it is, never what it is; what stands here instead is not repeated.
    fn secret(&mut self, node: &Node, at: Origin) {
        let Value::Table(table) = &node.value else {
            let hint =
                "write { env = \"NAME\" } or { file = \"PATH\" }, and change the secret if others saw it";
            return self.report(
                node.origin,
                "the value of a secret must not stand here".to_owned(),
                Some(hint),
            );
        };
        self.fields(table, at, SECRET);
        let hint = "write { env = \"NAME\" } or { file = \"PATH\" }";
        match (table.get("env"), table.get("file")) {
            (None, None) => self.report(at, "a secret needs `env` or `file`".to_owned(), Some(hint)),
            (Some(_), Some(file)) => {
                self.report(
                    file.key_origin,
                    "a secret has either `env` or `file`, not both".to_owned(),
                    Some("take one away"),
                );
            }
            _ => {}
        }
    }

    fn deliver(&mut self, node: &Node, at: Origin) {
        static NAME: Shape = Shape::Text(Kind::Name);
        static SHARE: Shape = Shape::Table(WEIGHTED);
        let items = node.one_or_many();
        if items.is_empty() {
            return self.report(
                node.origin,
                "the list of backends is empty".to_owned(),
                Some("write the name of a backend, or several in the order they are tried"),
            );
        }
        let weighted = items.iter().any(|item| item.table().is_some());
        if weighted && let Some(plain) = items.iter().find(|item| item.text().is_some()) {
            let hint =
                "write { backend = \"NAME\", weight = 1 } for each, or names alone for failover in order";
            return self.report(
                plain.origin,
                "some backends have weights and this one has none".to_owned(),
                Some(hint),
            );
        }
        self.items(node, items, at, if weighted { &SHARE } else { &NAME });
    }

    fn settings(&mut self, node: &Node) {
        match &node.value {
            Value::Date => {
                self.report(node.origin, "settings have no dates".to_owned(), Some("put it in quotes"))
            }
            Value::Float(number) if !number.is_finite() => {
                self.report(
                    node.origin,
                    "this number cannot be given to a plugin".to_owned(),
                    Some("put it in quotes"),
                );
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.below(&format!("[{index}]"), |this| this.settings(item));
                }
            }
            Value::Table(table) => {
                for entry in table.in_written_order() {
                    self.below(&entry.key, |this| this.settings(&entry.node));
                }
            }
            _ => {}
        }
    }

    fn not_a_list(&mut self, node: &Node, item: &Shape) {
        let name = self.path.rsplit('.').next().unwrap_or_default().to_owned();
        match item {
            Shape::Table(_) => {
                let hint = format!("write [[{name}]] with double brackets, once for each");
                self.wrong_type(node, "a list of tables", Some(&hint));
            }
            _ => self.wrong_type(node, "a list", Some("put it in brackets: [ … ]")),
        }
    }

    /// The text of a value from the environment or the command line, where everything is text.
    fn loose<'n>(&self, node: &'n Node) -> Option<&'n str> {
        node.text().filter(|_| self.origins.is_loose(node.origin))
    }

    fn wrong_type(&mut self, node: &Node, expects: &str, hint: Option<&str>) {
        self.report(node.origin, format!("expected {expects}, found {}", node.kind()), hint);
    }

    fn report(&mut self, origin: Origin, message: String, hint: Option<&str>) {
        self.problems.error(self.origins, &self.path, origin, message, hint.map(str::to_owned));
    }

    /// What the table at this path is, for "… needs `key`".
    fn subject(&self) -> String {
        match self.path.as_str() {
            "" => "the configuration".to_owned(),
            path => path.to_owned(),
        }
    }
}

/// The section that has this key: people forget the header above it.
fn section_of(key: &str) -> Option<&'static str> {
    let Shape::Table(sections) = &ROOT else { return None };
    let has =
        |section: &&Field| section.shape.of_key(key).is_some() && matches!(section.shape, Shape::Table(_));
    sections.iter().find(has).map(|section| section.name)
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    // "URL …" and "ISO …" stay as they are.
    let keep = chars.clone().next().is_some_and(char::is_uppercase);
    let first = if keep { first.to_string() } else { first.to_lowercase().to_string() };
    format!("{first}{}", chars.as_str().trim_end_matches('.'))
}
