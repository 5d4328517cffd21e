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
