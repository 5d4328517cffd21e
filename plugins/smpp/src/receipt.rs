//! Receipts: `id:… sub:001 dlvrd:001 submit date:… done date:… stat:DELIVRD err:000 text:…`, and what stands in the
//! parameters beside it.

use dispatcher_plugin::{Reason, Receipt, ReceiptState, SmppDelivery};

use crate::ids::Ids;

/// The tags of a receipt's parameters.
pub(crate) const RECEIPTED_MESSAGE_ID: u16 = 0x001e;
const NETWORK_ERROR_CODE: u16 = 0x0423;
const MESSAGE_STATE: u16 = 0x0427;

/// Reads a receipt; none where it does not say what it is about.
pub(crate) fn read(ids: Ids, delivery: &SmppDelivery) -> Option<Receipt> {
    let text = String::from_utf8_lossy(&delivery.short_message);
    let reference = delivery
        .tlv(RECEIPTED_MESSAGE_ID)
        .map(|id| ids.of_answer(&String::from_utf8_lossy(id).replace('\0', "")))
        .filter(|id| !id.is_empty())
        .or_else(|| field(&text, "id:").map(|id| ids.of_receipt(id)))
        .filter(|id| !id.is_empty())?;
    let word = field(&text, "stat:");
    let by_parameter = delivery.tlv(MESSAGE_STATE).and_then(|state| of_number(*state.first()?));
    let (state, name) = word.and_then(of_word).or(by_parameter)?;
    let error = field(&text, "err:").map(str::to_owned).or_else(|| network_error(delivery));
    let reason = (state != ReceiptState::Delivered).then(|| {
        let code = error.filter(|code| code.bytes().any(|byte| byte != b'0'));
        Reason::new(code.as_deref().unwrap_or(name), format!("the message centre says {name}"))
    });
    // Its dates have no zone, so that nobody knows when that is.
    Some(Receipt { reason, ..Receipt::new(reference, state) })
}

/// What stands behind a name, up to the next blank. Names come in both cases; the text of the message, which stands last,
/// may hold anything and is not looked into.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let end = find(text, "text:").unwrap_or(text.len());
    let head = &text[..end];
    let start = find(head, name)? + name.len();
    let value = head[start..].split(|c: char| c.is_ascii_whitespace()).next()?;
    (!value.is_empty()).then_some(value)
}

/// Where a name begins: at the start, or behind a blank.
fn find(text: &str, name: &str) -> Option<usize> {
    let begins = |at: usize| {
        let fits = text.get(at..at + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
        fits && (at == 0 || text.as_bytes()[at - 1].is_ascii_whitespace())
    };
    (0..text.len()).find(|at| begins(*at))
}

/// The words of the standard, which has seven letters for each; some message centres write them out.
fn of_word(word: &str) -> Option<(ReceiptState, &'static str)> {
    let word = word.to_ascii_uppercase();
    let known = [
        ("DELIV", ReceiptState::Delivered, "DELIVRD"),
        ("EXPIR", ReceiptState::Undelivered, "EXPIRED"),
        ("DELET", ReceiptState::Undelivered, "DELETED"),
        ("UNDEL", ReceiptState::Undelivered, "UNDELIV"),
        ("REJEC", ReceiptState::Undelivered, "REJECTD"),
        ("FAIL", ReceiptState::Undelivered, "FAILED"),
        ("SKIP", ReceiptState::Undelivered, "SKIPPED"),
        ("ACCEP", ReceiptState::Pending, "ACCEPTD"),
        ("ENROU", ReceiptState::Pending, "ENROUTE"),
        ("BUFF", ReceiptState::Pending, "BUFFERED"),
        ("SCHED", ReceiptState::Pending, "SCHEDULED"),
        ("UNKNO", ReceiptState::Pending, "UNKNOWN"),
    ];
    known.into_iter().find(|(start, ..)| word.starts_with(start)).map(|(_, state, name)| (state, name))
}

/// The states of the parameter `message_state`.
fn of_number(state: u8) -> Option<(ReceiptState, &'static str)> {
    Some(match state {
        0 => (ReceiptState::Pending, "SCHEDULED"),
        1 => (ReceiptState::Pending, "ENROUTE"),
        2 => (ReceiptState::Delivered, "DELIVRD"),
        3 => (ReceiptState::Undelivered, "EXPIRED"),
        4 => (ReceiptState::Undelivered, "DELETED"),
        5 => (ReceiptState::Undelivered, "UNDELIV"),
        6 => (ReceiptState::Pending, "ACCEPTD"),
        7 => (ReceiptState::Pending, "UNKNOWN"),
        8 => (ReceiptState::Undelivered, "REJECTD"),
        9 => (ReceiptState::Undelivered, "SKIPPED"),
        _ => return None,
    })
}

/// The network's own code: its kind in a byte, and the number.
fn network_error(delivery: &SmppDelivery) -> Option<String> {
    match delivery.tlv(NETWORK_ERROR_CODE)? {
        [_, high, low] => Some(u16::from_be_bytes([*high, *low]).to_string()),
        _ => None,
    }
}
