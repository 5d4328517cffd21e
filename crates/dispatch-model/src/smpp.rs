//! Short messages by SMPP 3.4: what is asked of a message centre, what it answers, and what it says on its own.
//!
//! The fields are the standard's and their meaning is the plugin's: the host writes and reads them and judges nothing.

use serde::{Deserialize, Serialize};

use crate::Body;

/// An address with its type of number and numbering plan, as the standard counts them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmppAddress {
    /// The type of number: 1 is international, 5 a name.
    pub ton: u8,
    /// The numbering plan: 1 is the telephone's.
    pub npi: u8,
    /// The address itself: at most 20 bytes of ASCII.
    pub address: String,
}

/// A tagged value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmppTlv {
    /// The tag.
    pub tag: u16,
    /// The value.
    pub value: Body,
}

/// One `submit_sm`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmppSubmission {
    /// At most 5 bytes of ASCII, usually empty.
    pub service_type: String,
    /// Who sends.
    pub source: SmppAddress,
    /// To whom.
    pub destination: SmppAddress,
    /// Message mode, type and features.
    pub esm_class: u8,
    /// The protocol identifier.
    pub protocol_id: u8,
    /// The priority.
    pub priority: u8,
    /// Empty, or 16 characters of the standard's time format.
    pub validity: String,
    /// Which receipts are asked for.
    pub registered_delivery: u8,
    /// How the text is encoded.
    pub data_coding: u8,
    /// The text or its user data header and text: at most 254 bytes.
    pub short_message: Body,
    /// Further parameters.
    pub tlvs: Vec<SmppTlv>,
}

/// What a message centre was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmppStage {
    /// To let us in. The message has not left then.
    Bind,
    /// To take a short message.
    Submit,
}

/// What a message centre said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmppReply {
    /// What is answered.
    pub stage: SmppStage,
    /// The command status; 0 is yes.
    pub status: u32,
    /// The message centre's id of the message.
    pub message_id: Option<String>,
    /// Further parameters.
    pub tlvs: Vec<SmppTlv>,
}

/// One `deliver_sm` or `data_sm`: a receipt, or a message to us.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The text, wherever it stood.
    pub short_message: Body,
    /// Further parameters.
    pub tlvs: Vec<SmppTlv>,
}
