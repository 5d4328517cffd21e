//! The model's nouns as the contract's, on their way into a guest.
//!
//! A call runs on another thread; what it takes along is shared with it, and lent from there to the guest.

use dispatch_model::{
    Attachment, Callback, Channel, ContactId, Content, Context, FailureKind, LookupQuery, MailReply,
    MailStage, Message, Reply, SmppAddress, SmppReply, SmppStage, SmppTlv, SmtpReply, Timestamp,
};

use crate::contract::wit;
use crate::lent;

/// Times before 1970 do not happen; a clock that is off by that much reads as 1970.
fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0)
}

pub(crate) fn channel(channel: Channel) -> wit::Channel {
    match channel {
        Channel::Sms => wit::Channel::Sms,
        Channel::Email => wit::Channel::Email,
    }
}

pub(crate) fn context(context: &Context) -> lent::Context<'_> {
    lent::Context {
        settings: &context.settings,
        now_ms: millis(context.now),
        deadline_ms: millis(context.deadline),
        number: context.number,
        idempotency_key: &context.idempotency_key,
        callback_url: context.callback_url.as_deref(),
    }
}

pub(crate) fn message(message: &Message) -> lent::Message<'_> {
    let base = lent::Message {
        id: message.id.to_string(),
        channel: channel(message.channel()),
        location: message.location.as_str(),
        contact: message.contact.as_ref().map(ContactId::as_str),
        to: Vec::new(),
        cc: &[],
        bcc: &[],
        sender: None,
        text: None,
        subject: None,
        html: None,
        in_reply_to: None,
        attachments: message.attachments.iter().map(attachment).collect(),
        extra: message
            .extra
            .iter()
            .map(|(name, value)| lent::Extra { name, value: value.to_string() })
            .collect(),
    };
    match &message.content {
        // Of an outbound one the number to send from is a setting.
        Content::Sms(sms) => lent::Message {
            to: vec![sms.to.best()],
            sender: message.inbound_from(),
            text: Some(&sms.text),
            ..base
        },
        Content::Email(email) => lent::Message {
            to: email.to.iter().map(String::as_str).collect(),
            cc: &email.cc,
            bcc: &email.bcc,
            sender: email.from.as_deref(),
            text: email.text.as_deref(),
            subject: Some(&email.subject),
            html: Some(&email.html),
            in_reply_to: email.in_reply_to.as_deref(),
            ..base
        },
    }
}

fn attachment(attachment: &Attachment) -> lent::Attachment<'_> {
    lent::Attachment {
        url: &attachment.url,
        file: attachment.file.as_ref().map(|file| lent::AttachmentFile {
            name: &file.name,
            media_type: &file.media_type,
            size: file.size,
        }),
    }
}

pub(crate) fn reply(reply: &Reply) -> lent::Reply<'_> {
    match reply {
        Reply::Http(http) => lent::Reply::Http(lent::HttpResponse {
            status: http.status,
            headers: http
                .headers
                .iter()
                .map(|pair| lent::Pair { name: &pair.name, value: &pair.value })
                .collect(),
            body: &http.body,
            truncated: http.truncated,
        }),
        Reply::Mail(mail) => lent::Reply::Mail(mail_reply(mail)),
        Reply::Smpp(smpp) => lent::Reply::Smpp(smpp_reply(smpp)),
        Reply::Failed { kind, detail, may_have_left } => lent::Reply::Failed(wit::Failure {
            kind: match kind {
                FailureKind::Dns => wit::FailureKind::Dns,
                FailureKind::Connect => wit::FailureKind::Connect,
                FailureKind::Tls => wit::FailureKind::Tls,
                FailureKind::Timeout => wit::FailureKind::Timeout,
                FailureKind::Reset => wit::FailureKind::Reset,
                FailureKind::Protocol => wit::FailureKind::Protocol,
                FailureKind::Refused => wit::FailureKind::Refused,
            },
            detail: detail.clone(),
            may_have_left: *may_have_left,
        }),
    }
}

fn mail_reply(mail: &MailReply) -> wit::MailReply {
    wit::MailReply {
        stage: match mail.stage {
            MailStage::Greeting => wit::MailStage::Greeting,
            MailStage::Hello => wit::MailStage::Hello,
            MailStage::StartTls => wit::MailStage::StartTls,
            MailStage::Auth => wit::MailStage::Auth,
            MailStage::Sender => wit::MailStage::Sender,
            MailStage::Recipient => wit::MailStage::Recipient,
            MailStage::Data => wit::MailStage::Data,
            MailStage::Content => wit::MailStage::Content,
        },
        reply: smtp_reply(&mail.reply),
        recipients: mail
            .recipients
            .iter()
            .map(|one| wit::RecipientReply { address: one.address.clone(), reply: smtp_reply(&one.reply) })
            .collect(),
    }
}

fn smtp_reply(reply: &SmtpReply) -> wit::SmtpReply {
    wit::SmtpReply { code: reply.code, enhanced: reply.enhanced.clone(), text: reply.text.clone() }
}

pub(crate) fn callback(callback: &Callback) -> wit::Callback {
    match callback {
        Callback::Http(http) => wit::Callback::Http(wit::HttpCallback {
            method: http.method.clone(),
            url: http.url.clone(),
            headers: http
                .headers
                .iter()
                .map(|pair| wit::Pair { name: pair.name.clone(), value: pair.value.clone() })
                .collect(),
            body: http.body.to_vec(),
        }),
        Callback::Smpp(delivery) => wit::Callback::Smpp(wit::SmppDelivery {
            source: smpp_address(&delivery.source),
            destination: smpp_address(&delivery.destination),
            esm_class: delivery.esm_class,
            protocol_id: delivery.protocol_id,
            data_coding: delivery.data_coding,
            short_message: delivery.short_message.to_vec(),
            tlvs: smpp_tlvs(&delivery.tlvs),
        }),
    }
}

fn smpp_reply(reply: &SmppReply) -> wit::SmppReply {
    wit::SmppReply {
        stage: match reply.stage {
            SmppStage::Bind => wit::SmppStage::Bind,
            SmppStage::Submit => wit::SmppStage::Submit,
        },
        status: reply.status,
        message_id: reply.message_id.clone(),
        tlvs: smpp_tlvs(&reply.tlvs),
    }
}

fn smpp_address(address: &SmppAddress) -> wit::SmppAddress {
    wit::SmppAddress { ton: address.ton, npi: address.npi, address: address.address.clone() }
}

fn smpp_tlvs(tlvs: &[SmppTlv]) -> Vec<wit::SmppTlv> {
    tlvs.iter().map(|tlv| wit::SmppTlv { tag: tlv.tag, value: tlv.value.to_vec() }).collect()
}

pub(crate) fn query(query: &LookupQuery) -> lent::LookupQuery<'_> {
    lent::LookupQuery { message: message(&query.message), attempted_at_ms: millis(query.attempted_at) }
}
