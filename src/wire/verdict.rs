//! What the wire asks of whoever stands behind it: a verdict on the head, an answer on the body.
//!
//! The engine is the [`Gate`] of the data port; tests put a trivial one there.

use std::{net::IpAddr, sync::Arc};

use super::{certificate::Certificate, head::Head, reply::Reply};
use crate::time::Now;

/// Who is at the other end of a connection. It is the same for all requests of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Address the connection came from; an IPv4 address is never given in its IPv6 spelling.
    pub addr: IpAddr,
    /// The connection is encrypted.
    pub tls: bool,
    /// The connection's number: no other connection of this process ever has it. What was found out about a connection (a password
    /// that was checked, say) may be kept under it until [`Gate::closed`].
    pub connection: u64,
    /// The certificate that the client showed, verified against the configured authorities and revocation lists: its key is in the
    /// client's hands. `None`: it showed none, or none was asked for.
    pub certificate: Option<Arc<Certificate>>,
}

impl Peer {
    /// A peer that is known by its address alone.
    #[must_use]
    pub const fn new(addr: IpAddr, tls: bool) -> Self {
        Self { addr, tls, connection: 0, certificate: None }
    }
}

/// What becomes of a request, decided from its head alone.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "it lives on the stack for one call; a box would be an allocation per refusal")]
pub enum Verdict<T> {
    /// Read the body; the ticket comes back with it.
    Take(T),
    /// Answer now. The body is skipped when it is small and announced, else the connection closes after the answer.
    Refuse(Reply),
    /// Nothing is known yet: keep the head, read no more, and ask again once the gate has found something out ([`Gate::advance`]).
    Later,
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

    /// Takes a whole body. `head` and `peer` are the same as before (the head's bytes stay in the buffer until the answer), so that
    /// nothing of them needs to be kept in the ticket.
    fn body(&mut self, ticket: Self::Ticket, head: &Head<'_>, peer: &Peer, body: &[u8], now: Now) -> Answer;

    /// Goes on for one short turn with what [`Verdict::Later`] waits for; false when there is nothing to do.
    fn advance(&mut self, now: Now) -> bool {
        let _ = now;
        false
    }

    /// The body of a taken request will not come. `refused`: the wire answered with that status, and has counted it for the port; without
    /// it the connection is gone.
    fn dropped(&mut self, ticket: Self::Ticket, refused: Option<u16>) {
        let _ = (ticket, refused);
    }

    /// A connection has ended, whether or not it ever sent a head. A ticket of it was dropped before.
    fn closed(&mut self, peer: &Peer) {
        let _ = peer;
    }
}
