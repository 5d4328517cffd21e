//! A plugin's JSON Schema of its settings, compiled once and held against settings at each check.
//!
//! It is the first of two looks: types, names and shapes are said here, in the same words for all plugins,
//! with the nearest known name for an unknown one; what needs sense is the plugin's own `check`.

use dispatch_model::SettingProblem;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use crate::error::LoadError;
use crate::text;

/// Problems shown at once, and bytes of one.
const PROBLEMS_MAX: usize = 100;
const PROBLEM_MAX: usize = 512;
/// How alike two names have to be to be taken for one another (Jaro-Winkler).
const ALIKE: f64 = 0.8;

/// A compiled schema.
pub(crate) struct SettingsSchema {
    document: Value,
    validator: Validator,
}

impl SettingsSchema {
    /// Compiles what `describe` gave.
    pub(crate) fn compile(source: &str) -> Result<Self, LoadError> {
        let nonsense = |what: String| LoadError::Description {
            detail: text::clip(&format!("the settings' schema {what}"), PROBLEM_MAX),
        };
        let document: Value =
            serde_json::from_str(source).map_err(|error| nonsense(format!("is not JSON: {error}")))?;
        if !document.is_object() {
            return Err(nonsense("is not a JSON object".to_owned()));
        }
        let validator = jsonschema::draft202012::options()
            // Patterns come from the plugin: linear time, or none.
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .offline()
            .build(&document)
            .map_err(|error| nonsense(format!("is not a JSON Schema (draft 2020-12): {error}")))?;
        Ok(Self { document, validator })
    }

    /// All that is wrong with settings, by the schema.
    pub(crate) fn problems(&self, settings: &str) -> Vec<SettingProblem> {
        let value: Value = match serde_json::from_str(settings) {
            Ok(value) => value,
            Err(error) => return vec![problem("", format!("the settings are not JSON: {error}"))],
        };
        let mut found = Vec::new();
        for error in self.validator.iter_errors(&value) {
            self.explain(&error, &mut found);
            if found.len() >= PROBLEMS_MAX {
                break;
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    fn explain(&self, error: &ValidationError<'_>, found: &mut Vec<SettingProblem>) {
        let at = dotted(error.instance_path().as_str());
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                let known = self.known_beside(error);
                found.extend(unexpected.iter().map(|name| problem(&join(&at, name), unknown(name, &known))));
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let what = self.summary_beside(error, name);
                found.push(problem(&join(&at, name), format!("is missing{what}")));
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                // The branch with the fewest errors is the one that was meant.
                match context.iter().filter(|branch| !branch.is_empty()).min_by_key(|branch| branch.len()) {
                    Some(branch) => branch.iter().for_each(|inner| self.explain(inner, found)),
                    None => found.push(problem(&at, error.to_string())),
                }
            }
            _ => found.push(problem(&at, error.to_string())),
        }
    }

    /// The schema object that a failed keyword stands in.
    fn beside(&self, error: &ValidationError<'_>) -> Option<&Value> {
        let (parent, _) = error.schema_path().as_str().rsplit_once('/')?;
        self.document.pointer(parent)
    }

    fn known_beside(&self, error: &ValidationError<'_>) -> Vec<&str> {
        self.beside(error)
            .and_then(|schema| schema.get("properties")?.as_object())
            .map(|properties| properties.keys().map(String::as_str).collect())
            .unwrap_or_default()
    }

    /// `: ` and the schema's own words for a property.
    fn summary_beside(&self, error: &ValidationError<'_>, name: &str) -> String {
        self.beside(error)
            .and_then(|schema| schema.get("properties")?.get(name)?.get("description")?.as_str())
            .map_or_else(String::new, |words| format!(": {words}"))
    }
}

fn problem(path: &str, message: String) -> SettingProblem {
    SettingProblem { path: text::clip(path, PROBLEM_MAX), message: text::clip(&message, PROBLEM_MAX) }
}

fn unknown(name: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((_, other)) => format!("is not a setting of this plugin; did you mean `{other}`?"),
        None if known.is_empty() => "is not a setting of this plugin".to_owned(),
        None => format!("is not a setting of this plugin; here it knows {}", known.join(", ")),
    }
}

/// `/reply/0/pointer` as `reply.0.pointer`.
fn dotted(pointer: &str) -> String {
    pointer
        .split('/')
        .skip(1)
        .map(|segment| segment.replace("~1", "/").replace("~0", "~"))
        .collect::<Vec<_>>()
        .join(".")
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{
        "type": "object",
        "additionalProperties": false,
        "required": ["account_sid"],
        "properties": {
            "account_sid": { "type": "string", "description": "the account, AC and 32 digits", "pattern": "^AC[0-9a-f]{32}$" },
            "from": { "type": "string" },
            "reply": {
                "type": "object", "additionalProperties": false,
                "properties": { "pointer": { "type": "string" } }
            },
            "to": { "oneOf": [ { "type": "string" }, { "type": "object", "required": ["number"], "properties": { "number": { "type": "string" } } } ] }
        }
    }"#;

    #[track_caller]
    fn check(settings: &str, expected: &[(&str, &str)]) {
        let problems = SettingsSchema::compile(SCHEMA).unwrap().problems(settings);
        let found: Vec<(&str, &str)> =
            problems.iter().map(|problem| (problem.path.as_str(), problem.message.as_str())).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((path, words), problem) in expected.iter().zip(found) {
            assert_eq!(problem.0, *path, "{problem:?}");
            assert!(problem.1.contains(words), "{problem:?} lacks {words:?}");
        }
    }

    const SID: &str = r#""account_sid": "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa""#;

    #[test]
    fn good_settings_pass() {
        check(&format!("{{{SID}, \"from\": \"+525512345678\"}}"), &[]);
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_one() {
        check(&format!("{{{SID}, \"form\": 1}}"), &[("form", "did you mean `from`?")]);
        check(&format!("{{{SID}, \"reply\": {{ \"xyz\": 1 }}}}"), &[("reply.xyz", "here it knows pointer")]);
    }

    #[test]
    fn all_problems_at_once() {
        check(
            r#"{ "from": 7, "reply": { "pointer": false } }"#,
            &[
                ("account_sid", "is missing: the account, AC and 32 digits"),
                ("from", "string"),
                ("reply.pointer", "string"),
            ],
        );
    }

    #[test]
    fn of_several_shapes_the_nearest_is_explained() {
        check(&format!("{{{SID}, \"to\": 7}}"), &[("to", "string")]);
    }

    #[test]
    fn what_is_not_settings_at_all() {
        check("{", &[("", "not JSON")]);
        check("[]", &[("", "object")]);
    }

    #[test]
    fn a_schema_must_be_one() {
        for (source, words) in [
            ("{", "is not JSON"),
            ("[]", "not a JSON object"),
            (r#"{ "type": "text" }"#, "not a JSON Schema"),
            (r#"{ "pattern": "(?=lookahead)" }"#, "not a JSON Schema"),
            (r#"{ "$ref": "https://example.com/schema.json" }"#, "not a JSON Schema"),
        ] {
            let Err(LoadError::Description { detail }) = SettingsSchema::compile(source) else {
                panic!("{source} compiled")
            };
            assert!(detail.contains(words), "{detail}");
        }
    }
}
