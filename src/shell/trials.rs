//! Results of rule trials, on their way from the trial's sink to whoever watches `GET /test/{id}`.
//!
//! A trial keeps its last [`KEPT_BYTES`] of results, so that one who comes late sees what there was; everyone who watches gets each
//! result. At most [`WATCH_COUNT`] watch at a time; they hold no connection of the management port's own count.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use super::bell::Bell;

/// Results of one trial that are kept.
pub const KEPT_BYTES: usize = 64 << 10;
/// Connections that watch, of all trials together.
pub const WATCH_COUNT: usize = 8;

/// All trials that have results or watchers.
#[derive(Debug, Default)]
pub struct Trials {
    channels: RefCell<Vec<Channel>>,
    watching: Cell<usize>,
    stamps: Cell<u64>,
}

#[derive(Debug)]
struct Channel {
    id: String,
    /// Tells it from a later trial of the same id.
    stamp: u64,
    /// Number of the first result kept.
    first: u64,
    results: VecDeque<Rc<[u8]>>,
    bytes: usize,
    bells: Vec<Rc<Bell>>,
}

impl Trials {
    /// Takes a result of the trial `id`.
    pub fn publish(&self, id: &str, result: &[u8]) {
        self.with(id, |channel| {
            channel.bytes += result.len();
            channel.results.push_back(result.into());
            while channel.bytes > KEPT_BYTES
                && channel.results.len() > 1
                && let Some(oldest) = channel.results.pop_front()
            {
                channel.bytes -= oldest.len();
                channel.first += 1;
            }
            channel.bells.iter().for_each(|bell| bell.ring());
        });
    }

    /// The trial `id` is over: its results are forgotten, and who watches comes to an end.
    pub fn close(&self, id: &str) {
        let mut channels = self.channels.borrow_mut();
        if let Some(at) = channels.iter().position(|channel| channel.id == id) {
            channels.remove(at).bells.iter().for_each(|bell| bell.ring());
        }
    }

    /// Watches the trial `id`; `None` when as many watch as may.
    #[must_use]
    pub fn watch(self: &Rc<Self>, id: &str) -> Option<Watch> {
        if self.watching.get() >= WATCH_COUNT {
            return None;
        }
        self.watching.set(self.watching.get() + 1);
        let bell = Rc::new(Bell::default());
        let (stamp, next) = self.with(id, |channel| {
            channel.bells.push(Rc::clone(&bell));
            (channel.stamp, channel.first)
        });
        Some(Watch { trials: Rc::clone(self), stamp, next, bell })
    }

    fn with<T>(&self, id: &str, f: impl FnOnce(&mut Channel) -> T) -> T {
        let mut channels = self.channels.borrow_mut();
        let at = channels.iter().position(|channel| channel.id == id).unwrap_or_else(|| {
            self.stamps.set(self.stamps.get() + 1);
            let stamp = self.stamps.get();
            channels.push(Channel { id: id.to_owned(), stamp, first: 0, results: VecDeque::new(), bytes: 0, bells: Vec::new() });
            channels.len() - 1
        });
        f(&mut channels[at])
    }
}

/// Somebody who watches.
#[derive(Debug)]
pub struct Watch {
    trials: Rc<Trials>,
    stamp: u64,
    next: u64,
    bell: Rc<Bell>,
}

impl Watch {
    /// The next result, as soon as there is one; `None` once the trial is over.
    pub async fn next(&mut self) -> Option<Rc<[u8]>> {
        loop {
            match self.look() {
                None => return None,
                Some(Some(result)) => return Some(result),
                Some(None) => self.bell.heard().await,
            }
        }
    }

    fn look(&mut self) -> Option<Option<Rc<[u8]>>> {
        let channels = self.trials.channels.borrow();
        let channel = channels.iter().find(|channel| channel.stamp == self.stamp)?;
        self.next = self.next.max(channel.first);
        let at = usize::try_from(self.next - channel.first).unwrap_or(usize::MAX);
        Some(channel.results.get(at).map(|result| {
            self.next += 1;
            Rc::clone(result)
        }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.trials.watching.set(self.trials.watching.get() - 1);
        let mut channels = self.trials.channels.borrow_mut();
        if let Some(channel) = channels.iter_mut().find(|channel| channel.stamp == self.stamp) {
            channel.bells.retain(|bell| !Rc::ptr_eq(bell, &self.bell));
        }
    }
}

/// One result as a server-sent event: each of its lines is a line of data.
#[must_use]
pub fn event(result: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(result.len() + 16);
    for line in result.split(|b| *b == b'\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        out.push(b'\n');
    }
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(watch: &mut Watch) -> Option<Rc<[u8]>> {
        smol::block_on(watch.next())
    }

    #[test]
    fn everyone_gets_everything_and_latecomers_what_is_kept() {
        let trials = Rc::new(Trials::default());
        let mut early = trials.watch("t").expect("room");
        trials.publish("t", b"1");
        trials.publish("t", b"2");
        trials.publish("other", b"x");
        let mut late = trials.watch("t").expect("room");
        for watch in [&mut early, &mut late] {
            assert_eq!(next(watch).as_deref(), Some(&b"1"[..]));
            assert_eq!(next(watch).as_deref(), Some(&b"2"[..]));
            assert!(watch.look().expect("open").is_none());
        }
        trials.close("t");
        trials.publish("t", b"of a later trial");
        assert_eq!(next(&mut early), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let trials = Rc::new(Trials::default());
        let half = vec![b'x'; KEPT_BYTES / 2];
        trials.publish("t", b"first");
        trials.publish("t", &half);
        trials.publish("t", &half);
        let mut watch = trials.watch("t").expect("room");
        assert_eq!(next(&mut watch).map(|r| r.len()), Some(half.len()), "the first one had to go");
        trials.publish("t", &vec![b'y'; KEPT_BYTES + 1]);
        assert_eq!(next(&mut watch).map(|r| r.len()), Some(KEPT_BYTES + 1), "one larger result is kept alone");
    }

    #[test]
    fn only_so_many_watch() {
        let trials = Rc::new(Trials::default());
        let mut watching: Vec<Watch> = (0..WATCH_COUNT).filter_map(|_| trials.watch("t")).collect();
        assert_eq!(watching.len(), WATCH_COUNT);
        assert!(trials.watch("u").is_none());
        watching.pop();
        assert!(trials.watch("u").is_some());
    }

    #[test]
    fn events() {
        assert_eq!(event(b"{\"a\":1}"), b"data: {\"a\":1}\n\n");
        assert_eq!(event(b"a\r\nb\n"), b"data: a\ndata: b\ndata: \n\n");
    }
}
