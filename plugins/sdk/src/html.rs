//! A text part from HTML.
//!
//! Not a renderer: it keeps the words, the paragraphs, the lists and where links lead, and leaves out what people do not
//! see. One pass over the bytes, for any bytes.

/// The text of an HTML document.
///
/// ```
/// # use dispatcher_plugin::html_to_text;
/// let html = r#"<p>Hola <b>Ana</b>,</p><ul><li>uno<li>dos</ul><p><a href="https://example.com/x">Reserva</a></p>"#;
/// assert_eq!(html_to_text(html), "Hola Ana,\n\n- uno\n- dos\n\nReserva (https://example.com/x)");
/// ```
pub fn html_to_text(html: &str) -> String {
    let mut page = Page::default();
    // Every tag ends before here. So no `<` is ever looked at to the end in vain, and the pass stays one pass.
    let (mut rest, tail) = html.split_at(html.rfind('>').map_or(0, |last| last + 1));
    while let Some(at) = rest.find('<') {
        page.words(&rest[..at]);
        rest = &rest[at..];
        match tag(rest) {
            Some((tag, after)) => {
                rest = after;
                if !tag.closing && HIDDEN.contains(&tag.name.as_str()) {
                    rest = skip(rest, &tag.name);
                } else {
                    page.tag(&tag);
                }
            }
            None => {
                page.words("<");
                rest = &rest[1..];
            }
        }
    }
    page.words(rest);
    page.words(tail);
    page.out.trim().to_owned()
}

/// What is inside of these is not text.
const HIDDEN: [&str; 6] = ["head", "script", "style", "template", "title", "noscript"];

struct Tag<'a> {
    name: String,
    closing: bool,
    attributes: &'a str,
}

/// The tag at the start of the text and what comes after it. None where it is no tag but a `<` of the text's.
fn tag(text: &str) -> Option<(Tag<'_>, &str)> {
    let inside = &text[1..];
    if let Some(comment) = inside.strip_prefix("!--") {
        let after = comment.find("-->").map_or("", |end| &comment[end + 3..]);
        return Some((Tag { name: String::new(), closing: false, attributes: "" }, after));
    }
    let closing = inside.starts_with('/');
    let named = inside.strip_prefix('/').unwrap_or(inside);
    if !named.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!' || c == '?') {
        return None;
    }
    // A `>` inside of quotes is part of an attribute.
    let mut quote = None;
    let end = named.bytes().position(|byte| {
        match (quote, byte) {
            (None, b'>') => return true,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
        false
    });
    // A tag that never ends would swallow the text: such a quote was none.
    let end = end.or_else(|| named.find('>'))?;
    let whole = &named[..end];
    let name_end = whole.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(whole.len());
    let tag = Tag { name: whole[..name_end].to_ascii_lowercase(), closing, attributes: &whole[name_end..] };
    Some((tag, &named[end + 1..]))
}

/// What comes after the closing tag of this name; nothing where it is never closed.
fn skip<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        if rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            return rest.find('>').map_or("", |end| &rest[end + 1..]);
        }
    }
    ""
}

/// The text so far.
#[derive(Default)]
struct Page {
    out: String,
    /// Line ends owed before the next word.
    breaks: usize,
    /// Whether a space is owed before the next word.
    space: bool,
    /// Where the open link leads, and where its text begins.
    link: Option<(String, usize)>,
}

impl Page {
    fn words(&mut self, text: &str) {
        for word in entities(text).split_inclusive(is_space) {
            let bare = word.trim_end_matches(is_space);
            if !bare.is_empty() {
                self.put(bare);
            }
            self.space |= bare.len() < word.len();
        }
    }

    fn put(&mut self, word: &str) {
        if self.out.is_empty() {
            // Nothing is owed before the first word.
        } else if self.breaks > 0 {
            self.out.push_str(&"\n\n"[..self.breaks.min(2)]);
        } else if self.space {
            self.out.push(' ');
        }
        (self.breaks, self.space) = (0, false);
        self.out.push_str(word);
    }

    fn end_line(&mut self, breaks: usize) {
        self.breaks = self.breaks.max(breaks);
        self.space = false;
    }

    fn tag(&mut self, tag: &Tag<'_>) {
        match tag.name.as_str() {
            "br" => {
                self.breaks = (self.breaks + 1).min(2);
                self.space = false;
            }
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "blockquote" | "ul" | "ol" | "table" | "pre" => {
                self.end_line(2);
            }
            "div" | "tr" | "section" | "article" | "header" | "footer" | "dt" | "dd" | "form" | "body" => {
                self.end_line(1);
            }
            "td" | "th" => self.space = true,
            "li" => {
                self.end_line(1);
                if !tag.closing {
                    self.put("-");
                    self.space = true;
                }
            }
            "hr" => {
                self.end_line(2);
                self.put("---");
                self.end_line(2);
            }
            "img" => {
                if let Some(alt) = attribute(tag.attributes, "alt") {
                    self.words(&alt);
                }
            }
            "a" => {
                self.end_link();
                if !tag.closing {
                    self.link = attribute(tag.attributes, "href").map(|href| (href, self.out.len()));
                }
            }
            _ => {}
        }
    }

