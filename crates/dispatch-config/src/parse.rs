//! One file's TOML as a tree of nodes.
//!
//! `toml`'s spanned value of a file with 100 000 locations takes almost a gigabyte, since each of its
//! small tables is a B-tree node with room for eleven. So a large file is cut before each
//! `[locations.…]` header, parsed in pieces and joined. A cut inside a multi-line string or an array
//! leaves a piece that does not parse; then, as whenever anything is wrong, the file is parsed whole,
//! and its errors are those of the whole.

use std::ops::Range;
use std::sync::Arc;

use ahash::AHashSet;
use toml::de::{DeTable, DeValue};

use crate::node::{Entry, Node, Origin, Table, Value};

/// Bytes of a piece: small enough that its spanned value is a few tens of megabytes.
const PIECE_BYTES: usize = 1 << 20;

/// A syntax error.
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    pub(crate) span: Range<usize>,
}

/// The tree of a file, as far as it could be read, and the first error.
pub(crate) fn parse(text: &str, layer: u16) -> (Node, Option<SyntaxError>) {
    if text.len() > PIECE_BYTES
        && let Some(node) = in_pieces(text, layer)
    {
        return (node, None);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let first = errors.into_iter().min_by_key(|error| error.span().map_or(usize::MAX, |span| span.start));
    let error = first.map(|error| SyntaxError {
        message: error.message().to_owned(),
        span: error.span().unwrap_or(text.len()..text.len()),
    });
    let node = Reader { layer, offset: 0, keys: &mut AHashSet::new() }.table(table.get_ref(), 0..0);
    (node, error)
}

/// The tree of a file parsed piece by piece; none if a piece has an error or two pieces disagree.
fn in_pieces(text: &str, layer: u16) -> Option<Node> {
    let mut whole: Option<Node> = None;
    let mut keys = AHashSet::new();
    for piece in pieces(text) {
        let table = DeTable::parse(&text[piece.clone()]).ok()?;
        let part = Reader { layer, offset: piece.start, keys: &mut keys }.table(table.get_ref(), 0..0);
        whole = Some(match whole {
            None => part,
            Some(whole) => join(whole, part)?,
        });
    }
    whole
}

/// Where a large text is cut: before the header of a location, once a piece is large enough. What
/// follows the last location stays in its piece.
fn pieces(text: &str) -> Vec<Range<usize>> {
    const HEADER: &str = "\n[locations.";
    let (mut pieces, mut start, mut before) = (Vec::new(), 0, "");
    for (at, _) in text.match_indices(HEADER) {
        let rest = &text[at + HEADER.len()..];
        let id = rest.split([']', '.', '\n']).next().unwrap_or_default();
        // A location may have several headers; they belong together.
        if at + 1 - start >= PIECE_BYTES && id != before {
            pieces.push(start..at + 1);
            start = at + 1;
        }
        before = id;
    }
    pieces.push(start..text.len());
    pieces
}

/// Two pieces of one file as one. They may share no key but `locations`, and below it none; anything
/// else was perhaps written twice, and the whole parse will say so.
fn join(a: Node, b: Node) -> Option<Node> {
    let (Value::Table(left), Value::Table(right)) = (a.value, b.value) else { return None };
    let mut agreed = true;
    let table = left.join(right, |a, b| {
        let Entry { key, key_origin, node } = a;
        let value = match (node.value, b.node.value) {
            (Value::Table(a), Value::Table(b)) if &*key == "locations" => Value::Table(a.join(b, |a, _| {
                agreed = false;
                a
            })),
            (value, _) => {
                agreed = false;
                value
            }
        };
        Entry { key, key_origin, node: Node { origin: node.origin, value } }
    });
    agreed.then_some(Node { origin: a.origin, value: Value::Table(table) })
}

struct Reader<'k> {
    layer: u16,
    offset: usize,
    /// Keys seen, so that 100 000 tables with the key `settings` share one text.
    keys: &'k mut AHashSet<Arc<str>>,
}

impl Reader<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        // Files above 4 GiB are refused before they are parsed.
        let at = |byte: usize| (byte + self.offset) as u32;
        Origin { layer: self.layer, start: at(span.start), end: at(span.end) }
    }

    fn table(&mut self, table: &DeTable<'_>, span: Range<usize>) -> Node {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            entries.push(Entry {
                key: self.key(key.get_ref()),
                key_origin: self.origin(key.span()),
                node: self.node(value.get_ref(), value.span()),
            });
        }
        Node { origin: self.origin(span), value: Value::Table(Table::new(entries)) }
    }

    fn key(&mut self, key: &str) -> Arc<str> {
        if let Some(known) = self.keys.get(key) {
            return known.clone();
        }
        let key: Arc<str> = key.into();
        self.keys.insert(key.clone());
        key
    }

    fn node(&mut self, value: &DeValue<'_>, span: Range<usize>) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text((&**text).into()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                // Too large for anything in this file; as a float it is refused where it stands.
                Err(_) => Value::Float(f64::INFINITY),
            },
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(_) => Value::Date,
            DeValue::Array(items) => {
                Value::List(items.iter().map(|item| self.node(item.get_ref(), item.span())).collect())
            }
            DeValue::Table(table) => return self.table(table, span),
        };
        Node { origin: self.origin(span), value }
    }
}
