//! dispatch-text
