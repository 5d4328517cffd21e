//! An action as a person reads it: what the guest wrote, and names where the host puts something in.

use std::fmt::Write as _;

use dispatch_model::{Action, Body, Credential, Piece, SmppAddress, SmppSubmission};

/// Of a body, this much is shown.
const BODY_SHOWN: usize = 2000;

/// All of an action, each line behind `indent`.
pub(super) fn shown(action: &Action, indent: &str) -> String {
    let mut text = String::new();
    match action {
        Action::Http(request) => {
            let _ = writeln!(text, "{} {}", request.method, pieces(&request.url));
            for header in &request.headers {
                let _ = writeln!(text, "{}: {}", header.name, pieces(&header.value));
            }
            if let Some(credential) = credential(&request.credential) {
                let _ = writeln!(text, "authorization: {credential}");
            }
            body(&mut text, &request.body);
        }
        Action::Mail(mail) => {
            let _ = writeln!(text, "from {}\nto {}", mail.sender, mail.recipients.join(", "));
            body(&mut text, &mail.body);
        }
        Action::Smpp(submission) => short_message(&mut text, submission),
    }
    text.lines().map(|line| format!("{indent}{line}").trim_end().to_owned() + "\n").collect()
}

/// The first line alone.
pub(super) fn head(action: &Action) -> String {
    match action {
        Action::Http(request) => format!("{} {}", request.method, pieces(&request.url)),
        Action::Mail(mail) => format!("a mail from {} to {}", mail.sender, mail.recipients.join(", ")),
        Action::Smpp(submission) => {
            let bytes = submission.short_message.len();
            format!("a short message of {bytes} bytes to {}", address(&submission.destination))
        }
    }
}

fn short_message(text: &mut String, submission: &SmppSubmission) {
    let _ = writeln!(
        text,
        "submit_sm\nfrom {}\nto {}\ndata coding {}, esm class {:#04x}, registered delivery {}",
        address(&submission.source),
        address(&submission.destination),
        submission.data_coding,
        submission.esm_class,
        submission.registered_delivery,
    );
    if !submission.validity.is_empty() {
        let _ = writeln!(text, "validity {}", submission.validity);
    }
    for tlv in &submission.tlvs {
        let _ = writeln!(text, "{:#06x}: {}", tlv.tag, octets(&tlv.value));
    }
    let _ = write!(text, "\n{}\n", octets(&submission.short_message));
}

/// An address with its type of number and numbering plan.
fn address(address: &SmppAddress) -> String {
    format!("{} ({}/{})", address.address, address.ton, address.npi)
}

/// Text where it is plain text, else hexadecimal: a user data header and UCS-2 are not to be read as characters.
fn octets(bytes: &Body) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.chars().take(BODY_SHOWN).collect(),
        _ => bytes.iter().take(BODY_SHOWN).map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn credential(credential: &Credential) -> Option<String> {
    Some(match credential {
        Credential::None => return None,
        Credential::Basic { user, secret } => format!("Basic {user}:«secret {secret}»"),
        Credential::Bearer { secret } => format!("Bearer «secret {secret}»"),
        Credential::SigV4(sigv4) => {
            format!(
                "AWS4-HMAC-SHA256 for {} in {}, key {} «secret {}»",
                sigv4.service, sigv4.region, sigv4.key_id, sigv4.secret
            )
        }
        Credential::OAuth2ClientCredentials(client) => {
            format!(
                "Bearer, a token of {} for client {} «secret {}»",
                client.token_url, client.client_id, client.secret
            )
        }
    })
}

fn body(text: &mut String, of: &[Piece]) {
    let whole = pieces(of).replace('\r', "");
    let mut shown: String = whole.chars().take(BODY_SHOWN).collect();
    if shown.len() < whole.len() {
        let _ = write!(shown, "\n… ({} bytes in all)", whole.len());
    }
    if !shown.is_empty() {
        let _ = write!(text, "\n{shown}\n");
    }
}

/// What the guest wrote; what the host puts in is named.
fn pieces(of: &[Piece]) -> String {
    of.iter()
        .map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.to_text(),
            Piece::Attachment { index, .. } => format!("«attachment {index}»"),
            Piece::Secret { name, .. } => format!("«secret {name}»"),
        })
        .collect()
}
