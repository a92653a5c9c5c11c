//! A bell between tasks of one thread: whoever waits is woken, and a ring that nobody heard is kept.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// See the module text.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Bell {
    /// Rings: the waiting task goes on, or the next wait ends at once.
    pub fn ring(&self) {
        self.rung.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Waits for a ring. One task waits at a time.
    pub async fn heard(&self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    /// Ready after a ring; else the task is woken by the next.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.rung.replace(false) {
            return Poll::Ready(());
        }
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_before_the_wait_is_kept() {
        let bell = Bell::default();
        bell.ring();
        bell.ring();
        smol::block_on(bell.heard());
        assert!(!bell.rung.get());
    }
}
