//! Takes fields out of a body, tolerantly: what is taken is typed, what is left is kept.

use dispatch_model::Reason;
use serde_json::{Map, Value};

/// The fields of a body. What a taker cannot read stays where it is, and the first such field
/// becomes the message's problem: the message is kept and shown, and nobody guesses.
pub(crate) struct Reader {
    pub(crate) fields: Map<String, Value>,
    pub(crate) problem: Option<Reason>,
}

impl Reader {
    pub(crate) fn new(fields: Map<String, Value>) -> Self {
        Self { fields, problem: None }
    }

    /// Whether a field is there and says something.
    pub(crate) fn has(&self, name: &str) -> bool {
        match self.fields.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.trim().is_empty(),
            Some(Value::Array(values)) => !values.is_empty(),
            Some(_) => true,
        }
    }

    /// A text; numbers and booleans are taken as they are written.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match self.fields.remove(name)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
            value => {
                self.unreadable(name, value);
                None
            }
        }
    }

    /// Several texts: an array, or one alone. `each` reads an element, or several from one.
    pub(crate) fn list(&mut self, name: &str, each: impl Fn(&Value) -> Option<Vec<String>>) -> Vec<String> {
        let Some(value) = self.fields.remove(name) else { return Vec::new() };
        let elements = match &value {
            Value::Array(elements) => elements.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut list = Vec::new();
        let mut readable = true;
        for element in elements.iter().filter(|element| !element.is_null()) {
            match each(element) {
                Some(texts) => list.extend(texts),
                None => readable = false,
            }
        }
        if !readable {
            self.unreadable(name, value);
        }
        list
    }

    /// Notes what is wrong; the first word stands.
    pub(crate) fn problem(&mut self, code: &str, message: impl Into<String>) {
        self.problem.get_or_insert_with(|| Reason::new(code, message));
    }

    fn unreadable(&mut self, name: &str, value: Value) {
        let shape = match value {
            Value::Array(_) => "an array that cannot be read",
            Value::Object(_) => "an object",
            _ => "not text",
        };
        self.problem("unreadable-field", format!("{name} is {shape}"));
        self.fields.insert(name.to_owned(), value);
    }
}
