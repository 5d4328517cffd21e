//! One SMTP session: RFC 5321 as far as a submitting client goes.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpStream;

use super::{Mail, Shared};

/// No mail of a test is larger.
const MAIL_MAX: usize = 64 << 20;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What a session knows.
#[derive(Default)]
struct Session {
    tls: bool,
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
}

enum Next {
    Quit,
    StartTls,
}

pub(super) async fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut session = Session::default();
    let mut stream = BufReader::new(stream);
    let greeting = shared.script.lock().greeting.clone();
    reply(&mut stream, greeting.as_deref().unwrap_or("220 catcher ready")).await?;
    if let (Next::StartTls, Some(tls)) = (talk(&mut stream, &mut session, shared).await?, &shared.tls) {
        // What was sent before TLS stood is thrown away with the buffer: RFC 3207 asks for it.
        let stream = tls.accept(stream.into_inner()).await?;
        session = Session { tls: true, ..Session::default() };
        talk(&mut BufReader::new(stream), &mut session, shared).await?;
    }
    Ok(())
}

async fn talk<S: Stream>(
    stream: &mut BufReader<S>,
    session: &mut Session,
    shared: &Shared,
) -> io::Result<Next> {
    loop {
        let Some(line) = read_line(stream).await? else { return Ok(Next::Quit) };
        let script = shared.script.lock().clone();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => {
                let mut offers = vec!["catcher", "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"];
                if shared.tls.is_some() && !session.tls {
                    offers.push("STARTTLS");
                }
                if script.login.is_some() {
                    offers.push("AUTH PLAIN LOGIN");
                }
                let last = offers.len() - 1;
                for (at, offer) in offers.iter().enumerate() {
                    let separator = if at == last { ' ' } else { '-' };
                    reply(stream, &format!("250{separator}{offer}")).await?;
                }
            }
            "HELO" => reply(stream, "250 catcher").await?,
            "STARTTLS" if shared.tls.is_some() && !session.tls => {
                reply(stream, "220 2.0.0 go ahead").await?;
                return Ok(Next::StartTls);
            }
            "AUTH" => {
                let login = read_login(stream, &line).await?;
                if script.login.is_some() && login == script.login {
                    session.user = login.map(|(user, _)| user);
                    reply(stream, "235 2.7.0 welcome").await?;
                } else {
                    reply(stream, "535 5.7.8 authentication failed").await?;
                }
            }
            "MAIL" if script.login.is_some() && session.user.is_none() => {
                reply(stream, "530 5.7.0 authentication required").await?;
            }
            "MAIL" => {
                let answer = script.sender.unwrap_or_else(|| "250 2.1.0 ok".into());
                if answer.starts_with('2') {
                    session.from = Some(address(&line));
                    session.to.clear();
                }
                reply(stream, &answer).await?;
            }
            "RCPT" => {
                let to = address(&line);
                let answer = script.recipients.get(&to).map_or("250 2.1.5 ok", String::as_str);
                if answer.starts_with('2') {
                    session.to.push(to);
                }
                reply(stream, answer).await?;
            }
            "DATA" if session.from.is_none() || session.to.is_empty() => {
                reply(stream, "503 5.5.1 no valid recipients").await?;
            }
            "DATA" => {
                reply(stream, "354 end with a dot").await?;
                let data = read_data(stream).await?;
                if script.silent_after_content {
                    while stream.read_u8().await.is_ok() {}
                }
                if script.silent_after_content || script.cut_after_content {
                    return Ok(Next::Quit);
                }
                let number = shared.mails.lock().len() + 1;
                let answer =
                    script.content.unwrap_or_else(|| format!("250 2.0.0 queued as CATCH{number:06}"));
                let answered = !script.cut_after_taking;
                if answer.starts_with('2') {
                    shared.mails.lock().push(Mail {
                        from: session.from.take().unwrap_or_default(),
                        to: std::mem::take(&mut session.to),
                        data,
                        tls: session.tls,
                        user: session.user.clone(),
                        answered,
                    });
                }
                if !answered {
                    return Ok(Next::Quit);
                }
                reply(stream, &answer).await?;
            }
            "RSET" => {
                (session.from, session.to) = (None, Vec::new());
                reply(stream, "250 2.0.0 ok").await?;
            }
            "NOOP" => reply(stream, "250 2.0.0 ok").await?,
            "QUIT" => {
                reply(stream, "221 2.0.0 bye").await?;
                return Ok(Next::Quit);
            }
            _ => reply(stream, "500 5.5.2 unknown command").await?,
        }
    }
}

async fn reply<S: Stream>(stream: &mut BufReader<S>, line: &str) -> io::Result<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    stream.flush().await
}

async fn read_line<S: Stream>(stream: &mut BufReader<S>) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await?;
    Ok((read > 0).then(|| line.trim_end().to_owned()))
}

/// `AUTH PLAIN`, at once or after a prompt, or `AUTH LOGIN`.
async fn read_login<S: Stream>(
    stream: &mut BufReader<S>,
    line: &str,
) -> io::Result<Option<(String, String)>> {
    let mut words = line.split(' ').skip(1);
    let (method, initial) = (words.next().unwrap_or_default(), words.next().map(str::to_owned));
    if method.eq_ignore_ascii_case("LOGIN") {
        let user = match initial {
            Some(user) => user,
            None => ask(stream, "334 VXNlcm5hbWU6").await?,
        };
        let password = ask(stream, "334 UGFzc3dvcmQ6").await?;
        return Ok(decoded(&user).zip(decoded(&password)));
    }
    let plain = match initial {
        Some(plain) => plain,
        None => ask(stream, "334 ").await?,
    };
    Ok(decoded(&plain).and_then(|text| {
        let mut parts = text.split('\0').skip(1).map(str::to_owned);
        parts.next().zip(parts.next())
    }))
}

async fn ask<S: Stream>(stream: &mut BufReader<S>, prompt: &str) -> io::Result<String> {
    reply(stream, prompt).await?;
    Ok(read_line(stream).await?.unwrap_or_default())
}

fn decoded(base64: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(base64).ok()?).ok()
}

async fn read_data<S: Stream>(stream: &mut BufReader<S>) -> io::Result<String> {
    let mut data = Vec::new();
    loop {
        let start = data.len();
        if stream.read_until(b'\n', &mut data).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if &data[start..] == b".\r\n" {
            data.truncate(start);
            return Ok(String::from_utf8_lossy(&data).into_owned());
        }
        if data[start] == b'.' {
            data.remove(start);
        }
        if data.len() > MAIL_MAX {
            return Err(io::Error::other(format!("more than {MAIL_MAX} bytes")));
        }
    }
}

/// The address between the angle brackets.
fn address(line: &str) -> String {
    let inside = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or("", |(address, _)| address).to_owned()
}
