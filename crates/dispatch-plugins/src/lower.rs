//! The model's nouns as the contract's, on their way into a guest.
//!
//! A call runs on another thread and so must own what it takes along: this conversion is the one copy made
//! on the host's side, and writing it into the guest's memory is the other.

use dispatch_model::{
    Attachment, Callback, Channel, Content, Context, FailureKind, LookupQuery, MailReply, MailStage, Message,
    Pair, Reply, SmppAddress, SmppReply, SmppStage, SmppTlv, SmtpReply, Timestamp,
};

use crate::contract::wit;

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

pub(crate) fn context(context: &Context) -> wit::Context {
    wit::Context {
        settings: context.settings.to_string(),
        now_ms: millis(context.now),
        deadline_ms: millis(context.deadline),
        number: context.number,
        idempotency_key: context.idempotency_key.clone(),
        callback_url: context.callback_url.clone(),
    }
}

pub(crate) fn message(message: &Message) -> wit::Message {
    let base = wit::Message {
        id: message.id.to_string(),
        channel: channel(message.channel()),
        location: message.location.to_string(),
        contact: message.contact.as_ref().map(ToString::to_string),
        to: Vec::new(),
        cc: Vec::new(),
        bcc: Vec::new(),
        sender: None,
        text: None,
        subject: None,
        html: None,
        in_reply_to: None,
        attachments: message.attachments.iter().map(attachment).collect(),
        extra: message
            .extra
            .iter()
            .map(|(name, value)| wit::Pair { name: name.clone(), value: value.to_string() })
            .collect(),
    };
    match &message.content {
        Content::Sms(sms) => {
            // Of an outbound one the number to send from is a setting.
            let sender = message.inbound_from().map(str::to_owned);
            wit::Message { to: vec![sms.to.best().to_owned()], sender, text: Some(sms.text.clone()), ..base }
        }
        Content::Email(email) => wit::Message {
            to: email.to.clone(),
            cc: email.cc.clone(),
            bcc: email.bcc.clone(),
            sender: email.from.clone(),
            text: email.text.clone(),
            subject: Some(email.subject.clone()),
            html: Some(email.html.clone()),
            in_reply_to: email.in_reply_to.clone(),
            ..base
        },
    }
}

fn attachment(attachment: &Attachment) -> wit::Attachment {
    wit::Attachment {
        url: attachment.url.clone(),
        file: attachment.file.as_ref().map(|file| wit::AttachmentFile {
            name: file.name.clone(),
            media_type: file.media_type.clone(),
            size: file.size,
        }),
    }
}

fn pairs(pairs: &[Pair]) -> Vec<wit::Pair> {
    pairs.iter().map(|pair| wit::Pair { name: pair.name.clone(), value: pair.value.clone() }).collect()
}

pub(crate) fn reply(reply: &Reply) -> wit::Reply {
    match reply {
        Reply::Http(http) => wit::Reply::Http(wit::HttpResponse {
            status: http.status,
            headers: pairs(&http.headers),
            body: http.body.to_vec(),
            truncated: http.truncated,
        }),
        Reply::Mail(mail) => wit::Reply::Mail(mail_reply(mail)),
        Reply::Smpp(smpp) => wit::Reply::Smpp(smpp_reply(smpp)),
        Reply::Failed { kind, detail, may_have_left } => wit::Reply::Failed(wit::Failure {
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
            headers: pairs(&http.headers),
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

pub(crate) fn query(query: &LookupQuery) -> wit::LookupQuery {
    wit::LookupQuery { message: message(&query.message), attempted_at_ms: millis(query.attempted_at) }
}
