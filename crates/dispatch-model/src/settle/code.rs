//! The codes of the reasons that are ours, and no provider's.

/// The code of the reason of a delivery that no route wants.
pub const NO_ROUTE: &str = "no-route";
/// The code of the reason of an inbound message that no route hands on.
pub const NO_INBOUND_ROUTE: &str = "no-inbound-route";
/// The code of the reason of a delivery whose recipient wants no messages.
pub const SUPPRESSED: &str = "suppressed";
/// The code of the reason of a delivery that was not in time.
pub const EXPIRED: &str = "expired";
/// The code of the reason of a delivery whose plugin the host had to stop.
pub const PLUGIN_FAULT: &str = "plugin-fault";
/// The code of the reason of a delivery all of whose backends have left the configuration.
pub const BACKEND_GONE: &str = "backend-gone";
