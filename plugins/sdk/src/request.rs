//! An HTTP request for the host to make.

use serde::Serialize;

use crate::{Action, Form, Multipart, Pieces};

/// An HTTP request.
///
/// ```
/// use dispatcher_plugin::{Credential, Request};
///
/// let request = Request::post("https://api.example.com/v1/messages")
///     .credential(Credential::bearer("api_key"))
///     .json(&serde_json::json!({ "to": "+525512345678", "text": "hola" }));
/// assert_eq!(request.body_text(), r#"{"text":"hola","to":"+525512345678"}"#);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// `https://host/path?query`. Secrets may stand in path and query, never in the host.
    pub url: Pieces,
    /// Headers in order. `Host`, `Content-Length`, `Transfer-Encoding` and `Connection` are the host's.
    pub headers: Vec<(String, Pieces)>,
    /// How the host proves who we are.
    pub credential: Credential,
    /// Empty is no body.
    pub body: Pieces,
    /// How many redirects to follow, 0 to 5; each target must be granted as well.
    pub redirects: u8,
}

impl Request {
    /// A request of any method.
    pub fn new(method: impl Into<String>, url: impl Into<Pieces>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            credential: Credential::None,
            body: Pieces::new(),
            redirects: 0,
        }
    }

    /// A GET.
    pub fn get(url: impl Into<Pieces>) -> Self {
        Self::new("GET", url)
    }

    /// A POST.
    pub fn post(url: impl Into<Pieces>) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Pieces>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Proves who we are.
    #[must_use]
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credential = credential;
        self
    }

    /// A body as it is, with its media type.
    #[must_use]
    pub fn body(mut self, media_type: &str, body: impl Into<Pieces>) -> Self {
        self.body = body.into();
        self.header("content-type", media_type)
    }

    /// A JSON body.
    ///
    /// # Panics
    /// Where the value cannot be JSON, such as a map whose keys are not strings: a mistake in the plugin.
    #[must_use]
    pub fn json(self, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("the plugin's value can be written as JSON");
        self.body("application/json", body)
    }

    /// A form body.
    #[must_use]
    pub fn form(self, form: Form) -> Self {
        self.body("application/x-www-form-urlencoded", form.into_pieces())
    }

    /// A multipart body.
    #[must_use]
    pub fn multipart(self, multipart: Multipart) -> Self {
        let media_type = multipart.media_type();
        self.body(&media_type, multipart.into_pieces())
    }

    /// The URL as text, for tests.
    pub fn url_text(&self) -> String {
        self.url.to_text()
    }

    /// The body as text, for tests.
    pub fn body_text(&self) -> String {
        self.body.to_text()
    }
}

impl From<Request> for Action {
    fn from(request: Request) -> Self {
        Self::Http(request)
    }
}

/// How the host proves who we are. It names secrets and holds none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credential {
    /// Not at all.
    #[default]
    None,
    /// `Authorization: Basic` with a user in clear and a password by name.
    Basic {
        /// The user.
        user: String,
        /// The name of the password's secret.
        secret: String,
    },
    /// `Authorization: Bearer` with a token by name.
    Bearer {
        /// The name of the token's secret.
        secret: String,
    },
    /// AWS Signature Version 4 over the whole request.
    SigV4 {
        /// For example `us-east-1`.
        region: String,
        /// For example `ses`.
        service: String,
        /// The access key id, in clear.
        key_id: String,
        /// The name of the secret key's secret.
        secret: String,
        /// The name of the session token's secret, for temporary credentials.
        session_token: Option<String>,
    },
    /// OAuth 2 client credentials: the host fetches the token, keeps it and sends it as a bearer token.
    ClientCredentials {
        /// Where the token is fetched; a granted host.
        token_url: String,
        /// The client id, in clear.
        client_id: String,
        /// The name of the client secret's secret.
        secret: String,
        /// The scope to ask for.
        scope: Option<String>,
    },
}

impl Credential {
    /// `Authorization: Basic`.
    pub fn basic(user: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::Basic { user: user.into(), secret: secret.into() }
    }

    /// `Authorization: Bearer`.
    pub fn bearer(secret: impl Into<String>) -> Self {
        Self::Bearer { secret: secret.into() }
    }
}
