//! What the plugin says of itself, and which settings it refuses.

use dispatch_model::{Asks, Fault, SettingProblem};
use rand::Rng as _;
use rand::rngs::SmallRng;
use serde_json::{Map, Value, json};

use crate::examination::{Effort, Meter, Subject, check_of};
use crate::report::Check;

/// The host has refused what cannot be; this is what an author forgets.
pub(crate) fn description(subject: &Subject<'_>) -> Check {
    let mut check = Check::new("the description is complete");
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
    check
}

type Checked = Result<Result<Asks, Vec<SettingProblem>>, Fault>;

/// Holds the given settings and variations of them against schema and `check`. None where the given ones are refused.
pub(crate) async fn examine(
    subject: &Subject<'_>,
    effort: Effort,
    rng: &mut SmallRng,
    checks: &mut Vec<Check>,
    meter: &mut Meter,
) -> Option<Asks> {
    let (given, same) = meter.twice(|| subject.plugin.check(subject.settings)).await;
    check_of(checks, "the same input gives the same output").hold(
        same,
        "check of the given settings",
        || "two calls gave two results".to_owned(),
    );
    let accepted = check_of(checks, "the given settings are accepted");
    accepted.tried();
    let asks = match given {
        Ok(Ok(asks)) => asks,
        Ok(Err(problems)) => {
            for SettingProblem { path, message } in problems {
                accepted.broken(if path.is_empty() { "settings".to_owned() } else { path }, message);
            }
            return None;
        }
        Err(fault) => {
            accepted.broken("settings", fault.to_string());
            return None;
        }
    };
    let schema: Value =
        serde_json::from_str(&subject.plugin.description().settings_schema).unwrap_or_default();
    let table: Map<String, Value> = serde_json::from_str(subject.settings).unwrap_or_default();
    for (what, wrong) in variations(&table, &schema) {
        let result: Checked = meter.once(subject.plugin.check(&wrong.to_string())).await;
        let check = check_of(checks, "wrong settings are refused, with words");
        check.tried();
        match result {
            Ok(Ok(_)) => check.broken(what, "it is accepted"),
            Ok(Err(problems)) if problems.iter().any(|problem| problem.message.trim().is_empty()) => {
                check.broken(what, "it is refused without a word");
            }
            Ok(Err(_)) => {}
            Err(fault) => check.broken(what, fault.to_string()),
        }
    }
    for _ in 0..effort.cases {
        let rubbish = if rng.random_bool(0.2) { "{\"a\":".to_owned() } else { value(rng, 3).to_string() };
        let result: Checked = meter.once(subject.plugin.check(&rubbish)).await;
        let check = check_of(checks, "every call ends by itself");
        let start: String = rubbish.chars().take(80).collect();
        check.hold(result.is_ok(), &format!("check of {start}"), || {
            result.err().map(|fault| fault.to_string()).unwrap_or_default()
        });
    }
    Some(asks)
}

/// The given settings with one thing wrong.
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
