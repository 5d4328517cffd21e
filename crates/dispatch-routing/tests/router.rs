//! What a router does with a submission, told by examples.

use dispatch_model::{
    Attachment, Channel, Content, Direction, EmailContent, PhoneNumber, SmsContent, Submission, Timestamp,
};
use dispatch_routing::{Conditions, Deliver, Mismatch, RouteProblemKind, Router, Rule, Verdict, Weighted};

fn sms(location: &str, number: &str) -> Submission {
    let to = PhoneNumber { original: number.into(), e164: Some(number.into()) };
    submission(location, Content::Sms(SmsContent { to, text: "hello".into() }))
}

fn email(location: &str, to: &str, from: &str) -> Submission {
    let content = EmailContent {
        from: Some(from.into()),
        to: vec![to.into()],
        cc: vec![],
        bcc: vec![],
        subject: String::new(),
        html: String::new(),
        text: None,
        in_reply_to: None,
    };
    submission(location, Content::Email(content))
}

fn submission(location: &str, content: Content) -> Submission {
    Submission {
        direction: Direction::Outbound,
        source: "test".into(),
        location: location.into(),
        external_id: "1".into(),
        contact: Some("contact".into()),
        received_at: Timestamp::from_millis(0),
        content,
        attachments: vec![],
        extra: serde_json::Map::new(),
        problem: None,
    }
}

fn rule(name: &str) -> Rule {
    Rule {
        name: name.into(),
        locations: vec![],
        channel: None,
        when: Conditions::default(),
        deliver: Deliver::InOrder(vec!["a".into()]),
    }
}

fn at(name: &str, location: &str) -> Rule {
    Rule { locations: vec![location.into()], ..rule(name) }
}

fn when(name: &str, when: Conditions) -> Rule {
    Rule { when, ..rule(name) }
}

fn router(rules: Vec<Rule>) -> Router {
    Router::new(rules).expect("nothing is wrong with these rules")
}

/// The route that a submission takes.
#[track_caller]
fn takes(router: &Router, submission: &Submission, expected: Option<&str>) {
    let plan = router.route(submission);
    assert_eq!(plan.route.as_ref().map(|route| route.as_str()), expected);
    assert_eq!(router.explain(submission).plan, plan);
}

#[test]
fn the_first_match_wins_by_the_order_of_the_file() {
    let only_sms = Rule { channel: Some(Channel::Sms), ..rule("sms") };
    let router = router(vec![at("one", "L1"), only_sms, at("two", "L2"), rule("rest")]);
    takes(&router, &sms("L1", "+1"), Some("one"));
    takes(&router, &sms("L2", "+1"), Some("sms"));
    takes(&router, &email("L2", "a@b", "c@d"), Some("two"));
    takes(&router, &email("L3", "a@b", "c@d"), Some("rest"));
}

#[test]
fn no_match_is_a_plan_without_a_route_and_with_a_reason() {
    let router = router(vec![at("one", "L1")]);
    let plan = router.route(&sms("L2", "+1"));
    assert_eq!((plan.route, plan.chain), (None, vec![]));
    assert_eq!(plan.reasons, ["no route matches a message of location L2 and channel sms"]);
}

