//! dispatch-testkit
