//! An attachment as a link in a mail.

use dispatch_model::EmailContent;

/// Whether an attachment's URL may be given to a reader as a link. It is the sender's, and `javascript:` in a mail's
/// HTML would be ours to answer for.
pub(crate) fn is_web_link(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        && !url.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// Appends the link where a reader will find it.
pub(crate) fn append(mail: &mut EmailContent, url: &str) {
    if let Some(text) = &mut mail.text {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(url);
    }
    if !mail.html.is_empty() || mail.text.is_none() {
        append_html(&mut mail.html, url);
    }
}

/// Before the end of the body, where the HTML is a whole document.
fn append_html(html: &mut String, url: &str) {
    let escaped = escape(url);
    let link = format!("<p><a href=\"{escaped}\">{escaped}</a></p>");
    // ASCII lower case keeps byte positions; anything else would not.
    match html.to_ascii_lowercase().rfind("</body") {
        Some(at) => html.insert_str(at, &link),
        None => html.push_str(&link),
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(html: &str, text: Option<&str>) -> EmailContent {
        EmailContent {
            from: None,
            to: Vec::new(),
            cc: Vec::new(),
            bcc: Vec::new(),
            subject: String::new(),
            html: html.to_owned(),
            text: text.map(str::to_owned),
            in_reply_to: None,
        }
    }

    #[test]
    fn a_link_stands_where_a_reader_finds_it() {
        const URL: &str = "https://a.example/x?a=1&b=2";
        const LINK: &str =
            "<p><a href=\"https://a.example/x?a=1&amp;b=2\">https://a.example/x?a=1&amp;b=2</a></p>";
        for (html, text, expected_html, expected_text) in [
            ("<b>é</b>", None, format!("<b>é</b>{LINK}"), None),
            ("<BODY>É</BODY></html>", None, format!("<BODY>É{LINK}</BODY></html>"), None),
            ("", Some("t"), String::new(), Some(format!("t\n{URL}"))),
            ("", None, LINK.to_owned(), None),
            ("h", Some("t"), format!("h{LINK}"), Some(format!("t\n{URL}"))),
        ] {
            let mut mail = mail(html, text);
            append(&mut mail, URL);
            assert_eq!((mail.html, mail.text), (expected_html, expected_text));
        }
    }

    #[test]
    fn what_is_no_web_link_is_told_apart() {
        for url in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "no url", "https://a b/"]
        {
            assert!(!is_web_link(url), "{url}");
        }
        assert!(is_web_link("https://a.example/x"));
    }
}
