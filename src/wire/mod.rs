//! Bytes ⇄ messages: HTTP/1.1 (RFC 9110, RFC 9112), strictly: no byte string has two readings; and what sinks speak besides.
//!
//! * [`head`]: a request head, judged once, then a view nobody has to judge again.
//! * [`framing`]: the one place that decides how long a message is.
//! * [`body`]: chunked bodies, decoded in place.
//! * [`certificate`]: what a client certificate says, as text.
//! * [`conn`]: one server connection as a state machine: bytes and time in, [`conn::Step`] out.
//! * [`counters`]: what a port counts.
//! * [`reply`]: answers, written into a fixed buffer.
//! * [`turn`]: what lies between two waits of a connection, gate included; and a whole conversation without a socket.
//! * [`verdict`]: what the wire asks of whoever stands behind it ([`Gate`]).
//! * [`client`]: the other direction: requests out, responses in.
//! * [`mqtt`], [`resp`]: messages to a broker, commands to a Redis server.
pub mod body;
pub mod certificate;
pub mod client;
pub mod conn;
pub mod counters;
pub mod framing;
pub mod head;
pub mod mqtt;
pub mod reply;
pub mod resp;
pub mod turn;
pub mod verdict;

pub use certificate::Certificate;
pub use framing::Framing;
pub use head::{Head, HeadError, HeadInfo, Method, Version};
pub use reply::{Methods, Put, Reply};
pub use verdict::{Answer, Gate, Peer, Verdict};

/// True for the octets of a token (RFC 9110 §5.6.2).
pub(crate) const fn is_tchar(b: u8) -> bool {
    matches!(b, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

/// `bytes` without the spaces and tabs around it (RFC 9110 §5.6.3).
pub(crate) const fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The elements of a comma-separated field value, trimmed; empty elements are kept (RFC 9110 §5.6.1).
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(trim_ows)
}
