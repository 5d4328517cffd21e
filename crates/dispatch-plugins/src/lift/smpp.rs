//! Short messages: the widths of the standard's fields. A field that does not fit would shift all behind it.

use dispatch_model::{Body, Fault, SmppAddress, SmppSubmission, SmppTlv};

use super::bounded;
use crate::contract::wit;
use crate::fault::contract;

/// Bytes of an address, of a service type and of a validity, without the NUL at their ends.
const ADDRESS_MAX: usize = 20;
const SERVICE_TYPE_MAX: usize = 5;
const VALIDITY: usize = 16;
/// Bytes of a short message: the standard's, whose length is one byte and of which 255 is forbidden.
const SHORT_MESSAGE_MAX: usize = 254;
/// Tagged values: the contract says so. The length of a value is two bytes.
const TLVS_MAX: usize = 32;
const TLV_MAX: usize = u16::MAX as usize;

pub(super) fn submission(submission: wit::SmppSubmission) -> Result<SmppSubmission, Fault> {
    bounded("bytes of a short message", submission.short_message.len(), SHORT_MESSAGE_MAX)?;
    bounded("tagged values", submission.tlvs.len(), TLVS_MAX)?;
    if !submission.validity.is_empty() && submission.validity.len() != VALIDITY {
        return Err(contract("a validity that is neither empty nor 16 characters"));
    }
    Ok(SmppSubmission {
        service_type: text("a service type", submission.service_type, SERVICE_TYPE_MAX)?,
        source: address(submission.source)?,
        destination: address(submission.destination)?,
        esm_class: submission.esm_class,
        protocol_id: submission.protocol_id,
        priority: submission.priority,
        validity: text("a validity", submission.validity, VALIDITY)?,
        registered_delivery: submission.registered_delivery,
        data_coding: submission.data_coding,
        short_message: Body::from(submission.short_message),
        tlvs: submission.tlvs.into_iter().map(tlv).collect::<Result<_, _>>()?,
    })
}

fn address(address: wit::SmppAddress) -> Result<SmppAddress, Fault> {
    let text = text("an address", address.address, ADDRESS_MAX)?;
    Ok(SmppAddress { ton: address.ton, npi: address.npi, address: text })
}

/// Text that a NUL ends: printable ASCII, so that it ends where it should.
fn text(what: &str, text: String, max: usize) -> Result<String, Fault> {
    bounded(&format!("bytes of {what}"), text.len(), max)?;
    if !text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return Err(contract(format!("{what} that is not printable ASCII")));
    }
    Ok(text)
}

fn tlv(tlv: wit::SmppTlv) -> Result<SmppTlv, Fault> {
    bounded("bytes of a tagged value", tlv.value.len(), TLV_MAX)?;
    Ok(SmppTlv { tag: tlv.tag, value: Body::from(tlv.value) })
}
