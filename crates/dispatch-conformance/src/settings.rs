//! What the plugin says of itself, and which settings it refuses.

use dispatch_model::{Asks, SettingProblem};
use rand::Rng as _;
use rand::rngs::SmallRng;
use serde_json::{Map, Value, json};

use crate::examination::{Book, Effort, Subject};
use crate::promise::{DESCRIPTION, GIVEN, SCHEMA, WRONG};

/// The host has refused what cannot be; this is what an author forgets.
pub(crate) fn description(subject: &Subject<'_>, book: &mut Book) {
    let check = book.check(DESCRIPTION);
    let said = subject.plugin.description();
    check.hold(!said.summary.trim().is_empty(), "summary", || "write one sentence".to_owned());
    check.hold(!said.version.trim().is_empty(), "version", || "write a version".to_owned());
    for secret in &said.secrets {
        check.hold(!secret.summary.trim().is_empty(), &secret.name, || {
            "say what it is and where to find it".to_owned()
        });
    }
    let schema: Value = serde_json::from_str(&said.settings_schema).unwrap_or_default();
    check.hold(schema["type"] == "object", "settings schema", || "its type is to be \"object\"".to_owned());
    for (name, field) in schema["properties"].as_object().unwrap_or(&Map::new()) {
        let described =
            field["description"].is_string() || field["$ref"].is_string() || field["title"].is_string();
        check.hold(described, name, || "the schema gives this setting no description".to_owned());
    }
    for example in schema["examples"].as_array().into_iter().flatten() {
        let problems = (subject.schema)(&example.to_string());
        check.hold(problems.is_empty(), &format!("the example {example}"), || said_of(&problems));
    }
}

fn said_of(problems: &[SettingProblem]) -> String {
    let words: Vec<_> = problems.iter().map(|each| format!("{}: {}", each.path, each.message)).collect();
    words.join("; ")
}

/// Holds the given settings and variations of them against schema and `check`. None where the given ones are refused.
pub(crate) async fn examine(
    subject: &Subject<'_>,
    effort: Effort,
    rng: &mut SmallRng,
    book: &mut Book,
) -> Option<Asks> {
    let given = book.twice("check", "the given settings", || subject.plugin.check(subject.settings)).await;
    let accepted = book.check(GIVEN);
    accepted.tried();
    let asks = match given? {
        Ok(asks) => asks,
        Err(problems) => {
            for SettingProblem { path, message } in problems {
                accepted.broken(if path.is_empty() { "settings".to_owned() } else { path }, message);
            }
            return None;
        }
    };
    let schema: Value =
        serde_json::from_str(&subject.plugin.description().settings_schema).unwrap_or_default();
    let table: Map<String, Value> = serde_json::from_str(subject.settings).unwrap_or_default();
    for (what, wrong) in variations(&table, &schema) {
        if book.is_full() {
            break;
        }
        let wrong = wrong.to_string();
        let Some(said) = book.once("check", &what, subject.plugin.check(&wrong)).await else { continue };
        let check = book.check(WRONG);
        check.tried();
        match said {
            Ok(_) => check.broken(&what, "it is accepted"),
            Err(problems) if problems.iter().any(|problem| problem.message.trim().is_empty()) => {
                check.broken(&what, "it is refused without a word");
            }
            // What is wrong in shape an editor should know before anything runs.
            Err(problems) => book.hold(SCHEMA, !(subject.schema)(&wrong).is_empty(), &what, || {
                format!("check refuses it ({}), and the schema does not", said_of(&problems))
            }),
        }
    }
    for _ in 0..effort.cases {
        if book.is_full() {
            break;
        }
        let rubbish = if rng.random_bool(0.2) { "{\"a\":".to_owned() } else { value(rng, 3).to_string() };
        let start: String = rubbish.chars().take(80).collect();
        book.twice("check", &format!("the settings {start}"), || subject.plugin.check(&rubbish)).await;
    }
    Some(asks)
}

/// The given settings with one thing wrong in their shape: something missing, of another type, or unknown.
fn variations(table: &Map<String, Value>, schema: &Value) -> Vec<(String, Value)> {
    let mut wrong = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let mut less = table.clone();
        if less.remove(name).is_some() {
            wrong.push((format!("without {name}"), Value::Object(less)));
        }
    }
    for (name, value) in table {
        let other = match value {
            Value::String(_) => json!([1]),
            Value::Object(_) => json!("text"),
            Value::Array(_) => json!({ "no": "list" }),
            _ => json!({ "no": "such type" }),
        };
        let mut changed = table.clone();
        changed.insert(name.clone(), other.clone());
        wrong.push((format!("{name} = {other}"), Value::Object(changed)));
    }
    let mut more = table.clone();
    more.insert("no_such_setting".to_owned(), json!(true));
    wrong.push(("with a setting that does not exist".to_owned(), Value::Object(more)));
    wrong.push(("a list".to_owned(), json!([])));
    wrong
}

/// Settings that its author gives as an example, by the schema: the first of its `examples`, or the `examples` and
/// `default`s of the fields that have to be there. None where the schema has neither.
pub fn example(schema: &str) -> Option<String> {
    let schema: Value = serde_json::from_str(schema).ok()?;
    if let Some(whole) = schema["examples"].get(0) {
        return Some(whole.to_string());
    }
    let mut table = Map::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let field = &schema["properties"][name];
        let known = [&field["examples"][0], &field["default"], &field["const"], &field["enum"][0]];
        table.insert(name.to_owned(), known.into_iter().find(|value| !value.is_null())?.clone());
    }
    Some(Value::Object(table).to_string())
}

/// Any JSON.
fn value(rng: &mut SmallRng, depth: u32) -> Value {
    match rng.random_range(0..if depth == 0 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => Value::Bool(rng.random()),
        2 => json!(rng.random::<i64>()),
        3 => json!(rng.random::<f64>() * 1e300),
        4 => json!((0..rng.random_range(0..12)).map(|_| rng.random::<char>()).collect::<String>()),
        5 => (0..rng.random_range(0..4)).map(|_| value(rng, depth - 1)).collect(),
        _ => {
            let names = ["url", "from", "base_url", "headers", "", "ñ"];
            let members = (0..rng.random_range(0..4))
                .map(|_| (names[rng.random_range(0..names.len())].to_owned(), value(rng, depth - 1)));
            Value::Object(members.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_gives_an_example() {
        let check = |schema: Value, expected: Option<Value>| {
            let found =
                example(&schema.to_string()).map(|text| serde_json::from_str::<Value>(&text).expect("JSON"));
            assert_eq!(found, expected, "{schema}");
        };
        check(json!({ "examples": [{ "a": 1 }], "required": ["b"] }), Some(json!({ "a": 1 })));
        let fields =
            json!({ "a": { "examples": ["x"] }, "b": { "enum": ["y", "z"] }, "c": { "default": 1 } });
        check(json!({ "required": ["a", "b"], "properties": fields }), Some(json!({ "a": "x", "b": "y" })));
        check(json!({ "type": "object" }), Some(json!({})));
        check(json!({ "required": ["a"], "properties": { "a": { "type": "string" } } }), None);
    }
}
