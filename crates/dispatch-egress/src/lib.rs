//! dispatch-egress
