//! Texts with placeholders: `Hola {to}`. `{{` is a brace.

use dispatcher_plugin::{Escape, Pieces, percent};

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Value(String),
    Secret(String),
}

/// What a placeholder stands for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Value {
    /// The message has none.
    #[default]
    None,
    /// A text.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl Value {
    /// As one text: nothing is empty, a list has spaces between.
    pub(crate) fn joined(self) -> String {
        match self {
            Self::None => String::new(),
            Self::One(text) => text,
            Self::Many(list) => list.join(" "),
        }
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::None, Self::One)
    }
}

/// Where a text stands, and so how what is put into it is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A URL's path or query, or a form.
    Percent,
    /// Inside of a JSON string.
    Json,
    /// XML's text and attributes.
    Xml,
    /// Nowhere special.
    Raw,
}

impl Place {
    pub(crate) fn escape(self, text: &str) -> String {
        match self {
            Self::Percent => percent(text),
            Self::Json => {
                let quoted = serde_json::Value::from(text).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Xml => {
                let mut out = String::with_capacity(text.len());
                for c in text.chars() {
                    match c {
                        '&' => out.push_str("&amp;"),
                        '<' => out.push_str("&lt;"),
                        '>' => out.push_str("&gt;"),
                        '"' => out.push_str("&quot;"),
                        '\'' => out.push_str("&apos;"),
                        // XML has no way to write these.
                        c if c.is_control() && !matches!(c, '\t' | '\r' | '\n') => {}
                        c => out.push(c),
                    }
                }
                out
            }
            Self::Raw => text.to_owned(),
        }
    }

    fn of_secret(self) -> Escape {
        match self {
            Self::Percent => Escape::Percent,
            Self::Json => Escape::Json,
            Self::Xml | Self::Raw => Escape::Raw,
        }
    }
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong, for a person: a placeholder that is not closed. Whether its name means something, `known` of
    /// [`check`](Self::check) says.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            literal.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('{') {
                literal.push('{');
                rest = after;
                continue;
            }
            let (name, after) =
                rest.split_once('}').ok_or("a { is not closed; for a brace of your own write {{")?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(match name.strip_prefix("secret.") {
                Some(secret) => Part::Secret(secret.to_owned()),
                None => Part::Value(name.to_owned()),
            });
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self(parts))
    }

    /// The names of its placeholders.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Value(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The names of its secrets.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Secret(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The one placeholder that it is made of, where it is nothing else.
    pub(crate) fn alone(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Value(name)] => Some(name),
            _ => None,
        }
    }

    /// How long the text is before the first placeholder.
    pub(crate) fn literal_start(&self) -> &str {
        match self.0.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// The text with the values escaped for their place; what the operator wrote stands as it is.
    pub(crate) fn render(&self, place: Place, value: &dyn Fn(&str) -> Value) -> Pieces {
        self.write(Place::Raw, place, value)
    }

    /// The text, all of it escaped for its place: for texts that stand in a tree or a form, and are not it.
    pub(crate) fn encoded(&self, place: Place, value: &dyn Fn(&str) -> Value) -> Pieces {
        self.write(place, place, value)
    }

    fn write(&self, literal: Place, place: Place, value: &dyn Fn(&str) -> Value) -> Pieces {
        let mut out = Pieces::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.bytes(literal.escape(text)),
                Part::Value(name) => out.bytes(place.escape(&value(name).joined())),
                Part::Secret(name) => out.secret(name, place.of_secret()),
            };
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str, place: Place) -> String {
        let value = |name: &str| match name {
            "none" => Value::None,
            "list" => Value::Many(vec!["a".into(), "b&".into()]),
            name => Value::One(format!("<{name}\n\"&ñ>")),
        };
        Template::parse(text).expect("a template").render(place, &value).to_text()
    }

    #[test]
    fn places() {
        assert_eq!(render("a {x} b", Place::Raw), "a <x\n\"&ñ> b");
        assert_eq!(render("/p/{x}?y=ñ", Place::Percent), "/p/%3Cx%0A%22%26%C3%B1%3E?y=ñ");
        assert_eq!(render("\"{x}\"", Place::Json), "\"<x\\n\\\"&ñ>\"");
        let whole = Template::parse("\"\n{x}")
            .expect("a template")
            .encoded(Place::Json, &|_| Value::One("\"".into()));
        assert_eq!(whole.to_text(), "\\\"\\n\\\"");
        assert_eq!(render("<a>{x}</a>", Place::Xml), "<a>&lt;x\n&quot;&amp;ñ&gt;</a>");
        assert_eq!(render("{none}|{list}|{secret.k}", Place::Raw), "|a b&|{secret k}");
    }

    #[test]
    fn braces() {
        assert_eq!(render("{{x}", Place::Raw), "{x}");
        assert_eq!(render("{{{none}}", Place::Raw), "{}");
        assert_eq!(render("a}b", Place::Raw), "a}b");
        assert!(Template::parse("a {b").is_err());
    }

    #[test]
    fn alone() {
        let alone = |text| Template::parse(text).expect("a template").alone().map(str::to_owned);
        assert_eq!(alone("{to}"), Some("to".into()));
        assert_eq!(alone(" {to}"), None);
        assert_eq!(alone("{secret.x}"), None);
    }
}
