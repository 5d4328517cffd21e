//! Every kind of answer that a provider, a relay or the network can give.

use std::sync::Arc;

use dispatch_model::{
    Action, Body, FailureKind, HttpResponse, MailReply, MailStage, MailSubmission, Pair, RecipientReply,
    Reply, SmppReply, SmppStage, SmppTlv, SmtpReply,
};

/// An answer and what to call it.
pub(crate) struct Answer {
    pub(crate) name: String,
    pub(crate) reply: Arc<Reply>,
}

impl Answer {
    fn new(name: impl Into<String>, reply: Reply) -> Self {
        Self { name: name.into(), reply: Arc::new(reply) }
    }
}

/// Statuses of every class, and those with a meaning of their own.
const STATUSES: [u16; 24] = [
    200, 201, 202, 204, 301, 304, 400, 401, 402, 403, 404, 405, 408, 409, 413, 415, 422, 425, 429, 500, 502,
    503, 504, 599,
];

/// Bodies as providers, proxies and accidents make them.
fn bodies() -> [(&'static str, Vec<u8>); 9] {
    [
        ("no body", Vec::new()),
        ("an empty object", b"{}".to_vec()),
        (
            "JSON of other types",
            br#"{"id":1,"sid":[],"messages":null,"error":{"code":{}},"message":7,"status":true}"#.to_vec(),
        ),
        ("a JSON list", b"[1,2,3]".to_vec()),
        ("cut JSON", br#"{"id":"A1","mess"#.to_vec()),
        ("HTML of a proxy", b"<html><body><h1>502 Bad Gateway</h1></body></html>".to_vec()),
        ("no text at all", vec![0xff, 0xfe, 0x00, 0x80, 0xc3]),
        ("deep JSON", [vec![b'['; 5000], vec![b']'; 5000]].concat()),
        ("a huge body", vec![b'x'; 1 << 20]),
    ]
}

/// The answers to an action.
pub(crate) fn all(action: &Action) -> Vec<Answer> {
    let mut answers: Vec<Answer> = match action {
        Action::Http(_) => http(),
        Action::Mail(mail) => relay(mail),
        Action::Smpp(_) => message_centre(),
    };
    for kind in [
        FailureKind::Dns,
        FailureKind::Connect,
        FailureKind::Tls,
        FailureKind::Timeout,
        FailureKind::Reset,
        FailureKind::Protocol,
        FailureKind::Refused,
    ] {
        for may_have_left in [false, true] {
            let left = if may_have_left { "after bytes may have left" } else { "before a byte left" };
            answers.push(Answer::new(
                format!("{} {left}", kind.as_str()),
                Reply::Failed {
                    kind,
                    detail: "as the network has it\r\n\u{1b}[31m".to_owned(),
                    may_have_left,
                },
            ));
        }
    }
    // The host keeps to what was asked for; a guest must not rely on it.
    answers.push(match action {
        Action::Http(_) => Answer::new("a relay's answer to HTTP", smtp(MailStage::Content, 250, Vec::new())),
        Action::Mail(_) => Answer::new("an HTTP answer to mail", response(200, Vec::new(), &[])),
        Action::Smpp(_) => Answer::new("an HTTP answer to a short message", response(200, Vec::new(), &[])),
    });
    answers
}

fn http() -> Vec<Answer> {
    let mut answers = Vec::new();
    let json = [("content-type", "application/json")];
    for status in STATUSES {
        answers.push(Answer::new(format!("{status} without a body"), response(status, Vec::new(), &[])));
        answers.push(Answer::new(
            format!("{status} with an error in JSON"),
            response(
                status,
                br#"{"code":"E-1","message":"invalid","error":"x","errors":[{"title":"y"}]}"#.to_vec(),
                &json,
            ),
        ));
    }
    for status in [200, 400, 500] {
        for (name, body) in bodies() {
            answers.push(Answer::new(format!("{status} with {name}"), response(status, body, &json)));
        }
    }
    for (name, value) in [
        ("seconds", "30"),
        ("a date", "Sun, 22 Nov 2026 00:01:00 GMT"),
        ("nonsense", "soon"),
        ("a negative number", "-5"),
        ("a huge number", "99999999999999999999999"),
    ] {
        for status in [429, 503] {
            answers.push(Answer::new(
                format!("{status} with Retry-After as {name}"),
                response(status, Vec::new(), &[("retry-after", value)]),
            ));
        }
    }
    let mut cut = response(200, vec![b'{'; 100], &json);
    if let Reply::Http(response) = &mut cut {
        response.truncated = true;
    }
    answers.push(Answer::new("200, cut by the host", cut));
    answers
}

fn relay(mail: &MailSubmission) -> Vec<Answer> {
    let mut answers = Vec::new();
    let each = |code: u16, enhanced: &str| -> Vec<RecipientReply> {
        mail.recipients
            .iter()
            .map(|address| RecipientReply { address: address.clone(), reply: said(code, Some(enhanced)) })
            .collect()
    };
    for stage in [
        MailStage::Greeting,
        MailStage::Hello,
        MailStage::StartTls,
        MailStage::Auth,
        MailStage::Sender,
        MailStage::Recipient,
        MailStage::Data,
        MailStage::Content,
    ] {
        for code in [250, 354, 421, 450, 451, 452, 454, 500, 503, 530, 535, 550, 552, 554] {
            answers.push(Answer::new(format!("{code} at {stage:?}"), smtp(stage, code, Vec::new())));
        }
    }
    for (code, enhanced) in [(250, "2.1.5"), (450, "4.2.0"), (550, "5.1.1")] {
        answers.push(Answer::new(
            format!("250 at the end, each recipient {code}"),
            smtp(MailStage::Content, 250, each(code, enhanced)),
        ));
    }
    let mut mixed = each(250, "2.1.5");
    if let Some(first) = mixed.first_mut() {
        first.reply = said(550, Some("5.1.1"));
    }
    answers.push(Answer::new("250 at the end, one recipient refused", smtp(MailStage::Content, 250, mixed)));
    answers
}

/// Command statuses of every kind: the standard's, a vendor's, and none of anybody's.
const COMMAND_STATUSES: [u32; 24] = [
    0x00,
    0x01,
    0x02,
    0x03,
    0x04,
    0x05,
    0x08,
    0x0a,
    0x0b,
    0x0d,
    0x0e,
    0x0f,
    0x14,
    0x15,
    0x33,
    0x43,
    0x45,
    0x58,
    0x61,
    0x62,
    0x64,
    0xfe,
    0x400,
    0xffff_ffff,
];

fn message_centre() -> Vec<Answer> {
    let mut answers = Vec::new();
    for status in COMMAND_STATUSES {
        for stage in [SmppStage::Bind, SmppStage::Submit] {
            for message_id in [None, Some("0badc0de"), Some("\u{fffd} \u{1b}[2J")] {
                let tlvs = vec![SmppTlv { tag: 0x1400, value: Body::from(vec![0xff, 0]) }];
                let name = format!("{status:#x} at {stage:?} with {}", message_id.unwrap_or("no id"));
                let message_id = message_id.map(str::to_owned);
                answers.push(Answer::new(name, Reply::Smpp(SmppReply { stage, status, message_id, tlvs })));
            }
        }
    }
    answers
}

fn smtp(stage: MailStage, code: u16, recipients: Vec<RecipientReply>) -> Reply {
    Reply::Mail(MailReply { stage, reply: said(code, None), recipients })
}

fn said(code: u16, enhanced: Option<&str>) -> SmtpReply {
    SmtpReply { code, enhanced: enhanced.map(str::to_owned), text: "as the relay has it".to_owned() }
}

fn response(status: u16, body: Vec<u8>, headers: &[(&str, &str)]) -> Reply {
    Reply::Http(HttpResponse {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| Pair { name: (*name).to_owned(), value: (*value).to_owned() })
            .collect(),
        body: Body::from(body),
        truncated: false,
    })
}
