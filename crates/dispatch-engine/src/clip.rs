//! What is kept of an exchange: enough to read and to replay, bounded.

use dispatch_model::{Action, Body, Piece, Reply};

/// Headers kept of a reply.
const HEADERS_MAX: usize = 64;

/// Cuts the bodies of an action to so many bytes in all. Attachments and secrets are names already.
pub(crate) fn clip_action(action: &mut Action, max: usize) {
    match action {
        Action::Http(request) => clip_pieces(&mut request.body, max),
        Action::Mail(mail) => clip_pieces(&mut mail.body, max),
        Action::Smpp(submission) => {
            clip(&mut submission.short_message, max);
            for tlv in &mut submission.tlvs {
                clip(&mut tlv.value, max);
            }
        }
    }
}

/// Cuts the body of a reply to so many bytes.
pub(crate) fn clip_reply(reply: &mut Reply, max: usize) {
    if let Reply::Http(response) = reply {
        response.headers.truncate(HEADERS_MAX);
        response.truncated |= clip(&mut response.body, max);
    }
}

fn clip_pieces(pieces: &mut Vec<Piece>, max: usize) {
    let mut left = max;
    let mut kept = 0;
    for piece in pieces.iter_mut() {
        if left == 0 {
            break;
        }
        if let Piece::Bytes(bytes) = piece {
            clip(bytes, left);
            left -= bytes.len();
        }
        kept += 1;
    }
    pieces.truncate(kept);
}

/// Cuts at a character's boundary, so that text stays readable text.
fn clip(body: &mut Body, max: usize) -> bool {
    if body.len() <= max {
        return false;
    }
    let mut end = max;
    while end > 0 && max - end < 4 && body[end] & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    // A copy: a slice would keep the whole body in memory as long as its record.
    *body = Body::from(body[..end].to_vec());
    true
}

#[cfg(test)]
mod tests {
    use dispatch_model::{Credential, HttpRequest};

    use super::*;

    #[test]
    fn a_body_is_cut_at_a_character() {
        let mut body = Body::from("aé€".to_owned());
        assert!(clip(&mut body, 2));
        assert_eq!(&body[..], b"a");
        let mut short = Body::from("abc".to_owned());
        assert!(!clip(&mut short, 3));
    }

    #[test]
    fn pieces_beyond_the_bound_are_left_out() {
        let mut action = Action::Http(HttpRequest {
            method: "POST".into(),
            url: Vec::new(),
            headers: Vec::new(),
            credential: Credential::None,
            body: vec![Piece::text("12345678"), Piece::text("12345678"), Piece::text("x")],
            redirects: 0,
        });
        clip_action(&mut action, 10);
        let Action::Http(request) = action else { unreachable!("it was made as http") };
        assert_eq!(request.body, vec![Piece::text("12345678"), Piece::text("12")]);
    }
}
