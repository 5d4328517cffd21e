//! A message on its way, part by part.

use std::collections::VecDeque;

use dispatcher_plugin::sms::{Alphabet, pack};
use dispatcher_plugin::{Context, Message, Reason, Refusal, ShortMessage, SmppAddress, SmppTlv};
use serde::{Deserialize, Serialize};

use crate::settings::{Cutting, Septets, Settings};

/// What is set where the text begins with a user data header.
const WITH_HEADER: u8 = 0x40;
/// The tags of SMPP that a long text needs.
const SAR_REFERENCE: u16 = 0x020c;
const SAR_TOTAL: u16 = 0x020e;
const SAR_NUMBER: u16 = 0x020f;
const MESSAGE_PAYLOAD: u16 = 0x0424;
/// Bytes of a text that still fit into its own field.
const SHORT_MESSAGE_MAX: usize = 254;

/// A message on its way: what is still to be handed over, and the ids of what was taken.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    ton: u8,
    npi: u8,
    to: String,
    data_coding: u8,
    /// The number that the parts have in common. Of a message that is tried again it is the same, so that a phone that got
    /// some of its parts already puts those of the second try in their place.
    reference: u16,
    total: u8,
    ids: Vec<Option<String>>,
    /// As hexadecimal: the state is JSON, in which bytes would be numbers.
    rest: VecDeque<String>,
}

impl Run {
    /// Cuts a message.
    pub(crate) fn begin(context: &Context<Settings>, message: &Message) -> Result<Self, Refusal> {
        let settings = &context.settings;
        if message.to.len() != 1 {
            return Err(Refusal::recipient("recipients", "an SMS goes to one number"));
        }
        let SmppAddress { ton, npi, address: to } = settings.destination(message.recipient())?;
        let text = message.body();
        if text.is_empty() {
            return Err(Refusal::content("empty", "there is no text"));
        }
        let alphabet = settings.alphabet(text);
        let parts = alphabet.parts(text);
        if parts.len() > usize::from(settings.parts_max) {
            let words = format!("{} parts, and at most {} are sent", parts.len(), settings.parts_max);
            return Err(Refusal::content("parts", words));
        }
        let whole = settings.parts == Cutting::Payload || parts.len() == 1;
        let rest: VecDeque<String> = match whole {
            true => [written(settings, alphabet, text, 0)].into(),
            false => {
                parts.iter().map(|part| written(settings, alphabet, part, empty_bits(settings))).collect()
            }
        };
        Ok(Self {
            ton,
            npi,
            to,
            data_coding: settings.data_coding(alphabet),
            reference: reference(&context.idempotency_key),
            total: u8::try_from(rest.len()).unwrap_or(u8::MAX),
            ids: Vec::new(),
            rest,
        })
    }

    /// The next part, as it is handed over.
    pub(crate) fn next_part(&self, settings: &Settings) -> ShortMessage {
        let mut octets = self.rest.front().map(|part| bytes(part)).unwrap_or_default();
        let mut tlvs = settings.tlvs();
        let mut esm_class = 0;
        let number = u8::try_from(self.ids.len() + 1).unwrap_or(u8::MAX);
        if self.total > 1 && settings.parts == Cutting::Sar {
            tlvs.push(SmppTlv { tag: SAR_REFERENCE, value: self.reference.to_be_bytes().to_vec() });
            tlvs.push(SmppTlv { tag: SAR_TOTAL, value: vec![self.total] });
            tlvs.push(SmppTlv { tag: SAR_NUMBER, value: vec![number] });
        } else if self.total > 1 {
            esm_class = WITH_HEADER;
            let [_, reference] = self.reference.to_be_bytes();
            octets.splice(0..0, [5, 0, 3, reference, self.total, number]);
        }
        if octets.len() > SHORT_MESSAGE_MAX {
            tlvs.push(SmppTlv { tag: MESSAGE_PAYLOAD, value: std::mem::take(&mut octets) });
        }
        ShortMessage {
            service_type: settings.service_type.clone(),
            source: settings.source(),
            destination: SmppAddress::new(self.ton, self.npi, self.to.clone()),
            esm_class,
            validity: settings.validity(),
            registered_delivery: settings.registered_delivery(),
            data_coding: self.data_coding,
            short_message: octets,
            tlvs,
            ..ShortMessage::default()
        }
    }

    /// The part was taken, and this is its id.
    pub(crate) fn taken(&mut self, id: Option<String>) {
        self.rest.pop_front();
        self.ids.push(id);
    }

    /// Whether all of it was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many parts it has in all.
    pub(crate) fn total(&self) -> u32 {
        self.total.into()
    }

    /// The ids of its parts.
    pub(crate) fn into_ids(self) -> Vec<String> {
        self.ids.into_iter().flatten().collect()
    }

    /// What a refusal of this part means for the message. Where earlier parts were taken, some of it may be read already:
    /// then nobody can say that it was not delivered, whatever became of the rest.
    pub(crate) fn broken(&self, refusal: Refusal) -> Refusal {
        let taken = self.ids.len();
        if taken == 0 {
            return refusal;
        }
        let Reason { code, message } = refusal.reason();
        let words = format!("{taken} of {} parts were taken, then {}: {message}", self.total, refusal.kind());
        Refusal::unknown(code, words)
    }
}

/// A text in its alphabet as octets, in hexadecimal.
fn written(settings: &Settings, alphabet: Alphabet, text: &str, empty_bits: usize) -> String {
    let octets = alphabet.encode(text);
    let octets = match (alphabet, settings.septets) {
        (Alphabet::Gsm7, Septets::Packed) => pack(&octets, empty_bits),
        _ => octets,
    };
    octets.iter().flat_map(|octet| [octet >> 4, octet & 15]).map(digit).collect()
}

/// A user data header of six bytes ends one bit before the border of a septet.
fn empty_bits(settings: &Settings) -> usize {
    usize::from(settings.parts == Cutting::Udh)
}

fn digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

/// Hexadecimal as octets.
fn bytes(hex: &str) -> Vec<u8> {
    let octet = |at: usize| hex.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    (0..hex.len()).step_by(2).filter_map(octet).collect()
}

/// A number for the parts, from the key that all attempts of a message share (FNV-1a).
fn reference(key: &str) -> u16 {
    let hash =
        key.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    ((hash >> 16) ^ hash) as u16
}
