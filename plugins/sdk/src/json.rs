//! JSON with places in it for what the host puts in: the content of attachments, and secrets.

use serde_json::Value;

use crate::{Encoding, Escape, Pieces};

/// A JSON value under construction. What the plugin knows stands in it as it is; what only the host has is a place.
///
/// ```
/// # use dispatcher_plugin::Json;
/// let file = Json::object().field("name", "a.pdf").field("content", Json::Attachment(0));
/// let body = Json::object().field("to", "a@b.example").field("files", Json::List(vec![file])).field_if("cc", None::<&str>);
/// assert_eq!(body.into_pieces().to_text(), r#"{"to":"a@b.example","files":[{"name":"a.pdf","content":"{attachment 0}"}]}"#);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// A value without places.
    Value(Value),
    /// Fields in the order in which they were added.
    Object(Vec<(String, Json)>),
    /// Items in order.
    List(Vec<Json>),
    /// A string: the content of an attachment in base64, by its index in the message.
    Attachment(u32),
    /// A string: the secret of this name.
    Secret(String),
}

impl Json {
    /// An object without fields yet.
    pub fn object() -> Self {
        Self::Object(Vec::new())
    }

    /// Adds a field to an object; anything else becomes an object first.
    #[must_use]
    pub fn field(self, name: &str, value: impl Into<Json>) -> Self {
        let mut fields = match self {
            Self::Object(fields) => fields,
            _ => Vec::new(),
        };
        fields.push((name.to_owned(), value.into()));
        Self::Object(fields)
    }

    /// Adds a field where there is a value.
    #[must_use]
    pub fn field_if(self, name: &str, value: Option<impl Into<Json>>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// Adds a list where it has items.
    #[must_use]
    pub fn list_if(self, name: &str, items: Vec<Json>) -> Self {
        if items.is_empty() { self } else { self.field(name, Self::List(items)) }
    }

    /// The body.
    pub fn into_pieces(self) -> Pieces {
        let mut pieces = Pieces::new();
        self.write(&mut pieces);
        pieces
    }

    fn write(self, out: &mut Pieces) {
        match self {
            Self::Value(value) => {
                out.bytes(value.to_string());
            }
            Self::Object(fields) => {
                out.bytes("{");
                for (at, (name, value)) in fields.into_iter().enumerate() {
                    out.bytes(if at == 0 { "" } else { "," }).bytes(Value::from(name).to_string()).bytes(":");
                    value.write(out);
                }
                out.bytes("}");
            }
            Self::List(items) => {
                out.bytes("[");
                for (at, item) in items.into_iter().enumerate() {
                    out.bytes(if at == 0 { "" } else { "," });
                    item.write(out);
                }
                out.bytes("]");
            }
            Self::Attachment(index) => {
                out.bytes("\"").attachment(index, Encoding::Base64).bytes("\"");
            }
            Self::Secret(name) => {
                out.bytes("\"").secret(name, Escape::Json).bytes("\"");
            }
        }
    }
}

impl<T: Into<Value>> From<T> for Json {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_people_wrote_is_no_place() {
        let body = Json::object()
            .field("text", "\"},{attachment 0}\u{1}\n")
            .field("token", Json::Secret("t".into()))
            .field("nested", json!({ "a": [1, null] }))
            .field("none", Json::object())
            .list_if("empty", Vec::new())
            .list_if("some", vec![1.into(), Json::Attachment(3)]);
        assert_eq!(
            body.into_pieces().to_text(),
            "{\"text\":\"\\\"},{attachment 0}\\u0001\\n\",\"token\":\"{secret t}\",\"nested\":{\"a\":[1,null]},\
             \"none\":{},\"some\":[1,\"{attachment 3}\"]}"
        );
    }
}
