//! From the contract's types to the SDK's.

use super::wire;
use crate::{
    Attachment, AttachmentFile, Callback, Channel, Failure, FailureKind, MailReply, MailStage, Message, Pair,
    RecipientReply, Reply, Response, SmppAddress, SmppDelivery, SmppReply, SmppStage, SmppTlv, SmtpReply,
};

fn pairs(pairs: Vec<wire::Pair>) -> Vec<Pair> {
    pairs.into_iter().map(|pair| Pair { name: pair.name, value: pair.value }).collect()
}

impl From<wire::Message> for Message {
    fn from(message: wire::Message) -> Self {
        Self {
            id: message.id,
            channel: match message.channel {
                wire::Channel::Sms => Channel::Sms,
                wire::Channel::Email => Channel::Email,
            },
            location: message.location,
            contact: message.contact,
            to: message.to,
            cc: message.cc,
            bcc: message.bcc,
            sender: message.sender,
            text: message.text,
            subject: message.subject,
            html: message.html,
            in_reply_to: message.in_reply_to,
            attachments: message
                .attachments
                .into_iter()
                .map(|attachment| Attachment {
                    url: attachment.url,
                    file: attachment.file.map(|file| AttachmentFile {
                        name: file.name,
                        media_type: file.media_type,
                        size: file.size,
                    }),
                })
                .collect(),
            extra: pairs(message.extra),
        }
    }
}

impl From<wire::HttpCallback> for Callback {
    fn from(callback: wire::HttpCallback) -> Self {
        Self {
            method: callback.method,
            url: callback.url,
            headers: pairs(callback.headers),
            body: callback.body,
        }
    }
}

fn address(address: wire::SmppAddress) -> SmppAddress {
    SmppAddress { ton: address.ton, npi: address.npi, address: address.address }
}

fn tlvs(tlvs: Vec<wire::SmppTlv>) -> Vec<SmppTlv> {
    tlvs.into_iter().map(|tlv| SmppTlv { tag: tlv.tag, value: tlv.value }).collect()
}

impl From<wire::SmppDelivery> for SmppDelivery {
    fn from(delivery: wire::SmppDelivery) -> Self {
        Self {
            source: address(delivery.source),
            destination: address(delivery.destination),
            esm_class: delivery.esm_class,
            protocol_id: delivery.protocol_id,
            data_coding: delivery.data_coding,
            short_message: delivery.short_message,
            tlvs: tlvs(delivery.tlvs),
        }
    }
}

fn smtp(reply: wire::SmtpReply) -> SmtpReply {
    SmtpReply { code: reply.code, enhanced: reply.enhanced, text: reply.text }
}

/// A reply that came at `now_ms`.
pub(super) fn reply(reply: wire::Reply, now_ms: u64) -> Reply {
    match reply {
        wire::Reply::Http(response) => Reply::Http(Response {
            status: response.status,
            headers: pairs(response.headers),
            body: response.body,
            truncated: response.truncated,
            at_ms: now_ms,
        }),
        wire::Reply::Mail(reply) => Reply::Mail(MailReply {
            stage: match reply.stage {
                wire::MailStage::Greeting => MailStage::Greeting,
                wire::MailStage::Hello => MailStage::Hello,
                wire::MailStage::StartTls => MailStage::StartTls,
                wire::MailStage::Auth => MailStage::Auth,
                wire::MailStage::Sender => MailStage::Sender,
                wire::MailStage::Recipient => MailStage::Recipient,
                wire::MailStage::Data => MailStage::Data,
                wire::MailStage::Content => MailStage::Content,
            },
            reply: smtp(reply.reply),
            recipients: reply
                .recipients
                .into_iter()
                .map(|each| RecipientReply { address: each.address, reply: smtp(each.reply) })
                .collect(),
        }),
        wire::Reply::Smpp(reply) => Reply::Smpp(SmppReply {
            stage: match reply.stage {
                wire::SmppStage::Bind => SmppStage::Bind,
                wire::SmppStage::Submit => SmppStage::Submit,
            },
            status: reply.status,
            message_id: reply.message_id,
            tlvs: tlvs(reply.tlvs),
        }),
        wire::Reply::Failed(failure) => Reply::Failed(Failure {
            kind: match failure.kind {
                wire::FailureKind::Dns => FailureKind::Dns,
                wire::FailureKind::Connect => FailureKind::Connect,
                wire::FailureKind::Tls => FailureKind::Tls,
                wire::FailureKind::Timeout => FailureKind::Timeout,
                wire::FailureKind::Reset => FailureKind::Reset,
                wire::FailureKind::Protocol => FailureKind::Protocol,
                wire::FailureKind::Refused => FailureKind::Refused,
            },
            detail: failure.detail,
            may_have_left: failure.may_have_left,
        }),
    }
}
