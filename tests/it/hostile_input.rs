//! Webhooks that are forged, broken or absurd: each gets its answer, none harms the next.

use std::time::Duration;

use dispatch_testkit::{Client, Signer, fixture};

use crate::stage::{LOCATION, SOON, Stage, text};

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_signed_with_a_trusted_key_is_taken() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    let sms = fixture("A1_doc_sms")?.body;
    let (good, foreign) = (stage.home.signer.sign(&sms), Signer::generate().sign(&sms));
    let cut = &good[..good.len() - 8];
    let post = async |headers: &[(&str, &str)], body: &[u8]| {
        let mut client = Client::tcp(stage.home.ingress()).await?;
        client.request("POST", "/webhooks/highlevel", headers, body).await
    };
    for (what, headers) in [
        ("no signature", &[][..]),
        ("an empty one", &[("x-ghl-signature", "")]),
        ("the literal N/A", &[("x-ghl-signature", "N/A")]),
        ("not base64", &[("x-ghl-signature", "%%%")]),
        ("cut short", &[("x-ghl-signature", cut)]),
        ("a foreign key", &[("x-ghl-signature", &foreign)]),
    ] {
        let answer = post(headers, &sms).await?;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
    }
    let other = text(LOCATION, "another-body", "+15864603685");
    let headers = [("x-ghl-signature", good.as_str())];
    let answer = post(&headers, &other).await?;
    assert_eq!(answer.status, 401, "another body under a good signature");
    assert_eq!(daemon.ask("/v1/messages").await?["items"].as_array().map(Vec::len), Some(0));

    assert_eq!(post(&headers, &sms).await?.status, 200, "the right one");
    stage.sms.wait_for(1, SOON).await?;
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_kept_for_a_person() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    let whole = fixture("A1_doc_sms")?.body;
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let bodies: [(&str, &[u8]); 5] = [
        ("truncated", &whole[..whole.len() / 2]),
        ("deeply nested", deep.as_bytes()),
        ("not UTF-8", b"{\"type\":\"SMS\",\"message\":\"\xff\xfe\"}"),
        ("not an object", b"[1,2,3]"),
        ("no JSON at all", b"hello"),
    ];
    for (what, body) in bodies {
        let answer = daemon.send(body).await?;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    }
    let kept = daemon.ask("/v1/quarantine").await?;
    assert_eq!(kept["items"].as_array().map(Vec::len), Some(bodies.len()), "{kept:#}");
    // Sent again, the same body is the same entry.
    daemon.send(b"hello").await?;
    let kept = daemon.ask("/v1/quarantine").await?;
    assert_eq!(kept["items"].as_array().map(Vec::len), Some(bodies.len()));
    let shown = daemon.cli().json(&["quarantine"]).await?;
    assert_eq!(shown["items"].as_array().map(Vec::len), Some(bodies.len()));
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_of_a_client_has_its_status() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let config = stage.plain();
    stage.home.write(
        "config.toml",
        stage.home.base().replace("[store]", "body_max = \"64 KiB\"\n\n[store]") + &config,
    )?;
    let daemon = dispatch_testkit::Launch::new(&stage.home).start().await?;
    let addr = stage.home.ingress();
    let path = "/webhooks/highlevel";
    let huge = vec![b' '; 100 * 1024];
    let long = "x".repeat(256 * 1024);
    let long_header = [("x-long", long.as_str())];
    let signature = stage.home.signer.sign(&huge);
    let signed = [("x-ghl-signature", signature.as_str())];
    for (status, method, path, headers, body) in [
        (404, "POST", "/elsewhere", &[][..], &b"{}"[..]),
        (405, "GET", path, &[], b""),
        (413, "POST", path, &signed, &huge),
        (431, "POST", path, &long_header, b"{}"),
        (200, "POST", path, &[], b""),
        (200, "POST", path, &[], b"{}"),
    ] {
        let answer = Client::tcp(addr).await?.request(method, path, headers, body).await?;
        assert_eq!(answer.status, status, "{method} {path}, {} bytes", body.len());
    }
    let mut client = Client::tcp(addr).await?;
    client.send(b"this is no HTTP\r\n\r\n").await?;
    assert_eq!(client.receive().await?.status, 400);

    let after = text(LOCATION, "after-all-that", "+15864603685");
    assert_eq!(daemon.send(&after).await?.status, 200);
    stage.sms.wait_for(1, SOON).await?;
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_after_the_body_changes_nothing() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let daemon = stage.start(&stage.plain()).await?;
    for n in 0..20 {
        let body = text(LOCATION, &format!("hang-up-{n}"), &format!("+1586460{n:04}"));
        let mut client = Client::tcp(stage.home.ingress()).await?;
        client.send(&stage.home.target().request(&body)).await?;
        drop(client);
    }
    let got = stage.sms.wait_for(20, SOON).await?;
    assert_eq!(got.len(), 20);
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_is_cut_off_and_holds_up_nobody() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let timeouts = "header_timeout = \"300ms\"\nbody_timeout = \"300ms\"\n\n[store]";
    stage.home.write("config.toml", stage.home.base().replace("[store]", timeouts) + &stage.plain())?;
    let daemon = dispatch_testkit::Launch::new(&stage.home).start().await?;
    let mut head = Client::tcp(stage.home.ingress()).await?;
    head.send(b"POST /webhooks/highlevel HTTP/1.1\r\nhost: a\r\n").await?;
    let mut body = Client::tcp(stage.home.ingress()).await?;
    body.send(b"POST /webhooks/highlevel HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{").await?;

    assert_eq!(daemon.send(&text(LOCATION, "quick", "+15864603685")).await?.status, 200);
    assert_eq!(body.receive().await?.status, 408);
    assert!(head.closed_within(Duration::from_secs(10)).await, "a half head is not waited for");
    daemon.stop().await?;
    Ok(())
}
