//! Leaving in good order: what runs ends, what waits is kept, newcomers are told the truth.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use dispatch_testkit::{Act, Answer, Client, Launch};
use tokio::sync::Semaphore;

use crate::stage::{LOCATION, SOON, Stage, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_running_attempt_ends_and_newcomers_are_told_to_come_again() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let gate = Arc::new(Semaphore::new(0));
    stage.sms.next(Act::WhenReleased(gate.clone(), Answer::twilio_created()));
    let daemon = stage.start(&stage.plain()).await?;
    let mut waiting = Client::tcp(stage.home.ingress()).await?;
    daemon.send(&text(LOCATION, "under-way", "+15864603685")).await?;
    stage.sms.wait_for(1, SOON).await?;

    daemon.terminate()?;
    daemon.log().wait_for("daemon.draining", SOON).await?;
    let target = stage.home.target();
    waiting.send(&target.request(&text(LOCATION, "too-late", "+15864603686"))).await?;
    let answer = waiting.receive().await?;
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());

    gate.add_permits(1);
    let (code, log) = daemon.exit(SOON).await?;
    assert_eq!((code, log.errors()), (Some(0), vec![]));
    let daemon = Launch::new(&stage.home).start().await?;
    assert_eq!(daemon.message("under-way").await?["delivery"]["state"], "accepted");
    assert_eq!(daemon.get("/v1/messages/too-late").await?.status, 404, "what was answered 429 is not kept");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_does_not_end_is_bounded_and_unknown_afterwards() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.sms.next(Act::Hang);
    let bounded = stage.home.base().replace("[store]", "drain = \"300ms\"\n\n[store]") + &stage.plain();
    stage.home.write("config.toml", bounded)?;
    let daemon = Launch::new(&stage.home).start().await?;
    daemon.send(&text(LOCATION, "cut-off", "+15864603685")).await?;
    stage.sms.wait_for(1, SOON).await?;
    daemon.terminate()?;
    daemon.exit(SOON).await?;

    let daemon = Launch::new(&stage.home).start().await?;
    let message = daemon.wait_state("cut-off", "accepted", SOON).await?;
    assert_eq!(message["delivery"]["possible_double"], true, "the first try may have arrived: {message:#}");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_aborts() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.sms.next(Act::Hang);
    let daemon = stage.start(&stage.plain()).await?;
    daemon.send(&text(LOCATION, "stuck", "+15864603685")).await?;
    stage.sms.wait_for(1, SOON).await?;
    daemon.terminate()?;
    daemon.log().wait_for("daemon.draining", SOON).await?;
    daemon.terminate()?;
    let (code, _) = daemon.exit(Duration::from_secs(5)).await?;
    assert_eq!(code, Some(9));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_takes_over_an_inherited_socket_and_nothing_is_dropped() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let socket = TcpListener::bind(stage.home.ingress())?;
    let listen = format!("listen = \"{}\"", stage.home.ingress());
    let inherited = stage.home.base().replace(&listen, "listen = \"systemd\"") + &stage.plain();
    stage.home.write("config.toml", inherited)?;
    let first = Launch::new(&stage.home).inherit(socket.try_clone()?).start().await?;
    assert_eq!(first.send(&text(LOCATION, "to-the-first", "+15864603685")).await?.status, 200);
    stage.sms.wait_for(1, SOON).await?;

    // The successor starts while the first still holds the store, and accepts nothing before it has it.
    let mut second = Launch::new(&stage.home).inherit(socket.try_clone()?).start_unready()?;
    first.terminate()?;
    first.log().wait_for("daemon.draining", SOON).await?;
    // A webhook a moment, until the successor is there: each waits in the socket's backlog or is told to
    // come again, and none is refused or dropped.
    let target = stage.home.target();
    let sending = tokio::spawn(async move {
        let mut taken = Vec::new();
        for n in 0..40 {
            let id = format!("in-between-{n}");
            let answer = target.send(&text(LOCATION, &id, &format!("+1586460{n:04}"))).await?;
            anyhow::ensure!(matches!(answer.status, 200 | 429), "{id} was answered {}", answer.status);
            taken.extend((answer.status == 200).then_some(id));
        }
        Ok(taken)
    });
    let (code, _) = first.exit(SOON).await?;
    assert_eq!(code, Some(0));
    second.wait_ready().await?;
    let taken = sending.await??;
    assert!(!taken.is_empty(), "all were sent away");
    for id in taken {
        second.wait_state(&id, "accepted", SOON).await?;
    }
    second.stop().await?;
    Ok(())
}
