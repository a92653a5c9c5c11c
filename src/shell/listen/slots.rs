//! The places of a port: who has one, who must leave it when a new connection finds none, and the buffers that go with them.

use std::{io, net::IpAddr, task::Waker};

use super::wake;
use crate::{
    limits::{CONN_BYTES, HEAD_BYTES, Limits},
    shell::{
        net::{Listener, Socket},
        tls::ServerTls,
    },
    time::{Instant, Now},
    wire::{
        conn::{Conn, Fault, SLACK_BYTES},
        counters::ConnCounters,
        reply::Out,
        turn::{OUT_BYTES, Port},
        verdict::{Gate, Peer},
    },
};

pub(in crate::shell) struct State<G: Gate> {
    pub(in crate::shell) port: Port<G>,
    /// Those that were used so far; there is room for all.
    pub(in crate::shell) slots: Vec<Slot<G::Ticket>>,
    /// The task of each slot, used or not.
    pub(in crate::shell) tasks: Box<[Option<Waker>]>,
    /// Receive buffers, [`CONN_BYTES`] for each slot, and the larger ones that are lent.
    pub(in crate::shell) buffers: Buffers,
    /// Where the answers of one turn are written before they are sent.
    pub(in crate::shell) out: Box<[u8]>,
    pub(in crate::shell) counters: ConnCounters,
    /// Connections while TLS is spoken.
    pub(in crate::shell) tls_count: usize,
    /// Connections of one address; 0: any number.
    pub(in crate::shell) per_address: usize,
    pub(in crate::shell) free: Vec<u32>,
    pub(in crate::shell) open: usize,
    pub(in crate::shell) listener: Option<Listener>,
    pub(in crate::shell) tls: Option<ServerTls>,
    pub(in crate::shell) acceptor: Option<Waker>,
    pub(in crate::shell) sweeper: Option<Waker>,
    /// When the sweeper looks next.
    pub(in crate::shell) sweep_at: Instant,
    pub(in crate::shell) idle: Option<Waker>,
}

/// A place for one connection.
pub(in crate::shell) struct Slot<T> {
    pub(in crate::shell) socket: Option<Socket>,
    pub(in crate::shell) conn: Conn<T>,
    pub(in crate::shell) peer: Peer,
    /// When the task is woken even if the socket stays silent.
    pub(in crate::shell) until: Instant,
    /// When the connection ends whatever it does: the port closes.
    pub(in crate::shell) kill: Instant,
    /// Bytes of answers at the end of the buffer that the kernel has not taken yet.
    pub(in crate::shell) parked: u32,
    /// When the client must have taken its answers, while some are held back.
    pub(in crate::shell) write_until: Option<Instant>,
    pub(in crate::shell) loan: Option<u16>,
    /// Our side is shut down, the peer's is still read.
    pub(in crate::shell) shut: bool,
    /// Its address had too many connections when it came: it is told so and closed.
    pub(in crate::shell) crowded: bool,
    /// It found no large buffer, and none could be taken back yet.
    pub(in crate::shell) starved: bool,
    /// A step of its handshake may be done now.
    pub(in crate::shell) may_shake: bool,
    pub(in crate::shell) due: bool,
}

/// Bytes that a place for a connection takes, with its task's waker and its place among the free ones.
#[must_use]
pub const fn slot_bytes<T>() -> usize {
    size_of::<Slot<T>>() + size_of::<Option<Waker>>() + size_of::<u32>()
}

impl<T: Copy> Slot<T> {
    pub(in crate::shell) fn new(now: Instant) -> Self {
        Self {
            socket: None,
            conn: Conn::new(now),
            peer: Peer::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), false),
            until: Instant(u64::MAX),
            kill: Instant(u64::MAX),
            parked: 0,
            write_until: None,
            loan: None,
            shut: false,
            crowded: false,
            starved: false,
            may_shake: false,
            due: false,
        }
    }

    /// Its connection is idle, so a new one may take its place.
    pub(in crate::shell) fn may_yield(&self) -> bool {
        self.socket.is_some() && self.parked == 0 && self.conn.is_idle()
    }

    /// Its connection is so slow that a new one may take its place when no idle one can.
    pub(in crate::shell) fn is_overdue(&self, now: Instant) -> bool {
        self.socket.is_some() && self.parked == 0 && self.conn.is_overdue(now)
    }
}

