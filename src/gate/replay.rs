//! Signed requests that were taken: the same one is not taken again within its `maxSkew`.
//!
//! In: key, signed time and keyed hash of a request whose signature is good ([`Replays::check`]), and again once it was taken
//! ([`Replays::remember`]). A fixed table of `limits.replayCount` entries, in sets of [`WAYS`]. An entry may go once its time is too far
//! back to be taken at all. When a set has no place, the oldest entry of the key that has most of the set goes, and from then on that
//! key's requests are only taken with a later time: the window of a key that signs more than is remembered becomes shorter, nothing is
//! taken twice, and no key can shorten another's that signs less. Requests without a signed time cannot be told from one another and are
//! no part of this. Nothing is allocated after [`Replays::new`]; the table is lost with the process.

use crate::time::Timestamp;

use super::admit::mix;

/// Entries that may stand in one place of the table.
const WAYS: usize = 16;
/// Keys whose windows are told apart; the others share one.
const KEY_COUNT: usize = 256;

/// A request whose signature is good, and holds a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// Whose key: a hash of the credential's name and key.
    pub key: u64,
    /// Keyed hash of what was signed.
    pub mark: u64,
    /// The signed time.
    pub time: Timestamp,
    /// How far it may be from ours, in milliseconds.
    pub skew_ms: u32,
}

/// Why a signed request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It was taken before.
    Taken,
    /// It may have been: its time is not later than what had to be forgotten.
    Forgotten,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// 0: free.
    mark: u64,
    time: i64,
    skew_ms: u32,
    /// Place in `windows`.
    key: u16,
}

/// Up to when the requests of a key have been forgotten.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// Whose; 0: nobody's.
    key: u64,
    floor: i64,
    /// When the floor no longer matters.
    until: i64,
}

const FREE: Window = Window { key: 0, floor: i64::MIN, until: i64::MIN };

/// See the module text.
#[derive(Debug)]
pub struct Replays {
    entries: Box<[Entry]>,
    /// The last one is that of all keys without one of their own.
    windows: Box<[Window]>,
    /// Entries that had to go while they still mattered.
    pub forgotten_total: u64,
}

