//! The environment and the command line, laid over the files.
//!
//! figment layers these two and keeps apart who set what. It is not asked to read values: it would
//! take `+525512345678` for a number and drop the plus. Here a value stays the text it is, and the
//! shape of the file says what it means.

use figment::value::{Dict, Map, Tag, Value as Set};
use figment::{Error, Figment, Metadata, Profile, Provider};

use crate::Inputs;
use crate::layers::empty_table;
use crate::node::{Entry, Node, Origin, Value};
use crate::origins::{Layer, Origins};
use crate::problems::Problems;
use crate::section::ROOT;
use crate::settings;
use crate::shape::Shape;

/// What the names of variables begin with; two underscores stand between the parts of a path, since
/// keys have single ones.
const PREFIX: &str = "DISPATCHER__";

/// One variable, or one value of the command line.
struct Setting<'a> {
    name: &'a str,
    path: String,
    value: &'a str,
}

impl Provider for Setting<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.to_owned())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let nested = figment::util::nest(&self.path, Set::from(self.value));
        let dict = nested.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

/// Lays the environment and then the command line over the tree.
pub(crate) fn lay_over(root: &mut Node, inputs: &Inputs, origins: &mut Origins, problems: &mut Problems) {
    let variables: Vec<(String, &String)> = inputs
        .environment
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), name.strip_prefix(PREFIX)?, value)))
        .filter(|(_, path, _)| !path.is_empty())
        .map(|(name, _, value)| (name, value))
        .collect();
    let environment =
        origins.add(Layer::Environment(variables.iter().map(|(name, _)| name.clone()).collect()));
    let flags = origins.add(Layer::Flags(inputs.flags.keys().cloned().collect()));

    let mut figment = Figment::new();
    for (name, value) in &variables {
        let path = name[PREFIX.len()..].to_lowercase().replace("__", ".");
        figment = figment.merge(Setting { name, path, value });
    }
    for (path, value) in &inputs.flags {
        figment = figment.merge(Setting { name: path, path: path.clone(), value });
    }
    let Ok(Set::Dict(_, dict)) = figment.find_value("") else { return };
    let laying = Laying {
        origin_of: &|tag: Tag| {
            let name = figment.get_metadata(tag).map(|metadata| metadata.name.as_ref()).unwrap_or_default();
            let numbered = |start: usize, layer| Origin { layer, start: start as u32, end: start as u32 };
            match variables.iter().position(|(variable, _)| variable == name) {
                Some(number) => numbered(number, environment),
                None => numbered(inputs.flags.keys().position(|path| path == name).unwrap_or(0), flags),
            }
        },
        origins,
    };
    laying.table(root, &dict, &ROOT, "", problems);
}

struct Laying<'a> {
    origin_of: &'a dyn Fn(Tag) -> Origin,
    origins: &'a Origins,
}

impl Laying<'_> {
    fn table(&self, base: &mut Node, dict: &Dict, shape: &Shape, path: &str, problems: &mut Problems) {
        let Value::Table(table) = &mut base.value else { return };
        for (written, set) in dict {
            let origin = (self.origin_of)(first_tag(set));
            let key = known_key(table.entries().iter().map(|entry| &*entry.key), shape, written);
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let below = shape.of_key(&key).unwrap_or(&Shape::Settings);
            let at = match table.position(&key) {
                Ok(at) => at,
                Err(at) => {
                    table.insert_at(
                        at,
                        Entry { key: key.as_str().into(), key_origin: origin, node: empty_table(origin) },
                    );
                    at
                }
            };
            let Some(entry) = table.get_mut(&key) else { unreachable!("entry {at} was just put there") };
            if !matches!(set, Set::Dict(..)) {
                entry.key_origin = origin;
            }
            self.value(&mut entry.node, set, below, &path, origin, problems);
        }
    }

    fn value(
        &self,
        node: &mut Node,
        set: &Set,
        shape: &Shape,
        path: &str,
        origin: Origin,
        problems: &mut Problems,
    ) {
        match set {
            Set::Dict(_, dict) => {
                // A list has no names to go by, and a secret is replaced as a whole.
                if matches!(shape, Shape::List(_) | Shape::OneOrMany(_)) || node.list().is_some() {
                    let message =
                        format!("{path} is a list, and its items cannot be set one by one from here");
                    let hint = "write it in a file, and give that file with a further --config".to_owned();
                    problems.error(self.origins, path, origin, message, Some(hint));
                    return;
                }
                if matches!(shape, Shape::Secret) || node.table().is_none() {
                    *node = empty_table(origin);
                }
                self.table(node, dict, shape, path, problems);
            }
            scalar => {
                if matches!(shape, Shape::List(Shape::Table(_))) {
                    let message = format!("{path} is a list of tables, which cannot be set from here");
                    let hint = "write it in a file, and give that file with a further --config".to_owned();
                    problems.error(self.origins, path, origin, message, Some(hint));
                    return;
                }
                let text = scalar.as_str().unwrap_or_default();
                let value = match shape {
                    Shape::Settings => settings::from_text(text, Some(node)),
                    _ => Value::Text(text.into()),
                };
                let item = Node { origin, value };
                *node = match shape {
                    Shape::List(_) => Node { origin, value: Value::List(vec![item]) },
                    _ => item,
                };
            }
        }
    }
}

/// The key that a part of a variable's name means: names are upper case and have no `-`.
fn known_key<'k>(present: impl Iterator<Item = &'k str>, shape: &Shape, written: &str) -> String {
    let fold = |key: &str| key.to_lowercase().replace('-', "_");
    let fields: &[_] = if let Shape::Table(fields) = shape { fields } else { &[] };
    let mut known = present.chain(fields.iter().map(|field| field.name));
    known.find(|key| fold(key) == fold(written)).unwrap_or(written).to_owned()
}

fn first_tag(set: &Set) -> Tag {
    match set {
        Set::Dict(tag, dict) => dict.values().next().map_or(*tag, first_tag),
        other => other.tag(),
    }
}
