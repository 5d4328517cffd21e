//! The index agrees with a scan from the top, and a rule said to be unreachable is.

use dispatch_model::{
    Attachment, Channel, Content, Direction, EmailContent, PhoneNumber, SmsContent, Submission, Timestamp,
};
use dispatch_routing::{Conditions, Deliver, RouteProblemKind, Router, Rule};
use proptest::prelude::*;

const LOCATIONS: [&str; 4] = ["L0", "L1", "L2", "unnamed"];
const PREFIXES: [&str; 4] = ["+5", "+52", "+5255", "+1"];
const DOMAINS: [&str; 2] = ["a.example", "b.example"];

/// Every submission that the rules below can tell apart.
fn universe() -> Vec<Submission> {
    let mut all = Vec::new();
    for location in LOCATIONS {
        for user in ["U0", "U1"] {
            for attachments in [0, 1] {
                for number in PREFIXES {
                    let to = PhoneNumber { original: number.into(), e164: Some(format!("{number}000")) };
                    all.push((
                        location,
                        user,
                        attachments,
                        Content::Sms(SmsContent { to, text: String::new() }),
                    ));
                }
                for domain in DOMAINS {
                    let content = EmailContent {
                        from: Some(format!("boss@{domain}")),
                        to: vec![format!("x@{domain}")],
                        cc: vec![],
                        bcc: vec![],
                        subject: String::new(),
                        html: String::new(),
                        text: None,
                        in_reply_to: None,
                    };
                    all.push((location, user, attachments, Content::Email(content)));
                }
            }
        }
    }
    let submission = |(location, user, attachments, content): (&str, &str, usize, Content)| Submission {
        direction: Direction::Outbound,
        source: "test".into(),
        location: location.into(),
        external_id: "1".into(),
        contact: None,
        received_at: Timestamp::from_millis(0),
        content,
        attachments: vec![Attachment { url: "https://example.com".into(), file: None }; attachments],
        extra: [("userId".to_owned(), user.into())].into_iter().collect(),
        problem: None,
    };
    all.into_iter().map(submission).collect()
}

/// The definition of a match, as plainly as it can be put.
fn matches(rule: &Rule, submission: &Submission) -> bool {
    let when = &rule.when;
    let any = |list: &[String], holds: &dyn Fn(&str) -> bool| {
        list.is_empty() || list.iter().any(|value| holds(value))
    };
    let (number, domain) = match &submission.content {
        Content::Sms(sms) => (sms.to.e164.as_deref(), None),
        Content::Email(email) => (None, email.to[0].split('@').nth(1)),
    };
    (rule.locations.is_empty() || rule.locations.contains(&submission.location))
        && rule.channel.is_none_or(|channel| channel == submission.channel())
        && any(&when.phone_prefix, &|prefix| number.is_some_and(|number| number.starts_with(prefix)))
        && any(&when.to_domain, &|wanted| domain == Some(wanted))
        && any(&when.from, &|from| {
            domain.is_some_and(|domain| from == format!("@{domain}") || from == format!("boss@{domain}"))
        })
        && any(&when.user, &|user| submission.extra["userId"] == user)
        && when.has_attachments.is_none_or(|wanted| wanted != submission.attachments.is_empty())
}

fn some_of(values: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop_oneof![
        3 => Just(Vec::new()),
        1 => proptest::sample::subsequence(values.to_vec(), 1..=values.len())
            .prop_map(|values| values.into_iter().map(str::to_owned).collect()),
    ]
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let froms: &'static [&'static str] = &["@a.example", "boss@a.example", "boss@b.example"];
    (
        some_of(&PREFIXES),
        some_of(&DOMAINS),
        some_of(froms),
        some_of(&["U0", "U1"]),
        proptest::option::weighted(0.2, any::<bool>()),
    )
        .prop_map(|(phone_prefix, to_domain, from, user, has_attachments)| Conditions {
            phone_prefix,
            to_domain,
            from,
            user,
            has_attachments,
            ..Conditions::default()
        })
}

fn rules(when: impl Strategy<Value = Conditions>) -> impl Strategy<Value = Vec<Rule>> {
    let locations = proptest::sample::subsequence(vec!["L0", "L1", "L2"], 0..=3);
    let channel = proptest::option::of(prop_oneof![Just(Channel::Sms), Just(Channel::Email)]);
    proptest::collection::vec((locations, channel, when), 1..12).prop_map(|rules| {
        let rule = |(index, (locations, channel, when)): (usize, (Vec<&str>, _, _))| Rule {
            name: format!("r{index}").into(),
            locations: locations.into_iter().map(Into::into).collect(),
            channel,
            when,
            deliver: Deliver::InOrder(vec!["a".into()]),
        };
        rules.into_iter().enumerate().map(rule).collect()
    })
}

fn unreachable(rules: &[Rule]) -> Vec<usize> {
    let problems = Router::new(rules.to_vec()).err().unwrap_or_default();
    assert!(problems.iter().all(|problem| matches!(problem.kind, RouteProblemKind::Unreachable { .. })));
    problems.into_iter().map(|problem| problem.index).collect()
}

fn winner(rules: &[Rule], submission: &Submission) -> Option<usize> {
    rules.iter().position(|rule| matches(rule, submission))
}

proptest! {
    #[test]
    fn the_index_agrees_with_a_scan(rules in rules(conditions())) {
        let unreachable = unreachable(&rules);
        let reachable: Vec<_> =
            rules.iter().enumerate().filter(|(index, _)| !unreachable.contains(index)).map(|(_, rule)| rule.clone()).collect();
        let router = Router::new(reachable.clone()).expect("what is unreachable was taken out");
        for submission in universe() {
            let expected = winner(&reachable, &submission).map(|index| reachable[index].name.clone());
            let plan = router.route(&submission);
            prop_assert_eq!(&plan.route, &expected);
            let explanation = router.explain(&submission);
            prop_assert_eq!(explanation.plan, plan);
            prop_assert_eq!(explanation.tried.len(), winner(&reachable, &submission).map_or(reachable.len(), |at| at + 1));
        }
    }

    #[test]
    fn an_unreachable_rule_never_wins(rules in rules(conditions())) {
        let unreachable = unreachable(&rules);
        for submission in universe() {
            let winner = winner(&rules, &submission);
            prop_assert!(winner.is_none_or(|winner| !unreachable.contains(&winner)));
        }
    }

    #[test]
    fn without_conditions_every_unreachable_rule_is_found(rules in rules(Just(Conditions::default()))) {
        let found = unreachable(&rules);
        let winners: Vec<_> = universe().iter().map(|submission| winner(&rules, submission)).collect();
        let never: Vec<_> = (0..rules.len()).filter(|index| !winners.contains(&Some(*index))).collect();
        prop_assert_eq!(found, never);
    }
}
