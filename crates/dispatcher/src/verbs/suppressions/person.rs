//! A person as typed: a number that can be dialled, or a mail address.

use dispatch_model::Channel;
use dispatch_text::{PhoneProblem, Region, address_form, to_e164};

use super::channel_of;

/// The channel and the address in the form in which it is compared; or what is wrong with it.
pub(super) fn read(
    text: &str,
    channel: Option<Channel>,
    region: Option<Region>,
) -> Result<(Channel, String), String> {
    let channel = channel.unwrap_or_else(|| channel_of(text));
    match channel {
        Channel::Sms => match to_e164(text, region) {
            Ok(number) => Ok((channel, number.into_string())),
            Err(PhoneProblem::NoRegion) => {
                Err("the number has no country code: write it with +, or say --region".to_owned())
            }
            Err(problem) => Err(problem.to_string()),
        },
        Channel::Email => {
            let address = address_form(channel, text);
            let parts =
                address.split_once('@').filter(|(user, domain)| !user.is_empty() && !domain.is_empty());
            match parts {
                Some(_) if !address.contains(char::is_whitespace) => Ok((channel, address)),
                _ => Err("this is no mail address".to_owned()),
            }
        }
    }
}
