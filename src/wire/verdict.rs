//! What the wire asks of whoever stands behind it: a verdict on the head, an answer on the body.
//!
//! The engine is the [`Gate`] of the data port; tests put a trivial one there.

use std::net::IpAddr;

use super::{head::Head, reply::Reply};
use crate::time::Now;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Address the connection came from; an IPv4 address is never given in its IPv6 spelling.
    pub addr: IpAddr,
    /// The connection is encrypted.
    pub tls: bool,
}

/// What becomes of a request, decided from its head alone.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "it lives on the stack for one call; a box would be an allocation per refusal")]
pub enum Verdict<T> {
    /// Read the body; the ticket comes back with it.
    Take(T),
    /// Answer now. The body is skipped when it is small and announced, else the connection closes after the answer.
    Refuse(Reply),
}

/// What becomes of a request whose body is in.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Answer now.
    Now(Reply),
}

/// What stands behind a port.
pub trait Gate {
    /// What the gate wants to remember between head and body.
    type Ticket: Copy + 'static;

    /// Judges a head, before the body is read and before `100 Continue` is sent.
    fn head(&mut self, head: &Head<'_>, peer: &Peer, now: Now) -> Verdict<Self::Ticket>;

    /// Takes a whole body. `head` is the same head again (its bytes stay in the buffer until the answer), so that nothing of it needs to be kept in the ticket.
    fn body(&mut self, ticket: Self::Ticket, head: &Head<'_>, body: &[u8], now: Now) -> Answer;

    /// The body of a taken request will not come: it was refused, or the connection is gone.
    fn dropped(&mut self, ticket: Self::Ticket) {
        let _ = ticket;
    }
}
