//! Keeps the reactor with the thread that serves.
//!
//! async-io polls the kernel in whichever thread comes first: the one in `block_on`, or a helper thread of its own. Once the helper has
//! the lead, as it does after an idle spell, it wakes the serving thread for every few events, which then never runs out of work and so
//! never polls again: two `epoll_ctl` calls per request instead of one, and twenty times the waits. [`Polling`] comes back once after
//! each wake, and then `block_on` looks at the reactor without waiting; the helper sees that somebody polls and goes back to sleep.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use smol::future::FutureExt as _;

/// `F`, polled once more after each time that it was woken.
#[derive(Debug)]
pub struct Polling<F> {
    inner: F,
    /// This poll is the one that we asked for.
    again: bool,
}

impl<F: Future + Unpin> Polling<F> {
    /// Wraps what `block_on` runs.
    pub const fn new(inner: F) -> Self {
        Self { inner, again: false }
    }
}

impl<F: Future + Unpin> Future for Polling<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let done = self.inner.poll(cx);
        self.again = !self.again && done.is_pending();
        if self.again {
            cx.waker().wake_by_ref();
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn every_second_poll_asks_for_another() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Arc::clone(&count).into();
        let mut cx = Context::from_waker(&waker);
        let mut polling = Polling::new(core::future::pending::<()>());
        for woken in [1, 1, 2, 2, 3] {
            assert!(polling.poll(&mut cx).is_pending());
            assert_eq!(count.0.load(Ordering::Relaxed), woken);
        }
        let mut ready = Polling::new(core::future::ready(7));
        assert_eq!(ready.poll(&mut cx), Poll::Ready(7));
        assert_eq!(count.0.load(Ordering::Relaxed), 3, "what is done is not polled again");
    }
}
