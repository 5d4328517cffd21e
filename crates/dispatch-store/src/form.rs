//! The form in which recipients are compared: what a person types must find what a sender wrote.

use dispatch_model::{Content, Submission};

/// A number without the signs people put between its digits, or an address without a display name;
/// in lower case.
pub(crate) fn search_form(recipient: &str) -> String {
    let text = recipient.trim();
    if text.contains('@') {
        let bare = match (text.rfind('<'), text.rfind('>')) {
            (Some(open), Some(close)) if open < close => &text[open + 1..close],
            _ => text,
        };
        return bare.trim().to_lowercase();
    }
    text.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '(' | ')' | '.'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// All forms by which a submission's recipients are found, and who sent an inbound one: a number both as dialled and as
/// written.
pub(crate) fn search_forms(submission: &Submission) -> Vec<String> {
    let people = submission.recipients().into_iter().chain(submission.inbound_from());
    let mut forms: Vec<String> = people.map(search_form).collect();
    if let Content::Sms(sms) = &submission.content {
        forms.push(search_form(&sms.to.original));
    }
    forms.retain(|form| !form.is_empty());
    forms.sort_unstable();
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_names_and_case_do_not_matter() {
        for (given, form) in [
            (" +52 (55) 1234-5678 ", "+525512345678"),
            ("Ana <Ana@Example.COM>", "ana@example.com"),
            ("ana@example.com", "ana@example.com"),
            ("> @ <", "> @ <"),
            ("", ""),
        ] {
            assert_eq!(search_form(given), form, "{given:?}");
        }
    }
}