pub(in crate::shell) struct Buffers {
    small: Vec<u8>,
    large: Vec<u8>,
    large_bytes: usize,
    free: Vec<u16>,
}

impl Buffers {
    pub(in crate::shell) fn new(limits: &Limits) -> Self {
        let large_bytes = HEAD_BYTES + limits.body_bytes + SLACK_BYTES;
        let loans = u16::try_from(limits.loan_count).unwrap_or(u16::MAX);
        Self {
            // Zeroed memory comes from the kernel untouched: pages are taken as slots and loans are used.
            small: vec![0; limits.conn_count * CONN_BYTES],
            large: vec![0; usize::from(loans) * large_bytes],
            large_bytes,
            free: (0..loans).rev().collect(),
        }
    }

    /// The buffer of slot `index`, or the one it has on loan.
    pub(in crate::shell) fn of(&mut self, index: usize, loan: Option<u16>) -> &mut [u8] {
        match loan {
            None => self.small.get_mut(index * CONN_BYTES..(index + 1) * CONN_BYTES).unwrap_or_default(),
            Some(loan) => {
                let at = usize::from(loan) * self.large_bytes;
                self.large.get_mut(at..at + self.large_bytes).unwrap_or_default()
            }
        }
    }

    /// Moves `conn` of slot `index` into a large buffer, if one is free.
    pub(in crate::shell) fn lend<T: Copy>(&mut self, index: usize, conn: &mut Conn<T>) -> Option<u16> {
        let loan = self.free.pop()?;
        let at = usize::from(loan) * self.large_bytes;
        let to = self.large.get_mut(at..at + self.large_bytes).unwrap_or_default();
        conn.relocate(self.small.get(index * CONN_BYTES..(index + 1) * CONN_BYTES).unwrap_or_default(), to);
        Some(loan)
    }

    /// Moves `conn` back; what it still holds must fit its small buffer.
    pub(in crate::shell) fn give_back<T: Copy>(&mut self, index: usize, loan: u16, conn: &mut Conn<T>) {
        let at = usize::from(loan) * self.large_bytes;
        let from = self.large.get(at..at + self.large_bytes).unwrap_or_default();
        conn.relocate(from, self.small.get_mut(index * CONN_BYTES..(index + 1) * CONN_BYTES).unwrap_or_default());
        self.free.push(loan);
    }
}

impl<G: Gate> State<G> {
    pub(in crate::shell) fn new(port: Port<G>, limits: &Limits) -> Self {
        Self {
            port,
            slots: Vec::with_capacity(limits.conn_count),
            tasks: vec![None; limits.conn_count].into(),
            buffers: Buffers::new(limits),
            out: vec![0; OUT_BYTES].into(),
            counters: ConnCounters::default(),
            tls_count: limits.tls_conn_count,
            per_address: 0,
            free: Vec::with_capacity(limits.conn_count),
            open: 0,
            listener: None,
            tls: None,
            acceptor: None,
            sweeper: None,
            sweep_at: Instant(u64::MAX),
            idle: None,
        }
    }

    /// Ends the connection in slot `index` and makes the slot free.
    pub(in crate::shell) fn free(&mut self, index: usize, now: Instant) {
        self.end(index, now);
        self.free.push(u32::try_from(index).unwrap_or(u32::MAX));
        self.open -= 1;
        wake(&mut self.acceptor);
        if self.open == 0 {
            wake(&mut self.idle);
        }
        self.wake_task(index);
    }

