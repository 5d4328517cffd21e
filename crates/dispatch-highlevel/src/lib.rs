//! dispatch-highlevel
