//! What the file may say, as data.
//!
//! One description serves four ends: the check that reports every wrong key and value at once, the
//! rule by which layers merge, the JSON Schema for editors, and the test that `reference.toml` lists
//! every key. Deserialising with serde would stop at the first mistake, and its words about untagged
//! enums help nobody.

use crate::kind::Kind;

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A string.
    Text(Kind),
    /// An integer.
    Integer { min: i64, max: i64 },
    /// A number, whole or not.
    Number { min: f64, max: f64 },
    /// `true` or `false`.
    Flag,
    /// One value, or a list of one or more.
    OneOrMany(&'static Shape),
    /// A list.
    List(&'static Shape),
    /// `{ env = "NAME" }` or `{ file = "PATH" }`.
    Secret,
    /// A table with known keys.
    Table(&'static [Field]),
    /// A table with keys of the user's choice.
    Map { keys: Kind, of: &'static Shape },
    /// One or several backends, or a list of tables with weights.
    Deliver,
    /// Anything: the plugin checks it.
    Settings,
}

/// A key of a table.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// One line for editors.
    pub(crate) doc: &'static str,
    pub(crate) shape: Shape,
    /// Whether the table makes no sense without it.
    pub(crate) required: bool,
}

/// A key that may be left out.
pub(crate) const fn field(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { name, doc, shape, required: false }
}

/// A key that must be there.
pub(crate) const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { name, doc, shape, required: true }
}

/// The keys of a weighted backend.
pub(crate) const WEIGHTED: &[Field] = &[
    required("backend", Shape::Text(Kind::Name), "A backend."),
    required("weight", Shape::Integer { min: 0, max: 1_000_000 }, "Its share of the sum of all weights."),
];

/// The keys of a secret.
pub(crate) const SECRET: &[Field] = &[
    field("env", Shape::Text(Kind::Filled), "The variable of the environment that holds the secret."),
    field(
        "file",
        Shape::Text(Kind::Filled),
        "The file that holds the secret; a line end at its end is dropped.",
    ),
];

impl Shape {
    /// The shape of a key, where keys are known or all alike.
    pub(crate) fn of_key(&self, key: &str) -> Option<&'static Shape> {
        match self {
            Self::Table(fields) => fields.iter().find(|field| field.name == key).map(|field| &field.shape),
            Self::Map { of, .. } => Some(of),
            _ => None,
        }
    }
}
