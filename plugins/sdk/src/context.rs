//! What every call is told besides its subject.

/// The circumstances of a call. There is no other clock and no other configuration than this.
#[derive(Clone, Debug, PartialEq)]
pub struct Context<S> {
    /// The backend's settings, a location's overlay merged in. They have passed the plugin's `check`.
    pub settings: S,
    /// Now, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// When the attempt is given up, in milliseconds since the Unix epoch.
    pub deadline_ms: u64,
    /// The number of this attempt at this backend, from 1.
    pub number: u32,
    /// The same for every attempt of this message until an operator redrives it: at most 36 of `a-z0-9-`.
    pub idempotency_key: String,
    /// Where the provider should send what it has to say later, where callbacks are configured.
    pub callback_url: Option<String>,
}

impl<S> Context<S> {
    /// The callback URL with one more field in its query, for providers that take no metadata of ours.
    pub fn callback_with(&self, name: &str, value: &str) -> Option<String> {
        let url = self.callback_url.as_deref()?;
        let joint = if url.contains('?') { '&' } else { '?' };
        Some(format!("{url}{joint}{}={}", crate::percent(name), crate::percent(value)))
    }

    /// The same circumstances with other settings.
    pub fn with<T>(self, settings: T) -> Context<T> {
        Context {
            settings,
            now_ms: self.now_ms,
            deadline_ms: self.deadline_ms,
            number: self.number,
            idempotency_key: self.idempotency_key,
            callback_url: self.callback_url,
        }
    }
}
