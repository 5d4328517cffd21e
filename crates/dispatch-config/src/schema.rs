//! The JSON Schema of the file, for editors. Made from the same shapes that the file is checked with.

use serde_json::{Map, Value, json};

use crate::kind::Kind;
use crate::section::ROOT;
use crate::shape::{Field, SECRET, Shape, WEIGHTED};

/// The JSON Schema of the file, as it is committed beside the shipped configuration.
pub fn json_schema() -> String {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".to_owned(), "Configuration of dispatcher".into());
    if let Value::Object(root) = of(&ROOT) {
        schema.extend(root);
    }
    let mut text = serde_json::to_string_pretty(&schema).expect("a JSON value can be written");
    text.push('\n');
    text
}

fn of(shape: &Shape) -> Value {
    match shape {
        Shape::Text(kind) => text(*kind),
        Shape::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::OneOrMany(item) => {
            let item = of(item);
            json!({ "anyOf": [item, { "type": "array", "items": item, "minItems": 1 }] })
        }
        Shape::List(item) => json!({ "type": "array", "items": of(item) }),
        Shape::Secret => {
            let mut secret = table(SECRET);
            secret["minProperties"] = 1.into();
            secret["maxProperties"] = 1.into();
            secret
        }
        Shape::Table(fields) => table(fields),
        Shape::Map { keys, of: value } => {
            let mut map = json!({ "type": "object", "additionalProperties": of(value) });
            if let Some(pattern) = keys.pattern() {
                map["propertyNames"] = json!({ "pattern": pattern });
            }
            map
        }
        Shape::Deliver => {
            let name = text(Kind::Name);
            json!({ "anyOf": [
                name,
                { "type": "array", "items": name, "minItems": 1 },
                { "type": "array", "items": table(WEIGHTED), "minItems": 1 },
            ] })
        }
        Shape::Settings => json!(true),
    }
}

fn text(kind: Kind) -> Value {
    match kind {
        Kind::Word(words) => json!({ "enum": words }),
        _ => match kind.pattern() {
            Some(pattern) => json!({ "type": "string", "pattern": pattern }),
            None => json!({ "type": "string" }),
        },
    }
}

fn table(fields: &[Field]) -> Value {
    let mut properties = Map::new();
    for field in fields {
        let mut value = of(&field.shape);
        if let Value::Object(value) = &mut value {
            value.insert("description".to_owned(), field.doc.into());
        }
        properties.insert(field.name.to_owned(), value);
    }
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}
