//! The settings that plugins for mail share, and what they make of a mail's sender.

use std::collections::BTreeMap;

use super::unsubscribe;
use crate::{Check, Mailbox, Refusal};

/// The settings that plugins for mail share. A plugin has them among its own fields, under these names, and lends them.
#[derive(Clone, Copy, Debug)]
pub struct MailSettings<'a> {
    /// The sender of mails that bring none, and of those whose sender is not allowed.
    pub from: Option<&'a str>,
    /// Addresses and domains that may stand in `From`; without it all may.
    pub allowed_senders: Option<&'a [String]>,
    /// Where answers go, whatever the sender is.
    pub reply_to: Option<&'a str>,
    /// `https:` and `mailto:` addresses; `{contact}`, `{location}`, `{message}` and `{recipient}` are filled in.
    pub list_unsubscribe: &'a [String],
    /// Whether the `https:` address unsubscribes by a POST alone (RFC 8058).
    pub one_click_unsubscribe: bool,
    /// Further headers.
    pub headers: &'a BTreeMap<String, String>,
}

/// Who a mail is from.
#[derive(Clone, Debug, PartialEq)]
pub struct Sender {
    /// What stands in `From`.
    pub from: Mailbox,
    /// What stands in `Reply-To`.
    pub reply_to: Option<Mailbox>,
}

impl MailSettings<'_> {
    /// Who a mail with this sender is from.
    ///
    /// # Errors
    /// There is no sender, it is no address, or it may not send here and there is none instead.
    pub fn sender(&self, given: Option<&str>) -> Result<Sender, Refusal> {
        let wrong =
            |what: &str, problem: &str| Refusal::sender("sender", format!("{what} is no address: {problem}"));
        let set = |what: &str, text: Option<&str>| {
            text.map(Mailbox::parse).transpose().map_err(|problem| wrong(what, problem))
        };
        let default = set("the setting from", self.from)?;
        let mut reply_to = set("the setting reply_to", self.reply_to)?;
        let given = set("the mail's sender", given.filter(|text| !text.trim().is_empty()))?;
        let from = match (given, default) {
            (Some(given), _) if self.allows(&given) => given,
            (Some(given), Some(default)) => {
                reply_to = reply_to.or(Some(given));
                default
            }
            (None, Some(default)) => default,
            (Some(_), None) => {
                return Err(Refusal::sender(
                    "sender",
                    "the mail's sender is not among allowed_senders, and there is no from",
                ));
            }
            (None, None) => {
                return Err(Refusal::sender(
                    "sender",
                    "the mail has no sender, and there is no setting from",
                ));
            }
        };
        Ok(Sender { from, reply_to })
    }

    fn allows(&self, sender: &Mailbox) -> bool {
        let Some(allowed) = self.allowed_senders else { return true };
        allowed.iter().any(|allowed| {
            allowed.eq_ignore_ascii_case(&sender.address) || allowed.eq_ignore_ascii_case(&sender.domain())
        })
    }

    /// What is wrong with them.
    pub fn check(&self, check: &mut Check) {
        for (path, text) in [("from", self.from), ("reply_to", self.reply_to)] {
            if let Some(Err(problem)) = text.map(Mailbox::parse) {
                check.problem(
                    path,
                    format!("not an address: {problem}; write a@b.example or Name <a@b.example>"),
                );
            }
        }
        for (at, allowed) in self.allowed_senders.into_iter().flatten().enumerate() {
            let probe = if allowed.contains('@') { allowed.clone() } else { format!("x@{allowed}") };
            let good = Mailbox::parse(&probe).is_ok_and(|mailbox| mailbox.address == probe);
            check.that(
                good,
                format!("allowed_senders.{at}"),
                "write an address or a domain: a@b.example or b.example",
            );
        }
        for (at, way) in self.list_unsubscribe.iter().enumerate() {
            if let Some(problem) = unsubscribe::problem(way) {
                check.problem(format!("list_unsubscribe.{at}"), problem);
            }
        }
        let https = self.list_unsubscribe.iter().any(|way| way.starts_with("https://"));
        check.that(
            https || !self.one_click_unsubscribe,
            "one_click_unsubscribe",
            "one click needs an https: address in list_unsubscribe",
        );
        self.check_headers(check);
    }

    fn check_headers(&self, check: &mut Check) {
        for (name, value) in self.headers {
            let path = format!("headers.{name}");
            let token =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            check.that(token, path.as_str(), "not a header's name: letters, digits and -");
            let ours = OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name));
            check.that(!ours, path.as_str(), "this header is the plugin's own");
            check.that(
                !value.chars().any(char::is_control),
                path,
                "a header's value has no control characters and no line ends",
            );
        }
    }
}

/// Headers that plugins write themselves.
const OURS: &[&str] = &[
    "from",
    "to",
    "cc",
    "bcc",
    "sender",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "return-path",
    "received",
    "dkim-signature",
];

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &BTreeMap<String, String> = &BTreeMap::new();

    fn settings() -> MailSettings<'static> {
        MailSettings {
            from: None,
            allowed_senders: None,
            reply_to: None,
            list_unsubscribe: &[],
            one_click_unsubscribe: false,
            headers: NONE,
        }
    }

    #[test]
    fn senders() {
        let from = |settings: MailSettings<'_>, given: Option<&str>| match settings.sender(given) {
            Ok(Sender { from, reply_to }) => {
                format!("{} / {}", from.address, reply_to.map(|mailbox| mailbox.address).unwrap_or_default())
            }
            Err(refusal) => refusal.kind().into(),
        };
        let acme = ["acme.example".to_owned()];
        let limited =
            || MailSettings { from: Some("us@acme.example"), allowed_senders: Some(&acme), ..settings() };
        assert_eq!(from(settings(), Some("A <a@b.example>")), "a@b.example / ");
        assert_eq!(from(settings(), None), "rejected-sender");
        assert_eq!(from(settings(), Some(" ")), "rejected-sender");
        assert_eq!(from(settings(), Some("a@b\r\nX: y")), "rejected-sender");
        assert_eq!(from(limited(), Some("ana@ACME.example")), "ana@ACME.example / ");
        assert_eq!(from(limited(), Some("ana@gmail.com")), "us@acme.example / ana@gmail.com");
        let silent = MailSettings { from: None, ..limited() };
        assert_eq!(from(silent, Some("x@gmail.com")), "rejected-sender");
        let answered = MailSettings { reply_to: Some("r@s.example"), ..settings() };
        assert_eq!(from(answered, Some("a@b.example")), "a@b.example / r@s.example");
    }
}