    pub(in crate::shell) fn wake_task(&self, index: usize) {
        if let Some(Some(task)) = self.tasks.get(index) {
            task.wake_by_ref();
        }
    }

    /// Ends the connection in slot `index`: socket closed, ticket and loan given back.
    fn end(&mut self, index: usize, now: Instant) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if let Some(ticket) = slot.conn.ticket() {
            self.port.gate.dropped(ticket, None);
        }
        self.port.gate.closed(&slot.peer);
        slot.peer.certificate = None;
        if let Some(mut socket) = slot.socket.take()
            && slot.peer.tls
            && !slot.shut
        {
            socket.shutdown_write();
        }
        slot.conn = Conn::new(now);
        if let Some(loan) = slot.loan.take() {
            self.buffers.free.push(loan);
        }
        (slot.parked, slot.write_until, slot.shut, slot.due) = (0, None, false, false);
        (slot.crowded, slot.starved, slot.may_shake) = (false, false, false);
        (slot.until, slot.kill) = (Instant(u64::MAX), Instant(u64::MAX));
    }

    /// True when a new connection would find a slot.
    pub(in crate::shell) fn has_slot(&self, now: Instant) -> bool {
        self.may_take_free() || self.slots.iter().any(|slot| slot.may_yield() || slot.is_overdue(now))
    }

    /// A slot is free, and there may be one more connection.
    fn may_take_free(&self) -> bool {
        (!self.free.is_empty() || self.slots.len() < self.tasks.len()) && (self.tls.is_none() || self.open < self.tls_count)
    }

    /// Connections of `addr` that are not on their way out.
    fn of_address(&self, addr: IpAddr) -> impl Iterator<Item = (usize, &Slot<G::Ticket>)> {
        let key = address_key(addr);
        let theirs = move |slot: &Slot<G::Ticket>| slot.socket.is_some() && !slot.conn.is_lingering() && address_key(slot.peer.addr) == key;
        self.slots.iter().enumerate().filter(move |(_, slot)| theirs(slot))
    }

    /// Room for one more connection of `addr` under its own ceiling: its oldest idle one yields. False: it has none to yield.
    fn admit_address(&mut self, addr: IpAddr, now: Instant) -> bool {
        if self.per_address == 0 || self.of_address(addr).count() < self.per_address {
            return true;
        }
        let idle = self.of_address(addr).filter(|(_, slot)| slot.may_yield()).min_by_key(|(_, slot)| slot.conn.since());
        let Some(index) = idle.map(|(index, _)| index) else { return false };
        self.free(index, now);
        self.counters.yielded_total += 1;
        true
    }

    /// A connection may have fallen idle: the acceptor, if it waits for a slot, looks again.
    pub(in crate::shell) fn fell_idle(&mut self) {
        if !self.may_take_free() {
            wake(&mut self.acceptor);
        }
    }

    /// Has the sweeper look in time for `until`.
    pub(in crate::shell) fn watch(&mut self, until: Instant) {
        if until < self.sweep_at {
            self.sweep_at = until;
            wake(&mut self.sweeper);
        }
    }

    /// Wakes the connections whose time has run out; gives the next moment to look.
    pub(in crate::shell) fn sweep(&mut self, now: Instant) -> Instant {
        let mut next = Instant(u64::MAX);
        for (slot, task) in self.slots.iter_mut().zip(&self.tasks).filter(|(slot, _)| slot.socket.is_some()) {
            if now < slot.until {
                next = next.min(slot.until);
                continue;
            }
            slot.due = true;
            if let Some(task) = task {
                task.wake_by_ref();
            }
        }
        self.sweep_at = next;
        next
    }

    /// A slot for a new connection: a free one, else that of the idle connection that has waited longest.
    fn slot_for_new(&mut self, now: Now) -> Option<usize> {
        if self.may_take_free() {
            self.open += 1;
            let index = self.free.pop().map(|index| index as usize).unwrap_or_else(|| {
                self.slots.push(Slot::new(now.mono)); // within its capacity
                self.slots.len() - 1
            });
            return Some(index);
        }
        let oldest = |slots: &[Slot<G::Ticket>], fits: &dyn Fn(&Slot<G::Ticket>) -> bool| {
            let found = slots.iter().enumerate().filter(|(_, slot)| fits(slot));
            found.min_by_key(|(_, slot)| slot.conn.since()).map(|(index, _)| index)
        };
        if let Some(index) = oldest(&self.slots, &Slot::may_yield) {
            self.end(index, now.mono);
            self.counters.yielded_total += 1;
            return Some(index);
        }
        let index = oldest(&self.slots, &|slot| slot.is_overdue(now.mono))?;
        self.give_way(index, now);
        self.end(index, now.mono);
        Some(index)
    }

    /// Takes a large buffer back from the request that has held one longest, if that is long. False: none has.
    pub(in crate::shell) fn take_back(&mut self, now: Now) -> bool {
        let long = |slot: &Slot<G::Ticket>| slot.loan.is_some() && slot.parked == 0 && slot.conn.holds_long(now.mono);
        let found = self.slots.iter().enumerate().filter(|(_, slot)| long(slot));
        let Some((index, _)) = found.min_by_key(|(_, slot)| slot.conn.since()) else { return false };
        self.give_way(index, now);
        self.free(index, now.mono);
        true
    }

    /// Tells the slow connection in slot `index` that it ends, and why, as far as that goes at once.
    fn give_way(&mut self, index: usize, now: Now) {
        if let Some(slot) = self.slots.get_mut(index) {
            if let Some(ticket) = slot.conn.ticket() {
                self.port.gate.dropped(ticket, None);
            }
            let mut answers = Out::new(&mut self.out);
            slot.conn.fail(Fault::GaveWay, &self.port.settings, now, &mut answers);
            // What does not go at once is lost with the connection.
            let _ = slot.socket.as_mut().map(|socket| socket.write(answers.filled()));
        }
        self.counters.overdue_total += 1;
    }

    /// Accepts one connection.
    pub(in crate::shell) fn accept_one(&mut self, at: Now) -> Accepted {
        let now = at.mono;
        let Some(listener) = &self.listener else { return Accepted::Closed };
        // There is a place for it before it leaves the kernel.
        if !self.has_slot(now) {
            return Accepted::NoSlot;
        }
        let (stream, addr) = match listener.accept() {
            Ok(found) => found,
            Err(error) => return Accepted::of(&error),
        };
        let Ok(session) = self.tls.as_ref().map(ServerTls::session).transpose() else { return Accepted::Paused };
        let tls = session.is_some();
        let Ok(socket) = Socket::new(stream, session) else { return Accepted::Paused };
        let admitted = self.admit_address(addr, now);
        let Some(index) = self.slot_for_new(at) else { return Accepted::NoSlot };
        self.counters.accepted_total += 1;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.conn = Conn::new(now);
            slot.socket = Some(socket);
            slot.crowded = !admitted;
            slot.peer = Peer { connection: self.counters.accepted_total, ..Peer::new(addr, tls) };
        }
        self.wake_task(index);
        Accepted::One
    }
}

/// How an attempt to accept ended.
pub(in crate::shell) enum Accepted {
    One,
    /// None is waiting.
    None,
    /// All slots are taken by connections that are at work.
    NoSlot,
    /// Out of descriptors or memory.
    Paused,
    /// The port is closed.
    Closed,
}

impl Accepted {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock => Self::None,
            // The client was gone before it was accepted (accept(2) lists what a network may report): on to the next.
            io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionReset => Self::One,
            _ => Self::Paused,
        }
    }
}

/// What counts as one address: an IPv6 network of 64 bits is one customer's.
fn address_key(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6) & !u128::from(u64::MAX) | 1 << 63,
    }
}
