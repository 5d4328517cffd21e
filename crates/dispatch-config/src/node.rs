//! Values that remember where they were written.
//!
//! `toml` knows byte ranges and figment knows layers, but neither keeps its knowledge through the
//! other: a merged figment value has lost its range, and `toml`'s spanned value has no layers. So each
//! file is turned into this tree, and trees are merged. It is kept small, because a file may describe
//! 100 000 locations: tables are sorted lists, and an origin is twelve bytes.

use std::sync::Arc;

/// Where something was written: a layer, and bytes of its text (or the number of the variable).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) layer: u16,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) origin: Origin,
    pub(crate) value: Value,
}

/// A value as TOML knows it. Dates are none of ours and are only told apart.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(Box<str>),
    Integer(i64),
    Float(f64),
    Flag(bool),
    Date,
    List(Vec<Node>),
    Table(Table),
}

/// Entries sorted by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table(Vec<Entry>);

/// A key, where it was written, and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Arc<str>,
    pub(crate) key_origin: Origin,
    pub(crate) node: Node,
}

impl Node {
    pub(crate) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The items of a list, or the value itself: one or many.
    pub(crate) fn one_or_many(&self) -> &[Node] {
        self.list().unwrap_or(std::slice::from_ref(self))
    }

    /// The entry of a table by key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.table()?.get(key)
    }

    /// What kind of value it is, for messages. Values are not repeated: they may be secrets.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a number with a fraction",
            Value::Flag(_) => "a boolean",
            Value::Date => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

impl Table {
    /// From entries in any order, no key twice.
    pub(crate) fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        entries.shrink_to_fit();
        Self(entries)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.position(key).ok().map(|at| &self.0[at])
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.position(key).ok().map(|at| &mut self.0[at])
    }

    pub(crate) fn position(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|entry| (*entry.key).cmp(key))
    }

    /// Room is made for this entry alone: of 100 000 small tables, each with room for four, most would be empty.
    pub(crate) fn insert_at(&mut self, at: usize, entry: Entry) {
        self.0.reserve_exact(1);
        self.0.insert(at, entry);
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Entry> {
        self.position(key).ok().map(|at| self.0.remove(at))
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// The entries as they were written: layer by layer, from top to bottom.
    pub(crate) fn in_written_order(&self) -> Vec<&Entry> {
        let mut entries: Vec<_> = self.0.iter().collect();
        entries.sort_by_key(|entry| entry.key_origin);
        entries
    }

    /// Both tables as one; `meet` settles the keys that both have. Linear, for the large tables.
    pub(crate) fn join(self, other: Self, mut meet: impl FnMut(Entry, Entry) -> Entry) -> Self {
        let mut joined = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut left, mut right) = (self.0.into_iter().peekable(), other.0.into_iter().peekable());
        loop {
            let entry = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.key == b.key => {
                    left.next().zip(right.next()).map(|(a, b)| meet(a, b))
                }
                (Some(a), Some(b)) if a.key > b.key => right.next(),
                (Some(_), _) => left.next(),
                (None, _) => right.next(),
            };
            match entry {
                Some(entry) => joined.push(entry),
                None => return Self(joined),
            }
        }
    }
}
