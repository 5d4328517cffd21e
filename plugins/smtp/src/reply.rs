//! What a relay's reply means: by its stage, its code and, where it says one, its enhanced status (RFC 3463).

use dispatcher_plugin::{MailStage, Refusal, SmtpReply};

/// The refusal of a reply that is no success.
pub(crate) fn refusal(stage: MailStage, reply: &SmtpReply) -> Refusal {
    let status = reply.enhanced.clone().or_else(|| enhanced(&reply.text)).unwrap_or_default();
    let code = if status.is_empty() { reply.code.to_string() } else { format!("{} {status}", reply.code) };
    let words = reply.text.as_str();
    let says = |what: &str| words.to_ascii_lowercase().contains(what);
    if reply.code < 500 {
        // SES answers so where the sending rate is spent; a code of its own there is none.
        return if reply.code == 454 && says("throttl") {
            Refusal::throttled(code, words)
        } else {
            Refusal::deferred(code, words)
        };
    }
    if matches!(reply.code, 530 | 534 | 535 | 538) || matches!(status.as_str(), "5.7.8" | "5.7.9" | "5.7.11")
    {
        return Refusal::account(code, words);
    }
    // The size of a mail is told at any stage, as early as its announcement.
    if reply.code == 552 || matches!(status.as_str(), "5.3.4" | "5.2.3") {
        return Refusal::content(code, words);
    }
    match stage {
        MailStage::Greeting | MailStage::Hello | MailStage::StartTls | MailStage::Auth => {
            Refusal::account(code, words)
        }
        MailStage::Sender => Refusal::sender(code, words),
        // Relaying denied is a matter of who asks, not of who is to get it.
        MailStage::Recipient if matches!(status.as_str(), "5.7.1" | "5.7.60") => Refusal::sender(code, words),
        MailStage::Recipient => Refusal::recipient(code, words),
        MailStage::Data | MailStage::Content => match status.as_str() {
            "5.7.60" | "5.7.26" | "5.7.25" | "5.1.7" | "5.1.8" => Refusal::sender(code, words),
            // 550 5.7.1 is a policy about who sends; 554 5.7.1 is the filter's word about what is sent.
            "5.7.1" if reply.code == 550 => Refusal::sender(code, words),
            // The words of SES for an identity it does not know; its reply has no enhanced status.
            _ if says("not verified") => Refusal::sender(code, words),
            status if status.starts_with("5.1.") => Refusal::recipient(code, words),
            _ => Refusal::content(code, words),
        },
    }
}

/// The enhanced status at the start of the text.
fn enhanced(text: &str) -> Option<String> {
    let first = text.split_whitespace().next()?;
    let parts: Vec<&str> = first.split('.').collect();
    let number =
        |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (parts.len() == 3 && matches!(parts[0], "2" | "4" | "5") && parts.iter().all(number))
        .then(|| first.to_owned())
}

/// The relay's own id of a mail it took: the word after `queued as`, or a last word that looks like an id.
pub(crate) fn reference(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let after = lower.find("queued as ").map(|at| &text[at + "queued as ".len()..]);
    let word = match after {
        Some(rest) => rest.split_whitespace().next()?,
        None => text.split_whitespace().last()?,
    };
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let id = word.len() >= 8 && word.bytes().any(|byte| byte.is_ascii_digit());
    (after.is_some() && !word.is_empty() || id).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_and_outcomes() {
        use MailStage::*;
        let table: &[(MailStage, u16, &str, &str, &str)] = &[
            (Greeting, 421, "4.3.2", "try later", "deferred"),
            (Greeting, 554, "", "no service for you", "rejected-account"),
            (Hello, 550, "", "bad name", "rejected-account"),
            (StartTls, 454, "4.7.0", "TLS not available", "deferred"),
            (Auth, 535, "5.7.8", "bad credentials", "rejected-account"),
            (Auth, 534, "", "application password", "rejected-account"),
            (Auth, 454, "4.7.0", "temporary failure", "deferred"),
            (Sender, 530, "5.7.0", "authentication required", "rejected-account"),
            (Sender, 550, "5.7.1", "not yours", "rejected-sender"),
            (Sender, 553, "5.1.8", "no such sender", "rejected-sender"),
            (Sender, 552, "5.3.4", "too large", "rejected-content"),
            (Sender, 452, "4.3.1", "disk full", "deferred"),
            (Recipient, 550, "5.1.1", "no such user", "rejected-recipient"),
            (Recipient, 550, "", "5.1.1 in the text only", "rejected-recipient"),
            (Recipient, 550, "5.2.1", "disabled", "rejected-recipient"),
            (Recipient, 552, "5.2.2", "full", "rejected-content"),
            (Recipient, 554, "5.7.1", "relay access denied", "rejected-sender"),
            (Recipient, 450, "4.2.0", "greylisted", "deferred"),
            (Recipient, 421, "4.7.0", "too many connections", "deferred"),
            (
                Content,
                550,
                "5.7.60",
                "client does not have permissions to send as this sender",
                "rejected-sender",
            ),
            (Content, 550, "5.7.1", "policy", "rejected-sender"),
            (Content, 554, "5.7.1", "spam", "rejected-content"),
            (Content, 554, "", "Message rejected: Email address is not verified.", "rejected-sender"),
            (Content, 554, "5.6.0", "bad MIME", "rejected-content"),
            (Content, 550, "5.1.1", "no such user", "rejected-recipient"),
            (Content, 451, "4.7.1", "later", "deferred"),
            (Content, 454, "", "Throttling failure: Maximum sending rate exceeded", "throttled"),
            (Data, 503, "5.5.1", "bad sequence", "rejected-content"),
        ];
        for (stage, code, enhanced, text, kind) in table {
            let enhanced = (!enhanced.is_empty()).then(|| (*enhanced).to_owned());
            let reply = SmtpReply { code: *code, enhanced, text: (*text).into() };
            let refusal = refusal(*stage, &reply);
            assert_eq!(refusal.kind(), *kind, "{stage:?} {code} {text}");
            assert!(refusal.reason().code.starts_with(&code.to_string()));
        }
        let reply = SmtpReply { code: 550, enhanced: None, text: "5.1.1 gone".into() };
        assert_eq!(refusal(Recipient, &reply).reason().code, "550 5.1.1");
    }

    #[test]
    fn references() {
        let table = [
            ("2.0.0 Ok: queued as 4XkY2z1", Some("4XkY2z1")),
            ("Ok 0100018f3c5e-000000", Some("0100018f3c5e-000000")),
            ("OK <a1b2c3d4e5@relay.example>", Some("a1b2c3d4e5@relay.example")),
            ("Message accepted", None),
            ("OK", None),
            ("", None),
        ];
        for (text, id) in table {
            assert_eq!(reference(text).as_deref(), id, "{text}");
        }
    }
}
