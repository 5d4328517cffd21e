//! The verbs about who wants no messages.

use dispatch_engine::in_form;
use dispatch_model::Channel;
use dispatch_store::{SUPPRESSIONS_MAX, Suppression, SuppressionFilter};

use crate::api::{Answer, Changed, SuppressRequest};
use crate::control::page_of;
use crate::{ApiError, Control};

impl Control {
    pub(crate) async fn suppressions(&self, query: &str) -> Result<Answer, ApiError> {
        let (cursor, limit) = page_of(query)?;
        Ok(Answer::json(&self.store.suppressed(filter(query)?, cursor, limit).await?))
    }

    pub(crate) async fn suppress(&self, request: SuppressRequest) -> Result<Answer, ApiError> {
        if request.people.len() > SUPPRESSIONS_MAX {
            return Err(ApiError::invalid(format!("at most {SUPPRESSIONS_MAX} people in one request")));
        }
        let since = self.clock.now();
        let people: Vec<Suppression> = request
            .people
            .into_iter()
            .map(|one| {
                in_form(Suppression {
                    channel: one.channel,
                    address: one.address,
                    location: one.location.filter(|location| !location.as_str().is_empty()),
                    since,
                    backend: None,
                    note: one.note,
                })
            })
            .collect();
        let changed = match &self.daemon {
            Some((engine, _)) => engine.suppress(people).await?,
            None => self.store.suppress(people).await?,
        };
        Ok(Answer::json(&Changed { changed }))
    }

    pub(crate) async fn unsuppress(&self, filter: SuppressionFilter) -> Result<Answer, ApiError> {
        if filter.address.is_none() && filter.location.is_none() {
            return Err(ApiError::invalid("this would lift too much: name an address or a location"));
        }
        let filter = compared(filter);
        let changed = match &self.daemon {
            Some((engine, _)) => engine.unsuppress(filter).await?,
            None => self.store.unsuppress(filter).await?,
        };
        Ok(Answer::json(&Changed { changed }))
    }
}

fn filter(query: &str) -> Result<SuppressionFilter, ApiError> {
    let mut filter = SuppressionFilter::default();
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = value.into_owned();
        match (&*key, value.as_str()) {
            ("address", _) => filter.address = Some(value),
            ("location", _) => filter.location = Some(value.into()),
            ("channel", "sms") => filter.channel = Some(Channel::Sms),
            ("channel", "email") => filter.channel = Some(Channel::Email),
            ("everywhere", "true" | "false") => filter.everywhere = value == "true",
            ("limit" | "cursor", _) => {}
            _ => {
                return Err(ApiError::invalid(format!(
                    "{key}={value}: expected address, location, channel=sms|email or everywhere=true|false"
                )));
            }
        }
    }
    Ok(compared(filter))
}

/// With the address in the form in which it is kept.
fn compared(mut filter: SuppressionFilter) -> SuppressionFilter {
    if let Some(address) = filter.address.take() {
        let channel = filter.channel.unwrap_or(match address.contains('@') {
            true => Channel::Email,
            false => Channel::Sms,
        });
        filter.address = Some(dispatch_engine::address_form(channel, &address));
    }
    filter
}
