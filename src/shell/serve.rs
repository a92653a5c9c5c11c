//! What a connection of the data port does with its time: read, let the core take a turn, send, wait.
//!
//! [`attend`] is the task of one slot. All it keeps across a wait is which slot it is; everything between two waits is
//! [`Inner::turn`], which never waits itself. A connection that always finds data gives way after [`BUDGET`] reads or sends.
//! Answers that the kernel does not take at once are parked at the end of the connection's own buffer, and nothing more is
//! read until they have left.

use std::{io, rc::Rc, time::Duration};

use super::{
    listen::{Inner, Slot, State},
    net::Interest,
};
use crate::{
    limits::CONN_BYTES,
    time::{Instant, Now},
    wire::{conn::Fault, reply::Out, turn::Turn, verdict::Gate},
};

/// Reads and sends of one connection before others get their turn: few enough that the connections which are busy at once
/// cannot fill a queue before a rule has seen any of it.
const BUDGET: usize = 2;

/// What a task does after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Wait for the socket.
    Wait(Interest),
    /// Let the others have their turn first.
    Yield,
    /// Wait until the gate has found something out.
    Hold,
    /// Wait in the line of those that want a step of their TLS handshake.
    Line,
    /// A large buffer has to be found first.
    Starved,
    /// The connection is gone.
    Parked,
}

/// The task of slot `index`.
pub(super) async fn attend<G: Gate>(inner: Rc<Inner<G>>, index: usize) {
    loop {
        std::future::poll_fn(|cx| inner.poll_assigned(index, cx)).await;
        loop {
            match inner.turn(index) {
                Next::Wait(interest) => std::future::poll_fn(|cx| inner.poll_ready(index, interest, cx)).await,
                Next::Hold => std::future::poll_fn(|cx| inner.poll_due(index, cx)).await,
                Next::Yield | Next::Starved => inner.tasks.give_way().await,
                Next::Line => {
                    let (connection, mut turn) = (inner.connection(index), inner.tasks.turn());
                    std::future::poll_fn(|cx| inner.poll_turn(index, connection, &mut turn, cx)).await;
                }
                Next::Parked => break,
            }
        }
    }
}

impl<G: Gate> Inner<G> {
    /// Does everything for the connection in slot `index` that can be done without waiting.
    fn turn(&self, index: usize) -> Next {
        let mut state = self.state.borrow_mut();
        let now = self.clock.now();
        state.counters.turns_total += 1;
        match state.advance(index, now) {
            Ok(next @ (Next::Wait(_) | Next::Hold | Next::Line)) => {
                let until = state.slots.get(index).map_or(Instant(u64::MAX), |slot| slot.until);
                state.watch(until);
                next
            }
            Ok(Next::Starved) => {
                if let Some(slot) = state.slots.get_mut(index) {
                    slot.starved = true;
                }
                // Whether or not: the next turn finds a buffer or says that there is none.
                state.take_back(now);
                Next::Yield
            }
            Ok(next) => {
                state.counters.gave_way_total += u64::from(next == Next::Yield);
                next
            }
            Err(_) => {
                state.counters.broken_total += 1;
                state.free(index, now.mono);
                Next::Parked
            }
        }
    }
}

