//! The second door: strangers, methods, bodies, and what is answered for each end.

use async_trait::async_trait;
use bytes::Bytes;
use dispatch_ingress::{CallbackEnd, CallbackRequest, Callbacks, Gate, Told};
use dispatch_model::{Body, HttpAnswer};
use dispatch_store::StoreError;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::door::{Door, until};
use crate::wire::post;

/// Knows one URL, and ends as it is told.
#[derive(Default)]
pub(crate) struct FakeCallbacks {
    taken: Mutex<Vec<CallbackRequest>>,
    end: Mutex<Option<CallbackEnd>>,
    panics: Mutex<bool>,
    held: Mutex<bool>,
    go_on: Notify,
}

#[async_trait]
impl Callbacks for FakeCallbacks {
    fn knows(&self, backend: &str, token: &str) -> bool {
        backend == "twilio" && token == "t0k3n"
    }

    async fn take(&self, _: &str, _: &str, request: CallbackRequest) -> CallbackEnd {
        self.taken.lock().push(request);
        let held = *self.held.lock();
        if held {
            self.go_on.notified().await;
        }
        assert!(!*self.panics.lock(), "told so");
        self.end.lock().clone().unwrap_or_else(|| CallbackEnd::Taken {
            answer: HttpAnswer {
                status: 202,
                content_type: Some("text/xml".to_owned()),
                body: Body::from("<Response/>"),
            },
            told: Told { fresh: 1, ..Told::default() },
        })
    }
}

const PATH: &str = "/callbacks/twilio/t0k3n";

#[tokio::test]
async fn a_callback_comes_through_untouched_and_hears_what_the_plugin_says() {
    let door = Door::open().await;
    let path = format!("{PATH}?a=1&b=%C3%A1");
    let reply = door.send(&post(&path, &[("X-Sig", "abc"), ("x-latin", "caf\u{e9}")], b"x=1")).await.unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (202, "<Response/>"));
    assert_eq!(reply.header("content-type"), Some("text/xml"));
    let get = b"GET /callbacks/twilio/t0k3n?x=1 HTTP/1.1\r\nhost: x\r\n\r\n";
    assert_eq!(door.send(get).await.unwrap().status, 202);
    let taken = door.callbacks.taken.lock().clone();
    assert_eq!((taken[0].method.as_str(), taken[0].path_and_query.as_str()), ("POST", path.as_str()));
    assert_eq!(taken[0].body, Bytes::from_static(b"x=1"));
    let header =
        |name: &str| taken[0].headers.iter().find(|pair| pair.name == name).map(|pair| pair.value.clone());
    assert_eq!(header("x-sig").as_deref(), Some("abc"));
    assert!(
        header("x-latin").is_some_and(|value| value.starts_with("caf")),
        "odd bytes are no reason to refuse"
    );
    assert_eq!(
        (taken[1].method.as_str(), taken[1].path_and_query.as_str()),
        ("GET", "/callbacks/twilio/t0k3n?x=1")
    );
    assert!(door.store.messages().is_empty() && door.store.bodies().is_empty());
}

#[tokio::test]
async fn strangers_get_no_further() {
    let door = Door::open().await;
    for path in
        ["/callbacks/twilio/wrong", "/callbacks/telnyx/t0k3n", "/callbacks/twilio/t0k3n/", "/callbacks/x/y/z"]
    {
        assert_eq!(door.send(&post(path, &[], b"x")).await.unwrap().status, 403, "{path}");
    }
    for path in ["/callbacks/", "/callbacks/twilio", "/callbacks"] {
        assert_eq!(door.send(&post(path, &[], b"x")).await.unwrap().status, 404, "{path}");
    }
    // Refused before its body is read: only the head was sent.
    let head = b"POST /callbacks/twilio/wrong HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\n\r\n";
    assert_eq!(door.send(head).await.unwrap().status, 403);
    let put = b"PUT /callbacks/twilio/t0k3n HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    let reply = door.send(put).await.unwrap();
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, POST")));
    let large = post(PATH, &[], &vec![b'x'; 64 * 1024 + 1]);
    assert_eq!(door.send(&large).await.unwrap().status, 413);
    assert!(door.callbacks.taken.lock().is_empty());
}

#[tokio::test]
async fn each_end_has_its_answer() {
    let door = Door::open().await;
    let full = StoreError::Full { detail: "no room".to_owned() };
    for (end, status) in [
        (CallbackEnd::Refused("signature".to_owned()), 403),
        (CallbackEnd::NotReceiving, 403),
        (CallbackEnd::Fault("trap"), 429),
        (CallbackEnd::Store(full), 429),
        (CallbackEnd::Stopping, 429),
    ] {
        *door.callbacks.end.lock() = Some(end.clone());
        let reply = door.send(&post(PATH, &[], b"x")).await.unwrap();
        assert_eq!(reply.status, status, "{end:?}");
        assert_eq!(reply.header("retry-after").is_some(), status == 429, "{end:?}");
    }
    *door.callbacks.panics.lock() = true;
    assert_eq!(door.send(&post(PATH, &[], b"x")).await.unwrap().status, 429, "never 5xx");
    door.ingress.set_gate(Gate::Draining);
    assert_eq!(door.send(&post(PATH, &[], b"x")).await.unwrap().status, 429);
}

#[tokio::test]
async fn one_that_hangs_up_is_taken_all_the_same() {
    let door = Door::open().await;
    *door.callbacks.held.lock() = true;
    let mut wire = door.connect().await;
    wire.send(&post(PATH, &[], b"x")).await;
    until("the callback was read", || door.callbacks.taken.lock().len() == 1).await;
    drop(wire);
    door.shutdown.cancel();
    door.callbacks.go_on.notify_one();
    // Serving ends only when what was read has been taken.
    door.served.await.unwrap();
}
