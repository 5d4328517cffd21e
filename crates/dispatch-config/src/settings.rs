//! A plugin's settings: as JSON, and from texts.

use serde_json::{Map, Value as Json};
use toml::Value as Toml;

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

/// Settings in a TOML file of their own, as they would stand under `settings`, as the JSON that plugins get.
///
/// # Errors
/// It is no TOML, or has a date in it, which JSON has not.
pub fn settings_from_toml(text: &str) -> Result<Map<String, Json>, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    table.into_iter().map(|(key, value)| Ok((key, json(value)?))).collect()
}

fn json(value: Toml) -> Result<Json, String> {
    Ok(match value {
        Toml::String(text) => text.into(),
        Toml::Integer(number) => number.into(),
        Toml::Float(number) => number.into(),
        Toml::Boolean(flag) => flag.into(),
        Toml::Datetime(date) => return Err(format!("{date} is a date: write it in quotes")),
        Toml::Array(items) => items.into_iter().map(json).collect::<Result<_, _>>()?,
        Toml::Table(table) => {
            let members = table.into_iter().map(|(key, value)| Ok((key, json(value)?)));
            Json::Object(members.collect::<Result<_, String>>()?)
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_becomes_json() {
        let text = "from = \"+52\"\nretries = 3\n[headers]\nx-a = [true, 1.5]\n";
        let settings = settings_from_toml(text).expect("settings");
        let expected = serde_json::json!({ "from": "+52", "retries": 3, "headers": { "x-a": [true, 1.5] } });
        assert_eq!(Json::Object(settings), expected);
        assert!(
            settings_from_toml("since = 2026-11-22\n").expect_err("a date").contains("write it in quotes")
        );
        assert!(settings_from_toml("from = +52…").is_err());
    }
}
