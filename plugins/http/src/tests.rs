//! Settings as people write them for real providers: the request they make, and what answers become.

use dispatcher_plugin::testing::{self, context, email, link, response, sms};
use dispatcher_plugin::{Credential, Pair, check};
use serde_json::{Value, json};

use super::*;

fn request(settings: &Value, message: &Message) -> Request {
    check::<Http>(&settings.to_string()).expect("good settings");
    Http::request(&context(settings.clone()), message).expect("a request")
}

fn outcome(settings: &Value, status: u16, body: &str) -> String {
    match Http::outcome(&context(settings.clone()), &response(status, &[("retry-after", "9")], body)) {
        Ok(acceptance) => format!("accepted {}", acceptance.references.join(" ")),
        Err(refusal) => format!("{} {}", refusal.kind(), refusal.reason().code),
    }
}

/// LabsMobile: JSON, Basic, numbers without plus, a code inside of a 200.
fn labsmobile() -> Value {
    json!({
        "url": "https://api.labsmobile.com/json/send",
        "credential": { "basic": { "user": "me@acme.example", "secret": "token" } },
        "from": "ACME",
        "body": { "json": {
            "recipient": [{ "msisdn": "{to_digits}" }], "message": "{text}", "tpoa": "{from}", "subid": "{id}", "long": 1,
        } },
        "answer": {
            "success": { "pointer": "/code", "equals": "0" },
            "reference": { "pointer": "/subid" },
            "code": { "pointer": "/code" },
            "message": { "pointer": "/message" },
            "outcomes": { "23": "rejected-account", "27": "rejected-recipient", "35": "rejected-account" },
        },
    })
}

#[test]
fn labsmobile_requests() {
    let request = request(&labsmobile(), &sms("+525512345678", "Hola \"tú\"\n"));
    assert_eq!(
        (request.method.as_str(), request.url_text().as_str()),
        ("POST", "https://api.labsmobile.com/json/send")
    );
    assert_eq!(request.credential, Credential::basic("me@acme.example", "token"));
    assert_eq!(
        serde_json::from_str::<Value>(&request.body_text()).expect("JSON"),
        json!({
            "recipient": [{ "msisdn": "525512345678" }], "message": "Hola \"tú\"\n", "tpoa": "ACME",
            "subid": "01hzy3k9q8w7e", "long": 1,
        })
    );
    assert_eq!(request.headers[0].0, "content-type");
}

#[test]
fn answers_become_what_they_are() {
    testing::answers::<Http>(include_str!("../testdata/answers.json"));
}

/// Kannel: GET, everything in the URL, a plain text in answer.
fn kannel() -> Value {
    json!({
        "method": "GET",
        "url": "http://10.0.0.5:13013/cgi-bin/sendsms?username=acme&password={secret.password}&to={to}&text={text}\
                &coding=2&charset=UTF-8&dlr-mask=31&dlr-url={callback_url}",
        "answer": {
            "success": { "status": [202], "matches": "^0: " },
            "reference": { "pattern": "id ([0-9a-f-]+)" },
            "code": { "pattern": "^([0-9]+):" },
            "outcomes": { "3": "deferred", "403": "rejected-account" },
        },
    })
}

#[test]
fn kannel_requests() {
    let settings = kannel();
    let asks = check::<Http>(&settings.to_string()).expect("good settings");
    assert_eq!((asks.hosts, asks.secrets), (vec!["10.0.0.5".into()], vec!["password".into()]));
    let mut context = context(settings);
    context.callback_url = Some("https://d.example/cb/t".into());
    let request = Http::request(&context, &sms("+525512345678", "¿Qué & dónde?")).expect("a request");
    assert_eq!(
        request.url_text(),
        "http://10.0.0.5:13013/cgi-bin/sendsms?username=acme&password={secret password}&to=%2B525512345678\
         &text=%C2%BFQu%C3%A9%20%26%20d%C3%B3nde%3F&coding=2&charset=UTF-8&dlr-mask=31\
         &dlr-url=https%3A%2F%2Fd.example%2Fcb%2Ft%3Fmessage%3D01hzy3k9q8w7e"
    );
    assert!(request.body.is_empty());
}

