//! Why a request head is refused.
//!
//! Owns the closed list of causes, their status and their words. Must not know what was sent. Tests:
//! `head/tests.rs`.

use std::fmt;

/// Why a request head is refused. Nothing after it on the connection can be trusted, so it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadError {
    /// A line ends in a bare LF, or a CR stands without LF.
    LineEnding,
    /// The request line is not `method SP target SP version`.
    RequestLine,
    /// The peer speaks HTTP/2 without having negotiated it.
    Http2Preface,
    /// The version is well-formed but not 1.0 or 1.1.
    Version,
    /// The target is not in origin form, or its absolute form contradicts `Host`.
    Target,
    /// A header line begins with white space (obsolete line folding).
    Folded,
    /// A field name is empty or has bytes that a name must not have, white space before the colon included.
    FieldName,
    /// A field value has control bytes.
    FieldValue,
    /// `Host` is missing, sent twice, or not a host.
    Host,
    /// `Content-Length` is not one decimal number, or was sent twice.
    ContentLength,
    /// `Transfer-Encoding` is not exactly one `chunked`, comes with `Content-Length`, or with HTTP/1.0.
    TransferEncoding,
    /// A field that must be single was sent twice, or is not visible ASCII.
    Field,
    /// The head is over `limits::HEAD_BYTES_MAX`.
    TooLarge,
    /// The head has more than `limits::HEADERS_MAX` fields.
    TooManyFields,
}

impl HeadError {
    /// Every variant, for tests.
    pub const ALL: [Self; 14] = [
        Self::LineEnding,
        Self::RequestLine,
        Self::Http2Preface,
        Self::Version,
        Self::Target,
        Self::Folded,
        Self::FieldName,
        Self::FieldValue,
        Self::Host,
        Self::ContentLength,
        Self::TransferEncoding,
        Self::Field,
        Self::TooLarge,
        Self::TooManyFields,
    ];

    /// The HTTP status of the refusal: 431 for size, 505 for the version, 400 for all else.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::TooLarge | Self::TooManyFields => 431,
            Self::Version => 505,
            Self::LineEnding
            | Self::RequestLine
            | Self::Http2Preface
            | Self::Target
            | Self::Folded
            | Self::FieldName
            | Self::FieldValue
            | Self::Host
            | Self::ContentLength
            | Self::TransferEncoding
            | Self::Field => 400,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineEnding => "a line does not end in CR LF",
            Self::RequestLine => "malformed request line",
            Self::Http2Preface => "HTTP/2 is not spoken here",
            Self::Version => "unsupported HTTP version",
            Self::Target => "the request target is not a path, or contradicts Host",
            Self::Folded => "folded header line",
            Self::FieldName => "malformed header name",
            Self::FieldValue => "control bytes in a header value",
            Self::Host => "Host is missing, repeated or malformed",
            Self::ContentLength => "Content-Length is malformed or repeated",
            Self::TransferEncoding => {
                "Transfer-Encoding is not a single chunked, or contradicts another field"
            }
            Self::Field => "a header that must be single is repeated or malformed",
            Self::TooLarge => "the request head is too large",
            Self::TooManyFields => "the request has too many headers",
        })
    }
}

impl std::error::Error for HeadError {}
