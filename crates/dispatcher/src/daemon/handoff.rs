//! Joins the ingress to the engine.

use std::sync::Arc;

use dispatch_engine::Engine;
use dispatch_ingress::Handoff;
use dispatch_model::Message;

/// Hands an admitted message to the engine. It is on disk: should the hand-over fail, the engine
/// finds it there.
pub(crate) struct ToEngine(pub(crate) Arc<Engine>);

impl Handoff for ToEngine {
    fn admitted(&self, message: Arc<Message>) {
        self.0.admitted(message);
    }
}