    fn end_link(&mut self) {
        let Some((href, start)) = self.link.take() else { return };
        let href = href.trim();
        let lower = href.to_ascii_lowercase();
        let text = self.out[start..].trim();
        if (lower.starts_with("http://") || lower.starts_with("https://")) && text != href {
            let link = if text.is_empty() { href.to_owned() } else { format!("({href})") };
            self.space = true;
            self.put(&link);
        }
    }
}

/// Spaces that collapse; the no-break space is one too, since nothing is laid out here.
fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// The value of an attribute, its entities resolved.
fn attribute(attributes: &str, name: &str) -> Option<String> {
    let mut rest = attributes;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        let (found, after) = rest.split_at(end);
        rest = after.trim_start();
        let Some(given) = rest.strip_prefix('=') else {
            if found.is_empty() {
                return None;
            }
            continue;
        };
        let given = given.trim_start();
        let (value, after) = match given.chars().next() {
            Some(quote @ ('"' | '\'')) => given[1..].split_once(quote).unwrap_or((&given[1..], "")),
            _ => given.split_at(given.find(char::is_whitespace).unwrap_or(given.len())),
        };
        if found.eq_ignore_ascii_case(name) {
            return Some(entities(value));
        }
        rest = after;
    }
}

/// The names people's editors write; the others stay as they stand.
const NAMED: &[(&str, &str)] = &[
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("euro", "€"),
    ("pound", "£"),
    ("yen", "¥"),
    ("cent", "¢"),
    ("hellip", "…"),
    ("mdash", "—"),
    ("ndash", "–"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("bull", "•"),
    ("middot", "·"),
    ("deg", "°"),
    ("ordf", "ª"),
    ("ordm", "º"),
    ("iexcl", "¡"),
    ("iquest", "¿"),
    ("aacute", "á"),
    ("eacute", "é"),
    ("iacute", "í"),
    ("oacute", "ó"),
    ("uacute", "ú"),
    ("ntilde", "ñ"),
    ("uuml", "ü"),
    ("Aacute", "Á"),
    ("Eacute", "É"),
    ("Iacute", "Í"),
    ("Oacute", "Ó"),
    ("Uacute", "Ú"),
    ("Ntilde", "Ñ"),
    ("Uuml", "Ü"),
    ("atilde", "ã"),
    ("otilde", "õ"),
    ("ccedil", "ç"),
    ("agrave", "à"),
    ("egrave", "è"),
    ("ocirc", "ô"),
    ("ecirc", "ê"),
    ("acirc", "â"),
    ("auml", "ä"),
    ("ouml", "ö"),
    ("szlig", "ß"),
    ("times", "×"),
    ("zwnj", ""),
    ("zwj", ""),
    ("shy", ""),
];

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // The longest name is short: a lone `&` costs nothing however long the text is.
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            Some((meaning, end)) => {
                out.push_str(&meaning);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        let c = char::from_u32(code)?;
        return Some(if c.is_control() { " ".into() } else { c.into() });
    }
    NAMED.iter().find(|(known, _)| *known == name).map(|(_, meaning)| (*meaning).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        let table = [
            ("", ""),
            ("plain &amp; simple", "plain & simple"),
            ("<div style=\"font-size: 11pt;\"><p>Testing  an\n mail.</p></div>", "Testing an mail."),
            (
                "<html><head><title>T</title><style>p{}</style></head><body>Hi<br>there<br><br>you</body></html>",
                "Hi\nthere\n\nyou",
            ),
            ("<p>A</p>\n\n<p>B</p>", "A\n\nB"),
            ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n3"),
            ("<a href='https://e.com'>https://e.com</a> <a href=mailto:x@e.com>x</a>", "https://e.com x"),
            ("<a href=https://e.com><img alt=\"Logo > all\" src=x></a>", "Logo > all (https://e.com)"),
            ("<a href=\"https://e.com?a=1&amp;b=2\"></a>", "https://e.com?a=1&b=2"),
            ("3 < 4 <b>and</b> 5 > 4 & so&on;", "3 < 4 and 5 > 4 & so&on;"),
            ("<!-- <p>hidden</p> -->shown<script>if (a</b) x()</script>!", "shown!"),
            ("&#241;and&uacute; &#x1F600; &#0;.", "ñandú \u{1F600} ."),
            ("a<br/>b", "a\nb"),
            ("<p>x", "x"),
        ];
        for (html, text) in table {
            assert_eq!(html_to_text(html), text, "{html}");
        }
    }

    #[test]
    fn hostile_documents_end() {
        for seed in
            ["<", "</", "<a href=\"", "&", "<!--", "<script>", "<li>", "&#x", "<a href='x", "<p ==", "ñ<ñ"]
        {
            let mut html = seed.repeat(20_000);
            html_to_text(&html);
            html.push('>');
            html_to_text(&html);
            html_to_text(&format!("<script>{html}"));
        }
    }
}