#[test]
fn kannel_answers() {
    let table = [
        (202, "0: Accepted for delivery, id 1a2b-3c", "accepted 1a2b-3c"),
        (202, "0: Accepted for delivery", "accepted "),
        (202, "3: Queued for later delivery", "deferred 3"),
        (403, "Authorization failed for sendsms", "rejected-account 403"),
        (400, "Missing receiver", "rejected-content 400"),
    ];
    for (status, body, expected) in table {
        assert_eq!(outcome(&kannel(), status, body), expected, "{status} {body}");
    }
}

/// ClickSend's form of an answer: JSON with a status a message.
fn clicksend() -> Value {
    json!({
        "url": "https://rest.clicksend.com/v3/sms/send",
        "credential": { "basic": { "user": "acme", "secret": "api_key" } },
        "body": { "json": { "messages": [{
            "source": "dispatcher", "from": "{from}", "to": "{to}", "body": "{text}", "custom_string": "{location}/{id}",
            "media_file": "{attachments}",
        }] } },
        "answer": {
            "success": { "status": ["200-201"], "pointer": "/data/messages/0/status", "equals": "SUCCESS" },
            "reference": { "pointer": "/data/messages/0/message_id" },
            "code": { "pointer": "/data/messages/0/status" },
            "outcomes": {
                "INVALID_RECIPIENT": "rejected-recipient", "COUNTRY_NOT_ENABLED": "rejected-sender",
                "INSUFFICIENT_CREDIT": "rejected-account",
            },
            "otherwise": "deferred",
        },
    })
}

#[test]
fn clicksend_requests_and_answers() {
    let mut message = sms("+15864603685", "x");
    let body = |message: &Message| {
        serde_json::from_str::<Value>(&request(&clicksend(), message).body_text()).expect("JSON")
    };
    // No sender and no attachment: the fields are not there.
    assert_eq!(
        body(&message),
        json!({ "messages": [{
            "source": "dispatcher", "to": "+15864603685", "body": "x", "custom_string": "GKAWb4yu7A4LSc0skQ6g/01hzy3k9q8w7e",
        }] })
    );
    message.attachments = vec![link("https://f.example/a.png")];
    assert_eq!(body(&message)["messages"][0]["media_file"], json!(["https://f.example/a.png"]));
    assert_eq!(body(&message)["messages"][0]["body"], "x", "the template has a place for attachments");
    let answer = |status: &str| {
        json!({ "data": { "messages": [{ "status": status, "message_id": "M-1" }] } }).to_string()
    };
    assert_eq!(outcome(&clicksend(), 200, &answer("SUCCESS")), "accepted M-1");
    assert_eq!(
        outcome(&clicksend(), 200, &answer("INVALID_RECIPIENT")),
        "rejected-recipient INVALID_RECIPIENT"
    );
    assert_eq!(outcome(&clicksend(), 200, &answer("NEW_WORD")), "deferred NEW_WORD");
    assert_eq!(outcome(&clicksend(), 200, "{}"), "unknown unreadable");
}

