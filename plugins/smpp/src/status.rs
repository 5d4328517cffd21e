//! What the message centre's command statuses mean for the message, the sender or the account.

use dispatcher_plugin::{Reason, Refusal, SmppStage};

use crate::settings::Settings;

/// The waits that a message centre does not name but means: the load of a moment, and a queue that has to empty.
const THROTTLED_MS: u64 = 5_000;
const QUEUE_FULL_MS: u64 = 180_000;
const BROKEN_MS: u64 = 30_000;

/// What a status means, by the operator's own table first.
///
/// Judged so where it could be doubted: what is wrong with the form of all messages alike (a wrong type of number for
/// recipients, a service type, a parameter) is the configuration's; a status that nobody knows was an answer all the same,
/// so nothing was delivered, and it is tried again a few times.
pub(crate) fn refusal(settings: &Settings, stage: SmppStage, status: u32) -> Refusal {
    let name = name(status).unwrap_or("a status of its own");
    let words = match stage {
        SmppStage::Bind => format!("the message centre does not let us in: {name}"),
        SmppStage::Submit => format!("the message centre says {name}"),
    };
    let reason = Reason::new(format!("{status:#x}"), words);
    let wait = |retry_after_ms| Refusal::Deferred { reason: reason.clone(), retry_after_ms };
    if let Some(refusal) = settings.outcome(status, &reason) {
        return refusal;
    }
    if stage == SmppStage::Bind {
        return match status {
            0x08 | 0x14 | 0x58 | 0x64 | 0xff => wait(Some(BROKEN_MS)),
            _ => Refusal::Account(reason),
        };
    }
    match status {
        0x0b => Refusal::Recipient(reason),
        0x01 | 0x65 | 0x66 | 0x104 => Refusal::Content(reason),
        0x0a | 0x48 | 0x49 | 0x101 => Refusal::Sender(reason),
        0x58 => Refusal::Throttled { reason, retry_after_ms: Some(THROTTLED_MS) },
        0x14 => Refusal::Throttled { reason, retry_after_ms: Some(QUEUE_FULL_MS) },
        0x08 => wait(Some(BROKEN_MS)),
        0x02
        | 0x03
        | 0x05..=0x07
        | 0x0d..=0x0f
        | 0x15
        | 0x33
        | 0x43
        | 0x50
        | 0x51
        | 0x53
        | 0x62
        | 0xc0..=0xc4
        | 0x100
        | 0x103 => Refusal::Account(reason),
        _ => wait(None),
    }
}

/// The standard's name of a status.
fn name(status: u32) -> Option<&'static str> {
    Some(match status {
        0x01 => "invalid message length",
        0x02 => "invalid command length",
        0x03 => "invalid command",
        0x04 => "not bound for this",
        0x05 => "already bound",
        0x06 => "invalid priority",
        0x07 => "invalid registered delivery",
        0x08 => "system error",
        0x0a => "invalid source address",
        0x0b => "invalid destination address",
        0x0d => "bind failed",
        0x0e => "invalid password",
        0x0f => "invalid system id",
        0x14 => "message queue full",
        0x15 => "invalid service type",
        0x33 => "invalid number of destinations",
        0x43 => "invalid esm class",
        0x45 => "submit failed",
        0x48 => "invalid source type of number",
        0x49 => "invalid source numbering plan",
        0x50 => "invalid destination type of number",
        0x51 => "invalid destination numbering plan",
        0x53 => "invalid system type",
        0x58 => "throttled",
        0x61 => "invalid schedule",
        0x62 => "invalid validity",
        0x64 => "temporary error",
        0x65 => "permanent error",
        0x66 => "rejected",
        0xc0 => "error in the optional parameters",
        0xc1 => "optional parameter not allowed",
        0xc2 => "invalid parameter length",
        0xc3 => "optional parameter missing",
        0xc4 => "invalid optional parameter",
        0xfe => "delivery failure",
        0xff => "unknown error",
        0x100 => "not authorised for this service type",
        0x101 => "prohibited",
        0x102 => "service type unavailable",
        0x103 => "service type denied",
        0x104 => "invalid data coding",
        _ => return None,
    })
}
