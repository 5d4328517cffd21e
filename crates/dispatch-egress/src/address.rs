//! Which addresses are public. Pure: an address in, a word or nothing out.
//!
//! The list is of what is *not* public, after the IANA special-purpose registries. For IPv6 everything outside
//! `2000::/3` is refused at once, so that a range unknown to this list does not slip through. Ranges that
//! carry an IPv4 address inside (NAT64, 6to4, Teredo) are refused whole: the address inside could be any.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dispatch_engine::Network;

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Network {
    Network { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
}

const fn v6(high: [u16; 3], prefix: u8) -> Network {
    Network { address: IpAddr::V6(Ipv6Addr::new(high[0], high[1], high[2], 0, 0, 0, 0, 0)), prefix }
}

/// Networks that are not public, the narrow before the wide, each with the word for it.
const SPECIAL: &[(Network, &str)] = &[
    (v4(0, 0, 0, 0, 8), "unspecified"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "carrier-grade NAT"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "reserved"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 88, 99, 0, 24), "6to4"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
    (Network { address: IpAddr::V6(Ipv6Addr::LOCALHOST), prefix: 128 }, "loopback"),
    (Network { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), prefix: 128 }, "unspecified"),
    (v6([0x64, 0xff9b, 0], 96), "NAT64"),
    (v6([0x64, 0xff9b, 1], 48), "NAT64"),
    (v6([0x2001, 0, 0], 32), "Teredo"),
    (v6([0x2001, 0, 0], 23), "reserved"),
    (v6([0x2001, 0xdb8, 0], 32), "documentation"),
    (v6([0x2002, 0, 0], 16), "6to4"),
    (v6([0x3fff, 0, 0], 20), "documentation"),
    (v6([0xfc00, 0, 0], 7), "private"),
    (v6([0xfe80, 0, 0], 10), "link-local"),
    (v6([0xff00, 0, 0], 8), "multicast"),
];

/// All IPv6 that is given out for public use.
const GLOBAL: Network = v6([0x2000, 0, 0], 3);

/// What an address is, where it is not public. An IPv4 address written as IPv6 is what it stands for.
pub(crate) fn special(address: IpAddr) -> Option<&'static str> {
    let found = SPECIAL.iter().find(|(network, _)| network.contains(address)).map(|(_, word)| *word);
    found.or_else(|| {
        let outside = address.to_canonical().is_ipv6() && !GLOBAL.contains(address);
        outside.then_some("reserved")
    })
}

/// Whether a connection to this address is allowed, given the networks granted.
pub(crate) fn allowed(address: IpAddr, granted: &[Network]) -> Result<(), &'static str> {
    match special(address) {
        Some(word) if !granted.iter().any(|network| network.contains(address)) => Err(word),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_public_from_special() {
        for (text, expected) in [
            ("8.8.8.8", None),
            ("1.1.1.1", None),
            ("172.15.255.255", None),
            ("172.32.0.0", None),
            ("100.63.255.255", None),
            ("2606:4700::1111", None),
            ("2a00:1450:4001::1", None),
            ("::ffff:8.8.8.8", None),
            ("0.0.0.0", Some("unspecified")),
            ("0.1.2.3", Some("unspecified")),
            ("10.1.2.3", Some("private")),
            ("100.64.0.1", Some("carrier-grade NAT")),
            ("100.127.255.255", Some("carrier-grade NAT")),
            ("127.0.0.1", Some("loopback")),
            ("127.255.255.254", Some("loopback")),
            ("169.254.169.254", Some("link-local")),
            ("172.16.0.1", Some("private")),
            ("172.31.255.255", Some("private")),
            ("192.0.2.1", Some("documentation")),
            ("192.168.255.1", Some("private")),
            ("198.19.0.1", Some("benchmarking")),
            ("224.0.0.251", Some("multicast")),
            ("255.255.255.255", Some("reserved")),
            ("::", Some("unspecified")),
            ("::1", Some("loopback")),
            ("::7f00:1", Some("reserved")),
            ("::ffff:10.0.0.1", Some("private")),
            ("::ffff:127.0.0.1", Some("loopback")),
            ("64:ff9b::a00:1", Some("NAT64")),
            ("64:ff9b:1::1", Some("NAT64")),
            ("100::1", Some("reserved")),
            ("2001::1", Some("Teredo")),
            ("2001:db8::1", Some("documentation")),
            ("2002:a00:1::", Some("6to4")),
            ("fc00::1", Some("private")),
            ("fd12:3456::1", Some("private")),
            ("fe80::1", Some("link-local")),
            ("fec0::1", Some("reserved")),
            ("ff02::1", Some("multicast")),
        ] {
            assert_eq!(special(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn a_grant_opens_its_network_only() {
        let granted: Vec<Network> = ["10.1.0.0/16", "fd00::/8"].iter().map(|n| n.parse().unwrap()).collect();
        for (text, expected) in [
            ("10.1.2.3", Ok(())),
            ("::ffff:10.1.2.3", Ok(())),
            ("fd00::1", Ok(())),
            ("8.8.8.8", Ok(())),
            ("10.2.0.1", Err("private")),
            ("127.0.0.1", Err("loopback")),
        ] {
            assert_eq!(allowed(text.parse().unwrap(), &granted), expected, "{text}");
        }
    }
}