/// SendGrid's form of a mail: lists with an item for each, the id in a header.
#[test]
fn a_mail_api() {
    let settings = json!({
        "url": "https://api.sendgrid.com/v3/mail/send",
        "credential": { "bearer": { "secret": "api_key" } },
        "body": { "json": {
            "personalizations": [{
                "to": { "{to}": { "email": "{item.address}", "name": "{item.name}" } },
                "cc": { "{cc}": { "email": "{item.address}" } },
                "custom_args": { "id": "{id}", "key": "{idempotency_key}", "user": "{extra.userId}" },
            }],
            "from": { "email": "{from_address}", "name": "{from_name}" },
            "subject": "{subject}",
            "content": [{ "type": "text/plain", "value": "{text}" }, { "type": "text/html", "value": "{html}" }],
        } },
        "answer": { "success": { "status": [202] }, "reference": { "header": "X-Message-Id" } },
    });
    let mut message = email("\"Pérez, Ana\" <ana@acme.example>", "Beto <b@c.example>", "Hola", "<p>Hola</p>");
    message.to.push("d@e.example".into());
    message.attachments = vec![link("https://f.example/a.png?x=1&y")];
    message.extra = vec![Pair { name: "userId".into(), value: "\"u-1\"".into() }];
    let body: Value = serde_json::from_str(&request(&settings, &message).body_text()).expect("JSON");
    assert_eq!(
        body,
        json!({
            "personalizations": [{
                "to": [{ "email": "b@c.example", "name": "Beto" }, { "email": "d@e.example" }],
                "custom_args": { "id": "01hzy3k9q8w7e", "key": "01hzy3k9q8w7e-1", "user": "u-1" },
            }],
            "from": { "email": "ana@acme.example", "name": "Pérez, Ana" },
            "subject": "Hola",
            "content": [
                { "type": "text/plain", "value": "Hola\nhttps://f.example/a.png?x=1&y" },
                { "type": "text/html", "value": "<p>Hola</p><p><a href=\"https://f.example/a.png?x=1&amp;y\">https://f.example/a.png?x=1&amp;y</a></p>" },
            ],
        })
    );
    let answer = response(202, &[("x-message-id", "sg-1")], "");
    let accepted = Http::outcome(&context(settings), &answer).expect("accepted");
    assert_eq!(accepted.references, ["sg-1"]);
}

#[test]
fn forms_and_texts() {
    let settings = json!({
        "url": "https://api.example.com/{location}/send",
        "credential": { "header": { "name": "X-Api-Key", "secret": "key" } },
        "headers": { "X-Ref": "{id}" },
        "body": { "form": {
            "to": "{to_national}", "msg": "{text} & co", "media": "{attachments}", "from": "{from}", "n": 5,
            "tag": ["a b", "{contact}"], "pw": "{secret.password}",
        } },
    });
    let mut message = sms("+525512345678", "a=b");
    message.attachments = vec![link("https://f.example/1"), link("https://f.example/2")];
    let made = request(&settings, &message);
    assert_eq!(made.url_text(), "https://api.example.com/GKAWb4yu7A4LSc0skQ6g/send");
    assert_eq!(
        made.body_text(),
        "media=https%3A%2F%2Ff.example%2F1&media=https%3A%2F%2Ff.example%2F2&msg=a%3Db%20%26%20co&n=5\
         &pw={secret password}&tag=a%20b&tag=GKBhT6BfwY9mjzXAU3sq&to=5512345678"
    );
    let headers: Vec<(String, String)> =
        made.headers.iter().map(|(name, value)| (name.clone(), value.to_text())).collect();
    assert!(headers.contains(&("X-Api-Key".into(), "{secret key}".into())), "{headers:?}");
    assert!(headers.contains(&("X-Ref".into(), "01hzy3k9q8w7e".into())), "{headers:?}");

    let settings = json!({
        "url": "https://api.example.com/soap", "method": "PUT", "headers": { "Content-Type": "application/soap+xml" },
        "body": { "text": { "template": "<sms to=\"{to}\">{text}</sms>", "media_type": "text/xml", "escape": "xml" } },
    });
    let made = request(&settings, &sms("+1", "a < b & \"c\""));
    assert_eq!(made.body_text(), "<sms to=\"+1\">a &lt; b &amp; &quot;c&quot;</sms>");
    assert_eq!(made.headers.len(), 1, "one content type");
}

#[test]
fn attachments_without_a_place() {
    let settings =
        |what: &str| json!({ "url": "https://a.example/?t={text}", "method": "GET", "attachments": what });
    let mut message = sms("+1", "x");
    message.attachments = vec![link("https://f.example/1")];
    assert_eq!(
        request(&settings("links"), &message).url_text(),
        "https://a.example/?t=x%0Ahttps%3A%2F%2Ff.example%2F1"
    );
    assert_eq!(request(&settings("drop"), &message).url_text(), "https://a.example/?t=x");
    let refused = Http::request(&context(settings("refuse")), &message).unwrap_err();
    assert_eq!((refused.kind(), refused.reason().code.as_str()), ("rejected-content", "attachments"));
    message.text = Some(String::new());
    assert_eq!(
        request(&settings("links"), &message).url_text(),
        "https://a.example/?t=https%3A%2F%2Ff.example%2F1"
    );
}

