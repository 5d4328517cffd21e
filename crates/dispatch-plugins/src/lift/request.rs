//! Actions: sizes and counts. Whether a URL, a header or a secret's name is fit to leave is for egress to say,
//! which writes them.

use dispatch_model::{
    Action, AttachmentEncoding, Body, ClientCredentials, Credential, Escape, Fault, Header, HttpRequest,
    MailSubmission, Piece, SigV4,
};

use super::{bounded, smpp};
use crate::contract::wit;
use crate::fault::contract;

/// Pieces a request, URL, headers and body together: the contract says so.
const PIECES_MAX: usize = 4096;
/// Headers a request. Servers stop at a hundred.
const HEADERS_MAX: usize = 100;
/// Recipients of one mail: the contract says so, and relays need not take more (RFC 5321, 4.5.3.1.8).
const RECIPIENTS_MAX: usize = 100;
/// Redirects: the contract says so.
const REDIRECTS_MAX: u8 = 5;
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

pub(super) fn action(action: wit::Action) -> Result<Action, Fault> {
    Ok(match action {
        wit::Action::Http(request) => Action::Http(http(request)?),
        wit::Action::Mail(submission) => Action::Mail(mail(submission)?),
        wit::Action::Smpp(submission) => Action::Smpp(smpp::submission(submission)?),
    })
}

fn http(request: wit::HttpRequest) -> Result<HttpRequest, Fault> {
    let in_headers: usize = request.headers.iter().map(|header| header.value.len()).sum();
    bounded("pieces", request.url.len() + in_headers + request.body.len(), PIECES_MAX)?;
    bounded("headers", request.headers.len(), HEADERS_MAX)?;
    if !METHODS.contains(&request.method.as_str()) {
        return Err(contract("a method other than GET, POST, PUT, PATCH and DELETE"));
    }
    if request.redirects > REDIRECTS_MAX {
        return Err(contract(format!(
            "{} redirects, at most {REDIRECTS_MAX} are followed",
            request.redirects
        )));
    }
    Ok(HttpRequest {
        method: request.method,
        url: pieces(request.url),
        headers: request
            .headers
            .into_iter()
            .map(|header| Header { name: header.name, value: pieces(header.value) })
            .collect(),
        credential: credential(request.credential),
        body: pieces(request.body),
        redirects: request.redirects,
    })
}

fn mail(submission: wit::MailSubmission) -> Result<MailSubmission, Fault> {
    bounded("pieces", submission.body.len(), PIECES_MAX)?;
    bounded("recipients", submission.recipients.len(), RECIPIENTS_MAX)?;
    Ok(MailSubmission {
        sender: submission.sender,
        recipients: submission.recipients,
        body: pieces(submission.body),
    })
}

fn pieces(pieces: Vec<wit::Piece>) -> Vec<Piece> {
    pieces.into_iter().map(piece).collect()
}

fn piece(piece: wit::Piece) -> Piece {
    match piece {
        wit::Piece::Bytes(bytes) => Piece::Bytes(Body::from(bytes)),
        wit::Piece::Attachment(attachment) => Piece::Attachment {
            index: attachment.index,
            encoding: match attachment.encoding {
                wit::AttachmentEncoding::Raw => AttachmentEncoding::Raw,
                wit::AttachmentEncoding::Base64 => AttachmentEncoding::Base64,
                wit::AttachmentEncoding::Base64Mime => AttachmentEncoding::Base64Mime,
            },
        },
        wit::Piece::Secret(secret) => Piece::Secret {
            name: secret.name,
            escape: match secret.escape {
                wit::Escape::Raw => Escape::Raw,
                wit::Escape::Percent => Escape::Percent,
                wit::Escape::Json => Escape::Json,
                wit::Escape::Base64 => Escape::Base64,
            },
        },
    }
}

fn credential(credential: wit::Credential) -> Credential {
    match credential {
        wit::Credential::None => Credential::None,
        wit::Credential::Basic(basic) => Credential::Basic { user: basic.user, secret: basic.secret },
        wit::Credential::Bearer(secret) => Credential::Bearer { secret },
        wit::Credential::Sigv4(sigv4) => Credential::SigV4(SigV4 {
            region: sigv4.region,
            service: sigv4.service,
            key_id: sigv4.key_id,
            secret: sigv4.secret,
            session_token: sigv4.session_token,
        }),
        wit::Credential::Oauth2ClientCredentials(client) => {
            Credential::OAuth2ClientCredentials(ClientCredentials {
                token_url: client.token_url,
                client_id: client.client_id,
                secret: client.secret,
                scope: client.scope,
            })
        }
    }
}
