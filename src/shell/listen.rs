//! The data port: slots for connections, one acceptor, and the sweeper that keeps their deadlines.
//!
//! [`DataPort::start`] makes `limits.connCount` slots and as many parked tasks; nothing is spawned or allocated per
//! connection after that (async-io's own registration apart). The acceptor puts a socket into the slot that was free last
//! and wakes that slot's task ([`serve`] is what it runs). Slots, buffers and loans are arrays of their own,
//! handed out last-in first-out, so what was never needed costs no page.
//!
//! No slot free: the idle connection that has waited longest yields; with nothing idle, the one whose head or body has taken longest,
//! once that is longer than a working network explains ([`Conn::is_overdue`]); else accepting pauses, as it does when the process is
//! out of descriptors. The port opens and closes at run time; closed, its address refuses connections.

use std::{
    cell::RefCell,
    fmt,
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use smol::LocalExecutor;

use super::{
    net::{Clock, Deadline, Interest, Listener, Socket},
    serve,
    tls::ServerTls,
};
use crate::{
    limits::{CONN_BYTES, HEAD_BYTES, Limits},
    time::{Instant, Now},
    wire::{
        conn::{Conn, DeadlineKeys, Deadlines, Fault, SLACK_BYTES, Settings},
        counters::{ConnCounters, Counters},
        reply::Out,
        turn::{OUT_BYTES, Port},
        verdict::{Gate, Peer},
    },
};

/// How long requests in flight may take once the port closes.
pub const CLOSE_GRACE: Duration = Duration::from_millis(500);
/// Deadlines are not looked at more often than this.
const SWEEP_MIN: Duration = Duration::from_millis(10);
/// How long accepting pauses when descriptors or memory have run out.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections accepted before others get their turn.
const ACCEPT_BUDGET: usize = 64;

/// What the data port allows its connections.
#[must_use]
pub const fn settings(limits: &Limits, deadlines: Deadlines) -> Settings {
    Settings {
        body_bytes: limits.body_bytes,
        body_key: "limits.bodyBytes",
        require_length: true,
        refuse_dots: true,
        deadlines,
        keys: DeadlineKeys::DATA,
    }
}

/// The data port in front of a gate. Cheap to clone; all clones are the same port. It lives on one thread.
pub struct DataPort<G: Gate> {
    inner: Rc<Inner<G>>,
}

impl<G: Gate> Clone for DataPort<G> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

impl<G: Gate> fmt::Debug for DataPort<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataPort").finish_non_exhaustive()
    }
}

