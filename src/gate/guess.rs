//! Passwords whose hash takes many rounds (PBKDF2, RFC 8018 §5.2): one guess at a time, a few rounds a turn, so that no reading waits
//! for them.
//!
//! In: a password that some head shows, with the hash that it may fit ([`Guesses::ask`]). Out: what is known about it; until then the
//! request waits and is judged again ([`Guesses::take_settled`]). [`Guesses::advance`] is one turn of at most [`SLICE`] rounds: some
//! tens of microseconds on a PC, some hundreds on a small board. At most [`GUESS_COUNT`] guesses wait; one more is refused with the
//! time after which there should be room. The same password shown again joins the guess that is there; of the last [`WRONG_COUNT`]
//! that were wrong a keyed hash is kept, so that a device that goes on with an old password costs its rounds once. No password is
//! kept, only the keyed hash state made from it. Nothing is allocated; time is an argument.

use core::net::IpAddr;
use std::sync::{Arc, OnceLock};

use ring::hmac;

use super::admit::Admission;
use crate::config::credentials::Pbkdf2;
use crate::time::Instant;

/// Guesses that wait, with the one that is worked at.
pub const GUESS_COUNT: usize = 8;
/// Rounds of one turn.
const SLICE: u32 = 128;
/// Wrong passwords that are remembered.
const WRONG_COUNT: usize = 64;
/// Longest time that a refusal names, in seconds.
const RETRY_MAX: u64 = 60;

/// Bytes of a keyed hash.
pub type Tag = [u8; 32];

/// A user's password as it is configured, and the keyed hash of the right one once it was shown.
pub struct Password {
    /// Who.
    pub user: Box<str>,
    hash: Pbkdf2,
    good: OnceLock<Tag>,
}

impl Password {
    /// One that nobody has shown yet.
    #[must_use]
    pub fn new(user: &str, hash: Pbkdf2) -> Self {
        Self { user: user.into(), hash, good: OnceLock::new() }
    }

    /// Whether `own` is the right one; `None`: nobody has shown it yet.
    #[must_use]
    pub fn fits(&self, own: &Tag) -> Option<bool> {
        // Both are under a key of ours, so comparing them tells nothing.
        self.good.get().map(|good| good == own)
    }

    /// Takes over what is known of the same password, from before a reload.
    pub fn inherit(&self, older: &Self) {
        if self.user == older.user
            && self.hash == older.hash
            && let Some(good) = older.good.get()
        {
            let _ = self.good.set(*good);
        }
    }
}

/// What is known of a password that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is wrong.
    Wrong,
    /// It is being worked at.
    Waiting,
    /// Its address has had as many checked as it may: seconds to wait.
    Busy(u16),
    /// As many wait as may: seconds until there should be room.
    Full(u16),
}

/// One guess.
struct Guess {
    mark: Tag,
    own: Tag,
    password: Arc<Password>,
    addr: IpAddr,
    key: hmac::Key,
    /// The last `U`, and the exclusive or of all of them so far (RFC 8018 §5.2).
    last: Tag,
    sum: Tag,
    left: u32,
    began: Option<Instant>,
}

/// See the module text.
pub struct Guesses {
    /// The first of them is worked at.
    queue: heapless::Deque<Guess, GUESS_COUNT>,
    wrong: Box<[Tag]>,
    next_wrong: usize,
    /// Time of a round, as the last guess took it, with everything that was done between its turns.
    round_ns: u64,
    settled: bool,
}

impl core::fmt::Debug for Guesses {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Guesses").field("waiting", &self.queue.len()).finish_non_exhaustive()
    }
}

impl Default for Guesses {
    fn default() -> Self {
        Self { queue: heapless::Deque::new(), wrong: Box::default(), next_wrong: 0, round_ns: 1000, settled: false }
    }
}

impl Guesses {
    /// Bytes it takes.
    pub const BYTES: usize = size_of::<Self>() + WRONG_COUNT * size_of::<Tag>();

