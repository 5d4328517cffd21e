//! A plugin's settings: as JSON, and from texts.

use serde_json::{Map, Value as Json};

use crate::node::{Node, Value};

/// A table as JSON.
pub(crate) fn map(node: &Node) -> Map<String, Json> {
    match value(node) {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// A value as JSON.
pub(crate) fn value(node: &Node) -> Json {
    match &node.value {
        Value::Text(text) => Json::String(text.to_string()),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Flag(flag) => (*flag).into(),
        // The validation has refused it.
        Value::Date => Json::Null,
        Value::List(items) => items.iter().map(value).collect(),
        Value::Table(table) => {
            table.entries().iter().map(|entry| (entry.key.to_string(), value(&entry.node))).collect()
        }
    }
}

/// A setting from where everything is text (a CSV, the environment). It has no shape here, so its type
/// is that of the value it is laid over. Where there is none, it stays text but for `true` and
/// `false`: `5512345678` is a phone number more often than a count.
pub(crate) fn from_text(text: &str, laid_over: Option<&Node>) -> Value {
    let as_text = || Value::Text(text.into());
    match laid_over.map(|node| &node.value) {
        Some(Value::Integer(_)) => text.parse().map_or_else(|_| as_text(), Value::Integer),
        Some(Value::Float(_)) => text.parse().map_or_else(|_| as_text(), Value::Float),
        Some(Value::Text(_)) => as_text(),
        _ => text.parse().map_or_else(|_| as_text(), Value::Flag),
    }
}
