//! From the SDK's types to the contract's.

use super::wire;
use crate::{
    Acceptance, Action, Asks, Channel, Credential, Description, Encoding, Escape, Event, Media, Outcome,
    Piece, Pieces, Problem, Reason, ReceiptState, Received, Refusal, SmppAddress,
};

fn channel(channel: Channel) -> wire::Channel {
    match channel {
        Channel::Sms => wire::Channel::Sms,
        Channel::Email => wire::Channel::Email,
    }
}

pub(super) fn description(description: Description, mut features: wire::Features) -> wire::Description {
    features.set(wire::Features::IDEMPOTENCY, description.idempotent);
    wire::Description {
        name: description.name,
        version: description.version,
        summary: description.summary,
        channels: description.channels.into_iter().map(channel).collect(),
        settings_schema: description.settings_schema,
        secrets: description
            .secrets
            .into_iter()
            .map(|ask| wire::SecretAsk { name: ask.name, summary: ask.summary, required: ask.required })
            .collect(),
        limits: wire::Limits {
            text_max: description.text_max,
            media: match description.media {
                Media::None => wire::MediaSupport::None,
                Media::Url => wire::MediaSupport::Url,
                Media::Content => wire::MediaSupport::Content,
            },
            media_max: description.media_max,
            media_bytes_max: description.media_bytes_max,
        },
        features,
    }
}

impl From<Asks> for wire::Asks {
    fn from(asks: Asks) -> Self {
        Self { hosts: asks.hosts, relay: asks.relay, session: asks.session, secrets: asks.secrets }
    }
}

impl From<Problem> for wire::Problem {
    fn from(problem: Problem) -> Self {
        Self { path: problem.path, message: problem.message }
    }
}

impl From<Reason> for wire::Reason {
    fn from(reason: Reason) -> Self {
        Self { code: reason.code, message: reason.message }
    }
}

fn pieces(pieces: Pieces) -> Vec<wire::Piece> {
    pieces
        .into_vec()
        .into_iter()
        .map(|piece| match piece {
            Piece::Bytes(bytes) => wire::Piece::Bytes(bytes),
            Piece::Attachment { index, encoding } => wire::Piece::Attachment(wire::AttachmentPiece {
                index,
                encoding: match encoding {
                    Encoding::Raw => wire::AttachmentEncoding::Raw,
                    Encoding::Base64 => wire::AttachmentEncoding::Base64,
                    Encoding::Base64Mime => wire::AttachmentEncoding::Base64Mime,
                },
            }),
            Piece::Secret { name, escape } => wire::Piece::Secret(wire::SecretPiece {
                name,
                escape: match escape {
                    Escape::Raw => wire::Escape::Raw,
                    Escape::Percent => wire::Escape::Percent,
                    Escape::Json => wire::Escape::Json,
                    Escape::Base64 => wire::Escape::Base64,
                },
            }),
        })
        .collect()
}

fn credential(credential: Credential) -> wire::Credential {
    match credential {
        Credential::None => wire::Credential::None,
        Credential::Basic { user, secret } => wire::Credential::Basic(wire::Basic { user, secret }),
        Credential::Bearer { secret } => wire::Credential::Bearer(secret),
        Credential::SigV4 { region, service, key_id, secret, session_token } => {
            wire::Credential::Sigv4(wire::Sigv4 { region, service, key_id, secret, session_token })
        }
        Credential::ClientCredentials { token_url, client_id, secret, scope } => {
            wire::Credential::Oauth2ClientCredentials(wire::ClientCredentials {
                token_url,
                client_id,
                secret,
                scope,
            })
        }
    }
}

fn address(address: SmppAddress) -> wire::SmppAddress {
    wire::SmppAddress { ton: address.ton, npi: address.npi, address: address.address }
}

impl From<Action> for wire::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Http(request) => Self::Http(wire::HttpRequest {
                method: request.method,
                url: pieces(request.url),
                headers: request
                    .headers
                    .into_iter()
                    .map(|(name, value)| wire::Header { name, value: pieces(value) })
                    .collect(),
                credential: credential(request.credential),
                body: pieces(request.body),
                redirects: request.redirects,
            }),
            Action::Mail(mail) => Self::Mail(wire::MailSubmission {
                sender: mail.sender,
                recipients: mail.recipients,
                body: pieces(mail.body),
            }),
            Action::Smpp(message) => Self::Smpp(wire::SmppSubmission {
                service_type: message.service_type,
                source: address(message.source),
                destination: address(message.destination),
                esm_class: message.esm_class,
                protocol_id: message.protocol_id,
                priority: message.priority,
                validity: message.validity,
                registered_delivery: message.registered_delivery,
                data_coding: message.data_coding,
                short_message: message.short_message,
                tlvs: message
                    .tlvs
                    .into_iter()
                    .map(|tlv| wire::SmppTlv { tag: tlv.tag, value: tlv.value })
                    .collect(),
            }),
        }
    }
}

fn acceptance(acceptance: Acceptance) -> wire::Acceptance {
    wire::Acceptance {
        references: acceptance.references,
        state: acceptance.state,
        parts: acceptance.parts,
        refused: acceptance
            .refused
            .into_iter()
            .map(|refused| wire::RefusedRecipient {
                recipient: refused.recipient,
                reason: refused.reason.into(),
                retry: refused.retry,
            })
            .collect(),
    }
}

impl From<Outcome> for wire::Outcome {
    fn from(outcome: Outcome) -> Self {
        let wait = |reason: Reason, retry_after_ms| wire::Wait { reason: reason.into(), retry_after_ms };
        match outcome {
            Ok(accepted) => Self::Accepted(acceptance(accepted)),
            Err(Refusal::Deferred { reason, retry_after_ms }) => Self::Deferred(wait(reason, retry_after_ms)),
            Err(Refusal::Throttled { reason, retry_after_ms }) => {
                Self::Throttled(wait(reason, retry_after_ms))
            }
            Err(Refusal::Recipient(reason)) => Self::RejectedRecipient(reason.into()),
            Err(Refusal::Content(reason)) => Self::RejectedContent(reason.into()),
            Err(Refusal::Sender(reason)) => Self::RejectedSender(reason.into()),
            Err(Refusal::Account(reason)) => Self::RejectedAccount(reason.into()),
            Err(Refusal::Unknown(reason)) => Self::Unknown(reason.into()),
        }
    }
}

impl From<Received> for wire::Received {
    fn from(received: Received) -> Self {
        Self {
            answer: Some(wire::HttpAnswer {
                status: received.status,
                content_type: received.content_type,
                body: received.body,
            }),
            events: received.events.into_iter().map(event).collect(),
        }
    }
}

pub(super) fn event(event: Event) -> wire::Event {
    match event {
        Event::Receipt(receipt) => wire::Event::Receipt(wire::Receipt {
            reference: receipt.reference,
            key: receipt.key,
            recipient: receipt.recipient,
            state: match receipt.state {
                ReceiptState::Pending => wire::ReceiptState::Pending,
                ReceiptState::Delivered => wire::ReceiptState::Delivered,
                ReceiptState::Undelivered => wire::ReceiptState::Undelivered,
                ReceiptState::Bounced => wire::ReceiptState::Bounced,
                ReceiptState::Complained => wire::ReceiptState::Complained,
            },
            reason: receipt.reason.map(Into::into),
            at_ms: receipt.at_ms,
        }),
        Event::Inbound(inbound) => wire::Event::Inbound(wire::InboundMessage {
            id: inbound.id,
            channel: channel(inbound.channel),
            from: inbound.from,
            to: inbound.to,
            text: inbound.text,
            media: inbound.media,
        }),
    }
}
