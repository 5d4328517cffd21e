//! What the message centre says on its own: receipts, and messages to us.
//!
//! The parts of a long message to us come as messages of their own: putting them together needs a memory, which no plugin
//! has.

use dispatcher_plugin::sms::{Alphabet, unpack};
use dispatcher_plugin::{Channel, Context, Event, Inbound, Reason, ReceiveSmpp, SmppAddress, SmppDelivery};

use crate::Smpp;
use crate::receipt::{self, RECEIPTED_MESSAGE_ID};
use crate::settings::{DefaultAlphabet, Septets, Settings};

/// The bits of the esm class that say what a delivery is, and their values.
const KIND: u8 = 0b0011_1100;
const MESSAGE: u8 = 0;
const RECEIPT: u8 = 0b0000_0100;
const INTERMEDIATE: u8 = 0b0010_0000;
/// The bit that says that the text begins with a user data header.
const WITH_HEADER: u8 = 0b0100_0000;

/// Bytes of an address: SMPP 3.4 has 20, and some message centres a name's worth more.
const ADDRESS_MAX: usize = 64;

impl ReceiveSmpp for Smpp {
    fn receive(context: &Context<Settings>, delivery: &SmppDelivery) -> Result<Vec<Event>, Reason> {
        if [&delivery.source, &delivery.destination].iter().any(|place| place.address.len() > ADDRESS_MAX) {
            return Err(Reason::new("address", "an address longer than SMPP has"));
        }
        match delivery.esm_class & KIND {
            // Some leave the class out of a receipt. Its text proves nothing, since anybody can write one that reads like
            // it; the parameter is the message centre's.
            MESSAGE if delivery.tlv(RECEIPTED_MESSAGE_ID).is_none() => Ok(vec![inbound(context, delivery)]),
            MESSAGE | RECEIPT | INTERMEDIATE => receipt::read(context.settings.ids, delivery)
                .map(|receipt| vec![Event::Receipt(receipt)])
                .ok_or_else(|| {
                    Reason::new("receipt", "a receipt that does not say of what, or what became of it")
                }),
            // Acknowledgements of the recipient's own: nothing that a sender of text messages asked for.
            _ => Ok(Vec::new()),
        }
    }
}

fn inbound(context: &Context<Settings>, delivery: &SmppDelivery) -> Event {
    let text = text(&context.settings, delivery);
    let (from, to) = (number(&delivery.source), number(&delivery.destination));
    // A message centre gives a message to us no id. One that is brought twice, since our answer was lost, counts as two:
    // two that say the same are more often meant so.
    let id = format!("mo-{}-{:016x}", context.now_ms, hash([&from, &to, &text]));
    Event::Inbound(Inbound { id, channel: Channel::Sms, from, to, text, media: Vec::new() })
}

/// The text behind its header.
fn text(settings: &Settings, delivery: &SmppDelivery) -> String {
    let octets = delivery.short_message.as_slice();
    let header = match octets.first() {
        Some(length) if delivery.esm_class & WITH_HEADER != 0 => (usize::from(*length) + 1).min(octets.len()),
        _ => 0,
    };
    let body = &octets[header..];
    let alphabet = alphabet(settings, delivery.data_coding);
    if alphabet == Alphabet::Gsm7 && settings.septets == Septets::Packed {
        return alphabet.decode(&unpack(body, (7 - header * 8 % 7) % 7));
    }
    alphabet.decode(body)
}

/// The alphabet of a data coding: SMPP's own values, and the groups of GSM 03.38 that message centres pass through.
fn alphabet(settings: &Settings, data_coding: u8) -> Alphabet {
    let default = match settings.default_alphabet {
        DefaultAlphabet::Gsm7 => Alphabet::Gsm7,
        DefaultAlphabet::Latin1 => Alphabet::Latin1,
    };
    match data_coding {
        0 => default,
        1 | 3 => Alphabet::Latin1,
        8 => Alphabet::Ucs2,
        0x10..=0x3f => match data_coding & 0x0c {
            0 => default,
            8 => Alphabet::Ucs2,
            _ => Alphabet::Latin1,
        },
        0xf0..=0xff if data_coding & 4 == 0 => default,
        _ => Alphabet::Latin1,
    }
}

/// An international number with its plus.
fn number(address: &SmppAddress) -> String {
    let digits = !address.address.is_empty() && address.address.bytes().all(|byte| byte.is_ascii_digit());
    // A name is letters, digits and signs: nothing that hides, or turns the line around where it is shown.
    let shown = |character: &char| character.is_alphanumeric() || matches!(character, ' '..='~');
    let plain = || address.address.chars().filter(shown).collect();
    if address.ton == 1 && digits { format!("+{}", address.address) } else { plain() }
}

/// FNV-1a, 64 bits.
fn hash(texts: [&str; 3]) -> u64 {
    let bytes = texts.into_iter().flat_map(|text| text.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