#[test]
fn each_condition_holds_and_fails() {
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let check = |conditions: Conditions, yes: &Submission, no: &Submission| {
        let router = router(vec![when("only", conditions)]);
        takes(&router, yes, Some("only"));
        takes(&router, no, None);
    };
    let mexico = Conditions { phone_prefix: list(&["+52", "+54"]), ..Conditions::default() };
    check(mexico.clone(), &sms("L", "+525512345678"), &sms("L", "+15864603685"));
    check(mexico.clone(), &sms("L", "+5491112345678"), &email("L", "a@b", "c@d"));
    let mut unread = sms("L", "+525512345678");
    if let Content::Sms(sms) = &mut unread.content {
        sms.to.e164 = None;
    }
    check(mexico, &sms("L", "+52"), &unread);

    let domain = Conditions { to_domain: list(&["Example.com"]), ..Conditions::default() };
    check(domain.clone(), &email("L", "A <a@EXAMPLE.com>", "c@d"), &email("L", "a@sub.example.com", "c@d"));
    check(domain, &email("L", "a@example.com", "c@d"), &sms("L", "+1"));

    let from = Conditions { from: list(&["boss@x.example", "@acme.example"]), ..Conditions::default() };
    check(from.clone(), &email("L", "a@b", "Boss <BOSS@x.example>"), &email("L", "a@b", "other@x.example"));
    check(from, &email("L", "a@b", "any@Acme.example"), &email("L", "a@b", "any@not-acme.example"));

    let mut by_user = sms("L", "+1");
    by_user.extra.insert("userId".into(), "U1".into());
    check(Conditions { user: list(&["U0", "U1"]), ..Conditions::default() }, &by_user, &sms("L", "+1"));

    let mut with = sms("L", "+1");
    with.attachments.push(Attachment { url: "https://example.com/a".into(), file: None });
    check(Conditions { has_attachments: Some(true), ..Conditions::default() }, &with, &sms("L", "+1"));
    check(Conditions { has_attachments: Some(false), ..Conditions::default() }, &sms("L", "+1"), &with);

    let mut raw = sms("L", "+1");
    raw.extra.insert("number".into(), 7.into());
    raw.extra.insert("tags".into(), serde_json::json!(["a", "b"]));
    let field = |name: &str, value: &str| Conditions {
        raw: [(name.to_owned(), list(&[value]))].into(),
        ..Conditions::default()
    };
    check(field("number", "7"), &raw, &sms("L", "+1"));
    check(field("tags", "b"), &raw, &sms("L", "+1"));
}

#[test]
fn an_explanation_says_why_each_route_was_not_it() {
    let mexico = Conditions { phone_prefix: vec!["+52".into()], ..Conditions::default() };
    let mail = Rule { channel: Some(Channel::Email), ..rule("mail") };
    let router =
        router(vec![at("other", "L9"), mail, when("mexico", mexico), at("mine", "L1"), rule("rest")]);
    let explanation = router.explain(&sms("L1", "+1"));
    let tried: Vec<_> = explanation
        .tried
        .iter()
        .map(|tried| match &tried.verdict {
            Verdict::Matched { by } => format!("{} {}: {by}", tried.index, tried.route),
            Verdict::Other { because } => format!("{} {}: {because}", tried.index, tried.route),
        })
        .collect();
    assert_eq!(
        tried,
        [
            "0 other: it is for other locations than L1",
            "1 mail: it is for another channel than sms",
            "2 mexico: when.phone_prefix does not hold",
            "3 mine: location L1",
        ]
    );
    assert_eq!(explanation.plan.reasons, ["route \"mine\": location L1"]);
}

#[test]
fn an_explanation_stays_short_with_thousands_of_clients() {
    let mut rules: Vec<_> = (0..5000).map(|n| at(&format!("route {n}"), &format!("L{n}"))).collect();
    rules.push(rule("rest"));
    let explanation = router(rules).explain(&sms("nobody", "+1"));
    assert_eq!(explanation.tried.len() + explanation.skipped, 5001);
    assert!(explanation.tried.len() < 100);
    assert!(
        explanation
            .tried
            .iter()
            .rev()
            .skip(1)
            .all(|tried| matches!(tried.verdict, Verdict::Other { because: Mismatch::Location { .. } }))
    );
}

fn weighted(weights: &[(&str, u32)]) -> Deliver {
    let entry = |(backend, weight): &(&str, u32)| Weighted { backend: (*backend).into(), weight: *weight };
    Deliver::Weighted(weights.iter().map(entry).collect())
}

