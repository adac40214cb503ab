//! Where a request to others goes.
//!
//! Owns [`Address`]. Must not resolve or connect. Key invariants: what is sent is what was checked, since
//! both are read from one parsed URL; no way of printing an address shows its path or query, which may be
//! secret. Tests are below; the fuzz body is `client::fuzzing::address`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Position, Url};

use crate::limits;

/// An http or https URL to send requests to.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

/// Why a text is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// It is longer than [`limits::CLIENT_URL_BYTES_MAX`].
    TooLong,
    /// Characters that must be percent-encoded, or in Punycode.
    NotPlain,
    /// It is no URL with a host.
    NoUrl,
    /// Its scheme is not http or https.
    Scheme,
    /// It has a user or a password.
    Credentials,
    /// It has a fragment, which nobody would be sent.
    Fragment,
    /// Nothing listens on port 0.
    Port,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "must be at most 2048 bytes",
            Self::NotPlain => "must be plain ASCII without spaces: percent-encode the rest",
            Self::NoUrl => "must be a URL: https://host/path",
            Self::Scheme => "must begin with https:// or http://",
            Self::Credentials => "must have no user and no password",
            Self::Fragment => "must have no fragment (#...)",
            Self::Port => "must have another port than 0",
        })
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > limits::CLIENT_URL_BYTES_MAX {
            return Err(AddressError::TooLong);
        }
        // The parser would drop tabs, and take backslashes for slashes: who reads it should see what it is.
        if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
            return Err(AddressError::NotPlain);
        }
        let url = Url::parse(text).map_err(|_| AddressError::NoUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressError::Scheme);
        }
        if !text
            .get(url.scheme().len()..)
            .is_some_and(|rest| rest.starts_with("://"))
        {
            return Err(AddressError::NoUrl);
        }
        if url.host().is_none() {
            return Err(AddressError::NoUrl);
        }
        // What stands there: the parser would skip further slashes, and an empty user and password.
        let authority = text.split('/').nth(2).unwrap_or_default();
        let authority = authority.split(['?', '#']).next().unwrap_or_default();
        if authority.is_empty() {
            return Err(AddressError::NoUrl);
        }
        if authority.contains('@') {
            return Err(AddressError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(AddressError::Fragment);
        }
        if url.port() == Some(0) {
            return Err(AddressError::Port);
        }
        // What is encoded can be longer than it was.
        match url.as_str().len() {
            ..=limits::CLIENT_URL_BYTES_MAX => Ok(Self(url)),
            _ => Err(AddressError::TooLong),
        }
    }

    /// The whole of it, in its one form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host, where it is an address and no name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
            Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
            Host::Domain(_) => None,
        }
    }

    /// The host as TLS verifies it: a name without a dot at its end, or an address without brackets.
    pub(super) fn name(&self) -> String {
        match self.0.host() {
            Some(Host::Domain(name)) => name.strip_suffix('.').unwrap_or(name).to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => String::new(),
        }
    }

    /// The port, that of the scheme where none is named.
    pub(super) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// The value of `Host`.
    pub(super) fn authority(&self) -> &str {
        &self.0[Position::BeforeHost..Position::AfterPort]
    }

    /// The target of the request line.
    pub(super) fn target(&self) -> &str {
        &self.0[Position::BeforePath..Position::AfterQuery]
    }
}

