//! What this machine can do at best: the disk alone, and the same HTTP server doing nothing.

use std::convert::Infallible;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use dispatch_highlevel::{SigningKey, verify};
use dispatch_testkit::{Client, Home, Load, free_port, sms, until};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper::{Request, Response, body::Bytes, body::Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::rig::{BODY, CONNECTIONS};
use super::table::Row;
use crate::process::{cpu, each};

pub(super) async fn all(scale: usize) -> anyhow::Result<Vec<Row>> {
    let mut rows = disk(scale)?;
    rows.push(signature(scale)?);
    rows.push(bare_server(scale).await?);
    Ok(rows)
}

/// Appends of one record, and of a group as large as the connections make it, each with its sync.
fn disk(scale: usize) -> anyhow::Result<Vec<Row>> {
    let home = Home::new()?;
    let mut rows = Vec::new();
    for (name, group) in
        [("append + fdatasync, 1 record", 1), ("append + fdatasync, groups of 64", CONNECTIONS)]
    {
        let mut file = File::create(home.file("append"))?;
        let record = vec![7; BODY * group];
        let mut micros = Vec::new();
        let (started, before) = (Instant::now(), cpu(std::process::id())?);
        for _ in 0..2_000 / scale {
            let at = Instant::now();
            file.write_all(&record)?;
            file.sync_data()?;
            micros.push(at.elapsed().as_secs_f64() * 1e3);
        }
        let records = micros.len() * group;
        let rate = records as f64 / started.elapsed().as_secs_f64();
        let used = each(before, cpu(std::process::id())?, records);
        micros.sort_by(f64::total_cmp);
        let at = |percent: usize| micros[(micros.len() - 1) * percent / 100];
        rows.push(Row::new(name).rate(rate).latency(at(50), at(99)).cpu(used).note("the disk's limit"));
    }
    Ok(rows)
}

/// One webhook's signature, which is nothing but arithmetic: how fast a core is today.
fn signature(scale: usize) -> anyhow::Result<Row> {
    let (key, body) = (SigningKey::from_seed([7; 32]), sms("bench", 1, BODY));
    let signature = key.sign(&body);
    let (keys, times) = ([key.verifying_key()], 20_000 / scale);
    let started = Instant::now();
    for _ in 0..times {
        anyhow::ensure!(verify(&keys, &body, [signature.as_bytes()]).is_ok(), "our own signature is refused");
    }
    let each = started.elapsed().as_secs_f64() * 1e6 / times as f64;
    Ok(Row::new("one Ed25519 signature verified").cpu(each).note("how fast a core is today"))
}

/// The same HTTP server, the same load; it reads the body and answers.
async fn bare_server(scale: usize) -> anyhow::Result<Row> {
    let home = Home::new()?;
    let port = free_port();
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    let mut server = tokio::process::Command::new(std::env::current_exe()?);
    server.args(["bench", "--serve-bare", &port.to_string()]).stdin(Stdio::null()).kill_on_drop(true);
    let server = server.spawn()?;
    let pid = server.id().unwrap_or_default();
    until("the bare server", Duration::from_secs(10), async || Client::tcp(addr).await.is_ok()).await?;

    let target = dispatch_testkit::Target { addr, ..home.target() };
    let requests = |count: u64| (0..count).map(|n| target.request(&sms("bench", n, BODY))).collect();
    let load = Load { connections: CONNECTIONS, rate: None };
    load.run(addr, requests(1_000)).await;
    let before = cpu(pid)?;
    let report = load.run(addr, requests(100_000 / scale as u64)).await;
    Ok(Row::new("the same hyper server, doing nothing")
        .rate(report.per_second())
        .latency(report.millis(50.0), report.millis(99.0))
        .cpu(each(before, cpu(pid)?, report.acked.len()))
        .note("neither verifies nor stores"))
}

/// Serves until it is killed.
pub(super) fn serve_bare(port: u16) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(connection);
        }
    })
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // A client that hangs up has no answer to wait for.
    let _ = request.into_body().collect().await;
    let mut response = Response::new(Full::new(Bytes::from_static(b"{\"status\":\"accepted\"}")));
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    Ok(response)
}
