//! dispatch-config
