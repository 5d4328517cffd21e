//! Egress against real sockets on loopback.

mod cassette;
mod credential;
mod fetch;
mod guard;
mod http;
mod mail;
mod short;
mod support;
mod tls;