/// Scheme, host and port alone.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.authority())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Whether an address is one of the public Internet: none of this machine, of a network of its own, of
/// several machines, or one that leads to such an address in another way.
///
/// # Source
/// The special-purpose registries of IANA (RFC 6890, as of 2025).
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let within = |base: [u8; 4], bits: u32| {
        let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
        ip.to_bits() & mask == Ipv4Addr::from(base).to_bits()
    };
    let special = [
        ([0, 0, 0, 0], 8),        // this network
        ([10, 0, 0, 0], 8),       // private
        ([100, 64, 0, 0], 10),    // shared by a carrier's customers
        ([127, 0, 0, 0], 8),      // this machine
        ([168, 63, 129, 16], 32), // Azure's own services, metadata among them
        ([169, 254, 0, 0], 16),   // this link; metadata of clouds
        ([172, 16, 0, 0], 12),    // private
        ([192, 0, 0, 0], 24),     // of protocols; metadata of a cloud
        ([192, 0, 2, 0], 24),     // documentation
        ([192, 31, 196, 0], 24),  // AS112
        ([192, 52, 193, 0], 24),  // AMT
        ([192, 88, 99, 0], 24),   // relays of 6to4
        ([192, 168, 0, 0], 16),   // private
        ([192, 175, 48, 0], 24),  // AS112
        ([198, 18, 0, 0], 15),    // benchmarks
        ([198, 51, 100, 0], 24),  // documentation
        ([203, 0, 113, 0], 24),   // documentation
        ([224, 0, 0, 0], 4),      // several machines
        ([240, 0, 0, 0], 4),      // reserved; all machines
    ];
    !special.iter().any(|(base, bits)| within(*base, *bits))
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let within = |base: [u16; 8], bits: u32| {
        let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
        ip.to_bits() & mask == Ipv6Addr::from(base).to_bits()
    };
    // What is given out to the Internet at all is 2000::/3: so not this machine, v4 addresses in another form
    // (::/96, ::ffff/96), NAT64 (64:ff9b::/96 and 64:ff9b:1::/48), discards (100::/64), routers' own
    // (5f00::/16), local ones (fc00::/7, with the metadata of a cloud), this link (fe80::/10), several
    // machines (ff00::/8).
    let special = [
        ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // of protocols: Teredo, ORCHID and more
        ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
        ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4: a v4 address is in it
        ([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), // AS112
        ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation
    ];
    within([0x2000, 0, 0, 0, 0, 0, 0, 0], 3) && !special.iter().any(|(base, bits)| within(*base, *bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_http_or_https_and_holds_no_more_than_it_shows() {
        for (text, shown, target, host, port) in [
            (
                "https://example.com",
                "https://example.com",
                "/",
                "example.com",
                443,
            ),
            (
                "http://EXAMPLE.com:80/a?b=c",
                "http://example.com",
                "/a?b=c",
                "example.com",
                80,
            ),
            (
                "https://h.example.:8443/x/../y",
                "https://h.example.:8443",
                "/y",
                "h.example",
                8443,
            ),
            (
                "http://[2001:db8::1]:81/",
                "http://[2001:db8::1]:81",
                "/",
                "2001:db8::1",
                81,
            ),
            ("http://0x7f.1/", "http://127.0.0.1", "/", "127.0.0.1", 80),
            ("http://2130706433/?@", "http://127.0.0.1", "/?@", "127.0.0.1", 80),
        ] {
            let address = Address::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), format!("Address({shown})"));
            let parts = (address.target(), address.name(), address.port());
            assert_eq!(parts, (target, host.to_owned(), port), "{text}");
            assert_eq!(Address::parse(address.as_str()).as_ref(), Ok(&address));
        }
        for (text, why) in [
            ("", AddressError::NoUrl),
            ("example.com", AddressError::NoUrl),
            ("https://", AddressError::NoUrl),
            ("https:example.com", AddressError::NoUrl),
            ("https:///example.com", AddressError::NoUrl),
            ("http://a b/", AddressError::NotPlain),
            ("http://h/\t", AddressError::NotPlain),
            ("http://h\\@private/", AddressError::NotPlain),
            ("https://m\u{fc}ller.de/", AddressError::NotPlain),
            ("ftp://example.com/", AddressError::Scheme),
            ("file:///etc/passwd", AddressError::Scheme),
            ("http://user@h/", AddressError::Credentials),
            ("http://@h/", AddressError::Credentials),
            ("http://:@h/", AddressError::Credentials),
            ("http://u:p@h/", AddressError::Credentials),
            ("http://h/#x", AddressError::Fragment),
            ("http://h:0/", AddressError::Port),
            ("http://h:65536/", AddressError::NoUrl),
        ] {
            assert_eq!(Address::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn an_address_is_at_most_2048_bytes_long() {
        let long = |bytes: usize| format!("http://h/{}", "a".repeat(bytes - 9));
        assert!(Address::parse(&long(2_047)).is_ok() && Address::parse(&long(2_048)).is_ok());
        assert_eq!(Address::parse(&long(2_049)), Err(AddressError::TooLong));
        let encoded = long(2_047) + "\"";
        assert_eq!(Address::parse(&encoded), Err(AddressError::TooLong));
    }

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "168.63.129.15",
            "2606:4700::1111",
            "2a00::1",
            "2001:200::1",
            "2003::1",
            "2001:db7:ffff::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }
}
