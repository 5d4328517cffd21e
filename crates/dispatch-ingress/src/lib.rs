//! dispatch-ingress