impl<G: Gate + 'static> DataPort<G> {
    /// Takes all memory the port will ever need and spawns its tasks on `executor`; it listens to nothing yet.
    #[must_use]
    pub fn start(gate: G, settings: Settings, limits: &Limits, clock: Clock, executor: &LocalExecutor<'static>) -> Self {
        let state = State::new(Port::new(gate, settings), limits);
        let inner = Rc::new(Inner { clock, state: RefCell::new(state) });
        for index in 0..limits.conn_count {
            executor.spawn(serve::attend(Rc::clone(&inner), index)).detach();
        }
        executor.spawn(accept(Rc::clone(&inner))).detach();
        executor.spawn(sweep(Rc::clone(&inner))).detach();
        Self { inner }
    }

    /// Listens at `addr`, encrypted with `tls`. A port that is open moves there, its connections stay. Gives the address
    /// in force (port 0 is any free one).
    ///
    /// # Errors
    /// As [`Listener::bind`]; what was open stays open.
    pub fn listen(&self, addr: SocketAddr, tls: Option<ServerTls>) -> io::Result<SocketAddr> {
        let listener = Listener::bind(addr)?;
        let addr = listener.addr()?;
        let state = &mut *self.inner.state.borrow_mut();
        state.listener = Some(listener);
        state.tls = tls;
        wake(&mut state.acceptor);
        Ok(addr)
    }

    /// Uses another certificate for connections from now on; those that stand keep theirs.
    pub fn set_tls(&self, tls: Option<ServerTls>) {
        self.inner.state.borrow_mut().tls = tls;
    }

    /// The certificate that new connections get; `None` while the port is closed or speaks plain HTTP.
    #[must_use]
    pub fn tls(&self) -> Option<ServerTls> {
        let state = self.inner.state.borrow();
        state.tls.clone().filter(|_| state.listener.is_some())
    }

    /// Bounds the connections that one address has at once, an IPv6 address counted by its /64; 0: any number.
    pub fn set_per_address(&self, count: usize) {
        self.inner.state.borrow_mut().per_address = count;
    }

    /// Where the port listens; `None` while it is closed.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.inner.state.borrow().listener.as_ref().and_then(|listener| listener.addr().ok())
    }

    /// Stops listening at once, closes idle connections, and gives requests in flight `grace` to be answered; their answers
    /// say that the connection ends. [`DataPort::idle`] waits for it.
    pub fn close(&self, grace: Duration) {
        let now = self.inner.clock.mono();
        let state = &mut *self.inner.state.borrow_mut();
        state.listener = None;
        wake(&mut state.acceptor);
        for index in 0..state.slots.len() {
            let Some(slot) = state.slots.get_mut(index) else { continue };
            if slot.socket.is_none() {
                continue;
            }
            slot.conn.close_soon();
            slot.kill = now.after(grace);
            slot.until = slot.until.min(slot.kill);
            let until = slot.until;
            if slot.may_yield() {
                state.free(index, now);
            } else {
                state.watch(until);
            }
        }
    }

    /// Waits until no connection is open.
    pub async fn idle(&self) {
        poll_fn(|cx| {
            let mut state = self.inner.state.borrow_mut();
            if state.open == 0 {
                return Poll::Ready(());
            }
            set_waker(&mut state.idle, cx);
            Poll::Pending
        })
        .await;
    }

    /// Looks at, or changes, what stands behind the port; not to be called from inside the gate.
    pub fn with_gate<R>(&self, f: impl FnOnce(&mut G) -> R) -> R {
        f(&mut self.inner.state.borrow_mut().port.gate)
    }

    /// The gate has found something out: requests that wait for it are judged again.
    pub fn wake_held(&self) {
        let state = &mut *self.inner.state.borrow_mut();
        for (slot, task) in state.slots.iter_mut().zip(&state.tasks).filter(|(slot, _)| slot.conn.is_held()) {
            slot.due = true;
            if let Some(task) = task {
                task.wake_by_ref();
            }
        }
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> Rc<Inner<G>> {
        Rc::clone(&self.inner)
    }

    /// Connections that are open.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.inner.state.borrow().open
    }

    /// What the wire and the acceptor counted.
    #[must_use]
    pub fn counters(&self) -> (Counters, ConnCounters) {
        let state = self.inner.state.borrow();
        (state.port.counters.clone(), state.counters)
    }

    /// Counts a certificate that was read again, or could not be.
    pub fn count_reload(&self, worked: bool) {
        let counters = &mut self.inner.state.borrow_mut().counters;
        counters.tls_reloads_total += u64::from(worked);
        counters.tls_reloads_failed_total += u64::from(!worked);
    }
}

/// What the tasks of a port share.
pub(super) struct Inner<G: Gate> {
    pub(super) clock: Clock,
    /// Borrowed within one call, never across a wait.
    pub(super) state: RefCell<State<G>>,
}

pub(super) struct State<G: Gate> {
    pub(super) port: Port<G>,
    /// Those that were used so far; there is room for all.
    pub(super) slots: Vec<Slot<G::Ticket>>,
    /// The task of each slot, used or not.
    tasks: Box<[Option<Waker>]>,
    /// Receive buffers, [`CONN_BYTES`] for each slot, and the larger ones that are lent.
    pub(super) buffers: Buffers,
    /// Where the answers of one turn are written before they are sent.
    pub(super) out: Box<[u8]>,
    pub(super) counters: ConnCounters,
    /// Connections while TLS is spoken.
    tls_count: usize,
    /// Connections of one address; 0: any number.
    per_address: usize,
    free: Vec<u32>,
    open: usize,
    listener: Option<Listener>,
    tls: Option<ServerTls>,
    acceptor: Option<Waker>,
    sweeper: Option<Waker>,
    /// When the sweeper looks next.
    sweep_at: Instant,
    idle: Option<Waker>,
}

