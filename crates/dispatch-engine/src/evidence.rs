//! What the host knows of an attempt by fact, against which the guest's word is held.
//!
//! A guest cannot know whether a request without an answer arrived. So a delivering action that may have
//! left and got no answer makes the attempt unknown, whatever the guest says, until a later question
//! that delivers nothing was answered in full. An answer in full means that the guest's word counts. And
//! where certainly nothing left, nothing can be unknown.

use dispatch_model::{Effect, FailureKind, MailStage, Outcome, Reason, Reply, SmppReply, SmppStage};

/// The facts of one attempt.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// A byte of a delivering action may have left.
    pub(crate) left: bool,
    /// One that may have left got no answer, and nothing since has told what became of it.
    doubt: bool,
    /// A delivering action was taken while another one was in doubt.
    pub(crate) twice: bool,
    /// The provider itself seemed broken at the last reply.
    pub(crate) trouble: bool,
}

impl Evidence {
    /// Another reply.
    pub(crate) fn note(&mut self, effect: Effect, reply: &Reply) {
        self.trouble = trouble(reply);
        match (effect, reply) {
            (Effect::Delivers, Reply::Failed { may_have_left: false, .. }) => {}
            // Refused at the door: of the message nothing has left.
            (Effect::Delivers, Reply::Smpp(SmppReply { stage: SmppStage::Bind, .. })) => {}
            (Effect::Delivers, reply) => {
                self.twice |= self.doubt;
                self.left = true;
                self.doubt = matches!(reply, Reply::Failed { .. });
            }
            (Effect::None, Reply::Failed { .. }) => {}
            (Effect::None, _) => self.doubt = false,
        }
    }

    /// The guest's word, overruled where the facts are against it.
    pub(crate) fn judge(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Unknown { reason } if !self.left => Outcome::Deferred { reason, retry_after_ms: None },
            Outcome::Unknown { reason } => Outcome::Unknown { reason },
            other if self.doubt => {
                let said = other.reason().map_or_else(|| other.kind().to_owned(), ToString::to_string);
                let words = format!("no answer after it may have left (the plugin said {said})");
                Outcome::Unknown { reason: Reason::new("no-answer", words) }
            }
            other => other,
        }
    }
}

/// The command status of a message centre that is broken itself.
const SYSTEM_ERROR: u32 = 0x08;

/// Whether a reply says that the provider itself is broken.
fn trouble(reply: &Reply) -> bool {
    match reply {
        Reply::Http(response) => response.status >= 500,
        Reply::Mail(mail) => {
            matches!(mail.stage, MailStage::Greeting | MailStage::Hello | MailStage::StartTls)
        }
        Reply::Smpp(reply) => reply.stage == SmppStage::Bind || reply.status == SYSTEM_ERROR,
        Reply::Failed { kind, .. } => *kind != FailureKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use dispatch_model::{Acceptance, Body, HttpResponse, Rejection};

    use super::*;

    fn answer(status: u16) -> Reply {
        Reply::Http(HttpResponse { status, headers: Vec::new(), body: Body::default(), truncated: false })
    }

    fn failed(may_have_left: bool) -> Reply {
        Reply::Failed { kind: FailureKind::Timeout, detail: String::new(), may_have_left }
    }

    fn centre(stage: SmppStage, status: u32) -> Reply {
        Reply::Smpp(SmppReply { stage, status, message_id: None, tlvs: Vec::new() })
    }

    fn reason() -> Reason {
        Reason::new("x", "y")
    }

    fn deferred() -> Outcome {
        Outcome::Deferred { reason: reason(), retry_after_ms: None }
    }

    fn judged(replies: &[(Effect, Reply)], said: Outcome) -> &'static str {
        let mut evidence = Evidence::default();
        for (effect, reply) in replies {
            evidence.note(*effect, reply);
        }
        evidence.judge(said).kind()
    }

    #[test]
    fn a_guest_is_overruled_by_facts() {
        use Effect::{Delivers, None as Nothing};
        let accepted = || Outcome::Accepted(Acceptance::default());
        let rejected = || Outcome::Rejected { kind: Rejection::Sender, reason: reason() };
        let unknown = || Outcome::Unknown { reason: reason() };
        type Case<'a> = (&'a [(Effect, Reply)], Outcome, &'a str);
        let cases: &[Case<'_>] = &[
            (&[], deferred(), "deferred"),
            (&[], unknown(), "deferred"),
            (&[(Delivers, answer(503))], deferred(), "deferred"),
            (&[(Delivers, answer(502))], unknown(), "unknown"),
            (&[(Delivers, failed(false))], deferred(), "deferred"),
            (&[(Delivers, failed(false))], unknown(), "deferred"),
            (&[(Delivers, failed(true))], deferred(), "unknown"),
            (&[(Delivers, failed(true))], rejected(), "unknown"),
            (&[(Delivers, failed(true))], accepted(), "unknown"),
            (&[(Nothing, failed(true))], deferred(), "deferred"),
            (&[(Delivers, failed(true)), (Nothing, failed(true))], deferred(), "unknown"),
            (&[(Delivers, failed(true)), (Nothing, answer(200))], accepted(), "accepted"),
            (&[(Delivers, failed(true)), (Delivers, answer(200))], accepted(), "accepted"),
            (&[(Delivers, failed(true)), (Delivers, failed(false))], deferred(), "unknown"),
            (&[(Delivers, centre(SmppStage::Bind, 0x0e))], unknown(), "deferred"),
            (
                &[(Delivers, centre(SmppStage::Submit, 0)), (Delivers, centre(SmppStage::Bind, 8))],
                unknown(),
                "unknown",
            ),
            (&[(Delivers, failed(true)), (Delivers, centre(SmppStage::Bind, 8))], deferred(), "unknown"),
        ];
        for (replies, said, expected) in cases {
            assert_eq!(judged(replies, said.clone()), *expected, "{replies:?} and {said:?}");
        }
    }

    #[test]
    fn a_second_delivering_action_in_doubt_is_a_possible_double() {
        let mut evidence = Evidence::default();
        evidence.note(Effect::Delivers, &failed(true));
        assert!(!evidence.twice);
        evidence.note(Effect::Delivers, &answer(200));
        assert!(evidence.twice);
    }

    #[test]
    fn trouble_is_the_provider_and_not_our_own_rules() {
        for (reply, expected) in [
            (answer(200), false),
            (answer(429), false),
            (answer(503), true),
            (failed(true), true),
            (centre(SmppStage::Bind, 0x0e), true),
            (centre(SmppStage::Submit, 0x08), true),
            (centre(SmppStage::Submit, 0x58), false),
            (
                Reply::Failed { kind: FailureKind::Refused, detail: String::new(), may_have_left: false },
                false,
            ),
        ] {
            let mut evidence = Evidence::default();
            evidence.note(Effect::None, &reply);
            assert_eq!(evidence.trouble, expected, "{reply:?}");
        }
    }
}
