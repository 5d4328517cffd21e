//! The PDUs of SMPP 3.4 that a transceiver needs, to and from bytes.
//!
//! Written strictly and read leniently: message centres leave out the NUL at the end of a text, use longer ids than the
//! standard has, and send tagged values of the wrong length. A receipt that is thrown away for such a thing is a message of
//! which nobody learns whether it arrived. What cannot be told apart from its neighbour (a short message that is longer
//! than its PDU) is refused.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use dispatch_engine::Session;
use dispatch_model::{Body, SmppAddress, SmppDelivery, SmppSubmission, SmppTlv};

/// What a PDU is.
pub(crate) mod command {
    pub(crate) const GENERIC_NACK: u32 = 0x8000_0000;
    pub(crate) const SUBMIT_SM: u32 = 0x0000_0004;
    pub(crate) const SUBMIT_SM_RESP: u32 = RESPONSE | SUBMIT_SM;
    pub(crate) const DELIVER_SM: u32 = 0x0000_0005;
    pub(crate) const UNBIND: u32 = 0x0000_0006;
    pub(crate) const BIND_TRANSCEIVER: u32 = 0x0000_0009;
    pub(crate) const BIND_TRANSCEIVER_RESP: u32 = RESPONSE | BIND_TRANSCEIVER;
    pub(crate) const OUTBIND: u32 = 0x0000_000b;
    pub(crate) const ENQUIRE_LINK: u32 = 0x0000_0015;
    pub(crate) const ALERT_NOTIFICATION: u32 = 0x0000_0102;
    pub(crate) const DATA_SM: u32 = 0x0000_0103;
    /// Set in every answer.
    pub(crate) const RESPONSE: u32 = 0x8000_0000;
}

/// What an answer says.
pub(crate) mod status {
    pub(crate) const OK: u32 = 0x00;
    pub(crate) const INVALID_COMMAND: u32 = 0x03;
    pub(crate) const QUEUE_FULL: u32 = 0x14;
    /// "Come again later with this one."
    pub(crate) const TEMPORARY: u32 = 0x64;
    /// "Do not come again with this one."
    pub(crate) const PERMANENT: u32 = 0x65;
}

/// Bytes of a header.
pub(crate) const HEADER: usize = 16;
/// Bytes of a PDU at most: a `message_payload` of 64 KiB and what stands around it.
const PDU_MAX: usize = 70 * 1024;
/// The version we speak: 3.4.
const VERSION: u8 = 0x34;
/// The tag of a text that is too long for its field.
const MESSAGE_PAYLOAD: u16 = 0x0424;

/// A PDU as it stands on the wire, its body not yet read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) command: u32,
    pub(crate) status: u32,
    pub(crate) sequence: u32,
    pub(crate) body: Bytes,
}

/// What comes is no PDU, and where the next one begins cannot be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a PDU of {0} bytes, and it has {HEADER} to {PDU_MAX}")]
pub(crate) struct NotSmpp(u32);

impl Frame {
    /// Takes the first PDU out of what was read; none while it is not whole.
    pub(crate) fn take(inbox: &mut BytesMut) -> Result<Option<Self>, NotSmpp> {
        let Some(length) = inbox.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)) else {
            return Ok(None);
        };
        let size = usize::try_from(length).ok().filter(|size| (HEADER..=PDU_MAX).contains(size));
        let size = size.ok_or(NotSmpp(length))?;
        if inbox.len() < size {
            inbox.reserve(size - inbox.len());
            return Ok(None);
        }
        let mut pdu = inbox.split_to(size).freeze();
        pdu.advance(4);
        let [command, status, sequence] = [pdu.get_u32(), pdu.get_u32(), pdu.get_u32()];
        Ok(Some(Self { command, status, sequence, body: pdu }))
    }

    /// The bytes of a PDU.
    pub(crate) fn bytes(&self) -> Bytes {
        let size = HEADER + self.body.len();
        let mut out = BytesMut::with_capacity(size);
        out.put_u32(u32::try_from(size).unwrap_or(u32::MAX));
        out.put_u32(self.command);
        out.put_u32(self.status);
        out.put_u32(self.sequence);
        out.put_slice(&self.body);
        out.freeze()
    }

    /// A request.
    pub(crate) fn request(command: u32, sequence: u32, body: impl Into<Bytes>) -> Self {
        Self { command, status: 0, sequence, body: body.into() }
    }

    /// The answer to this request: `deliver_sm` and `data_sm` get an empty id along.
    pub(crate) fn answer(&self, status: u32) -> Self {
        let id: &'static [u8] = match self.command {
            command::DELIVER_SM | command::DATA_SM => &[0],
            _ => &[],
        };
        Self {
            command: command::RESPONSE | self.command,
            status,
            sequence: self.sequence,
            body: Bytes::from_static(id),
        }
    }

    /// The answer to a request that we do not know.
    pub(crate) fn nack(&self) -> Self {
        Self {
            command: command::GENERIC_NACK,
            status: status::INVALID_COMMAND,
            sequence: self.sequence,
            body: Bytes::new(),
        }
    }

    /// The id and the tagged values of an answer to `submit_sm`. A refusal often has neither.
    pub(crate) fn acceptance(&self) -> (Option<String>, Vec<SmppTlv>) {
        let mut fields = Fields(self.body.clone());
        let id = fields.text().filter(|id| !id.is_empty());
        (id, fields.tlvs())
    }

    /// What a `deliver_sm` or `data_sm` says; none where its fields do not fit into it.
    pub(crate) fn delivery(&self) -> Option<SmppDelivery> {
        let mut fields = Fields(self.body.clone());
        fields.text()?;
        let (source, destination) = (fields.address()?, fields.address()?);
        let esm_class = fields.octet()?;
        let mut delivery = SmppDelivery { source, destination, esm_class, ..SmppDelivery::default() };
        if self.command == command::DATA_SM {
            fields.octet()?;
            delivery.data_coding = fields.octet()?;
        } else {
            delivery.protocol_id = fields.octet()?;
            fields.octet()?;
            fields.text()?;
            fields.text()?;
            fields.octet()?;
            fields.octet()?;
            delivery.data_coding = fields.octet()?;
            fields.octet()?;
            let length = fields.octet()?;
            delivery.short_message = Body(fields.octets(length.into())?);
        }
        delivery.tlvs = fields.tlvs();
        let payload = delivery.tlvs.iter().position(|tlv| tlv.tag == MESSAGE_PAYLOAD);
        if let Some(at) = payload.filter(|_| delivery.short_message.is_empty()) {
            delivery.short_message = delivery.tlvs.remove(at).value;
        }
        Some(delivery)
    }
}