    /// What is known of the password `text`, whose keyed hash is `own`; when that is nothing, a guess begins.
    pub fn ask(
        &mut self,
        password: &Arc<Password>,
        own: &Tag,
        text: &[u8],
        addr: IpAddr,
        admission: &mut Admission,
        now: Instant,
    ) -> Known {
        let mark = mark(password, own);
        if self.wrong.contains(&mark) {
            return Known::Wrong;
        }
        if self.queue.iter().any(|guess| guess.mark == mark) {
            return Known::Waiting;
        }
        if self.queue.is_full() {
            return Known::Full(self.until_room());
        }
        if let Some(seconds) = admission.password(addr, now) {
            return Known::Busy(seconds);
        }
        if self.wrong.is_empty() {
            self.wrong = vec![[0; 32]; WRONG_COUNT].into();
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, text);
        let mut first = hmac::Context::with_key(&key);
        first.update(&password.hash.salt);
        first.update(&1_u32.to_be_bytes());
        let last = bytes(&first.sign());
        let left = password.hash.rounds.saturating_sub(1);
        let guess = Guess { mark, own: *own, password: Arc::clone(password), addr, key, last, sum: last, left, began: None };
        match self.queue.push_back(guess) {
            Ok(()) => Known::Waiting,
            Err(_) => Known::Full(1),
        }
    }

    /// Whether [`Guesses::advance`] has something to do.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Works at the first guess for one turn.
    pub fn advance(&mut self, now: Instant, admission: &mut Admission) {
        let Some(guess) = self.queue.front_mut() else { return };
        let began = *guess.began.get_or_insert(now);
        for _ in 0..guess.left.min(SLICE) {
            guess.last = bytes(&hmac::sign(&guess.key, &guess.last));
            for (sum, last) in guess.sum.iter_mut().zip(&guess.last) {
                *sum ^= last;
            }
        }
        guess.left = guess.left.saturating_sub(SLICE);
        if guess.left > 0 {
            return;
        }
        let Some(guess) = self.queue.pop_front() else { return };
        self.settled = true;
        let rounds = u64::from(guess.password.hash.rounds.max(1));
        self.round_ns = (now.0.saturating_sub(began.0) / rounds).clamp(1, 1_000_000);
        // All of it is looked at, however much is right.
        let differ = guess.sum.iter().zip(&guess.password.hash.hash).fold(0, |differ, (a, b)| differ | (a ^ b));
        if differ == 0 {
            admission.password_was_good(guess.addr);
            let _ = guess.password.good.set(guess.own);
            // What else was shown for it is known to be wrong now.
            for _ in 0..self.queue.len() {
                if let Some(other) = self.queue.pop_front()
                    && !Arc::ptr_eq(&other.password, &guess.password)
                {
                    let _ = self.queue.push_back(other);
                }
            }
        } else if let Some(place) = self.wrong.get_mut(self.next_wrong) {
            *place = guess.mark;
            self.next_wrong = (self.next_wrong + 1) % WRONG_COUNT;
        }
    }

    /// Whether something was found out since this was last asked: requests that wait should be judged again.
    pub const fn take_settled(&mut self) -> bool {
        core::mem::replace(&mut self.settled, false)
    }

    /// Seconds until the first guess should be through.
    fn until_room(&self) -> u16 {
        let rounds = self.queue.front().map_or(0, |guess| u64::from(guess.left));
        let seconds = rounds.saturating_mul(self.round_ns).div_ceil(1_000_000_000);
        u16::try_from(seconds.clamp(1, RETRY_MAX)).unwrap_or(1)
    }
}

/// A password and the hash that it may fit.
fn mark(password: &Password, own: &Tag) -> Tag {
    let mut mark = *own;
    for (mark, hash) in mark.iter_mut().zip(&password.hash.hash) {
        *mark ^= hash;
    }
    mark
}

