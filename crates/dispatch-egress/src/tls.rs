//! Whom we trust. The machine's certificate authorities; where it has none, Mozilla's; and those the operator adds.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::failure::Failure;
use crate::network::EgressError;
use dispatch_model::FailureKind;

/// What is spoken inside.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Speaks {
    Http,
    Mail,
    Smpp,
}

/// Makes TLS sessions. One policy for all: certificates are always checked.
pub(crate) struct Tls {
    http: TlsConnector,
    mail: TlsConnector,
}

impl Tls {
    pub(crate) fn new(extra_ca_file: Option<&Path>) -> Result<Self, EgressError> {
        let mut roots = RootCertStore::empty();
        // Single files that cannot be read are no reason not to start: what counts is whether any root is there.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        if let Some(path) = extra_ca_file {
            add_file(&mut roots, path)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(EgressError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mail = Arc::new(config.clone()).into();
        // Some servers choose h2 unless told otherwise; a relay has no use for the word.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { http: Arc::new(config).into(), mail })
    }

    /// Speaks TLS on a connection.
    pub(crate) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        stream: S,
        speaks: Speaks,
    ) -> Result<TlsStream<S>, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(FailureKind::Tls, format!("no TLS session with {host}: {error}"))
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
        let connector = match speaks {
            Speaks::Http => &self.http,
            Speaks::Mail | Speaks::Smpp => &self.mail,
        };
        connector.connect(name, stream).await.map_err(|error| failed(&error))
    }
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), EgressError> {
    let unreadable = |reason: String| EgressError::CaFile { path: path.to_owned(), reason };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))?;
    let mut added = 0;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        added += 1;
    }
    if added == 0 {
        return Err(unreadable("it has no certificate in it".to_owned()));
    }
    Ok(())
}