/// A place for one connection.
pub(super) struct Slot<T> {
    pub(super) socket: Option<Socket>,
    pub(super) conn: Conn<T>,
    pub(super) peer: Peer,
    /// When the task is woken even if the socket stays silent.
    pub(super) until: Instant,
    /// When the connection ends whatever it does: the port closes.
    pub(super) kill: Instant,
    /// Bytes of answers at the end of the buffer that the kernel has not taken yet.
    pub(super) parked: u32,
    /// When the client must have taken its answers, while some are held back.
    pub(super) write_until: Option<Instant>,
    pub(super) loan: Option<u16>,
    /// Our side is shut down, the peer's is still read.
    pub(super) shut: bool,
    /// Its address had too many connections when it came: it is told so and closed.
    pub(super) crowded: bool,
    /// It found no large buffer, and none could be taken back yet.
    pub(super) starved: bool,
    due: bool,
}

/// Bytes that a place for a connection takes, with its task's waker and its place among the free ones.
#[must_use]
pub const fn slot_bytes<T>() -> usize {
    size_of::<Slot<T>>() + size_of::<Option<Waker>>() + size_of::<u32>()
}

impl<T: Copy> Slot<T> {
    fn new(now: Instant) -> Self {
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
            due: false,
        }
    }

    /// Its connection is idle, so a new one may take its place.
    fn may_yield(&self) -> bool {
        self.socket.is_some() && self.parked == 0 && self.conn.is_idle()
    }

    /// Its connection is so slow that a new one may take its place when no idle one can.
    fn is_overdue(&self, now: Instant) -> bool {
        self.socket.is_some() && self.parked == 0 && self.conn.is_overdue(now)
    }
}

pub(super) struct Buffers {
    small: Vec<u8>,
    large: Vec<u8>,
    large_bytes: usize,
    free: Vec<u16>,
}