fn bytes(tag: &hmac::Tag) -> Tag {
    let mut out = [0; 32];
    out.copy_from_slice(tag.as_ref());
    out
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use ring::pbkdf2;

    use super::*;

    fn password(user: &str, text: &[u8], rounds: u32) -> Arc<Password> {
        let salt = vec![7; 16];
        let mut hash = [0; 32];
        let n = NonZeroU32::new(rounds).expect("not zero");
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, n, &salt, text, &mut hash);
        Arc::new(Password::new(user, Pbkdf2 { rounds, salt, hash }))
    }

    fn own(text: &[u8]) -> Tag {
        let mut out = [0; 32];
        out[..text.len()].copy_from_slice(text);
        out
    }

    fn addr(n: u8) -> IpAddr {
        [10, 0, 0, n].into()
    }

    struct Table {
        guesses: Guesses,
        admission: Admission,
        now: Instant,
    }

    impl Table {
        fn new() -> Self {
            Self { guesses: Guesses::default(), admission: Admission::new(64, 4, 1, 7), now: Instant(1_000_000_000) }
        }

        fn ask(&mut self, password: &Arc<Password>, text: &[u8], from: u8) -> Known {
            self.guesses.ask(password, &own(text), text, addr(from), &mut self.admission, self.now)
        }

        /// Turns until the first guess is through.
        fn turns(&mut self) -> usize {
            for turn in 1.. {
                self.now = Instant(self.now.0 + 1_000_000);
                self.guesses.advance(self.now, &mut self.admission);
                if self.guesses.take_settled() {
                    return turn;
                }
            }
            0
        }
    }

    #[test]
    fn a_turn_is_short_and_the_sum_is_that_of_rfc8018() {
        for (rounds, turns) in [(1_000, 8), (1_025, 8), (1_026, 9), (100_000, 782)] {
            let mut table = Table::new();
            let bob = password("bob", b"right", rounds);
            assert_eq!(table.ask(&bob, b"wrong", 1), Known::Waiting);
            assert_eq!(table.turns(), turns, "{rounds}");
            assert_eq!((bob.fits(&own(b"wrong")), table.ask(&bob, b"wrong", 1)), (None, Known::Wrong));
            assert_eq!(table.ask(&bob, b"right", 1), Known::Waiting);
            assert_eq!(table.turns(), turns);
            assert_eq!((bob.fits(&own(b"right")), bob.fits(&own(b"wrong"))), (Some(true), Some(false)));
            assert!(!table.guesses.is_at_work());
        }
    }

    #[test]
    fn one_more_than_may_wait_is_told_when() {
        let mut table = Table::new();
        let bob = password("bob", b"right", 1_000_000);
        for n in 0..8 {
            assert_eq!(table.ask(&bob, &[n], n), Known::Waiting);
        }
        assert_eq!(table.ask(&bob, b"new", 9), Known::Full(1), "a round is taken for a microsecond until one was seen");
        assert_eq!(table.ask(&bob, &[3], 77), Known::Waiting, "what is shown again joins what is there, whoever shows it");
        table.turns();
        // Seen now: 7,813 turns of 1 ms.
        assert_eq!(table.ask(&bob, b"new", 9), Known::Waiting);
        assert_eq!(table.ask(&bob, b"newer", 9), Known::Full(8));
        assert_eq!(table.ask(&bob, &[0], 1), Known::Wrong);
    }

    #[test]
    fn a_right_one_settles_what_waits_for_the_same_user() {
        let mut table = Table::new();
        let (bob, eve) = (password("bob", b"right", 1_000), password("eve", b"pw", 1_000));
        assert_eq!(table.ask(&bob, b"right", 1), Known::Waiting);
        assert_eq!(table.ask(&bob, b"wrong", 2), Known::Waiting);
        assert_eq!(table.ask(&eve, b"pw", 3), Known::Waiting);
        table.turns();
        assert_eq!((bob.fits(&own(b"right")), bob.fits(&own(b"wrong")), eve.fits(&own(b"pw"))), (Some(true), Some(false), None));
        table.turns();
        assert_eq!(eve.fits(&own(b"pw")), Some(true));
        assert!(!table.guesses.is_at_work());
        let (again, other) = (Password::new("bob", bob.hash.clone()), Password::new("bob", eve.hash.clone()));
        again.inherit(&bob);
        other.inherit(&bob);
        assert_eq!((again.fits(&own(b"right")), other.fits(&own(b"right"))), (Some(true), None));
    }

    #[test]
    fn wrong_ones_are_charged_to_their_address_and_right_ones_are_not() {
        let mut table = Table::new();
        let bob = password("bob", b"right", 1_000);
        for n in 0..4 {
            assert_eq!(table.ask(&bob, &[n], 1), Known::Waiting);
            table.turns();
        }
        assert_eq!(table.ask(&bob, b"right", 1), Known::Busy(5));
        assert_eq!(table.ask(&bob, b"right", 2), Known::Waiting);
        table.turns();
        let eve = password("eve", b"pw", 1_000);
        for n in 0..4 {
            assert_eq!(table.ask(&eve, &[n], 2), Known::Waiting, "the right one was given back");
        }
    }
}
