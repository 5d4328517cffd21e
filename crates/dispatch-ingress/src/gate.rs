//! Whether the door is open.

/// What newcomers find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Not yet: the store is not ready. Webhooks get 429.
    Starting,
    /// Open.
    Serving,
    /// No more: webhooks get 429.
    Draining,
    /// An inherited socket is left to the successor: nothing more is accepted and the backlog waits for
    /// it. Who is connected already still gets his webhook stored: there is no reason to send him away.
    HandingOver,
}