impl Replays {
    /// Room for `count` requests.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let count = count.div_ceil(WAYS).max(1) * WAYS;
        Self { entries: vec![Entry::default(); count].into(), windows: vec![FREE; KEY_COUNT + 1].into(), forgotten_total: 0 }
    }

    /// For a port that no signed time comes to: it takes no memory.
    #[must_use]
    pub fn unused() -> Self {
        Self { entries: Box::default(), windows: Box::default(), forgotten_total: 0 }
    }

    /// It was made by [`Replays::unused`].
    #[must_use]
    pub fn is_unused(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of a table for `count` requests.
    #[must_use]
    pub const fn bytes(count: usize) -> usize {
        count.next_multiple_of(WAYS) * size_of::<Entry>() + (KEY_COUNT + 1) * size_of::<Window>()
    }

    /// Whether a request is a new one. Takes nothing.
    ///
    /// # Errors
    /// [`Again`].
    pub fn check(&self, signed: &Signed) -> Result<(), Again> {
        let mark = signed.mark.max(1);
        if self.entries.get(self.set(mark)).is_some_and(|set| set.iter().any(|e| e.mark == mark)) {
            return Err(Again::Taken);
        }
        match self.window(signed.key).and_then(|at| self.windows.get(at)) {
            Some(window) if signed.time.0 <= window.floor => Err(Again::Forgotten),
            _ => Ok(()),
        }
    }

    /// A request was taken.
    pub fn remember(&mut self, signed: &Signed, now: Timestamp) {
        let mark = signed.mark.max(1);
        let key = self.window_for(signed.key, now);
        let entry = Entry { mark, time: signed.time.0, skew_ms: signed.skew_ms, key: u16::try_from(key).unwrap_or(u16::MAX) };
        let range = self.set(mark);
        let Some(set) = self.entries.get_mut(range) else { return };
        // Too far back to be taken at all, by a clock that may step a little.
        let moot = |e: &Entry| e.mark == 0 || now.0 > e.time.saturating_add(2 * i64::from(e.skew_ms));
        if let Some(place) = set.iter_mut().find(|e| moot(e)) {
            *place = entry;
            return;
        }
        let most = |e: &Entry| set.iter().filter(|other| other.key == e.key).count();
        let Some(crowd) = set.iter().max_by_key(|e| (most(e), e.key == entry.key)).map(|e| e.key) else { return };
        let Some(oldest) = set.iter_mut().filter(|e| e.key == crowd).min_by_key(|e| e.time) else { return };
        let gone = core::mem::replace(oldest, entry);
        self.forgotten_total += 1;
        if let Some(window) = self.windows.get_mut(usize::from(gone.key)) {
            window.floor = window.floor.max(gone.time);
            window.until = window.until.max(gone.time.saturating_add(2 * i64::from(gone.skew_ms)));
        }
    }

    fn set(&self, mark: u64) -> core::ops::Range<usize> {
        let sets = (self.entries.len() / WAYS).max(1);
        let at = usize::try_from(mix(mark) % sets as u64).unwrap_or(0) * WAYS;
        at..at + WAYS
    }

    /// Where the window of a key stands: its own, else, once somebody had to share one, the shared one.
    fn window(&self, key: u64) -> Option<usize> {
        let own = self.windows.iter().take(KEY_COUNT).position(|w| w.key == key.max(1));
        own.or_else(|| self.windows.len().checked_sub(1))
    }

    /// The same, for a key that gets one of its own if there is place.
    fn window_for(&mut self, key: u64, now: Timestamp) -> usize {
        let key = key.max(1);
        let shared = self.windows.len().saturating_sub(1);
        let mut own = self.windows.iter().take(KEY_COUNT);
        if let Some(at) = own.clone().position(|w| w.key == key) {
            return at;
        }
        // A window without a floor is nothing to remember unless entries point to it.
        let free =
            |at: usize, w: &Window| w.key == 0 || w.until < now.0 && !self.entries.iter().any(|e| e.mark != 0 && usize::from(e.key) == at);
        let floor = self.windows.get(shared).map_or(FREE, |w| *w);
        let Some(at) = own.position(|w| w.key == 0).or_else(|| (0..shared).find(|at| free(*at, &self.windows[*at]))) else { return shared };
        if let Some(window) = self.windows.get_mut(at) {
            // It may have shared before.
            *window = Window { key, ..floor };
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SKEW: u32 = 60_000;
    const T0: i64 = 1_700_000_000_000;

    fn signed(key: u64, mark: u64, time: i64) -> Signed {
        Signed { key, mark, time: Timestamp(time), skew_ms: SKEW }
    }

    fn take(table: &mut Replays, what: &Signed, now: i64) -> Result<(), Again> {
        table.check(what)?;
        table.remember(what, Timestamp(now));
        Ok(())
    }

    #[test]
    fn taken_once() {
        let mut table = Replays::new(64);
        let one = signed(1, 77, T0);
        assert_eq!(take(&mut table, &one, T0), Ok(()));
        assert_eq!(take(&mut table, &one, T0 + 1), Err(Again::Taken));
        assert_eq!(take(&mut table, &signed(1, 78, T0), T0), Ok(()));
        assert_eq!(table.check(&signed(1, 0, T0)), Ok(()), "a hash of 0 is one like others");
        assert_eq!(take(&mut table, &signed(1, 0, T0), T0), Ok(()));
        assert_eq!(take(&mut table, &signed(1, 0, T0), T0), Err(Again::Taken));
    }

    #[test]
    fn a_full_set_shortens_the_window_of_who_fills_it() {
        // One set: everything meets.
        let mut table = Replays::new(WAYS);
        assert_eq!(take(&mut table, &signed(9, 5000, T0 - 50_000), T0), Ok(()));
        for n in 0..15 {
            assert_eq!(take(&mut table, &signed(1, 100 + n, T0 + i64::try_from(n).expect("small")), T0 + 20), Ok(()));
        }
        assert_eq!(table.forgotten_total, 0);
        assert_eq!(take(&mut table, &signed(1, 200, T0 + 30), T0 + 30), Ok(()));
        assert_eq!(table.forgotten_total, 1);
        assert_eq!(table.check(&signed(1, 100, T0)), Err(Again::Forgotten), "the first of them was taken, and is not taken again");
        assert_eq!(table.check(&signed(1, 300, T0)), Err(Again::Forgotten), "nor is what cannot be told from it");
        assert_eq!(table.check(&signed(1, 300, T0 + 1)), Ok(()));
        assert_eq!(table.check(&signed(9, 5000, T0 - 50_000)), Err(Again::Taken), "another key's window is whole");
        assert_eq!(table.check(&signed(9, 5001, T0 - 59_000)), Ok(()));
        // Later the entries are moot: nothing more has to go.
        assert_eq!(take(&mut table, &signed(1, 400, T0 + 300_000), T0 + 300_000), Ok(()));
        assert_eq!(table.forgotten_total, 1);
    }

    #[test]
    fn more_keys_than_windows_share_one() {
        let mut table = Replays::new(1024);
        for key in 1..=300 {
            assert_eq!(take(&mut table, &signed(key, key * 7, T0), T0), Ok(()), "{key}");
        }
        for key in 1..=300 {
            assert!(table.check(&signed(key, key * 7, T0)).is_err(), "{key}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever comes in whatever order, nothing is taken twice while its time would still be good.
        #[test]
        fn never_twice(steps in proptest::collection::vec((0_u64..4, 0_u64..60, -60_000_i64..60_000, 0_i64..3_000), 1..400)) {
            let mut table = Replays::new(WAYS * 2);
            let mut taken = std::collections::HashSet::new();
            let mut now = T0;
            for (key, mark, offset, pass) in steps {
                now += pass;
                // The time is part of what is signed, and so of the mark.
                let time = T0 + offset;
                let mark = mix(key << 40 ^ mark << 20 ^ offset.unsigned_abs() << 1 ^ u64::from(offset < 0));
                if (now - time).unsigned_abs() > u64::from(SKEW) {
                    continue;
                }
                if take(&mut table, &signed(key + 1, mark, time), now).is_ok() {
                    prop_assert!(taken.insert((key, mark)), "twice");
                }
            }
        }
    }
}
