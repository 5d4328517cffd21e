//! Who we are, written into a request at the last moment and only towards a granted host.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dispatch_engine::Grants;
use dispatch_model::{Clock, Credential};
use http::header::{self, HeaderValue};

use crate::failure::{Failure, Progress};
use crate::http::{Http, Parts};
use crate::piece;
use crate::sigv4;
use crate::token::{Issued, Tokens};

/// Writes credentials into requests.
pub(crate) struct Credentials {
    clock: Arc<dyn Clock>,
    tokens: Tokens,
}

impl Credentials {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, tokens: Tokens::default() }
    }

    /// Adds the credential to a request's headers. Hands back the token, where one is used, since the provider
    /// may refuse it.
    pub(crate) async fn apply(
        &self,
        credential: &Credential,
        parts: &mut Parts<'_>,
        grants: &Grants,
        http: &Http,
        progress: &mut Progress,
    ) -> Result<Option<Issued>, Failure> {
        match credential {
            Credential::None => Ok(None),
            Credential::Basic { user, secret } => {
                authorize(parts, &basic(user, piece::secret(grants, secret)?.expose())?)?;
                Ok(None)
            }
            Credential::Bearer { secret } => {
                authorize(parts, &format!("Bearer {}", piece::secret(grants, secret)?.expose()))?;
                Ok(None)
            }
            Credential::SigV4(sigv4) => {
                sigv4::sign(sigv4, parts, grants, self.clock.now()).await?;
                Ok(None)
            }
            Credential::OAuth2ClientCredentials(client) => {
                progress.phase = "fetching a token";
                // Boxed, since it is rare and large, and every request would keep a place for it.
                let issued = Box::pin(self.tokens.get(client, grants, http)).await?;
                authorize(parts, &format!("Bearer {}", issued.token().expose()))?;
                Ok(Some(issued))
            }
        }
    }
}

/// The value of `Authorization: Basic`.
pub(crate) fn basic(user: &str, password: &str) -> Result<String, Failure> {
    if user.contains(':') {
        return Err(Failure::refused("the credential's user has a colon in it, which Basic cannot carry"));
    }
    Ok(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

/// Sets `Authorization`, never to be shown by `Debug`.
pub(crate) fn authorize(parts: &mut Parts<'_>, value: &str) -> Result<(), Failure> {
    let mut value = HeaderValue::try_from(value).map_err(|_| {
        Failure::refused("the credential's secret has a control character in it (CR, LF, NUL …)")
    })?;
    value.set_sensitive(true);
    parts.headers.insert(header::AUTHORIZATION, value);
    Ok(())
}