impl Buffers {
    fn new(limits: &Limits) -> Self {
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
    pub(super) fn of(&mut self, index: usize, loan: Option<u16>) -> &mut [u8] {
        match loan {
            None => self.small.get_mut(index * CONN_BYTES..(index + 1) * CONN_BYTES).unwrap_or_default(),
            Some(loan) => {
                let at = usize::from(loan) * self.large_bytes;
                self.large.get_mut(at..at + self.large_bytes).unwrap_or_default()
            }
        }
    }

    /// Moves `conn` of slot `index` into a large buffer, if one is free.
    pub(super) fn lend<T: Copy>(&mut self, index: usize, conn: &mut Conn<T>) -> Option<u16> {
        let loan = self.free.pop()?;
        let at = usize::from(loan) * self.large_bytes;
        let to = self.large.get_mut(at..at + self.large_bytes).unwrap_or_default();
        conn.relocate(self.small.get(index * CONN_BYTES..(index + 1) * CONN_BYTES).unwrap_or_default(), to);
        Some(loan)
    }

    /// Moves `conn` back; what it still holds must fit its small buffer.
    pub(super) fn give_back<T: Copy>(&mut self, index: usize, loan: u16, conn: &mut Conn<T>) {
        let at = usize::from(loan) * self.large_bytes;
        let from = self.large.get(at..at + self.large_bytes).unwrap_or_default();
        conn.relocate(from, self.small.get_mut(index * CONN_BYTES..(index + 1) * CONN_BYTES).unwrap_or_default());
        self.free.push(loan);
    }
}

impl<G: Gate> State<G> {
    fn new(port: Port<G>, limits: &Limits) -> Self {
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
    pub(super) fn free(&mut self, index: usize, now: Instant) {
        self.end(index, now);
        self.free.push(u32::try_from(index).unwrap_or(u32::MAX));
        self.open -= 1;
        wake(&mut self.acceptor);
        if self.open == 0 {
            wake(&mut self.idle);
        }
        self.wake_task(index);
    }

    fn wake_task(&self, index: usize) {
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
        (slot.crowded, slot.starved) = (false, false);
        (slot.until, slot.kill) = (Instant(u64::MAX), Instant(u64::MAX));
    }

    /// True when a new connection would find a slot.
    fn has_slot(&self, now: Instant) -> bool {
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
    pub(super) fn fell_idle(&mut self) {
        if !self.may_take_free() {
            wake(&mut self.acceptor);
        }
    }

    /// Has the sweeper look in time for `until`.
    pub(super) fn watch(&mut self, until: Instant) {
        if until < self.sweep_at {
            self.sweep_at = until;
            wake(&mut self.sweeper);
        }
    }

    /// Wakes the connections whose time has run out; gives the next moment to look.
    fn sweep(&mut self, now: Instant) -> Instant {
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
    pub(super) fn take_back(&mut self, now: Now) -> bool {
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
    fn accept_one(&mut self, at: Now) -> Accepted {
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

impl<G: Gate> Inner<G> {
    /// Ready once slot `index` holds a socket.
    pub(super) fn poll_assigned(&self, index: usize, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        if let Some(task) = state.tasks.get_mut(index) {
            set_waker(task, cx);
        }
        let assigned = state.slots.get(index).is_some_and(|slot| slot.socket.is_some());
        if assigned { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ready once the connection in slot `index` should have a turn whatever its socket says, or it has gone.
    pub(super) fn poll_due(&self, index: usize, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        if let Some(task) = state.tasks.get_mut(index) {
            set_waker(task, cx);
        }
        let Some(slot) = state.slots.get_mut(index) else { return Poll::Pending };
        if core::mem::take(&mut slot.due) || slot.socket.is_none() || !slot.conn.is_held() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ready once the socket in slot `index` is, or its time has run out, or it has gone.
    pub(super) fn poll_ready(&self, index: usize, interest: Interest, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.slots.get_mut(index) else { return Poll::Pending };
        let Some(socket) = &mut slot.socket else { return Poll::Ready(()) };
        if core::mem::take(&mut slot.due) {
            return Poll::Ready(());
        }
        let ready = socket.poll_ready(interest, cx);
        if ready.is_ready() {
            socket.refreshed();
        }
        ready
    }
}

/// How an attempt to accept ended.
enum Accepted {
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

/// The one task that takes connections from the kernel.
async fn accept<G: Gate>(inner: Rc<Inner<G>>) {
    loop {
        poll_fn(|cx| poll_listener(&inner, cx)).await;
        let (mut pause, mut more) = (false, true);
        for _ in 0..ACCEPT_BUDGET {
            let now = inner.clock.now();
            let accepted = inner.state.borrow_mut().accept_one(now);
            match accepted {
                Accepted::One => {}
                Accepted::None | Accepted::Closed => {
                    more = false;
                    break;
                }
                Accepted::NoSlot => {
                    inner.state.borrow_mut().counters.full_total += 1;
                    // Time alone can make room too, when a connection becomes overdue.
                    let mut deadline = Deadline::after(PAUSE);
                    poll_fn(|cx| if poll_slot(&inner, cx).is_ready() { Poll::Ready(()) } else { deadline.poll(cx) }).await;
                    break;
                }
                Accepted::Paused => {
                    inner.state.borrow_mut().counters.paused_total += 1;
                    pause = true;
                    break;
                }
            }
        }
        if pause {
            Deadline::after(PAUSE).wait().await;
        } else if more {
            smol::future::yield_now().await;
        }
    }
}

/// Ready once the port is open and the kernel has reported a connection.
fn poll_listener<G: Gate>(inner: &Inner<G>, cx: &mut Context<'_>) -> Poll<()> {
    let state = &mut *inner.state.borrow_mut();
    set_waker(&mut state.acceptor, cx);
    match &state.listener {
        Some(listener) => listener.poll_accept(cx),
        None => Poll::Pending,
    }
}

/// Ready once a slot may be had, or the port was closed.
fn poll_slot<G: Gate>(inner: &Inner<G>, cx: &mut Context<'_>) -> Poll<()> {
    let state = &mut *inner.state.borrow_mut();
    set_waker(&mut state.acceptor, cx);
    if state.listener.is_none() || state.has_slot(inner.clock.mono()) { Poll::Ready(()) } else { Poll::Pending }
}

/// The one task that looks at deadlines. It sleeps until the nearest one, or for good while there is none.
async fn sweep<G: Gate>(inner: Rc<Inner<G>>) {
    let mut deadline = Deadline::never();
    loop {
        let now = inner.clock.mono();
        let next = inner.state.borrow_mut().sweep(now);
        inner.clock.rearm(&mut deadline, next.max(now.after(SWEEP_MIN)));
        poll_fn(|cx| {
            let state = &mut *inner.state.borrow_mut();
            set_waker(&mut state.sweeper, cx);
            if state.sweep_at < next { Poll::Ready(()) } else { deadline.poll(cx) }
        })
        .await;
    }
}

/// What counts as one address: an IPv6 network of 64 bits is one customer's.
fn address_key(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6) & !u128::from(u64::MAX) | 1 << 63,
    }
}

fn set_waker(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}

fn wake(place: &mut Option<Waker>) {
    if let Some(waker) = place {
        waker.wake_by_ref();
    }
}
