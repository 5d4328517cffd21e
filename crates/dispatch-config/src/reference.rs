//! The reference lists every key.

use crate::layers::REFERENCE;
use crate::node::{Node, Value};
use crate::origins::{FileText, Layer, Origins};
use crate::parse::parse;
use crate::problems::Problems;
use crate::section::ROOT;
use crate::shape::Shape;
use crate::validate::Validation;

/// The reference with the examples of its keys without a default: lines whose `#` no space follows.
fn with_examples() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with([' ', '#']) && !rest.is_empty() => rest.to_owned(),
        _ => line.to_owned(),
    };
    // Keys of the whole file must stand before the first table, and do.
    REFERENCE.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The keys of a shape that none of the values have.
fn missing(shape: &Shape, values: &[&Node], path: &str, found: &mut Vec<String>) {
    let items = || -> Vec<&Node> { values.iter().flat_map(|value| value.one_or_many()).collect() };
    match shape {
        Shape::Table(fields) => {
            for field in *fields {
                let path = format!("{path}.{}", field.name);
                let below: Vec<&Node> =
                    values.iter().filter_map(|value| Some(&value.entry(field.name)?.node)).collect();
                if below.is_empty() {
                    found.push(path);
                } else {
                    missing(&field.shape, &below, &path, found);
                }
            }
        }
        Shape::Map { of, .. } => {
            let below: Vec<&Node> = values
                .iter()
                .filter_map(|value| value.table())
                .flat_map(|table| table.entries())
                .map(|entry| &entry.node)
                .collect();
            missing(of, &below, &format!("{path}.*"), found);
        }
        Shape::List(item) | Shape::OneOrMany(item) => missing(item, &items(), path, found),
        _ => {}
    }
}

#[test]
fn every_key_stands_in_the_reference() {
    let text = with_examples();
    let (node, error) = parse(&text, 0);
    assert!(error.is_none(), "{}", error.map(|error| error.message).unwrap_or_default());
    let mut found = Vec::new();
    missing(&ROOT, &[&node], "", &mut found);
    // A location's relay, signature and session have the keys of a backend's.
    let laid_over = ["relay.", "dkim.", "session."].map(|key| format!(".locations.*.backends.*.{key}"));
    found.retain(|path| !laid_over.iter().any(|below| path.starts_with(below)));
    assert_eq!(found, [""; 0], "keys that reference.toml does not show");
}

#[test]
fn the_examples_of_the_reference_are_right() {
    let text = with_examples();
    let (node, _) = parse(&text, 0);
    let mut origins = Origins::default();
    origins.add(Layer::File(FileText::new("reference.toml".into(), text, true)));
    let mut problems = Problems::default();
    Validation { origins: &origins, problems: &mut problems, path: String::new() }.value(
        &node,
        node.origin,
        &ROOT,
    );
    let problems: Vec<String> = problems.finish().iter().map(ToString::to_string).collect();
    assert_eq!(problems, [""; 0]);
}

#[test]
fn a_shape_never_asks_for_a_key_twice() {
    fn walk(shape: &Shape) {
        match shape {
            Shape::Table(fields) => {
                for (at, field) in fields.iter().enumerate() {
                    assert!(
                        fields[..at].iter().all(|other| other.name != field.name),
                        "{} stands twice",
                        field.name
                    );
                    assert!(field.doc.ends_with('.'), "the words on {} are no sentence", field.name);
                    walk(&field.shape);
                }
            }
            Shape::Map { of, .. } | Shape::List(of) | Shape::OneOrMany(of) => walk(of),
            _ => {}
        }
    }
    walk(&ROOT);
}

#[test]
fn what_the_reference_sets_is_a_value_and_no_list_of_examples() {
    let (node, error) = parse(REFERENCE, 0);
    assert!(error.is_none());
    let Value::Table(table) = &node.value else { panic!("a file is a table") };
    for key in ["sources", "backends", "locations", "routes", "tests", "plugins", "include"] {
        assert!(table.get(key).is_none(), "the built-in defaults would bring {key}");
    }
}
