//! The settings of a backend: a request with placeholders, and how its answer is read.

use std::collections::BTreeMap;

use dispatcher_plugin::{Check, Credential};
use serde::Deserialize;
use serde_json::{Map, Value as Tree};

use crate::answer::Answer;
use crate::body;
use crate::template::Template;
use crate::values::{self, known};

/// The settings of a backend.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    pub(crate) method: Method,
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    credential: Login,
    #[serde(default)]
    pub(crate) body: Body,
    #[serde(default)]
    pub(crate) from: Option<String>,
    #[serde(default)]
    pub(crate) attachments: Attachments,
    #[serde(default)]
    pub(crate) answer: Answer,
}

/// The method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    Get,
    #[default]
    Post,
    Put,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// How we prove who we are.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Login {
    #[default]
    None,
    Basic {
        user: String,
        secret: String,
    },
    Bearer {
        secret: String,
    },
    Header {
        name: String,
        secret: String,
    },
}

/// The body.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Body {
    #[default]
    None,
    Json(Tree),
    Form(Map<String, Tree>),
    Text {
        template: String,
        media_type: String,
        #[serde(default)]
        escape: TextEscape,
    },
}

/// How values are escaped in a text.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TextEscape {
    #[default]
    None,
    Xml,
    Json,
    Percent,
}

/// What becomes of attachments that the template has no place for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Attachments {
    /// Their URLs stand at the end of the text and of the HTML.
    #[default]
    Links,
    /// They are left out.
    Drop,
    /// The message is refused.
    Refuse,
}

impl Settings {
    /// The credential, for all but a header of the provider's own.
    pub(crate) fn credential(&self) -> Credential {
        match &self.credential {
            Login::None | Login::Header { .. } => Credential::None,
            Login::Basic { user, secret } => Credential::basic(user, secret),
            Login::Bearer { secret } => Credential::bearer(secret),
        }
    }

    /// The header that proves who we are, and its secret.
    pub(crate) fn credential_header(&self) -> Option<(&str, &str)> {
        match &self.credential {
            Login::Header { name, secret } => Some((name, secret)),
            _ => None,
        }
    }

    /// All templates with their paths, and whether they stand within an item of a list.
    fn templates(&self) -> Vec<(String, String, bool)> {
        let mut found = vec![("url".to_owned(), self.url.clone(), false)];
        for (name, value) in &self.headers {
            found.push((format!("headers.{name}"), value.clone(), false));
        }
        match &self.body {
            Body::None => {}
            Body::Json(tree) => body::templates("body.json", tree, false, &mut found),
            Body::Form(fields) => {
                for (name, value) in fields {
                    // Lists in a form stand for a field that is repeated; there are no items in it.
                    body::templates(&format!("body.form.{name}"), value, false, &mut found);
                }
            }
            Body::Text { template, .. } => {
                found.push(("body.text.template".to_owned(), template.clone(), false))
            }
        }
        found
    }

    /// Whether the template has a place for attachments.
    pub(crate) fn takes_attachments(&self) -> bool {
        let placed = |(_, text, _): &(String, String, bool)| {
            Template::parse(text).is_ok_and(|template| template.names().any(|name| name == "attachments"))
        };
        self.templates().iter().any(placed)
            || matches!(&self.body, Body::Json(tree) if lists_attachments(tree))
    }

    pub(crate) fn check(&self, check: &mut Check) {
        for (path, text, in_item) in self.templates() {
            match Template::parse(&text) {
                Err(problem) => check.problem(path, problem),
                Ok(template) => {
                    for name in template.names().filter(|name| !known(name, in_item)) {
                        check.problem(path.as_str(), unknown(name));
                    }
                    for secret in template.secrets() {
                        check.that(
                            !secret.is_empty(),
                            path.as_str(),
                            "write the secret's name: {secret.api_key}",
                        );
                        check.secret(secret);
                    }
                }
            }
        }
        self.check_url(check);
        match &self.credential {
            Login::None => {}
            Login::Basic { secret, .. } | Login::Bearer { secret } => check.secret(secret),
            Login::Header { name, secret } => {
                check.that(token(name), "credential.header.name", "not a header's name");
                check.secret(secret);
            }
        }
        for name in self.headers.keys() {
            check.that(token(name), format!("headers.{name}"), "not a header's name");
        }
        let has_body = !matches!(self.body, Body::None);
        check.that(
            self.method != Method::Get || !has_body,
            "body",
            "a GET has no body; write the fields into the url",
        );
        if let Body::Form(fields) = &self.body {
            for (name, value) in fields {
                let plain = |value: &Tree| !value.is_object() && !value.is_array() && !value.is_null();
                let good = plain(value) || value.as_array().is_some_and(|items| items.iter().all(plain));
                check.that(good, format!("body.form.{name}"), "a form's field is a text, or a list of texts");
            }
        }
        self.answer.check(check);
    }

    fn check_url(&self, check: &mut Check) {
        // The host is granted before any message is seen, so no message may choose it.
        let start = Template::parse(&self.url).map(|url| url.literal_start().to_owned()).unwrap_or_default();
        let whole = !self.url.contains('{');
        let rest = start.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
        if start.contains("://") && !whole && !rest.contains(['/', '?']) {
            check.problem("url", "placeholders stand after the host: https://api.example.com/{to}");
        } else {
            check.url("url", &start);
        }
    }
}

fn lists_attachments(tree: &Tree) -> bool {
    match tree {
        Tree::Array(items) => items.iter().any(lists_attachments),
        Tree::Object(fields) => {
            body::list(fields).is_some_and(|(name, _)| name == "attachments")
                || fields.values().any(lists_attachments)
        }
        _ => false,
    }
}

fn unknown(name: &str) -> String {
    let near = values::NAMES.iter().find(|known| {
        known.eq_ignore_ascii_case(name)
            || known.replace('_', "") == name.replace(['_', '-', ' '], "").to_ascii_lowercase()
    });
    let hint = match near {
        Some(near) => format!("; did you mean {{{near}}}?"),
        None => format!(
            "; there are {}, extra.KEY and secret.NAME. For a brace of your own write {{{{",
            values::NAMES.join(", ")
        ),
    };
    format!("there is no placeholder {{{name}}}{hint}")
}

fn token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