#[test]
fn a_header_cannot_be_broken() {
    let settings = json!({ "url": "https://a.example/", "headers": { "X-Subject": "{subject}" } });
    let message = email("a@b.example", "c@d.example", "x\r\nX-Evil: 1", "y");
    assert_eq!(Http::request(&context(settings), &message).unwrap_err().kind(), "rejected-content");
}

#[test]
fn the_provider_says_when() {
    let settings = json!({
        "url": "https://a.example/",
        "answer": { "retry_after": { "pattern": "after ([0-9]+) seconds" }, "outcomes": { "420": "throttled" } },
    });
    let refusal =
        Http::outcome(&context(settings.clone()), &response(429, &[], "try again after 120 seconds"))
            .unwrap_err();
    assert_eq!(refusal.clone().after(None).kind(), "throttled");
    assert_eq!(refusal, refusal.clone().after(Some(120_000)));
    let refusal = Http::outcome(&context(settings), &response(420, &[("retry-after", "2")], "")).unwrap_err();
    assert_eq!(refusal, refusal.clone().after(Some(2_000)));
    assert_eq!(refusal.kind(), "throttled");
}

#[test]
fn all_problems_at_once() {
    let settings = json!({
        "url": "https://{to}.example.com/",
        "method": "GET",
        "headers": { "X Y": "{nope}" },
        "credential": { "header": { "name": "a b", "secret": "k" } },
        "body": { "json": { "a": ["{To}", "{open"], "b": "{item}", "c": { "{to}": "{item}" } } },
        "answer": {
            "success": { "pointer": "code" },
            "reference": { "pattern": "(" },
            "code": {},
            "outcomes": { "1": "sent" },
            "otherwise": "maybe",
        },
    });
    let problems = check::<Http>(&settings.to_string()).unwrap_err();
    let told = |path: &str| {
        problems.iter().find(|problem| problem.path == path).map(|problem| problem.message.clone())
    };
    for path in [
        "url",
        "headers.X Y",
        "credential.header.name",
        "body",
        "body.json.a.0",
        "body.json.a.1",
        "body.json.b",
        "answer.success.pointer",
        "answer.success",
        "answer.reference.pattern",
        "answer.code",
        "answer.outcomes.1",
        "answer.otherwise",
    ] {
        assert!(told(path).is_some(), "{path} is not in {problems:#?}");
    }
    assert_eq!(told("body.json.c"), None);
    assert!(told("body.json.a.0").expect("told").contains("did you mean {to}?"));
    let shape = json!({ "url": 5, "answer": { "success": { "status": ["2xx"] } }, "boddy": 1 });
    let problems = check::<Http>(&shape.to_string()).unwrap_err();
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    for path in ["url", "answer.success.status.0", "boddy"] {
        assert!(paths.contains(&path), "{path} is not in {problems:#?}");
    }
}

#[test]
fn hosts() {
    let ask = |url: &str| {
        check::<Http>(&json!({ "url": url }).to_string())
            .map(|asks| asks.hosts.join(" "))
            .map_err(|problems| problems[0].path.clone())
    };
    assert_eq!(ask("https://API.example.com/{to}"), Ok("api.example.com".into()));
    assert_eq!(ask("https://api.example.com?to={to}"), Ok("api.example.com".into()));
    assert_eq!(ask("https://api.example.com"), Ok("api.example.com".into()));
    assert_eq!(ask("https://api.example.com{to}/"), Err("url".into()));
    assert_eq!(ask("https://api.example.com:{to}/"), Err("url".into()));
    assert_eq!(ask("{to}"), Err("url".into()));
    assert_eq!(ask("{extra.scheme}://api.example.com/"), Err("url".into()));
}
