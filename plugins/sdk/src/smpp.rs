//! Short messages by SMPP 3.4: what the message centre of the operator's session is asked, what it answers, and what it
//! says on its own. The fields are the standard's.

use crate::Action;

/// An address with its type of number and numbering plan: 1 and 1 for a number with its country, 5 and 0 for a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SmppAddress {
    /// The type of number.
    pub ton: u8,
    /// The numbering plan.
    pub npi: u8,
    /// At most 20 bytes of ASCII.
    pub address: String,
}

impl SmppAddress {
    /// From its three fields.
    pub fn new(ton: u8, npi: u8, address: impl Into<String>) -> Self {
        Self { ton, npi, address: address.into() }
    }
}

/// A tagged value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmppTlv {
    /// The tag, for example `0x0424`, `message_payload`.
    pub tag: u16,
    /// The value.
    pub value: Vec<u8>,
}

/// The value of the first of this tag.
pub(crate) fn tlv(tlvs: &[SmppTlv], tag: u16) -> Option<&[u8]> {
    tlvs.iter().find(|tlv| tlv.tag == tag).map(|tlv| tlv.value.as_slice())
}

/// One `submit_sm`. What is not here (schedule, replacement, a canned message) is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShortMessage {
    /// At most 5 bytes of ASCII, usually empty.
    pub service_type: String,
    /// Who sends.
    pub source: SmppAddress,
    /// To whom.
    pub destination: SmppAddress,
    /// Message mode, type and features: `0x40` where the text begins with a user data header.
    pub esm_class: u8,
    /// The protocol identifier.
    pub protocol_id: u8,
    /// The priority.
    pub priority: u8,
    /// Empty, or 16 characters such as `000001000000000R`: a day.
    pub validity: String,
    /// Which receipts are asked for: 1 for all that are final.
    pub registered_delivery: u8,
    /// How the text is encoded: 0 the message centre's own alphabet, 3 Latin-1, 8 UCS-2.
    pub data_coding: u8,
    /// At most 254 bytes; more goes into the TLV `message_payload`, and this stays empty.
    pub short_message: Vec<u8>,
    /// At most 32.
    pub tlvs: Vec<SmppTlv>,
}

impl From<ShortMessage> for Action {
    fn from(message: ShortMessage) -> Self {
        Self::Smpp(message)
    }
}

/// What a message centre was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmppStage {
    /// To let us in: nothing of the message has left.
    Bind,
    /// To take the short message.
    Submit,
}

/// What a message centre said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmppReply {
    /// What `status` answers: `Submit` with 0 is acceptance.
    pub stage: SmppStage,
    /// The command status as the standard counts them.
    pub status: u32,
    /// The message centre's id of the message.
    pub message_id: Option<String>,
    /// Further parameters.
    pub tlvs: Vec<SmppTlv>,
}

/// A `deliver_sm` or `data_sm`: a receipt, or a message to us. Its sender has proved who it is by holding the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SmppDelivery {
    /// Who sends.
    pub source: SmppAddress,
    /// To whom.
    pub destination: SmppAddress,
    /// Message mode, type and features: says whether it is a receipt.
    pub esm_class: u8,
    /// The protocol identifier.
    pub protocol_id: u8,
    /// How the text is encoded.
    pub data_coding: u8,
    /// The text, be it in the field of that name or in the TLV `message_payload`.
    pub short_message: Vec<u8>,
    /// Further parameters.
    pub tlvs: Vec<SmppTlv>,
}

impl SmppDelivery {
    /// The value of the first TLV of this tag.
    pub fn tlv(&self, tag: u16) -> Option<&[u8]> {
        tlv(&self.tlvs, tag)
    }
}
