//! What a verified body means: a submission with its number in E.164, or none.

use dispatch_highlevel::{Ignored, Parsed as Read};
use dispatch_model::{Content, Direction, Reason, SourceName, Submission, Timestamp};
use dispatch_text::{PhoneProblem, Region, to_e164};

use crate::verify::Verified;

/// What a body means.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one a webhook, and nearly always the large one: a box saves nothing"
)]
pub enum Parsed {
    /// Something to promise.
    Submission(Submission),
    /// Nothing to deliver.
    Ignored(Ignored),
    /// Nobody can say; the bytes are kept.
    Quarantined {
        /// Why. It quotes nothing of the body.
        reason: String,
    },
}

/// Reads the body. Deterministic: a second reading gives the same, so that nobody has to keep a copy.
pub(crate) fn parse(verified: &Verified) -> Parsed {
    let endpoint = &verified.endpoint;
    read(&verified.body, &endpoint.name, endpoint.default_region, verified.received_at)
}

/// What a body would mean at a source, whoever sent it: for `explain` and the tests of a configuration.
pub fn read(body: &[u8], source: &SourceName, region: Option<Region>, received_at: Timestamp) -> Parsed {
    let payload = match dispatch_highlevel::parse(body) {
        Read::Payload(payload) => *payload,
        Read::Ignored(ignored) => return Parsed::Ignored(ignored),
        Read::Unparseable { reason } => return Parsed::Quarantined { reason },
    };
    let mut submission = Submission {
        direction: Direction::Outbound,
        source: source.clone(),
        location: payload.location,
        external_id: payload.external_id,
        contact: payload.contact,
        received_at,
        content: payload.content,
        attachments: payload.attachments,
        extra: payload.extra,
        problem: payload.problem,
    };
    if let Content::Sms(sms) = &mut submission.content {
        match to_e164(&sms.to.original, region) {
            Ok(number) => sms.to.e164 = Some(number.into_string()),
            Err(problem) => {
                submission.problem.get_or_insert_with(|| bad_recipient(problem));
            }
        }
    }
    Parsed::Submission(submission)
}

fn bad_recipient(problem: PhoneProblem) -> Reason {
    Reason::new("bad-recipient", problem.to_string())
}
