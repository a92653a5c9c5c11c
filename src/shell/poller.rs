//! The tasks of the thread that serves, and the rounds in which they run.
//!
//! A round: the kernel is asked what has happened, then whatever can go on does. A task that has had its share waits for the next round
//! ([`Tasks::give_way`]); with an executor's own `yield_now` up to 200 turns could pass before anybody looked at the sockets again. What
//! costs much more than a request, a step of a TLS handshake above all, is done one a round, in the order in which it was asked for
//! ([`Tasks::turn`]): however many come at once, whoever only has a request waits for one of them.
//!
//! async-io polls the kernel in whichever thread comes first: the one in `block_on`, or a helper thread of its own. Once the helper has
//! the lead, as it does after an idle spell, it wakes the serving thread for every few events, which then never runs out of work and so
//! never polls again: two `epoll_ctl` calls per request instead of one, and twenty times the waits. [`Tasks::run`] comes back once after
//! each wake, and then `block_on` looks at the reactor without waiting; the helper sees that somebody polls and goes back to sleep.

use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;

use smol::{LocalExecutor, Task};

/// See the module text.
#[derive(Debug, Default)]
pub struct Tasks {
    executor: LocalExecutor<'static>,
    rounds: RefCell<Rounds>,
}

impl Tasks {
    /// Starts a task.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        self.executor.spawn(future)
    }

    /// Runs the tasks until `future` is done.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut all = Box::pin(self.executor.run(future));
        // This poll is the one that we asked for.
        let mut again = false;
        smol::block_on(poll_fn(|cx| {
            self.rounds.borrow_mut().begin();
            let done = all.as_mut().poll(cx);
            again = done.is_pending() && (!again || self.rounds.borrow().is_awaited());
            if again {
                cx.waker().wake_by_ref();
            }
            done
        }))
    }

    /// Lets everybody else have their turn: ready in the next round.
    pub async fn give_way(&self) {
        let at = self.rounds.borrow().number;
        poll_fn(|cx| self.rounds.borrow_mut().poll_after(at, cx)).await;
    }

    /// Asks for a round in which nobody else does what costs much.
    #[must_use]
    pub const fn turn(&self) -> Turn<'_> {
        Turn { tasks: self, ticket: None }
    }
}

/// A place in the line, kept until it is dropped. Ready in the round that is its own.
#[derive(Debug)]
pub struct Turn<'t> {
    tasks: &'t Tasks,
    ticket: Option<u64>,
}

impl Future for Turn<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let line = &mut self.tasks.rounds.borrow_mut().line;
        let ticket = *self.ticket.get_or_insert_with(|| line.join());
        line.poll(ticket, cx)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.tasks.rounds.borrow_mut().line.leave(ticket);
        }
    }
}

/// Who waits for which round. It allocates only to wait for more at once than ever before.
#[derive(Debug, Default)]
struct Rounds {
    number: u64,
    next: Vec<Waker>,
    line: Line,
}

impl Rounds {
    /// A round begins: all that gave way may go on, and the first in the line.
    fn begin(&mut self) {
        self.number += 1;
        for waker in self.next.drain(..) {
            waker.wake();
        }
        self.line.advance();
    }

    fn poll_after(&mut self, number: u64, cx: &Context<'_>) -> Poll<()> {
        if self.number != number {
            return Poll::Ready(());
        }
        self.next.push(cx.waker().clone());
        Poll::Pending
    }

    fn is_awaited(&self) -> bool {
        !self.next.is_empty() || !self.line.waiting.is_empty()
    }
}

/// First come, first served, one at a time.
#[derive(Debug, Default)]
struct Line {
    /// The ticket of the first that waits; those below have had their turn.
    first: u64,
    /// `None`: it has left.
    waiting: VecDeque<Option<Waker>>,
}

impl Line {
    fn join(&mut self) -> u64 {
        self.waiting.push_back(Some(Waker::noop().clone()));
        self.first + (self.waiting.len() as u64 - 1)
    }

    fn place(&mut self, ticket: u64) -> Option<&mut Option<Waker>> {
        self.waiting.get_mut(usize::try_from(ticket.checked_sub(self.first)?).ok()?)
    }

    fn poll(&mut self, ticket: u64, cx: &Context<'_>) -> Poll<()> {
        match self.place(ticket) {
            None => Poll::Ready(()),
            Some(place) => {
                *place = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn leave(&mut self, ticket: u64) {
        if let Some(place) = self.place(ticket) {
            *place = None;
        }
    }

    /// The first that still waits has its turn.
    fn advance(&mut self) {
        while let Some(place) = self.waiting.pop_front() {
            self.first += 1;
            if let Some(waker) = place {
                waker.wake();
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_line_keeps_its_order_and_nobody_who_left() {
        let counts: Vec<_> = (0..4).map(|_| Arc::new(Count::default())).collect();
        let wakers: Vec<Waker> = counts.iter().map(|count| Arc::clone(count).into()).collect();
        let woken = || counts.iter().map(|count| count.0.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let mut rounds = Rounds::default();
        let tickets: Vec<_> = wakers.iter().map(|_| rounds.line.join()).collect();
        let poll = |rounds: &mut Rounds, i: usize| rounds.line.poll(tickets[i], &Context::from_waker(&wakers[i])).is_ready();
        assert!((0..4).all(|i| !poll(&mut rounds, i)) && rounds.is_awaited());
        rounds.begin();
        assert_eq!((woken(), poll(&mut rounds, 0), poll(&mut rounds, 1)), (vec![1, 0, 0, 0], true, false));
        rounds.line.leave(tickets[1]);
        rounds.line.leave(tickets[0]);
        rounds.begin();
        assert_eq!((woken(), poll(&mut rounds, 2), poll(&mut rounds, 3)), (vec![1, 0, 1, 0], true, false));
        rounds.begin();
        rounds.begin();
        assert_eq!((woken(), rounds.is_awaited()), (vec![1, 0, 1, 1], false));
        assert_eq!(rounds.line.join(), 4);
    }

    #[test]
    fn one_costly_thing_a_round_and_everything_else_in_each() {
        let tasks = Rc::new(Tasks::default());
        let (rounds, done) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(Vec::new())));
        for i in 0..20 {
            let (tasks_, rounds, done) = (Rc::clone(&tasks), Rc::clone(&rounds), Rc::clone(&done));
            tasks
                .spawn(async move {
                    tasks_.turn().await;
                    done.borrow_mut().push((i, rounds.get()));
                })
                .detach();
        }
        tasks.run(async {
            while done.borrow().len() < 20 {
                tasks.give_way().await;
                rounds.set(rounds.get() + 1);
            }
        });
        let done = done.borrow();
        assert!(done.iter().enumerate().all(|(at, (i, _))| at == *i), "{done:?}");
        assert!(done.windows(2).all(|two| two[0].1 < two[1].1), "{done:?}");
    }
}
