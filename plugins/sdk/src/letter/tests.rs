//! A message in, a letter out.

use std::collections::BTreeMap;

use super::*;
use crate::testing::{email, file, link};

fn read(message: &Message) -> Result<Letter<'_>, Refusal> {
    let settings = MailSettings {
        from: None,
        allowed_senders: None,
        reply_to: None,
        list_unsubscribe: &[],
        one_click_unsubscribe: false,
        headers: &BTreeMap::new(),
    };
    Letter::read(&settings, message, 50)
}

fn plain() -> Message {
    email("Ana Pérez <ana@acme.example>", "b@c.example", "Hola", "<p>Hola <b>tú</b></p>")
}

#[test]
fn each_recipient_once() {
    let mut message = plain();
    message.cc = vec!["B <B@c.example>".into(), "\"López, Juan\" <juan@c.example>".into(), "nobody".into()];
    message.bcc = vec!["juan@c.example".into(), "d@c.example".into()];
    let letter = read(&message).expect("a letter");
    let addresses = |list: &[crate::Mailbox]| {
        list.iter().map(|mailbox| mailbox.address.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(addresses(&letter.to), "b@c.example");
    assert_eq!(addresses(&letter.cc), "juan@c.example");
    assert_eq!(addresses(&letter.bcc), "d@c.example");
    assert_eq!(letter.recipients.addresses().count(), 3);
    assert_eq!(letter.recipients.as_given("JUAN@c.example"), "\"López, Juan\" <juan@c.example>");
    assert_eq!(letter.recipients.as_given("x@y"), "x@y");
    let refused = letter.recipients.refused();
    assert_eq!((refused.len(), refused[0].recipient.as_str(), refused[0].retry), (1, "nobody", false));
}

#[test]
fn texts_and_links() {
    let mut message = plain();
    let letter = read(&message).expect("a letter");
    assert_eq!((letter.text.as_str(), letter.html.as_deref()), ("Hola tú", Some("<p>Hola <b>tú</b></p>")));
    message.attachments = vec![file("a.gif", "image/gif", 6), link("https://f.example/x?a=1&b=2")];
    message.html = Some("<body><p>Hola</p></BODY>".into());
    let letter = read(&message).expect("a letter");
    assert_eq!(letter.text, "Hola\n\nhttps://f.example/x?a=1&b=2");
    let html = letter.html.expect("an HTML part");
    assert!(html.ends_with("https://f.example/x?a=1&amp;b=2</a></p></BODY>"), "{html}");
    let [attached] = &letter.files[..] else { panic!("{:?}", letter.files) };
    assert_eq!((attached.index, attached.name, attached.media_type), (0, "a.gif", "image/gif"));
    message.attachments = vec![file("y", "image/png\r\nX-Evil: 1", 6), file("z", "image", 1)];
    let letter = read(&message).expect("a letter");
    assert!(letter.files.iter().all(|file| file.media_type == "application/octet-stream"));
}

#[test]
fn there_are_words_for_those_who_insist() {
    let mut message = plain();
    assert_eq!(read(&message).expect("a letter").words(), "Hola tú");
    message.html = None;
    assert_eq!(read(&message).expect("a letter").words(), "Hola");
    message.attachments = vec![file("a.gif", "image/gif", 6), file("b.gif", "image/gif", 6)];
    assert_eq!(read(&message).expect("a letter").words(), "a.gif\nb.gif");
    (message.cc, message.to) = (message.to.clone(), Vec::new());
    assert!(read(&message).expect("a letter").check_to().is_err());
}

#[test]
fn threads_and_lists() {
    let mut message = plain();
    message.in_reply_to = Some("<abc@mail.example>".into());
    let (ways, own) = (
        ["https://acme.example/u".to_owned(), "mailto:u@acme.example".to_owned()],
        BTreeMap::from([("X-A".to_owned(), "1".to_owned())]),
    );
    let settings = MailSettings {
        from: None,
        allowed_senders: None,
        reply_to: None,
        list_unsubscribe: &ways,
        one_click_unsubscribe: true,
        headers: &own,
    };
    let letter = Letter::read(&settings, &message, 50).expect("a letter");
    let lines: Vec<String> =
        letter.headers(&settings).into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(
        lines,
        [
            "In-Reply-To: <abc@mail.example>",
            "References: <abc@mail.example>",
            "List-Unsubscribe: <https://acme.example/u>, <mailto:u@acme.example>",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            "X-A: 1",
        ]
    );
    // What is no Message-ID is left out; what would be another header is refused.
    message.in_reply_to = Some("a b".into());
    assert_eq!(read(&message).expect("a letter").answers, None);
}

#[test]
fn what_is_refused() {
    let refused = |change: &dyn Fn(&mut Message)| {
        let mut message = plain();
        change(&mut message);
        let refusal = read(&message).expect_err("it is refused");
        format!("{} {}", refusal.kind(), refusal.reason().code)
    };
    assert_eq!(refused(&|m| m.subject = Some("a\r\nBcc: x@y".into())), "rejected-content injection");
    assert_eq!(refused(&|m| m.in_reply_to = Some("<a@b>\r\nX: y".into())), "rejected-content injection");
    assert_eq!(refused(&|m| m.to = vec!["a@b\r\nX: y".into()]), "rejected-recipient address");
    assert_eq!(refused(&|m| m.to.clear()), "rejected-recipient address");
    assert_eq!(refused(&|m| m.sender = Some("N\nX: y <a@b>".into())), "rejected-sender sender");
    let many = |m: &mut Message| m.to = (0..51).map(|n| format!("{n}@c.example")).collect();
    assert_eq!(refused(&many), "rejected-content recipients");
    let empty = |m: &mut Message| (m.subject, m.html) = (None, Some(" \n".into()));
    assert_eq!(refused(&empty), "rejected-content empty");
}

#[test]
fn what_the_html_shows_belongs_to_it() {
    let mut message = plain();
    message.html = Some("<img src=\"cid:logo.png\"><img src='cid:b.gif.png'>".into());
    message.attachments = vec![
        file("logo.png", "image/png", 6),
        file("b.gif", "image/gif", 6),
        file("ñ.png", "image/png", 6),
        file("", "image/png", 6),
    ];
    let letter = read(&message).expect("a letter");
    assert_eq!(letter.files.iter().map(|file| file.inline).collect::<Vec<_>>(), [true, false, false, false]);
}
