//! Reading settings past their first mistake.
//!
//! serde stops at the first thing it cannot read; people want all of them. So a value that cannot be read is told and
//! replaced by a stand-in that can, and reading starts again: settings are small, and mistakes few.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serde_path_to_error::{Path, Segment};

use crate::Problem;

/// More than so many mistakes are not looked for: it is another file.
const MISTAKES_MAX: usize = 32;

/// What could be read.
pub(crate) struct Repaired<S> {
    /// The settings; none where no stand-in could be found.
    pub(crate) settings: Option<S>,
    /// What is wrong.
    pub(crate) problems: Vec<Problem>,
    /// Where stand-ins are: what is there, or below, is not the person's.
    pub(crate) stand_ins: Vec<String>,
}

/// Reads settings.
pub(crate) fn read<S: DeserializeOwned>(mut value: Value) -> Repaired<S> {
    let mut done = Repaired { settings: None, problems: Vec::new(), stand_ins: Vec::new() };
    for _ in 0..MISTAKES_MAX {
        let mistake = match attempt::<S>(&value) {
            Ok(settings) => return Repaired { settings: Some(settings), ..done },
            Err(mistake) => mistake,
        };
        let path = mistake.path.join(".");
        if !done.stand_ins.iter().any(|known| below(&path, known)) {
            done.problems.push(Problem { path, message: mistake.explain() });
        }
        let Some((changed, place)) = stand_in::<S>(&value, &mistake) else { break };
        value = changed;
        done.stand_ins.push(place);
    }
    done
}

/// The value with something readable in the mistake's place, and where that is: there, or above it where nothing fits.
fn stand_in<S: DeserializeOwned>(value: &Value, mistake: &Mistake) -> Option<(Value, String)> {
    (1..=mistake.path.len()).rev().find_map(|depth| {
        let place = &mistake.path[..depth];
        let candidates = if depth == mistake.path.len() { mistake.stand_ins() } else { vec![None] };
        candidates.into_iter().find_map(|candidate| {
            let mut changed = value.clone();
            put(&mut changed, place, candidate)?;
            let better = attempt::<S>(&changed).err().is_none_or(|next| next.path != mistake.path);
            better.then(|| (changed, place.join(".")))
        })
    })
}

/// Something that could not be read.
pub(crate) struct Mistake {
    path: Vec<String>,
    message: String,
}

/// Reads settings up to their first mistake.
pub(crate) fn attempt<S: DeserializeOwned>(value: &Value) -> Result<S, Mistake> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut path = segments(error.path());
        let message = error.inner().to_string();
        // serde speaks of the table that lacks a field; people look for the field.
        if let Some(field) = message.strip_prefix("missing field ").and_then(quoted) {
            path.push(field.to_owned());
        } else if let Some(field) = message.strip_prefix("unknown field ").and_then(quoted)
            && path.last().map(String::as_str) != Some(field)
        {
            path.push(field.to_owned());
        }
        Mistake { path, message }
    })
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.join("."), self.explain())
    }
}

impl Mistake {
    fn explain(&self) -> String {
        if self.message.starts_with("missing field ") {
            return "missing; it is required".into();
        }
        self.message.clone()
    }

    /// What could stand here instead; `None` is nothing at all.
    fn stand_ins(&self) -> Vec<Option<Value>> {
        if self.message.starts_with("unknown field ") {
            return vec![None];
        }
        // "unknown variant `x`, expected `a` or `b`": one of those it wants.
        let wanted = self.message.split("expected ").nth(1).and_then(quoted).map(|word| json!(word));
        let plain = [json!(""), json!(0), json!([]), json!({}), json!(false)];
        wanted.into_iter().chain(plain).map(Some).chain([None]).collect()
    }
}

/// Whether a path is another one or lies below it.
pub(crate) fn below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The first word between backticks.
fn quoted(text: &str) -> Option<&str> {
    text.split('`').nth(1)
}

fn segments(path: &Path) -> Vec<String> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        })
        .collect()
}

/// Writes at a path, or removes what is there. None where the path leads nowhere.
fn put(value: &mut Value, path: &[String], stand_in: Option<Value>) -> Option<()> {
    let (last, way) = path.split_last()?;
    let mut place = value;
    for step in way {
        place = match place {
            Value::Object(fields) => fields.get_mut(step)?,
            Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match (place, stand_in) {
        (Value::Object(fields), Some(new)) => {
            fields.insert(last.clone(), new);
        }
        (Value::Object(fields), None) => {
            fields.remove(last)?;
        }
        (Value::Array(items), Some(new)) => *items.get_mut(last.parse::<usize>().ok()?)? = new,
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Settings {
        account: String,
        mode: Mode,
        #[serde(default)]
        limit: Option<u32>,
        #[serde(default)]
        nested: Vec<Nested>,
        #[serde(default)]
        map: BTreeMap<String, Nested>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(rename_all = "kebab-case")]
    enum Mode {
        Fast,
        Slow,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Nested {
        name: String,
    }

    fn problems(value: Value) -> Vec<(String, String)> {
        read::<Settings>(value).problems.into_iter().map(|p| (p.path, p.message)).collect()
    }

    #[test]
    fn all_at_once() {
        let found = problems(json!({
            "acount": "x", "mode": "quick", "limit": "many",
            "nested": [{"name": 1}, {"nam": "x"}], "map": {"a": {}},
        }));
        let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        for path in [
            "acount",
            "account",
            "mode",
            "limit",
            "nested.0.name",
            "nested.1.nam",
            "nested.1.name",
            "map.a.name",
        ] {
            assert!(paths.contains(&path), "{path} is not in {found:#?}");
        }
        assert_eq!(found.len(), 8, "{found:#?}");
        let message = |path: &str| &found.iter().find(|(p, _)| p == path).expect("there").1;
        assert!(message("acount").contains("expected one of `account`"), "{}", message("acount"));
        assert!(message("mode").contains("`fast` or `slow`"), "{}", message("mode"));
        assert_eq!(message("account"), "missing; it is required");
    }

    #[test]
    fn good_settings_have_no_problem() {
        assert_eq!(problems(json!({ "account": "a", "mode": "fast" })), []);
    }
}