/// The body of `bind_transceiver`.
pub(crate) fn bind(session: &Session) -> Bytes {
    let mut out = BytesMut::new();
    text(&mut out, &session.system_id);
    text(&mut out, session.password.as_ref().map_or("", |password| password.expose()));
    text(&mut out, &session.system_type);
    // Whatever numbers the message centre has for us: no address range of our own.
    out.put_slice(&[VERSION, 0, 0, 0]);
    out.freeze()
}

/// The body of `submit_sm`.
pub(crate) fn submit(submission: &SmppSubmission) -> Bytes {
    let mut out = BytesMut::with_capacity(96 + submission.short_message.len());
    text(&mut out, &submission.service_type);
    for address in [&submission.source, &submission.destination] {
        out.put_slice(&[address.ton, address.npi]);
        text(&mut out, &address.address);
    }
    out.put_slice(&[submission.esm_class, submission.protocol_id, submission.priority]);
    text(&mut out, "");
    text(&mut out, &submission.validity);
    out.put_slice(&[submission.registered_delivery, 0, submission.data_coding, 0]);
    // The contract keeps both within their widths; a cut is less bad here than a length that lies.
    let short = &submission.short_message[..submission.short_message.len().min(254)];
    out.put_u8(short.len() as u8);
    out.put_slice(short);
    for tlv in &submission.tlvs {
        let value = &tlv.value[..tlv.value.len().min(usize::from(u16::MAX))];
        out.put_u16(tlv.tag);
        out.put_u16(value.len() as u16);
        out.put_slice(value);
    }
    out.freeze()
}

/// A text and the NUL that ends it. A NUL within would end it early and shift what follows.
fn text(out: &mut BytesMut, text: &str) {
    out.put_slice(text.split('\0').next().unwrap_or_default().as_bytes());
    out.put_u8(0);
}

/// What is left to read of a body.
struct Fields(Bytes);

impl Fields {
    fn octet(&mut self) -> Option<u8> {
        (!self.0.is_empty()).then(|| self.0.get_u8())
    }

    fn octets(&mut self, count: usize) -> Option<Bytes> {
        (self.0.len() >= count).then(|| self.0.split_to(count))
    }

    /// A text up to its NUL, or to the end where there is none. What is not to be printed is replaced.
    fn text(&mut self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        let text = String::from_utf8_lossy(&self.0.split_to(end)).replace(char::is_control, "\u{fffd}");
        self.0.advance(self.0.len().min(1));
        Some(text)
    }

    fn address(&mut self) -> Option<SmppAddress> {
        Some(SmppAddress { ton: self.octet()?, npi: self.octet()?, address: self.text()? })
    }

    /// The tagged values, as far as they can be told apart.
    fn tlvs(mut self) -> Vec<SmppTlv> {
        let mut tlvs = Vec::new();
        while self.0.len() >= 4 {
            let tag = self.0.get_u16();
            let length = self.0.get_u16();
            let Some(value) = self.octets(length.into()) else { break };
            tlvs.push(SmppTlv { tag, value: Body(value) });
        }
        tlvs
    }
}

#[cfg(test)]
mod tests;
