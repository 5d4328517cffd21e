//! A door on a port of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dispatch_highlevel::SigningKey;
use dispatch_ingress::{Gate, Handoff, Ingress, IngressConfig, Limits, Listener, Origin, Proof, Source};
use dispatch_model::{Clock, Message, MessageId, Timestamp};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::callbacks::FakeCallbacks;
use crate::store::FakeStore;
use crate::wire::{Reply, Wire, post};

pub(crate) const PATH: &str = "/webhooks/highlevel";

pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed([7; 32])
}

pub(crate) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_392_000_000)
    }
}

#[derive(Default)]
pub(crate) struct Handed(pub(crate) Mutex<Vec<MessageId>>);

impl Handoff for Handed {
    fn admitted(&self, message: Arc<Message>) {
        self.0.lock().push(message.id);
    }
}

/// A source that takes signatures by [`key`] and reads numbers as Mexican.
pub(crate) fn signed_source() -> Source {
    Source {
        name: "highlevel".into(),
        path: PATH.to_owned(),
        proofs: vec![Proof::Highlevel, Proof::Keys(vec![key().verifying_key()])],
        insecure: false,
        default_region: "MX".parse().ok(),
    }
}

/// Waits that a test can afford.
pub(crate) fn quick() -> Limits {
    Limits {
        body_max: 64 * 1024,
        memory_max: 256 * 1024,
        admit_wait: Duration::from_millis(300),
        ..Limits::default()
    }
}

pub(crate) struct Door {
    pub(crate) ingress: Ingress,
    pub(crate) store: Arc<FakeStore>,
    pub(crate) handed: Arc<Handed>,
    pub(crate) callbacks: Arc<FakeCallbacks>,
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<()>,
}

impl Door {
    pub(crate) async fn open() -> Self {
        Self::with(vec![signed_source()], quick(), FakeStore::new(), Origin::Own).await
    }

    pub(crate) async fn with(sources: Vec<Source>, limits: Limits, store: FakeStore, origin: Origin) -> Self {
        let config = IngressConfig::new(sources, limits).unwrap();
        let (store, handed) = (Arc::new(store), Arc::new(Handed::default()));
        let callbacks = Arc::new(FakeCallbacks::default());
        let ingress =
            Ingress::new(config, store.clone(), handed.clone(), callbacks.clone(), Arc::new(FixedClock));
        ingress.set_gate(Gate::Serving);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let served = tokio::spawn({
            let (ingress, shutdown) = (ingress.clone(), shutdown.clone());
            async move { ingress.serve(Listener::Tcp(listener), origin, shutdown).await }
        });
        Self { ingress, store, handed, callbacks, address, shutdown, served }
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// One request on a connection of its own.
    pub(crate) async fn send(&self, request: &[u8]) -> Option<Reply> {
        let mut wire = self.connect().await;
        wire.send(request).await;
        wire.reply().await
    }

    /// A body signed as HighLevel does it.
    pub(crate) async fn webhook(&self, body: &[u8]) -> Reply {
        self.send(&signed(body)).await.expect("an answer")
    }
}

/// A request with a good signature.
pub(crate) fn signed(body: &[u8]) -> Vec<u8> {
    post(PATH, &[("x-ghl-signature", &key().sign(body))], body)
}

/// A good SMS with this message id.
pub(crate) fn sms(id: &str) -> Vec<u8> {
    format!(r#"{{"type":"SMS","locationId":"L","messageId":"{id}","phone":"+525512345678","message":"x"}}"#)
        .into_bytes()
}

/// Waits for a condition that another task brings about.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await; // between two looks at the condition
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}
