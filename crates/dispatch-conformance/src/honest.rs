//! Outcomes that cannot follow from the answer.

use dispatch_model::{Effect, FailureKind, Outcome, Rejection, Reply, SmppStage};

/// Why an outcome cannot follow from an answer, where it cannot. `delivering` says whether anything that delivers was
/// asked on the way, the last ask included; `effect` is that of the last ask.
pub(crate) fn against(outcome: &Outcome, reply: &Reply, effect: Effect, delivering: bool) -> Option<String> {
    let accepted = matches!(outcome, Outcome::Accepted(_));
    if matches!(outcome, Outcome::Unknown { .. }) && !delivering {
        return Some("unknown, and nothing that delivers was asked for: it is deferred".to_owned());
    }
    match reply {
        Reply::Failed { kind, may_have_left, .. } => no_answer(outcome, *kind, *may_have_left, effect),
        Reply::Http(response) if accepted && response.status >= 300 => {
            Some(format!("accepted, and the provider answered {}", response.status))
        }
        Reply::Http(response) if response.status == 429 && matches!(outcome, Outcome::Rejected { .. }) => {
            Some("rejected for good, and the provider only asked to wait (429)".to_owned())
        }
        Reply::Mail(mail) if accepted && mail.reply.code >= 400 => {
            Some(format!("accepted, and the relay answered {}", mail.reply.code))
        }
        Reply::Smpp(smpp) if accepted && (smpp.status != 0 || smpp.stage == SmppStage::Bind) => {
            Some(format!("accepted, and the message centre answered {:#x} at {:?}", smpp.status, smpp.stage))
        }
        _ => None,
    }
}

fn no_answer(outcome: &Outcome, kind: FailureKind, may_have_left: bool, effect: Effect) -> Option<String> {
    let doubt = may_have_left && effect == Effect::Delivers;
    match outcome {
        Outcome::Accepted(_) => Some("accepted, and there was no answer".to_owned()),
        Outcome::Deferred { .. } if doubt => {
            Some("deferred, and bytes may have left: it is unknown (the host would overrule)".to_owned())
        }
        Outcome::Rejected { kind: Rejection::Recipient | Rejection::Content, .. }
            if kind != FailureKind::Refused =>
        {
            Some("the message is given up, and there was no answer".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use dispatch_model::{Acceptance, Body, HttpResponse, MailReply, MailStage, Reason, SmtpReply};

    use super::*;

    #[test]
    fn what_cannot_follow() {
        let http = |status| {
            Reply::Http(HttpResponse { status, headers: Vec::new(), body: Body::default(), truncated: false })
        };
        let failed = |may_have_left| Reply::Failed {
            kind: FailureKind::Timeout,
            detail: String::new(),
            may_have_left,
        };
        let relay = |code| {
            let reply = SmtpReply { code, enhanced: None, text: String::new() };
            Reply::Mail(MailReply { stage: MailStage::Content, reply, recipients: Vec::new() })
        };
        let reason = || Reason::new("x", "y");
        let accepted = || Outcome::Accepted(Acceptance::default());
        let deferred = || Outcome::Deferred { reason: reason(), retry_after_ms: None };
        let unknown = || Outcome::Unknown { reason: reason() };
        let rejected = |kind| Outcome::Rejected { kind, reason: reason() };
        let table: &[(Outcome, Reply, Effect, bool)] = &[
            (accepted(), http(201), Effect::Delivers, true),
            (accepted(), http(400), Effect::Delivers, false),
            (accepted(), failed(true), Effect::Delivers, false),
            (accepted(), relay(250), Effect::Delivers, true),
            (accepted(), relay(550), Effect::Delivers, false),
            (accepted(), http(200), Effect::None, true),
            (unknown(), failed(true), Effect::Delivers, true),
            (unknown(), failed(true), Effect::None, false),
            (deferred(), failed(true), Effect::None, true),
            (deferred(), failed(true), Effect::Delivers, false),
            (deferred(), failed(false), Effect::Delivers, true),
            (rejected(Rejection::Account), http(429), Effect::Delivers, false),
            (rejected(Rejection::Recipient), failed(false), Effect::Delivers, false),
            (rejected(Rejection::Account), failed(false), Effect::Delivers, true),
        ];
        for (outcome, reply, effect, right) in table {
            let why = against(outcome, reply, *effect, *effect == Effect::Delivers);
            assert_eq!(why.is_none(), *right, "{outcome:?} after {reply:?}: {why:?}");
        }
    }
}
