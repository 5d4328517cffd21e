//! The body: a JSON tree, a form, or a text.

use dispatcher_plugin::{Pieces, percent};
use serde_json::{Map, Value as Tree};

use crate::template::{Place, Template, Value};
use crate::values::{LISTS, Values};

/// A tree's templates with their paths, and whether they stand within an item.
pub(crate) fn templates(path: &str, tree: &Tree, in_item: bool, found: &mut Vec<(String, String, bool)>) {
    match tree {
        Tree::String(text) => found.push((path.to_owned(), text.clone(), in_item)),
        Tree::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                templates(&format!("{path}.{at}"), item, in_item, found);
            }
        }
        Tree::Object(fields) => {
            let in_item = in_item || list(fields).is_some();
            for (name, value) in fields {
                templates(&format!("{path}.{name}"), value, in_item, found);
            }
        }
        _ => {}
    }
}

/// The list that an object stands for: `{ "{to}": item }`.
pub(crate) fn list(fields: &Map<String, Tree>) -> Option<(&'static str, &Tree)> {
    let (name, item) = fields.iter().next().filter(|_| fields.len() == 1)?;
    let name = name.strip_prefix('{')?.strip_suffix('}')?;
    Some((*LISTS.iter().find(|list| **list == name)?, item))
}

/// Writes a tree as JSON. Where a value is a placeholder alone and the message has nothing for it, it is left out, and
/// none is given back.
pub(crate) fn json(tree: &Tree, values: &Values<'_>, item: Option<&str>) -> Option<Pieces> {
    let mut out = Pieces::new();
    match tree {
        Tree::String(text) => return string(text, values, item),
        Tree::Array(items) => {
            let items = items.iter().filter_map(|each| json(each, values, item));
            join(&mut out, '[', items, ']');
        }
        Tree::Object(fields) => {
            if let Some((name, template)) = list(fields) {
                let items: Vec<Pieces> =
                    values.items(name).iter().filter_map(|each| json(template, values, Some(each))).collect();
                // Providers refuse an empty list where they take a missing one.
                if items.is_empty() {
                    return None;
                }
                join(&mut out, '[', items.into_iter(), ']');
                return Some(out);
            }
            let fields = fields.iter().filter_map(|(name, value)| {
                let mut field = Pieces::from(format!("{}:", Tree::from(name.as_str())));
                field.append(json(value, values, item)?);
                Some(field)
            });
            join(&mut out, '{', fields, '}');
        }
        plain => {
            out.bytes(plain.to_string());
        }
    }
    Some(out)
}

fn join(out: &mut Pieces, open: char, parts: impl Iterator<Item = Pieces>, close: char) {
    out.bytes(open.to_string());
    for (at, part) in parts.enumerate() {
        if at > 0 {
            out.bytes(",");
        }
        out.append(part);
    }
    out.bytes(close.to_string());
}

fn string(text: &str, values: &Values<'_>, item: Option<&str>) -> Option<Pieces> {
    // It has passed `check`.
    let template = Template::parse(text).ok()?;
    let value =
        |name: &str| item.and_then(|item| Values::of_item(item, name)).unwrap_or_else(|| values.get(name));
    match template.alone().map(&value) {
        Some(Value::None) => return None,
        Some(Value::Many(list)) => return Some(Tree::from(list).to_string().into()),
        _ => {}
    }
    let mut out = Pieces::from("\"");
    out.append(template.encoded(Place::Json, &value)).bytes("\"");
    Some(out)
}

/// Writes a form. A list alone repeats its field; nothing alone leaves it out.
pub(crate) fn form(fields: &Map<String, Tree>, values: &Values<'_>) -> Pieces {
    let mut out = Pieces::new();
    let mut field = |name: &str, value: Pieces| {
        if !out.is_empty() {
            out.bytes("&");
        }
        out.bytes(percent(name)).bytes("=").append(value);
    };
    for (name, tree) in fields {
        let texts: Vec<String> = match tree {
            Tree::Array(items) => items.iter().map(plain).collect(),
            tree => vec![plain(tree)],
        };
        for text in texts {
            let Ok(template) = Template::parse(&text) else { continue };
            match template.alone().map(|name| values.get(name)) {
                Some(Value::None) => {}
                Some(Value::Many(list)) => list.iter().for_each(|each| field(name, percent(each).into())),
                // What the operator wrote is a value, and no form yet.
                _ => field(name, template.encoded(Place::Percent, &|name| values.get(name))),
            }
        }
    }
    out
}

fn plain(tree: &Tree) -> String {
    tree.as_str().map_or_else(|| tree.to_string(), str::to_owned)
}
