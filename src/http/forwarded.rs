//! The client's address when proxies stand before the server.
//!
//! Owns [`Cidr`] and [`client_address`]. Must not know sockets; addresses are plain values. Key invariant:
//! nothing that a stranger writes into `X-Forwarded-For` is believed, only what a trusted proxy appended.
//! Tests are below.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use core::fmt;
use core::net::IpAddr;

use super::trim;

/// A range of addresses, as `10.0.0.0/8` or `2001:db8::/32`; a bare address is a range of one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    /// The first address of the range; bits beyond the prefix are zero.
    network: IpAddr,
    /// At most 32 or 128.
    prefix_bits: u8,
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix_bits)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Cidr {
    /// Reads a range; `None` when it is none. Bits beyond the prefix are taken off: `10.1.2.3/8` is
    /// `10.0.0.0/8`.
    ///
    /// # Source
    /// RFC 4632, 3.1; RFC 4291, 2.3.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = address_bits(address);
        let prefix_bits = match prefix {
            None => bits,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= bits)?
            }
            Some(_) => return None,
        };
        Some(Self {
            network: network(address, prefix_bits),
            prefix_bits,
        })
    }

    /// Whether `address` lies in the range. An IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address_bits(address) == address_bits(self.network)
            && network(address, self.prefix_bits) == self.network
    }
}

fn address_bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// `address` with all bits beyond the prefix zero.
fn network(address: IpAddr, prefix_bits: u8) -> IpAddr {
    let host_bits = u32::from(address_bits(address).saturating_sub(prefix_bits));
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

/// The address a request came from: the last one that is not a trusted proxy's.
///
/// Starts at the peer and walks `X-Forwarded-For` from its end, for as long as the address at hand is
/// trusted. An entry that is no address ends the walk at the proxy that wrote it. Where all are trusted, it
/// is the first of them.
///
/// # Shape
/// `values`: the values of all `X-Forwarded-For` fields in order, each a comma-separated list of addresses,
/// with or without port. The answer is in canonical form: an IPv4 address mapped into IPv6 becomes IPv4.
#[must_use]
pub fn client_address<'a>(
    peer: IpAddr,
    values: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &[Cidr],
) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
    let mut address = peer.to_canonical();
    let mut entries = values.rev().flat_map(|value| value.rsplit(|&b| b == b','));
    while is_trusted(address) {
        match entries.next().and_then(parse_entry) {
            Some(previous) => address = previous,
            None => break,
        }
    }
    address
}

/// One entry: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn parse_entry(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(trim(entry)).ok()?;
    let address = match text.strip_prefix('[') {
        Some(literal) => literal.split_once(']')?.0.parse().ok()?,
        None => text.parse().ok().or_else(|| {
            let (address, _port) = text.split_once(':').filter(|(_, port)| !port.contains(':'))?;
            address.parse().ok()
        })?,
    };
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_contain_what_their_prefix_says() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.1.2.3/8", "10.0.0.0", "9.255.255.255"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.6/31", "::ffff:192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"),
            ("::1", "::1", "::2"),
        ] {
            let range = Cidr::parse(range).unwrap();
            assert!(range.contains(address(inside)), "{range} {inside}");
            assert!(!range.contains(address(outside)), "{range} {outside}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "localhost",
            "10.0.0.0/256",
        ] {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
        assert_eq!(Cidr::parse("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
    }

    #[test]
    fn the_last_address_that_is_not_trusted_counts() {
        let trusted = ["10.0.0.0/8", "::1", "2001:db8::/32"].map(|text| Cidr::parse(text).unwrap());
        for (peer, values, expected) in [
            ("192.0.2.1", &["198.51.100.1"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            (
                "10.0.0.1",
                &["203.0.113.9, 198.51.100.1 , 10.0.0.2"],
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                &["203.0.113.9", "198.51.100.1", "10.0.0.2"],
                "198.51.100.1",
            ),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["198.51.100.1, junk"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, junk, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["198.51.100.1,"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("::1", &["[2606::1]:80"], "2606::1"),
            ("::1", &["[2606::1]"], "2606::1"),
            ("::1", &["2606::1, [2001:db8::5]:1"], "2606::1"),
            ("::1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("::1", &["\u{e4}"], "::1"),
        ] {
            let found = client_address(address(peer), values.iter().map(|v| v.as_bytes()), &trusted);
            assert_eq!(found, address(expected), "{peer} {values:?}");
        }
    }

    #[test]
    fn without_trusted_proxies_the_header_is_ignored() {
        let values = [&b"198.51.100.1"[..]];
        let found = client_address(address("127.0.0.1"), values.into_iter(), &[]);
        assert_eq!(found, address("127.0.0.1"));
    }
}
