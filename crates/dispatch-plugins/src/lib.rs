//! dispatch-plugins
