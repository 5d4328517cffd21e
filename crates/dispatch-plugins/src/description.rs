//! What a plugin says about itself, believed only as far as it makes sense.

use dispatch_model::{Channel, Description, MediaSupport, ProviderLimits, SecretAsk};

use crate::contract::wit;
use crate::error::LoadError;
use crate::text;

/// Bytes of a name: the contract says so.
const NAME_MAX: usize = 40;
const VERSION_MAX: usize = 64;
/// Bytes of a sentence.
const SUMMARY_MAX: usize = 512;
/// Bytes of the settings' schema.
const SCHEMA_MAX: usize = 256 << 10;
const SECRETS_MAX: usize = 64;
const SECRET_NAME_MAX: usize = 64;

/// Whether this can be the name of a secret: it is a key of the configuration file.
pub(crate) fn secret_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= SECRET_NAME_MAX
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Holds a description against the contract.
pub(crate) fn accept(said: wit::Description) -> Result<Description, LoadError> {
    let name_fits = !said.name.is_empty()
        && said.name.len() <= NAME_MAX
        && said.name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !name_fits {
        return nonsense(format!(
            "the name {:?} is not 1 to {NAME_MAX} of `a-z0-9-`",
            text::clip(&said.name, NAME_MAX)
        ));
    }
    if said.version.is_empty()
        || said.version.len() > VERSION_MAX
        || said.version.chars().any(|c| c.is_whitespace() || text::unprintable(c))
    {
        return nonsense(format!("the version is not 1 to {VERSION_MAX} characters without spaces"));
    }
    let channels: Vec<Channel> = said
        .channels
        .iter()
        .map(|channel| match channel {
            wit::Channel::Sms => Channel::Sms,
            wit::Channel::Email => Channel::Email,
        })
        .collect();
    if channels.is_empty() {
        return nonsense("it carries no channel: name `sms`, `email` or both".to_owned());
    }
    if channels.len() > 2 || channels.iter().skip(1).any(|channel| *channel == channels[0]) {
        return nonsense("it names a channel twice".to_owned());
    }
    if said.settings_schema.len() > SCHEMA_MAX {
        return nonsense(format!("the settings' schema is larger than {SCHEMA_MAX} bytes"));
    }
    if said.secrets.len() > SECRETS_MAX {
        return nonsense(format!("it names more than {SECRETS_MAX} secrets"));
    }
    for (index, secret) in said.secrets.iter().enumerate() {
        if !secret_name(&secret.name) {
            return nonsense(format!(
                "the secret name {:?} is not 1 to {SECRET_NAME_MAX} of `A-Za-z0-9_-`",
                text::clip(&secret.name, SECRET_NAME_MAX)
            ));
        }
        if said.secrets[..index].iter().any(|earlier| earlier.name == secret.name) {
            return nonsense(format!("it names the secret `{}` twice", secret.name));
        }
    }
    Ok(Description {
        name: said.name,
        version: said.version,
        summary: text::clip(&said.summary, SUMMARY_MAX),
        channels,
        settings_schema: said.settings_schema,
        secrets: said
            .secrets
            .into_iter()
            .map(|secret| SecretAsk {
                name: secret.name,
                summary: text::clip(&secret.summary, SUMMARY_MAX),
                required: secret.required,
            })
            .collect(),
        limits: ProviderLimits {
            text_max: said.limits.text_max,
            media: match said.limits.media {
                wit::MediaSupport::None => MediaSupport::None,
                wit::MediaSupport::Url => MediaSupport::Url,
                wit::MediaSupport::Content => MediaSupport::Content,
            },
            media_max: said.limits.media_max,
            media_bytes_max: said.limits.media_bytes_max,
        },
        receives: said.features.contains(wit::Features::RECEIVE),
        looks_up: said.features.contains(wit::Features::LOOKUP),
        idempotent: said.features.contains(wit::Features::IDEMPOTENCY),
    })
}

fn nonsense(detail: String) -> Result<Description, LoadError> {
    Err(LoadError::Description { detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sane() -> wit::Description {
        wit::Description {
            name: "twilio".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "SMS by Twilio.\u{1b}[31m".to_owned(),
            channels: vec![wit::Channel::Sms],
            settings_schema: "{}".to_owned(),
            secrets: vec![wit::SecretAsk {
                name: "auth_token".to_owned(),
                summary: String::new(),
                required: true,
            }],
            limits: wit::Limits {
                text_max: Some(1600),
                media: wit::MediaSupport::Url,
                media_max: 10,
                media_bytes_max: 5_000_000,
            },
            features: wit::Features::RECEIVE,
        }
    }

    #[test]
    fn sense_is_accepted_and_cleaned() {
        let description = accept(sane()).unwrap();
        assert!(description.receives && !description.looks_up && !description.idempotent);
        assert_eq!(description.summary, "SMS by Twilio. [31m");
    }

    #[test]
    fn nonsense_is_refused_with_what_to_write() {
        type Spoil = fn(&mut wit::Description);
        let cases: [(Spoil, &str); 9] = [
            (|d| d.name = "Twilio SMS".to_owned(), "of `a-z0-9-`"),
            (|d| d.name = String::new(), "of `a-z0-9-`"),
            (|d| d.name = "a".repeat(41), "of `a-z0-9-`"),
            (|d| d.version = "1 0".to_owned(), "version"),
            (|d| d.channels.clear(), "no channel"),
            (|d| d.channels = vec![wit::Channel::Sms, wit::Channel::Sms], "a channel twice"),
            (|d| d.secrets[0].name = "auth token".to_owned(), "`A-Za-z0-9_-`"),
            (|d| d.secrets.push(d.secrets[0].clone()), "`auth_token` twice"),
            (|d| d.settings_schema = " ".repeat(SCHEMA_MAX + 1), "larger than"),
        ];
        for (spoil, expected) in cases {
            let mut said = sane();
            spoil(&mut said);
            let Err(LoadError::Description { detail }) = accept(said) else { panic!("{expected}") };
            assert!(detail.contains(expected), "{detail}");
        }
    }
}
