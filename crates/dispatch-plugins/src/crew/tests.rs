use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

use super::*;

#[tokio::test]
async fn all_calls_are_answered_in_a_bounded_lane() {
    let crew = Arc::new(Crew::start(2, 0).unwrap());
    let lane = Arc::new(crew.lane("bounded", 4));
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let calls: Vec<_> = (0..1000)
        .map(|number| {
            let (lane, now, most) = (Arc::clone(&lane), Arc::clone(&now), Arc::clone(&most));
            tokio::spawn(async move {
                let work = move |_: &Arc<Turn>| {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(number)
                };
                lane.run(work).await
            })
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap(), Ok(number));
    }
    assert!(most.load(Ordering::SeqCst) <= 2, "{most:?} ran at once");
    assert_eq!(lane.places.available_permits(), 4);
}

#[tokio::test]
async fn a_panic_is_a_fault_and_the_thread_goes_on() {
    let crew = Arc::new(Crew::start(1, 0).unwrap());
    let lane = crew.lane("panics", 1);
    for _ in 0..5 {
        let fault = lane.run::<()>(|_| panic!("a bug of ours")).await.unwrap_err();
        assert_eq!(fault.kind(), "trap");
    }
    assert_eq!(lane.run(|_| Ok(1)).await, Ok(1));
}

/// A call that is held until the sender is dropped, and has begun when this returns.
async fn held(
    lane: &Arc<Lane>,
    long: bool,
) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<(), Fault>>) {
    let (hold, held) = mpsc::channel::<()>();
    let (began, begin) = oneshot::channel();
    let lane = Arc::clone(lane);
    let call = tokio::spawn(async move {
        lane.run(move |turn| {
            if long {
                turn.overran();
            }
            let _ = began.send(());
            let _ = held.recv();
            Ok(())
        })
        .await
    });
    begin.await.unwrap();
    (hold, call)
}

#[tokio::test]
async fn a_caller_that_goes_away_gives_its_place_back_and_what_had_not_begun_is_left_out() {
    let crew = Arc::new(Crew::start(1, 0).unwrap());
    let lane = Arc::new(crew.lane("leaves", 2));
    let (hold, call) = held(&lane, false).await;
    let ran = Arc::new(AtomicBool::new(false));
    let (other, told) = (Arc::clone(&lane), Arc::clone(&ran));
    let mut waiting = Box::pin(async move {
        let work = move |_: &Arc<Turn>| {
            told.store(true, Ordering::SeqCst);
            Ok(())
        };
        other.run(work).await
    });
    // Polled once, so that it is in the lane; and gone.
    assert!(polled_once(&mut waiting).await.is_none());
    drop(waiting);
    call.abort();
    drop(hold);
    assert_eq!(lane.run(|_| Ok(2)).await, Ok(2));
    assert!(!ran.load(Ordering::SeqCst), "nobody waited for it any more");
    assert_eq!(lane.places.available_permits(), 2);
}

/// Polls a future once.
async fn polled_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| match std::pin::Pin::new(&mut *future).poll(cx) {
        std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn long_calls_of_one_plugin_hold_up_no_other() {
    let crew = Arc::new(Crew::start(2, 0).unwrap());
    let (spin, honest) = (Arc::new(crew.lane("spin", 100)), crew.lane("honest", 100));
    // As many as may run at once, all at their end only after the honest ones.
    let (first, second) = (held(&spin, true).await, held(&spin, true).await);
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let spin = Arc::clone(&spin);
            tokio::spawn(async move { spin.run(|_| Ok(())).await })
        })
        .collect();
    tokio::task::yield_now().await;
    for _ in 0..100 {
        assert_eq!(honest.run(|_| Ok(1)).await, Ok(1));
    }
    for (hold, call) in [first, second] {
        drop(hold);
        assert_eq!(call.await.unwrap(), Ok(()));
    }
    for call in waiting {
        assert_eq!(call.await.unwrap(), Ok(()));
    }
}
