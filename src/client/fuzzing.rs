//! The fuzz bodies of the client: bytes in, a panic where what is sent is not what was checked, or an answer
//! depends on how its bytes were cut.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic here is a finding, which is what a fuzz body is for"
)]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use smol::io::AsyncRead;

use super::{Address, Answer, ClientError, Wanted, receive};
use crate::limits;

/// What is read as an address has one form, names one host, and shows nothing of its path.
pub fn address(data: &[u8]) {
    let Some(address) = std::str::from_utf8(data)
        .ok()
        .and_then(|text| Address::parse(text).ok())
    else {
        return;
    };
    assert_eq!(Address::parse(address.as_str()).as_ref(), Ok(&address));
    assert!(address.as_str().len() <= limits::CLIENT_URL_BYTES_MAX && address.port() != 0);
    let (authority, target) = (address.authority(), address.target());
    assert_eq!(address.as_str(), format!("{address}{target}"));
    assert!(!authority.contains(['@', '/', '\\', '?', '#']) && target.starts_with('/'));
    let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    assert!(is_plain(authority) && is_plain(target) && !authority.is_empty());
    // What is connected to is what `Host` says.
    let name = address.name();
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => assert_eq!(host.parse().ok(), address.ip(), "{authority}"),
        None => assert!(authority.starts_with(&name), "{name} {authority}"),
    }
    assert_eq!(
        address.ip(),
        name.parse().ok(),
        "an address is never taken for a name"
    );
}

/// Bytes that come in pieces of a size.
struct Pieces<'a>(&'a [u8], usize);

impl AsyncRead for Pieces<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let count = self.0.len().min(self.1).min(out.len());
        out[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Poll::Ready(Ok(count))
    }
}

fn read(data: &[u8], piece: usize, wanted: Wanted) -> Result<Answer, ClientError> {
    smol::block_on(receive(&mut Pieces(data, piece), wanted))
}

/// An answer is the same however it came, and never larger than it may be.
pub fn answer(data: &[u8]) {
    const BYTES_MAX: usize = 20;
    let whole = read(data, usize::MAX, Wanted::Body(BYTES_MAX));
    assert_eq!(read(data, 1, Wanted::Body(BYTES_MAX)), whole);
    assert_eq!(read(data, 3, Wanted::Body(BYTES_MAX)), whole);
    let head = read(data, usize::MAX, Wanted::Head);
    if let Ok(answer) = whole {
        assert!(answer.body.len() <= BYTES_MAX && (200..600).contains(&answer.status));
        let head = head.unwrap();
        assert_eq!((head.status, head.fields), (answer.status, answer.fields));
        assert!(head.body.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation;

    #[test]
    fn addresses_are_what_they_show() {
        let seeds: &[&[u8]] = &[
            b"https://example.com:8443/hook?a=b",
            b"http://[::ffff:127.0.0.1]:81/",
            b"http://0x7f.1/x/../y",
            b"http://a.b.:80/%2f?@",
            b"http://xn--mller-kva.de/",
        ];
        mutation::drive(seeds, 50_000, address);
    }

    #[test]
    fn answers_are_the_same_however_they_were_cut() {
        let seeds: &[&[u8]] = &[
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"HTTP/1.0 404 No\r\nServer: x\r\n\r\nuntil the end",
            b"HTTP/1.1 204 No Content\r\n\r\n",
        ];
        mutation::drive(seeds, 20_000, answer);
    }
}
