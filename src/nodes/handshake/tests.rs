//! Tests of `nodes::handshake`: what is said is read, and nothing that differs from it in a bit.

use super::*;

const CHALLENGE: Challenge = [5; CHALLENGE_BYTES];
const NAME: &str = "b.example:9000";

fn secret() -> Secret {
    Secret::new(*b"0123456789abcdef0123456789abcdef")
}

/// A head of so many bytes.
fn head(bytes: usize) -> Vec<u8> {
    let (start, end) = ("GET /ws/canvas/b HTTP/1.1\r\nHost: h\r\nX: ", "\r\n\r\n");
    let filler = "x".repeat(bytes.saturating_sub(start.len()).saturating_sub(end.len()));
    [start, &filler, end].concat().into_bytes()
}

fn client() -> IpAddr {
    "2001:db8::7".parse().unwrap()
}

fn told(head: &[u8]) -> Vec<u8> {
    let client = client();
    Offer { client, head }.encode(&secret(), &CHALLENGE, NAME)
}

/// Reads an offer with its count.
fn heard(bytes: &[u8]) -> Result<Offer<'_>, Wrong> {
    let (count, rest) = bytes.split_first_chunk().ok_or(Wrong::Length)?;
    if length(*count)? != rest.len() {
        return Err(Wrong::Length);
    }
    read(&secret(), &CHALLENGE, NAME, rest)
}

/// An offer as somebody with the secret could sign it.
fn signed(bytes: &[u8]) -> Vec<u8> {
    let signature = keyed(&secret(), &CHALLENGE, NAME, bytes).finalize().into_bytes();
    [bytes, &signature].concat()
}

#[test]
fn what_is_said_is_read() {
    let head = head(100);
    for address in ["192.0.2.1", "::", "2001:db8::7", "::ffff:192.0.2.1"] {
        let client = address.parse().unwrap();
        let head = head.as_slice();
        let bytes = Offer { client, head }.encode(&secret(), &CHALLENGE, NAME);
        assert_eq!(heard(&bytes), Ok(Offer { client, head }), "{address}");
    }
}

#[test]
fn the_bytes_are_those_of_the_document() {
    let bytes = told(b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(bytes[..4], [0, 0, 0, 1 + 1 + 11 + 18 + 32]);
    assert_eq!(bytes[4..6], [1, 11]);
    assert_eq!(&bytes[6..17], b"2001:db8::7");
    assert_eq!(&bytes[17..35], b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(bytes.len(), 35 + 32);
}

#[test]
fn no_prefix_and_no_bit_of_it_may_differ() {
    let bytes = told(&head(90));
    for end in 0..bytes.len() {
        assert!(heard(&bytes[..end]).is_err(), "{end}");
        let rest = bytes[..end].get(COUNT_BYTES..).unwrap_or_default();
        assert!(read(&secret(), &CHALLENGE, NAME, rest).is_err(), "{end}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut other = bytes.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(heard(&other).is_err(), "bit {bit}");
    }
    let more = [&bytes[COUNT_BYTES..], b"x"].concat();
    assert_eq!(read(&secret(), &CHALLENGE, NAME, &more), Err(Wrong::Signature));
}

#[test]
fn it_is_of_one_connection_one_node_and_one_secret() {
    let bytes = told(&head(90));
    let bytes = &bytes[COUNT_BYTES..];
    assert!(read(&secret(), &CHALLENGE, NAME, bytes).is_ok());
    let other = [6; CHALLENGE_BYTES];
    assert_eq!(read(&secret(), &other, NAME, bytes), Err(Wrong::Signature));
    for name in ["c.example:9000", "b.example:900", ""] {
        assert_eq!(read(&secret(), &CHALLENGE, name, bytes), Err(Wrong::Signature));
    }
    let other = Secret::new([9; 32]);
    assert_eq!(read(&other, &CHALLENGE, NAME, bytes), Err(Wrong::Signature));
}

#[test]
fn a_head_of_the_largest_size_passes_and_a_longer_one_does_not() {
    for (bytes, passes) in [(-1, true), (0, true), (1, false)] {
        let bytes = limits::HEAD_BYTES_MAX.checked_add_signed(bytes).unwrap();
        assert_eq!(heard(&told(&head(bytes))).is_ok(), passes, "{bytes}");
    }
    for (bytes, fits) in [
        (SIGNATURE_BYTES - 1, false),
        (SIGNATURE_BYTES, true),
        (limits::NODE_OFFER_BYTES_MAX, true),
        (limits::NODE_OFFER_BYTES_MAX + 1, false),
        (u32::MAX as usize, false),
    ] {
        let count = u32::try_from(bytes).unwrap().to_be_bytes();
        assert_eq!(length(count).is_ok(), fits, "{bytes}");
    }
    // The longest address has room beside the longest head.
    let client: IpAddr = "2001:db80:1111:2222:3333:4444:5555:6666".parse().unwrap();
    let head = head(limits::HEAD_BYTES_MAX);
    let head = head.as_slice();
    let bytes = Offer { client, head }.encode(&secret(), &CHALLENGE, NAME);
    assert!(heard(&bytes).is_ok());
}

#[test]
fn what_is_signed_has_one_form() {
    let read = |bytes: &[u8]| read(&secret(), &CHALLENGE, NAME, &signed(bytes)).map(|offer| offer.client);
    let head = b"GET / HTTP/1.0\r\n\r\n";
    let offer = |address: &str| {
        let length = u8::try_from(address.len()).unwrap();
        [&[VERSION, length], address.as_bytes(), head].concat()
    };
    assert_eq!(read(&offer("192.0.2.1")), Ok("192.0.2.1".parse().unwrap()));
    for address in [
        "",
        "2001:DB8::7",
        "2001:db8:0::7",
        "192.0.2.1:80",
        "h",
        "::1%1",
        " ::1",
    ] {
        assert_eq!(read(&offer(address)), Err(Wrong::Malformed), "{address}");
    }
    let good = offer("192.0.2.1");
    for bytes in [
        &good[..good.len() - 1],
        &[&good[..], b"x"].concat(),
        &good[..11],
        &good[..2],
        &good[..1],
    ] {
        assert_eq!(read(bytes), Err(Wrong::Malformed));
    }
    let mut other = good.clone();
    other[0] = 2;
    assert_eq!(
        (read(&other), read(b"")),
        (Err(Wrong::Version), Err(Wrong::Version))
    );
    other = good;
    other[1] = 255;
    assert_eq!(read(&other), Err(Wrong::Malformed));
}

#[test]
fn answers_are_bytes_that_differ() {
    for byte in 0..=u8::MAX {
        assert_eq!(Answer::of(byte).map_or(byte, Answer::byte), byte);
    }
    let known = (0..=u8::MAX).filter_map(Answer::of);
    assert_eq!(known.count(), 4);
    assert_eq!(Answer::of(0), None, "an empty buffer is no answer");
}

#[test]
fn changed_offers_are_read_as_what_they_are_or_not_at_all() {
    let seeds: &[&[u8]] = &[
        b"\x01\x09192.0.2.1GET / HTTP/1.0\r\n\r\n",
        b"\x01\x03::1GET /ws/canvas/b HTTP/1.1\r\nHost: h\r\n\r\n",
    ];
    crate::mutation::drive(seeds, 4_000, fuzzing::offer);
}