impl<G: Gate> State<G> {
    fn advance(&mut self, index: usize, now: Now) -> io::Result<Next> {
        let Self { port, slots, buffers, out, counters, .. } = self;
        let Some(slot) = slots.get_mut(index) else { return Ok(Next::Parked) };
        if slot.socket.is_none() {
            return Ok(Next::Parked);
        }
        if now.mono >= slot.kill {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if let Some(socket) = slot.socket.as_mut().filter(|socket| socket.is_handshaking()) {
            if slot.crowded {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let until = slot.conn.since().after(port.settings.deadlines.handshake).min(slot.kill);
            let step = match socket.begun() {
                Ok(()) if core::mem::take(&mut slot.may_shake) => socket.handshake(),
                Ok(()) if now.mono < until => {
                    slot.until = until;
                    return Ok(Next::Line);
                }
                Ok(()) => Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => Err(error),
            };
            match step {
                Ok(()) => {
                    counters.tls_handshakes_total += 1;
                    slot.peer.certificate = socket.certificate();
                    slot.conn.begin(now.mono);
                    // It took as long as many requests do.
                    return Ok(Next::Yield);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if now.mono >= until {
                        counters.tls_timeout_total += 1;
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    slot.until = until;
                    return Ok(self.rest(index));
                }
                // Plain HTTP is told so, in plain HTTP.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    counters.tls_plain_total += 1;
                    socket.speak_plain();
                    slot.peer.tls = false;
                    let mut answers = Out::new(out);
                    port.fail(&mut slot.conn, Fault::Plain, now, &mut answers);
                    // A few hundred bytes into an empty send buffer: all or, on a broken connection, nothing.
                    socket.write(answers.filled())?;
                }
                Err(error) => {
                    counters.tls_failed_total += 1;
                    return Err(error);
                }
            }
        }
        if core::mem::take(&mut slot.crowded)
            && let Some(socket) = &mut slot.socket
        {
            let mut answers = Out::new(out);
            port.fail(&mut slot.conn, Fault::TooManyFromAddress, now, &mut answers);
            socket.write(answers.filled())?;
        }
        let write = port.settings.deadlines.write;
        let mut budget = BUDGET;
        loop {
            let Some(socket) = &mut slot.socket else { return Ok(Next::Parked) };
            // First what is left of earlier answers.
            if slot.parked > 0 {
                let buf = buffers.of(index, slot.loan);
                let rest = buf.get(buf.len() - slot.parked as usize..).unwrap_or_default();
                match socket.write(rest) {
                    Ok(n) => slot.parked -= u32::try_from(n).unwrap_or(slot.parked),
                    Err(error) => return blocked(slot, &error, now.mono, write),
                }
                continue;
            }
            if let Err(error) = socket.flush() {
                return blocked(slot, &error, now.mono, write);
            }
            slot.write_until = None;

            let mut answers = Out::new(out);
            let mut turn = port.turn(&mut slot.conn, buffers.of(index, slot.loan), &slot.peer, now, &mut answers);
            if turn == Turn::Grow {
                // A connection that has a loan has all there is.
                match if slot.loan.is_none() { buffers.lend(index, &mut slot.conn) } else { None } {
                    Some(loan) => {
                        counters.lent_total += 1;
                        (slot.loan, slot.starved) = (Some(loan), false);
                    }
                    // What was answered before goes out first.
                    None if slot.loan.is_none() && !answers.filled().is_empty() => {}
                    None if slot.loan.is_none() && !slot.starved => return Ok(Next::Starved),
                    None => port.fail(&mut slot.conn, Fault::NoRoom, now, &mut answers),
                }
                turn = Turn::Flush;
            }
            // A head that fills the small buffer needs the large one still.
            if let (Some(loan), Some(left)) = (slot.loan, slot.conn.between_messages())
                && left < CONN_BYTES
            {
                buffers.give_back(index, loan, &mut slot.conn);
                slot.loan = None;
            }
            if !answers.filled().is_empty() {
                let mut rest = answers.filled();
                while !rest.is_empty() {
                    match socket.write(rest) {
                        Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error),
                    }
                }
                if !rest.is_empty() {
                    if slot.loan.is_none() && slot.conn.space(buffers.of(index, None)).len() < rest.len() {
                        slot.loan = buffers.lend(index, &mut slot.conn);
                    }
                    let space = slot.conn.space(buffers.of(index, slot.loan));
                    let Some(at) = space.len().checked_sub(rest.len()) else { return Err(io::ErrorKind::WriteZero.into()) };
                    space.get_mut(at..).unwrap_or_default().copy_from_slice(rest);
                    slot.parked = u32::try_from(rest.len()).unwrap_or(0);
                    continue;
                }
                budget = budget.saturating_sub(1);
            }

            match turn {
                Turn::Close => {
                    if let Err(error) = socket.flush() {
                        return blocked(slot, &error, now.mono, write);
                    }
                    self.free(index, now.mono);
                    return Ok(Next::Parked);
                }
                Turn::Flush | Turn::Grow => {}
                Turn::Hold { until } => {
                    slot.until = until.min(slot.kill);
                    return Ok(Next::Hold);
                }
                Turn::Wait { until } => {
                    slot.until = until.min(slot.kill);
                    if slot.conn.is_lingering() && !slot.shut {
                        socket.shutdown_write();
                        slot.shut = true;
                    }
                    if socket.is_drained() {
                        return Ok(self.rest(index));
                    }
                    if budget == 0 {
                        return Ok(Next::Yield);
                    }
                    // What is only thrown away needs no place of its own, and more of it goes at once.
                    let lingering = slot.conn.is_lingering();
                    let space = if lingering { &mut out[..] } else { slot.conn.space(buffers.of(index, slot.loan)) };
                    match socket.read(space) {
                        Ok(1..) if lingering => {}
                        Ok(0) => slot.conn.eof(),
                        Ok(n) => slot.conn.filled(n, now.mono),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(self.rest(index)),
                        Err(error) => return Err(error),
                    }
                    budget -= 1;
                }
            }
            if budget == 0 {
                return Ok(Next::Yield);
            }
        }
    }

    /// The connection waits for more to read; if it is idle, it is a candidate to yield.
    fn rest(&mut self, index: usize) -> Next {
        if self.slots.get(index).is_some_and(|slot| slot.conn.is_idle()) {
            self.fell_idle();
        }
        Next::Wait(Interest::Read)
    }
}

/// Answers could not leave: wait for the socket, or give up once the write deadline has passed.
fn blocked<T>(slot: &mut Slot<T>, error: &io::Error, now: Instant, write: Duration) -> io::Result<Next> {
    let until = *slot.write_until.get_or_insert(now.after(write));
    if error.kind() != io::ErrorKind::WouldBlock || now >= until {
        return Err(error.kind().into());
    }
    slot.until = until.min(slot.kill);
    Ok(Next::Wait(Interest::Write))
}

#[cfg(test)]
mod tests;
