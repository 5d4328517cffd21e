//! Tells the service manager how far we are; without one this does nothing.

use sd_notify::NotifyState;

/// Webhooks are accepted from now on.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Webhooks are no longer accepted.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// One line for `systemctl status`.
pub(crate) fn status(words: &str) {
    tell(&[NotifyState::Status(words)]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "daemon.notify_failed");
    }
}
