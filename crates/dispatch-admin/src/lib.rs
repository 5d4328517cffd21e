//! dispatch-admin
