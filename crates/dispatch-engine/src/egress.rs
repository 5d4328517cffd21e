//! The seam to the network: all that leaves goes through it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dispatch_model::{Action, AttachmentFile, Reply, Secret};

/// Takes actions and answers with facts. There are two: the network, and the cassette that answers
/// from a record.
#[async_trait]
pub trait Egress: Send + Sync + 'static {
    /// Takes one action and waits for its reply, at most until `call.deadline`. Never an error: what
    /// went wrong is a fact in the reply, with an honest word on whether bytes may have left.
    async fn perform(&self, action: &Action, call: &Call<'_>) -> Reply;

    /// Fetches an attachment from any *public* host into a bounded spool.
    async fn fetch(&self, url: &str, bounds: FetchBounds) -> Result<Spooled, FetchError>;
}

/// What an action is taken under.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// What the operator allows.
    pub grants: &'a Grants,
    /// The message's fetched attachments, by index; empty where the backend takes URLs.
    pub attachments: &'a [Arc<Spooled>],
    /// When to give up.
    pub deadline: Instant,
}

/// What the operator allows one backend (a location's overlay merged in), and its secrets. What each call takes along of
/// it is shared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// The backend's name and lane: connections are pooled within it, cookies and tokens never shared beyond it.
    pub owner: Arc<str>,
    /// Hosts it may send requests to: exact names, or `*.example.com` for exactly one label.
    pub hosts: Vec<String>,
    /// Private networks it may reach.
    pub private_networks: Vec<Network>,
    /// Whether it may speak without TLS.
    pub plaintext: bool,
    /// Its secrets by name.
    pub secrets: Arc<BTreeMap<String, Secret>>,
    /// Names of secrets that the guest may read.
    pub reveal: Arc<[String]>,
    /// The relay for its mail; granted by being configured.
    pub relay: Option<Relay>,
    /// As whom its mail is signed.
    pub dkim: Option<Dkim>,
    /// The session for its short messages; granted by being configured.
    pub session: Option<Session>,
}

/// An IP network in CIDR form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Its address.
    pub address: IpAddr,
    /// The length of its prefix in bits.
    pub prefix: u8,
}

/// Not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a network: expected ADDRESS/BITS, for example 192.168.1.0/24 or fd00::/8")]
pub struct ParseNetworkError;

impl std::str::FromStr for Network {
    type Err = ParseNetworkError;

    fn from_str(text: &str) -> Result<Self, ParseNetworkError> {
        let (address, prefix) = text.split_once('/').ok_or(ParseNetworkError)?;
        let address: IpAddr = address.parse().map_err(|_| ParseNetworkError)?;
        let prefix: u8 = prefix.parse().map_err(|_| ParseNetworkError)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if prefix > longest {
            return Err(ParseNetworkError);
        }
        Ok(Self { address, prefix })
    }
}

impl Network {
    /// Whether an address lies in it. An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is what it stands for.
    pub fn contains(&self, address: IpAddr) -> bool {
        fn same(a: u128, b: u128, width: u32, prefix: u8) -> bool {
            let shift = width - u32::from(prefix);
            shift == width || a >> shift == b >> shift
        }
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                same(u32::from(net).into(), u32::from(ip).into(), 32, self.prefix)
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => same(net.into(), ip.into(), 128, self.prefix),
            _ => false,
        }
    }
}

/// A mail relay.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Relay {
    /// Its host name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: RelayTls,
    /// The user to authenticate as.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The name we say EHLO with; the machine's own where none is given.
    pub hello: Option<String>,
}

/// How a relay connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelayTls {
    /// In clear, then STARTTLS, and no further without it.
    StartTls,
    /// TLS from the first byte.
    Implicit,
    /// Not at all; only with the `plaintext` grant.
    None,
}

/// As whom mail is signed (DKIM).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dkim {
    /// The domain that vouches.
    pub domain: String,
    /// Under which name its public key stands in the DNS.
    pub selector: String,
    /// The private key as PEM.
    pub key: Secret,
}

/// An SMPP session with a message centre, which the host binds and keeps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    /// Its host name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether TLS is spoken from the first byte; without it only with the `plaintext` grant.
    pub tls: bool,
    /// Who we are there.
    pub system_id: String,
    /// The password.
    pub password: Option<Secret>,
    /// What kind of system we are; usually empty.
    pub system_type: String,
    /// Messages that may be under way at once, handed over and not answered; at least 1.
    pub window: u32,
    /// After how long a silence the message centre is asked whether it is there.
    pub enquire_link: Duration,
}

/// Bounds of a fetch.
#[derive(Debug, Clone, Copy)]
pub struct FetchBounds {
    /// Bytes at most.
    pub max_bytes: u64,
    /// Time at most.
    pub timeout: Duration,
}

/// A fetched attachment. The spool file is removed when the last holder lets go.
pub struct Spooled {
    /// What it is.
    pub file: AttachmentFile,
    /// Where its bytes are.
    pub content: SpoolContent,
}

/// Where the bytes are.
pub enum SpoolContent {
    /// In memory: small ones.
    Memory(bytes::Bytes),
    /// In a file that is gone when this is dropped.
    File(Box<dyn SpoolFile>),
}

/// A file of the spool, opened anew for each reader.
pub trait SpoolFile: Send + Sync {
    /// Opens it for reading from the start.
    fn open(&self) -> std::io::Result<std::fs::File>;
}

impl std::fmt::Debug for Spooled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spooled").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Why an attachment cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URL or where it leads is not public, or not http(s).
    #[error("refused: {0}")]
    Refused(String),
    /// Larger than allowed.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// The server says that it is not there (4xx).
    #[error("the server answered {0}")]
    Missing(u16),
    /// Perhaps later: DNS, connect, time-out, 5xx.
    #[error("not reachable: {0}")]
    Transient(String),
}
