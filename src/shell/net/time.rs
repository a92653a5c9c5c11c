//! The clock that sockets and tasks go by, and moments that can be waited for.

use std::{
    future::{Future as _, poll_fn},
    io,
    os::fd::OwnedFd,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant as StdInstant, SystemTime, UNIX_EPOCH},
};

use async_io::{Async, Timer};
use rustix::{
    io::Errno,
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime},
};

use crate::time::{Instant, Now, Timestamp};

/// Reads both clocks, for everything that takes time as an argument.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: StdInstant,
}

impl Clock {
    /// A clock whose monotonic reading begins at zero now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: StdInstant::now() }
    }

    /// Both readings.
    #[must_use]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: self.mono(), wall: Timestamp(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)) }
    }

    /// The monotonic reading alone.
    #[must_use]
    pub fn mono(&self) -> Instant {
        Instant(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// A deadline at `at`.
    #[must_use]
    pub fn deadline(&self, at: Instant) -> Deadline {
        if at == Instant(u64::MAX) { Deadline::never() } else { Deadline { at: Some(at), ..Deadline::after(at.since(self.mono())) } }
    }

    /// Moves `deadline` to `at`; costs nothing when it stands there already.
    pub fn rearm(&self, deadline: &mut Deadline, at: Instant) {
        if deadline.at == Some(at) && !deadline.passed {
            return;
        }
        match &deadline.wait {
            Wait::File(timer) if at < Instant(u64::MAX) && arm(timer.get_ref(), at.since(self.mono())).is_ok() => {
                deadline.at = Some(at);
                deadline.passed = false;
            }
            _ => *deadline = self.deadline(at),
        }
    }
}

/// A moment that can be waited for; once it has come, it stays.
///
/// It is a timer of the kernel's, watched like a socket: one of async-io's own timers, whoever waits for it, would cost every
/// turn of the reactor an allocation. Who waits again and again keeps one and moves it ([`Clock::rearm`]).
#[derive(Debug)]
pub struct Deadline {
    wait: Wait,
    at: Option<Instant>,
    passed: bool,
}

#[derive(Debug)]
enum Wait {
    Never,
    File(Async<OwnedFd>),
    /// Out of descriptors.
    Timer(Timer),
}

impl Deadline {
    /// One that never comes.
    #[must_use]
    pub const fn never() -> Self {
        Self { wait: Wait::Never, at: Some(Instant(u64::MAX)), passed: false }
    }

    /// One that comes after `time`.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        let file = || {
            let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            arm(&timer, time)?;
            Async::new_nonblocking(timer)
        };
        let wait = file().map_or_else(|_| Wait::Timer(Timer::after(time)), Wait::File);
        Self { wait, at: None, passed: false }
    }

    /// Ready once the moment has come.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.passed {
            match &mut self.wait {
                Wait::Never => return Poll::Pending,
                Wait::Timer(timer) => self.passed = Pin::new(timer).poll(cx).is_ready(),
                Wait::File(timer) if timer.poll_readable(cx).is_ready() => {
                    // Nothing to read: it was moved after it had come. An error that no timer reports must not be waited out.
                    self.passed = !matches!(rustix::io::read(timer.get_ref(), &mut [0; 8]), Err(Errno::AGAIN | Errno::INTR));
                    continue;
                }
                Wait::File(_) => {}
            }
            if !self.passed {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Waits for it.
    pub async fn wait(&mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}

/// Sets a kernel timer to go off once, after `time`.
fn arm(timer: &OwnedFd, time: Duration) -> io::Result<()> {
    // All zero would switch it off.
    let time = time.clamp(Duration::from_nanos(1), Duration::from_secs(1 << 30));
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    let it_value = Timespec::try_from(time).map_err(|_| io::ErrorKind::InvalidInput)?;
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: zero, it_value })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks() {
        let clock = Clock::start();
        let first = clock.now();
        assert!(clock.mono() >= first.mono && first.wall.0 > 1_700_000_000_000);
        smol::block_on(clock.deadline(clock.mono().after(Duration::from_millis(5))).wait());
        assert!(clock.mono().since(first.mono) >= Duration::from_millis(5));
        // One that has passed comes at once; rearmed, it comes again, or never.
        let mut deadline = clock.deadline(first.mono);
        smol::block_on(deadline.wait());
        smol::block_on(deadline.wait());
        clock.rearm(&mut deadline, clock.mono().after(Duration::from_millis(5)));
        smol::block_on(deadline.wait());
        assert!(clock.mono().since(first.mono) >= Duration::from_millis(10));
        clock.rearm(&mut deadline, Instant(u64::MAX));
        let polled = smol::block_on(poll_fn(|cx| Poll::Ready(deadline.poll(cx))));
        assert_eq!(polled, Poll::Pending);
        clock.rearm(&mut deadline, clock.mono());
        smol::block_on(deadline.wait());
    }
}