#[test]
fn weights_share_contacts_and_the_others_are_failover() {
    let router = router(vec![Rule { deliver: weighted(&[("a", 9), ("b", 1), ("c", 0)]), ..rule("all") }]);
    let mut first = std::collections::BTreeMap::new();
    for contact in 0..10_000 {
        let mut submission = sms("L", "+1");
        submission.contact = Some(format!("contact{contact:013}").into());
        let explanation = router.explain(&submission);
        let chain = explanation.plan.chain;
        assert_eq!(chain.len(), 3);
        assert_eq!(explanation.choice.expect("there is a choice").backend, chain[0]);
        if chain[0].as_str() == "b" {
            assert_eq!(chain.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["b", "a", "c"]);
        }
        *first.entry(chain[0].to_string()).or_insert(0) += 1;
    }
    assert!((8800..9200).contains(&first["a"]), "{first:?}");
    assert_eq!(first.get("c"), None);
}

#[test]
fn a_choice_is_the_same_in_every_version() {
    let router = router(vec![Rule { deliver: weighted(&[("a", 1), ("b", 1), ("c", 1)]), ..rule("all") }]);
    let chosen = |location: &str, contact: Option<&str>| {
        let mut submission = sms(location, "+15864603685");
        submission.contact = contact.map(Into::into);
        router.route(&submission).chain[0].to_string()
    };
    let chosen: Vec<_> = ["GKBhT6BfwY9mjzXAU3sq", "GKKFF0QB9gV8fGA6zEbr", "GK56r6wdJDrkUPd0xsmx"]
        .into_iter()
        .map(|contact| chosen("GKAWb4yu7A4LSc0skQ6g", Some(contact)))
        .chain([chosen("GKAWb4yu7A4LSc0skQ6g", None)])
        .collect();
    // Frozen: another result would move running conversations to another number.
    assert_eq!(chosen, ["b", "a", "b", "b"]);
}

#[test]
fn problems_of_lists_are_found_all_at_once() {
    let rules = vec![
        Rule { deliver: Deliver::InOrder(vec![]), ..at("nobody", "L1") },
        Rule { deliver: Deliver::InOrder(vec!["a".into(), "a".into()]), ..at("twice", "L2") },
        Rule { deliver: weighted(&[("a", 0)]), ..at("nothing", "L3") },
        at("nobody", "L4"),
    ];
    let problems = Router::new(rules).expect_err("all four are wrong");
    let kinds: Vec<_> = problems.into_iter().map(|problem| (problem.index, problem.kind)).collect();
    assert_eq!(
        kinds,
        [
            (0, RouteProblemKind::NoBackend),
            (1, RouteProblemKind::DuplicateBackend { backend: "a".into() }),
            (2, RouteProblemKind::NoWeight),
            (3, RouteProblemKind::DuplicateName { first: 0 }),
        ]
    );
}

#[test]
fn what_people_write_is_routed_by_the_backend_that_brings_it() {
    let by = |name: &str, backends: &[&str]| {
        let received_by = backends.iter().map(|&name| name.into()).collect();
        when(name, Conditions { received_by, ..Conditions::default() })
    };
    let from = |backend: &str| Submission {
        direction: Direction::Inbound { from: "+1".into() },
        source: backend.into(),
        ..sms("L1", "+2")
    };
    let routes = router(vec![
        by("carriers", &["twilio", "telnyx"]),
        Rule { channel: Some(Channel::Email), ..rule("mail") },
    ]);
    takes(&routes, &from("telnyx"), Some("carriers"));
    takes(&routes, &from("vonage"), None);
    let told = routes.explain(&from("vonage"));
    let verdict = Verdict::Other { because: Mismatch::Backend { is: "vonage".into() } };
    assert_eq!(told.tried[0].verdict, verdict);
    assert_eq!(told.plan.reasons, ["no inbound route matches what backend vonage brings by sms"]);
    assert_eq!(
        routes.explain(&from("twilio")).tried[0].verdict,
        Verdict::Matched { by: "backend twilio".into() }
    );
    let shadowed = Router::new(vec![by("both", &["a", "b"]), by("one", &["b"]), by("other", &["c"])]);
    let problems = shadowed.expect_err("the second can never match");
    assert_eq!(problems.iter().map(|problem| problem.index).collect::<Vec<_>>(), [1]);
}
