//! `send`: signs a webhook body as HighLevel would and posts it, for trying things.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use bytes::Bytes;
use dispatch_highlevel::SigningKey;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::Place;
use crate::cli::SendArgs;
use crate::exit::Failure;
use crate::{configuration, out};

pub(super) async fn send(place: &Place, args: &SendArgs) -> Result<(), Failure> {
    if let Some(path) = &args.new_key {
        return new_key(place, path);
    }
    let file = args.file.as_deref().ok_or_else(|| Failure::Refused("name a file to send".to_owned()))?;
    let mut body = read_body(file)?;
    if args.fresh {
        body = with_fresh_id(&body)?;
    }
    let url = match &args.url {
        Some(url) => url.clone(),
        None => configuration::first_url(&place.config)?,
    };
    let signature = match &args.key {
        Some(path) => Some(read_key(path)?.sign(&body)),
        None => None,
    };
    let (status, answer) = post(&url, body, signature).await?;
    let shown = json!({ "url": url, "status": status, "answer": answer });
    place.show(&shown, |_| match &answer {
        Value::String(text) => format!("{status} {text}"),
        other => format!("{status} {other}"),
    })?;
    if (200..300).contains(&status) {
        return Ok(());
    }
    Err(Failure::Refused(match (status, args.key.is_some()) {
        (401, false) => {
            "it was not signed: give --key, and its public half under `keys` of the source".to_owned()
        }
        (401, true) => {
            "the source does not trust this key: its public half must stand under `keys` of the source"
                .to_owned()
        }
        _ => format!("answered {status}"),
    }))
}

/// A webhook body from a file or standard input.
pub(super) fn read_body(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut body)
    } else {
        std::fs::File::open(file).and_then(|mut open| open.read_to_end(&mut body))
    };
    read.map_err(|error| Failure::Refused(format!("{}: {error}", file.display())))?;
    Ok(body)
}

fn read_key(path: &Path) -> Result<SigningKey, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::Refused(format!(
            "{}: {error}; `dispatcher send --new-key {}` makes one",
            path.display(),
            path.display()
        ))
    })?;
    text.parse().map_err(|error| Failure::Refused(format!("{}: {error}", path.display())))
}

fn new_key(place: &Place, path: &Path) -> Result<(), Failure> {
    let key = SigningKey::from_seed(rand::random());
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Failure::Refused(format!("{}: {error}", path.display())))?;
    file.write_all(key.to_pem().as_bytes())?;
    let public = key.public_pem();
    out::talk(&format!(
        "{} holds the private key. Its public half, for `keys = [\"…\"]` of a source:",
        path.display()
    ));
    place.show(&json!({ "public": public }), |_| public.trim_end().to_owned())
}

/// The same body with another messageId: pressing "send" again in HighLevel does the same.
fn with_fresh_id(body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut value: Value = serde_json::from_slice(body)
        .map_err(|error| Failure::Refused(format!("--fresh wants a JSON object: {error}")))?;
    let object =
        value.as_object_mut().ok_or_else(|| Failure::Refused("--fresh wants a JSON object".to_owned()))?;
    object.insert("messageId".to_owned(), Value::String(format!("try{:017x}", rand::random::<u64>())));
    Ok(serde_json::to_vec(&value).expect("what was JSON is JSON"))
}

async fn post(url: &str, body: Vec<u8>, signature: Option<String>) -> Result<(u16, Value), Failure> {
    let failed = |why: String| Failure::Refused(format!("{url}: {why}"));
    let uri: http::Uri = url.parse().map_err(|error| failed(format!("not a URL: {error}")))?;
    let authority = match (uri.scheme_str(), uri.authority()) {
        (Some("http"), Some(authority)) => authority.clone(),
        _ => return Err(failed("expected http://host:port/path; TLS is the reverse proxy's".to_owned())),
    };
    let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
    let stream = tokio::net::TcpStream::connect(&address)
        .await
        .map_err(|error| failed(format!("{error}; is `dispatcher run` running?")))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(error.to_string()))?;
    let driver = tokio::spawn(connection);
    let mut request = http::Request::post(uri.path_and_query().map_or("/", |target| target.as_str()))
        .header(http::header::HOST, authority.as_str())
        .header(http::header::CONTENT_TYPE, "application/json");
    if let Some(signature) = signature {
        request = request.header("x-ghl-signature", signature);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|error| failed(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(|error| failed(error.to_string()))?;
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.map_err(|error| failed(error.to_string()))?.to_bytes();
    driver.abort();
    let answer = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    Ok((status, answer))
}
