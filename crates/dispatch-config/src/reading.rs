//! Taking plain values out of a tree.
//!
//! The validation has reported all that is wrong, so nothing is reported here: what is missing or
//! wrong reads as nothing, and the rest can still be checked for what the file means.

use std::path::PathBuf;
use std::time::Duration;

use crate::Rate;
use crate::node::{Node, Value};
use crate::origins::Origins;
use crate::units;

/// A table, and where to look for what it leaves out.
#[derive(Clone, Copy)]
pub(crate) struct Section<'a> {
    pub(crate) origins: &'a Origins,
    node: Option<&'a Node>,
    fallback: Option<&'a Node>,
}

impl<'a> Section<'a> {
    pub(crate) fn new(origins: &'a Origins, node: &'a Node) -> Self {
        Self { origins, node: Some(node), fallback: None }
    }

    /// The same table, with another that fills its gaps.
    pub(crate) fn or(self, fallback: Section<'a>) -> Self {
        Self { fallback: fallback.node, ..self }
    }

    /// A table in this one.
    pub(crate) fn section(&self, key: &str) -> Section<'a> {
        let child = |node: Option<&'a Node>| node.and_then(|node| node.entry(key)).map(|entry| &entry.node);
        Section { origins: self.origins, node: child(self.node), fallback: child(self.fallback) }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        let find = |node: Option<&'a Node>| node.and_then(|node| node.entry(key)).map(|entry| &entry.node);
        find(self.node).or_else(|| find(self.fallback))
    }

    /// The keys of this table with their values, in the order written.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Section<'a>)> {
        let table = self.node.and_then(Node::table);
        let entries = table.map(|table| table.in_written_order()).unwrap_or_default();
        entries.into_iter().map(|entry| (&*entry.key, Section::new(self.origins, &entry.node))).collect()
    }

    /// The items of a list of tables.
    pub(crate) fn tables(&self, key: &str) -> Vec<Section<'a>> {
        let items = self.get(key).and_then(Node::list).unwrap_or_default();
        items.iter().map(|item| Section::new(self.origins, item)).collect()
    }

    pub(crate) fn node(&self) -> Option<&'a Node> {
        self.node
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(Node::text)
    }

    pub(crate) fn string(&self, key: &str) -> String {
        self.text(key).unwrap_or_default().to_owned()
    }

    /// One string or several.
    pub(crate) fn strings(&self, key: &str) -> Vec<String> {
        let items = self.get(key).map(Node::one_or_many).unwrap_or_default();
        items.iter().filter_map(|item| item.text().map(str::to_owned)).collect()
    }

    pub(crate) fn path(&self, key: &str) -> Option<PathBuf> {
        let node = self.get(key)?;
        Some(self.origins.resolve(node.origin, node.text()?))
    }

    pub(crate) fn size(&self, key: &str) -> u64 {
        self.text(key).and_then(units::size).unwrap_or_default()
    }

    pub(crate) fn span(&self, key: &str) -> Duration {
        self.text(key).and_then(units::span).unwrap_or_default()
    }

    pub(crate) fn rate(&self, key: &str) -> Option<Rate> {
        self.text(key).and_then(units::rate)
    }

    pub(crate) fn integer(&self, key: &str) -> Option<i64> {
        match &self.get(key)?.value {
            Value::Integer(number) => Some(*number),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A count; shapes bound it to 32 bits.
    pub(crate) fn count(&self, key: &str) -> u32 {
        self.integer(key).and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
    }

    pub(crate) fn number(&self, key: &str) -> f64 {
        match self.get(key).map(|node| &node.value) {
            Some(Value::Integer(number)) => *number as f64,
            Some(Value::Float(number)) => *number,
            Some(Value::Text(text)) => text.parse().unwrap_or_default(),
            _ => 0.0,
        }
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        match &self.get(key)?.value {
            Value::Flag(flag) => Some(*flag),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}
