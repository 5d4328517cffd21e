//! Whether the door is open.

/// What newcomers find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Not yet: the store is not ready. Webhooks get 429.
    Starting,
    /// Open.
    Serving,
    /// No more: webhooks get 429 on an own socket; on an inherited one nothing is accepted, and the
    /// backlog waits for the successor.
    Draining,
}
