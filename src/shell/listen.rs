//! The data port: slots for connections, one acceptor, and the sweeper that keeps their deadlines.
//!
//! [`DataPort::start`] makes `limits.connCount` slots and as many parked tasks; nothing is spawned or allocated per
//! connection after that (async-io's own registration apart). The acceptor puts a socket into the slot that was free last
//! and wakes that slot's task ([`serve`] is what it runs). Slots, buffers and loans are arrays of their own,
//! handed out last-in first-out, so what was never needed costs no page.
//!
//! No slot free: the idle connection that has waited longest yields; with nothing idle, the one whose head or body has taken longest,
//! once that is longer than a working network explains ([`Conn::is_overdue`](crate::wire::conn::Conn::is_overdue)); else accepting
//! pauses, as it does when the process is out of descriptors. The port opens and closes at run time; closed, its address refuses
//! connections.

use std::{
    cell::RefCell,
    fmt,
    future::{Future as _, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{
    net::{Clock, Deadline, Interest, Listener},
    poller::{Tasks, Turn},
    serve,
    tls::ServerTls,
};
use crate::{
    limits::Limits,
    wire::{
        conn::{DeadlineKeys, Deadlines, Settings},
        counters::{ConnCounters, Counters},
        turn::Port,
        verdict::Gate,
    },
};

mod slots;

use slots::Accepted;
pub use slots::slot_bytes;
pub(super) use slots::{Slot, State};

/// How long requests in flight may take once the port closes.
pub const CLOSE_GRACE: Duration = Duration::from_millis(500);
/// Deadlines are not looked at more often than this.
const SWEEP_MIN: Duration = Duration::from_millis(10);
/// How long accepting pauses when descriptors or memory have run out.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections accepted before others get their turn.
const ACCEPT_BUDGET: usize = 16;

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
    /// Takes all memory the port will ever need and starts its tasks; it listens to nothing yet.
    #[must_use]
    pub fn start(gate: G, settings: Settings, limits: &Limits, clock: Clock, tasks: &Rc<Tasks>) -> Self {
        let state = State::new(Port::new(gate, settings), limits);
        let inner = Rc::new(Inner { clock, tasks: Rc::clone(tasks), state: RefCell::new(state) });
        for index in 0..limits.conn_count {
            tasks.spawn(serve::attend(Rc::clone(&inner), index)).detach();
        }
        tasks.spawn(accept(Rc::clone(&inner))).detach();
        tasks.spawn(sweep(Rc::clone(&inner))).detach();
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
    pub(super) tasks: Rc<Tasks>,
    /// Borrowed within one call, never across a wait.
    pub(super) state: RefCell<State<G>>,
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

    /// The number of the connection in slot `index`.
    pub(super) fn connection(&self, index: usize) -> u64 {
        self.state.borrow().slots.get(index).map_or(0, |slot| slot.peer.connection)
    }

    /// Ready once it is the turn of `connection` in slot `index`, or its time has run out, or it has gone.
    pub(super) fn poll_turn(&self, index: usize, connection: u64, turn: &mut Turn<'_>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.slots.get_mut(index) else { return Poll::Pending };
        if slot.socket.is_none() || slot.peer.connection != connection || core::mem::take(&mut slot.due) {
            return Poll::Ready(());
        }
        let ready = Pin::new(turn).poll(cx);
        slot.may_shake = ready.is_ready();
        ready
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
            inner.tasks.give_way().await;
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
