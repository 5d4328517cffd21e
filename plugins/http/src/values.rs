//! What the placeholders mean.

use dispatcher_plugin::{Channel, Context, Mailbox, Message, PhoneFormat, html_to_text};

use crate::settings::{Attachments, Settings};
use crate::template::Value;

/// The placeholders, for messages of people.
pub(crate) const NAMES: &[&str] = &[
    "to",
    "to_digits",
    "to_national",
    "to_address",
    "to_name",
    "cc",
    "bcc",
    "from",
    "from_digits",
    "from_address",
    "from_name",
    "subject",
    "text",
    "html",
    "attachments",
    "id",
    "idempotency_key",
    "location",
    "contact",
    "callback_url",
    "in_reply_to",
];

/// Placeholders that are lists: `{ "{to}": … }` in a JSON tree makes an item for each.
pub(crate) const LISTS: &[&str] = &["to", "cc", "bcc", "attachments"];

/// Placeholders within an item.
pub(crate) const ITEM: &[&str] = &["item", "item.address", "item.name"];

/// Whether there is such a placeholder.
pub(crate) fn known(name: &str, in_item: bool) -> bool {
    NAMES.contains(&name)
        || name.strip_prefix("extra.").is_some_and(|key| !key.is_empty())
        || (in_item && ITEM.contains(&name))
}

/// The values of one message.
pub(crate) struct Values<'a> {
    pub(crate) context: &'a Context<Settings>,
    pub(crate) message: &'a Message,
    /// Whether the template has a place for attachments; where it has none they become links.
    pub(crate) attachments_have_a_place: bool,
}

impl Values<'_> {
    /// The value of a placeholder.
    pub(crate) fn get(&self, name: &str) -> Value {
        let message = self.message;
        let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let joined = |list: &[String]| (!list.is_empty()).then(|| list.join(", "));
        let to = message.recipient();
        let from = || some(&message.sender).or_else(|| some(&self.context.settings.from));
        if let Some(key) = name.strip_prefix("extra.") {
            return message.extra(key).into();
        }
        match name {
            "to" => joined(&message.to),
            "to_digits" => Some(PhoneFormat::Digits.render(to)),
            "to_national" => Some(PhoneFormat::National.render(to)),
            "to_address" => address(to),
            "to_name" => display(to),
            "cc" => joined(&message.cc),
            "bcc" => joined(&message.bcc),
            "from" => from(),
            "from_digits" => from().map(|from| PhoneFormat::Digits.render(&from)),
            "from_address" => from().and_then(|from| address(&from)),
            "from_name" => from().and_then(|from| display(&from)),
            "subject" => some(&message.subject),
            "text" => self.text(),
            "html" => self.html(),
            "attachments" => {
                let urls: Vec<String> = message.attachments.iter().map(|each| each.url.clone()).collect();
                return if urls.is_empty() { Value::None } else { Value::Many(urls) };
            }
            "id" => Some(message.id.clone()),
            "idempotency_key" => Some(self.context.idempotency_key.clone()),
            "location" => Some(message.location.clone()),
            "contact" => some(&message.contact),
            "callback_url" => self.context.callback_with("message", &message.id),
            "in_reply_to" => some(&message.in_reply_to),
            _ => None,
        }
        .into()
    }

    /// The items of a list.
    pub(crate) fn items(&self, list: &str) -> Vec<String> {
        match list {
            "to" => self.message.to.clone(),
            "cc" => self.message.cc.clone(),
            "bcc" => self.message.bcc.clone(),
            "attachments" => self.message.attachments.iter().map(|each| each.url.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// The value of a placeholder within an item.
    pub(crate) fn of_item(item: &str, name: &str) -> Option<Value> {
        Some(match name {
            "item" => Value::One(item.to_owned()),
            "item.address" => address(item).into(),
            "item.name" => display(item).into(),
            _ => return None,
        })
    }

    fn links(&self) -> Vec<&str> {
        if self.attachments_have_a_place || self.context.settings.attachments != Attachments::Links {
            return Vec::new();
        }
        self.message.attachments.iter().map(|each| each.url.as_str()).collect()
    }

    fn text(&self) -> Option<String> {
        let message = self.message;
        let text = match (&message.text, &message.html, message.channel) {
            (Some(text), _, _) if !text.is_empty() => text.clone(),
            (_, Some(html), Channel::Email) => html_to_text(html),
            _ => String::new(),
        };
        let parts: Vec<&str> =
            std::iter::once(text.as_str()).chain(self.links()).filter(|part| !part.is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join("\n"))
    }

    fn html(&self) -> Option<String> {
        let mut html = self.message.html.clone().filter(|html| !html.is_empty())?;
        let links: String = self
            .links()
            .iter()
            .map(|url| crate::template::Place::Xml.escape(url))
            .map(|url| format!("<p><a href=\"{url}\">{url}</a></p>"))
            .collect();
        let end = html.to_ascii_lowercase().rfind("</body>").unwrap_or(html.len());
        html.insert_str(end, &links);
        Some(html)
    }
}

/// The plain address; what is no mail address, such as a URL or a number, as it is.
fn address(text: &str) -> Option<String> {
    Some(Mailbox::parse(text).map_or_else(|_| text.to_owned(), |mailbox| mailbox.address))
}

fn display(text: &str) -> Option<String> {
    Mailbox::parse(text).ok()?.name
}
