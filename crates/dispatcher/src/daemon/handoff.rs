//! Joins the ingress to the engine.

use std::sync::Arc;

use async_trait::async_trait;
use dispatch_engine::{CallbackEnd as Ended, Engine};
use dispatch_ingress::{CallbackEnd, CallbackRequest, Callbacks, Handoff, Told};
use dispatch_model::{Body, Callback, HttpCallback, Message};

/// Hands an admitted message to the engine. It is on disk: should the hand-over fail, the engine
/// finds it there. And gives it what providers say.
pub(crate) struct ToEngine(pub(crate) Arc<Engine>);

impl Handoff for ToEngine {
    fn admitted(&self, message: Arc<Message>) {
        self.0.admitted(message);
    }
}

#[async_trait]
impl Callbacks for ToEngine {
    fn knows(&self, backend: &str, token: &str) -> bool {
        self.0.setup().callbacks.as_ref().is_some_and(|urls| urls.read(backend, token).is_some())
    }

    async fn take(&self, backend: &str, token: &str, request: CallbackRequest) -> CallbackEnd {
        let setup = self.0.setup();
        let Some((urls, caller)) =
            setup.callbacks.as_ref().and_then(|urls| Some((urls, urls.read(backend, token)?)))
        else {
            return CallbackEnd::NotReceiving;
        };
        let callback = Callback::Http(HttpCallback {
            method: request.method,
            url: urls.absolute(&request.path_and_query),
            headers: request.headers,
            body: Body::from(request.body),
        });
        match self.0.callback(&caller, &callback).await {
            Ended::Taken { answer, tally } => CallbackEnd::Taken {
                answer,
                told: Told {
                    fresh: tally.fresh,
                    duplicates: tally.duplicates,
                    parked: tally.parked,
                    surplus: tally.surplus,
                    inbound: tally.inbound,
                },
            },
            Ended::Refused(reason) => CallbackEnd::Refused(reason.code),
            Ended::NotReceiving => CallbackEnd::NotReceiving,
            Ended::Fault(fault) => CallbackEnd::Fault(fault.kind()),
            Ended::Store(error) => CallbackEnd::Store(error),
            Ended::Stopping => CallbackEnd::Stopping,
        }
    }
}
