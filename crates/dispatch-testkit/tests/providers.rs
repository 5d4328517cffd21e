//! The providers of the testkit do what their scripts say: a test that blames the daemon relies on it.

use std::net::SocketAddr;
use std::time::Duration;

use dispatch_testkit::{Act, Answer, Client, HttpCatcher, SmtpCatcher, SmtpScript};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const BOUND: Duration = Duration::from_secs(10);

async fn ask(client: &mut Client) -> anyhow::Result<u16> {
    Ok(client.request("POST", "/x?y=1", &[("content-type", "text/plain")], b"To=%2B1").await?.status)
}

#[tokio::test]
async fn answers_come_in_the_order_of_the_script() -> anyhow::Result<()> {
    let catcher = HttpCatcher::start().await?;
    catcher.next(Answer::text(503, "")).next(Answer::twilio_created()).always(Answer::text(204, ""));
    let mut client = Client::tcp(catcher.addr()).await?;
    for expected in [503, 201, 204, 204] {
        assert_eq!(ask(&mut client).await?, expected);
    }
    assert_eq!((catcher.count(), catcher.connections()), (4, 1));
    let first = catcher.wait_for(4, BOUND).await?.remove(0);
    assert_eq!((first.target.as_str(), first.field("To").as_deref()), ("/x?y=1", Some("+1")));
    Ok(())
}

#[tokio::test]
async fn misbehaviour_is_what_it_says() -> anyhow::Result<()> {
    let catcher = HttpCatcher::start().await?;
    for act in [Act::ResetAfterReading, Act::CloseAfterReading, Act::Garbage(b"rubbish\r\n\r\n".to_vec())] {
        catcher.next(act);
        assert!(ask(&mut Client::tcp(catcher.addr()).await?).await.is_err());
    }
    catcher.next(Act::Hang);
    let mut client = Client::tcp(catcher.addr()).await?;
    assert!(tokio::time::timeout(Duration::from_millis(100), ask(&mut client)).await.is_err());
    catcher.next(Act::ResetAtOnce);
    let mut client = Client::tcp(catcher.addr()).await?;
    assert!(client.closed_within(BOUND).await);
    assert_eq!(catcher.count(), 4, "the last one was reset unread");
    Ok(())
}

#[tokio::test]
async fn mail_is_kept_and_refusals_are_by_recipient() -> anyhow::Result<()> {
    let catcher = SmtpCatcher::start().await?;
    let recipients = [("gone@example.com".to_owned(), "550 5.1.1 no such user".to_owned())].into();
    catcher.script(SmtpScript { recipients, ..SmtpScript::default() });
    let mut stream =
        BufReader::new(TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], catcher.port()))).await?);
    for (line, code) in [
        ("", "220"),
        ("MAIL FROM:<a@example.org>", "250"),
        ("RCPT TO:<gone@example.com>", "550"),
        ("RCPT TO:<here@example.com>", "250"),
        ("DATA", "354"),
        ("Subject: hi\r\n there\r\n\r\n..dot\r\n.", "250"),
        ("QUIT", "221"),
    ] {
        if !line.is_empty() {
            stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        }
        let mut answer = String::new();
        stream.read_line(&mut answer).await?;
        assert!(answer.starts_with(code), "{line}: {answer}");
    }
    let mail = catcher.wait_for(1, BOUND).await?.remove(0);
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("a@example.org", &["here@example.com".to_owned()][..])
    );
    assert_eq!(mail.header("subject").as_deref(), Some("hi there"));
    assert!(mail.data.ends_with("\r\n.dot\r\n"), "{:?}", mail.data);
    Ok(())
}
