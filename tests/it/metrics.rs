//! What monitoring sees: health, readiness, Prometheus' text, and the port with its token.

use dispatch_testkit::{Client, Launch, free_port};

use crate::stage::{LOCATION, SOON, Stage, text};

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happened_and_name_nobody() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    assert_eq!(daemon.get("/healthz").await?.status, 200);
    for n in 0..3 {
        daemon.send(&text(LOCATION, &format!("counted-{n}"), "+15864603685")).await?;
        daemon.wait_state(&format!("counted-{n}"), "accepted", SOON).await?;
    }
    let answer = daemon.get("/metrics").await?;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    let text = answer.text();
    let counted = |prefix: &str, value: &str| {
        text.lines().any(|line| line.starts_with(prefix) && line.contains("texts") && line.ends_with(value))
    };
    assert!(counted("dispatcher_attempts_total", " 3"), "{text}");
    assert!(!text.contains("15864603685") && !text.contains("Hola"), "no address and no text in a metric");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_wants_its_token_and_the_socket_belongs_to_its_owner() -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::new().await?;
    stage.home.write("admin-token", "open-sesame-9c1f")?;
    let port = free_port();
    let admin = format!(
        "\n[admin]\nlisten = \"127.0.0.1:{port}\"\ntoken = {{ file = \"{}\" }}\n",
        stage.home.file("admin-token").display()
    );
    stage.home.configure(&(stage.plain() + &admin))?;
    let daemon = Launch::new(&stage.home).start().await?;
    let mode = std::fs::metadata(stage.home.socket())?.permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");

    let addr = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let mut client = Client::tcp(addr).await?;
    for (status, path, token) in [
        (200, "/healthz", None),
        (200, "/readyz", None),
        (401, "/v1/status", None),
        (401, "/v1/status", Some("Bearer wrong")),
        (200, "/v1/status", Some("Bearer open-sesame-9c1f")),
    ] {
        let headers: Vec<(&str, &str)> = token.map(|token| ("authorization", token)).into_iter().collect();
        let answer = client.request("GET", path, &headers, b"").await?;
        assert_eq!(answer.status, status, "{path} {token:?}: {}", answer.text());
    }
    // A page in the operator's browser: it may name the port by a host of its own, or send its origin.
    // Neither gets anywhere, not even with the token, and not even to the questions that need none.
    let token = "authorization: Bearer open-sesame-9c1f\r\n";
    for (path, head) in [
        ("/v1/status", format!("host: rebound.example:{port}\r\n{token}")),
        ("/v1/status", format!("host: 127.0.0.1:{port}\r\norigin: https://page.example\r\n{token}")),
        ("/v1/status", format!("host: 127.0.0.1:{port}\r\norigin: null\r\n{token}")),
        ("/v1/status", format!("host: 127.0.0.1.rebound.example\r\n{token}")),
        ("/readyz", "host: rebound.example\r\n".to_owned()),
        ("/metrics", format!("host: 127.0.0.1:{port}\r\norigin: http://127.0.0.1:{port}\r\n{token}")),
    ] {
        let mut page = Client::tcp(addr).await?;
        page.send(format!("GET {path} HTTP/1.1\r\n{head}\r\n").as_bytes()).await?;
        let answer = page.receive().await?;
        assert_eq!(answer.status, 403, "{path} {head}: {}", answer.text());
        assert!(
            !answer.headers.iter().any(|(name, _)| name.starts_with("access-control")),
            "no page is let in"
        );
    }
    // A change asked for by a form of a page, which sends no preflight.
    let mut form = Client::tcp(addr).await?;
    let headers = [("origin", "https://page.example"), ("content-type", "text/plain")];
    let answer = form.request("POST", "/v1/cancel", &headers, b"{}").await?;
    assert_eq!(answer.status, 403);
    daemon.stop().await?;
    Ok(())
}
