//! What waits to leave one sink: payloads in a ring of `OUTBOX_BYTES`, in order, each tried until it is gone.
//!
//! * Full: the oldest payload goes (counted `outbox_full`), or nothing more is taken until there is room.
//! * What can heal is tried again after a pause that doubles from the first one up to [`PAUSE_MAX`]. A payload that a live
//!   receiver keeps refusing that way is given up after `retry_for`, if the outbox may lose at all.
//! * A payload counts one exception, however often it is tried.
//!
//! Each record's `meta` holds what its target needs (see [`Texts`]), its `body` the payload.

use core::time::Duration;

use heapless::String;

use crate::pages::Pages;
use crate::ring::{Overflow, Parts, ReaderId, Refused, Ring};
use crate::stats::{ConnStats, EXCEPTION_BYTES, OpStats, fit};
use crate::time::{Instant, Now, Timestamp};

/// First pause where `resendInterval` is 0.
pub(super) const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// Longest pause, unless `resendInterval` is longer.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Longest pause that a receiver's `Retry-After` may ask for.
pub(super) const PAUSE_ASKED_MAX: Duration = Duration::from_secs(300);
/// Bytes kept of the reason why a receiver is down.
const REASON_BYTES: usize = 96;

/// How payloads left other than by delivery, and what else a sink counts for itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drops {
    /// Left a full outbox, the oldest first.
    pub outbox_full_total: u64,
    /// A live receiver refused them for longer than `retryFor`.
    pub given_up_total: u64,
    /// The receiver refused them for good.
    pub refused_total: u64,
    /// Rows that are larger than a payload may be.
    pub too_large_total: u64,
    /// Arrays that were sent as several.
    pub split_total: u64,
}

impl Drops {
    /// The counters by name.
    #[must_use]
    pub const fn all(&self) -> [(&'static str, u64); 5] {
        [
            ("dropped_outbox_full_total", self.outbox_full_total),
            ("dropped_given_up_total", self.given_up_total),
            ("dropped_refused_total", self.refused_total),
            ("dropped_too_large_total", self.too_large_total),
            ("split_total", self.split_total),
        ]
    }
}

/// How one try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict<'v> {
    /// The receiver has it.
    Delivered,
    /// It is on its way and will be settled; the next may go.
    Queued,
    /// It may heal. `reason` is short ("connect refused"), `text` is for `last_exception`.
    Retry { reason: &'v str, text: &'v str, answered: bool, after: Option<Duration> },
    /// It never will.
    Failed { text: &'v str },
}

/// See the module text.
#[derive(Debug)]
pub(super) struct Outbox {
    ring: Ring<Pages>,
    reader: ReaderId,
    loses: bool,
    /// Payloads go nowhere, and count as delivered at once.
    discards: bool,
    discarded_total: u64,
    first_pause: Duration,
    retry_for: Duration,
    pub(super) sink: OpStats,
    pub(super) conn: ConnStats,
    pub(super) drops: Drops,
    /// The payload that is being tried.
    flying: Option<u64>,
    pause: Option<Instant>,
    tries: u32,
    refused_since: Option<Instant>,
    /// The payload in hand was counted in, and perhaps as an exception.
    counted_in: u64,
    counted_out: u64,
    down: Option<(Timestamp, String<REASON_BYTES>)>,
    blocked: bool,
}

/// What an outbox is built from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) bytes: usize,
    pub(super) payloads: Option<usize>,
    /// Whether a full outbox loses its oldest payload.
    pub(super) loses: bool,
    /// Whether its payloads go nowhere.
    pub(super) discards: bool,
    pub(super) resend_interval: Duration,
    pub(super) retry_for: Duration,
}

/// One payload, lent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting<'o> {
    pub(super) seq: u64,
    pub(super) meta: Texts<'o>,
    pub(super) body: &'o [u8],
}

impl Outbox {
    /// # Errors
    /// A sentence when the bounds make no sense.
    pub(super) fn new(bounds: &Bounds) -> Result<Self, std::string::String> {
        let overflow = if bounds.loses { Overflow::DropOldest } else { Overflow::Reject };
        // The payload that is on its way does not count against the bound in payloads.
        let records = bounds.payloads.map(|n| n.saturating_add(1));
        let mut ring = Ring::new(Pages::new(bounds.bytes), 1, overflow, records);
        let reader = ring.add_reader().ok_or("an outbox without a reader")?;
        let first_pause = if bounds.resend_interval.is_zero() { PAUSE_FIRST } else { bounds.resend_interval };
        Ok(Self {
            ring,
            reader,
            loses: bounds.loses,
            discards: bounds.discards,
            discarded_total: 0,
            first_pause,
            retry_for: bounds.retry_for,
            sink: OpStats::default(),
            conn: ConnStats::default(),
            drops: Drops::default(),
            flying: None,
            pause: None,
            tries: 0,
            refused_since: None,
            counted_in: 0,
            counted_out: 0,
            down: None,
            blocked: false,
        })
    }

    /// Whether [`Outbox::push`] of a payload without a head would take it as it should, changing nothing.
    pub(super) fn has_room(&self, body: &[u8]) -> bool {
        self.discards || !self.blocked && self.ring.admits(&Parts { body, ..Parts::default() }).is_ok()
    }

    /// Takes a payload. False: no room, and the outbox does not lose; nothing changed.
    pub(super) fn push(&mut self, meta: &[u8], body: &[u8], now: Now) -> bool {
        if self.discards {
            self.discarded_total += 1;
            self.sink.pass(now.wall);
            self.conn.last_try = now.wall;
            return true;
        }
        let lost_before = self.ring.lost(self.reader);
        let held_before = self.flying_is_held();
        let parts = Parts { time_ms: now.wall.0, meta, body, ..Parts::default() };
        match self.ring.push(&parts) {
            Ok(_) => {
                let mut lost = self.ring.lost(self.reader) - lost_before;
                if held_before && !self.flying_is_held() {
                    if self.pause.is_some() {
                        // It waited for its next try: that was its last.
                        self.land();
                    } else {
                        lost -= 1; // on its way: how that ends will tell
                    }
                }
                self.drops.outbox_full_total += lost;
            }
            Err(Refused::Full { .. }) => {
                self.blocked = true;
                return false;
            }
            Err(Refused::TooLarge) => self.drops.too_large_total += 1,
        }
        self.sink.buffer_length = self.waiting() as u64;
        true
    }

    /// True after a refused push until something left.
    pub(super) const fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// The payload to try now, the same one until [`Outbox::done`]; `None` during a pause or when nothing waits.
    pub(super) fn next(&mut self, now: Now) -> Option<Waiting<'_>> {
        if self.pause.is_some_and(|until| until > now.mono) {
            return None;
        }
        self.pause = None;
        let seq = self.ring.peek(self.reader)?.seq;
        // The one that was on its way may have left since: there is nothing to show until it is done.
        if *self.flying.get_or_insert(seq) != seq {
            return None;
        }
        if self.counted_in < seq {
            self.counted_in = seq;
            self.sink.take(now.wall);
        }
        self.conn.last_try = now.wall;
        let record = self.ring.peek(self.reader)?;
        Some(Waiting { seq, meta: Texts(record.meta), body: record.body })
    }

    /// The head of the payload in hand.
    pub(super) fn in_hand(&self) -> Texts<'_> {
        self.ring.peek(self.reader).map_or(Texts::default(), |record| Texts(record.meta))
    }

    /// How the payload in hand ended.
    pub(super) fn done(&mut self, verdict: Verdict<'_>, now: Now) {
        let Some(seq) = self.flying else { return };
        match verdict {
            Verdict::Delivered => {
                self.sink.give(1);
                self.up(now);
                self.land();
            }
            Verdict::Queued => {
                if self.flying_is_held() {
                    self.ring.advance(self.reader);
                }
                self.flying = None;
            }
            Verdict::Failed { text } => {
                self.count_fault(seq, text, now);
                self.drops.refused_total += 1;
                self.land();
            }
            Verdict::Retry { reason, text, answered, after } => {
                self.count_fault(seq, text, now);
                self.note_down(reason, answered, now);
                if !self.flying_is_held() {
                    self.drops.outbox_full_total += 1;
                    self.land();
                    return;
                }
                if answered {
                    let since = *self.refused_since.get_or_insert(now.mono);
                    if self.loses && now.mono.since(since) >= self.retry_for {
                        self.drops.given_up_total += 1;
                        self.land();
                        return;
                    }
                } else {
                    self.refused_since = None;
                }
                let bound = self.first_pause.max(PAUSE_MAX);
                let own = self.first_pause.saturating_mul(1 << self.tries.min(16)).min(bound);
                self.tries += 1;
                let asked = after.map_or(Duration::ZERO, |after| after.min(PAUSE_ASKED_MAX));
                self.pause = Some(now.mono.after(own.max(asked)));
            }
        }
        self.sink.buffer_length = self.waiting() as u64;
    }

    /// `count` payloads that were [`Verdict::Queued`], all up to `seq`, are settled; `failed` of them did not arrive.
    pub(super) fn settle(&mut self, seq: u64, count: u64, failed: u64, text: &str, now: Now) {
        self.ring.done(self.reader, seq);
        self.sink.messages_processed_total += count;
        self.sink.give(count.saturating_sub(failed));
        if failed > 0 {
            for _ in 0..failed {
                self.sink.fail(text, now.wall);
            }
            self.drops.refused_total += failed;
            self.note_down(text, false, now);
        } else if count > 0 {
            self.up(now);
        }
        self.blocked = false;
        self.sink.buffer_length = self.waiting() as u64;
    }

    /// Payloads that were taken.
    pub(super) const fn taken_total(&self) -> u64 {
        self.ring.last_seq() + self.discarded_total
    }

    /// Payloads not gone yet, the one in hand included.
    pub(super) const fn waiting(&self) -> usize {
        self.ring.len()
    }

    /// Memory it holds.
    pub(super) fn bytes(&self) -> usize {
        self.ring.capacity()
    }

    /// When [`Outbox::next`] may have something that it has not now.
    pub(super) const fn until(&self) -> Option<Instant> {
        self.pause
    }

    /// Since when nothing gets through, and why.
    pub(super) fn down(&self) -> Option<(Timestamp, &str)> {
        self.down.as_ref().map(|(since, reason)| (*since, reason.as_str()))
    }

    /// The payload in hand is still in the ring.
    fn flying_is_held(&self) -> bool {
        self.flying.is_some() && self.ring.peek(self.reader).map(|r| r.seq) == self.flying
    }

    /// The payload in hand is over with, whatever became of it.
    fn land(&mut self) {
        if self.flying_is_held() {
            self.ring.advance(self.reader);
        }
        if let Some(seq) = self.flying.take() {
            self.ring.done(self.reader, seq);
            self.sink.messages_processed_total += 1;
        }
        self.pause = None;
        self.tries = 0;
        self.refused_since = None;
        self.blocked = false;
    }

    fn count_fault(&mut self, seq: u64, text: &str, now: Now) {
        if self.counted_out < seq {
            self.counted_out = seq;
            self.sink.fail(text, now.wall);
        } else {
            self.sink.last_exception = fit::<EXCEPTION_BYTES>(text);
            self.sink.last_exception_time = now.wall;
        }
    }

    fn note_down(&mut self, reason: &str, answered: bool, now: Now) {
        match &mut self.down {
            Some((_, kept)) => *kept = fit(reason),
            None => self.down = Some((now.wall, fit(reason))),
        }
        if !answered && self.conn.status == 1 {
            self.conn.status = -1;
            self.conn.last_disconnected = now.wall;
            self.conn.last_disconnected_message = fit(reason);
        }
    }

    /// A connection stands that is kept whether or not anything is sent.
    pub(super) fn connected(&mut self, now: Now) {
        self.down = None;
        if self.conn.status != 1 {
            self.conn.status = 1;
            self.conn.last_connected = now.wall;
        }
        self.conn.last_try = now.wall;
    }

    /// That connection is gone, or could not be made; `status` is what is shown of it.
    pub(super) fn disconnected(&mut self, reason: &str, status: i8, now: Now) {
        self.note_down(reason, false, now);
        if self.conn.last_disconnected_message.is_empty() {
            self.conn.last_disconnected_message = fit(reason);
        }
        self.conn.status = status;
        self.conn.last_try = now.wall;
    }

    fn up(&mut self, now: Now) {
        self.down = None;
        if self.conn.status == -1 {
            self.conn.status = 1;
            self.conn.last_connected = now.wall;
        }
    }
}

/// A list of byte strings, each behind its length: what a record keeps beside its payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Texts<'t>(pub(super) &'t [u8]);

impl<'t> Texts<'t> {
    /// Text `index`; empty if there is none.
    pub(super) fn get(self, index: usize) -> &'t str {
        self.iter().nth(index).unwrap_or("")
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'t str> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (len, tail) = rest.split_first_chunk::<4>()?;
            let (text, tail) = tail.split_at_checked(u32::from_le_bytes(*len) as usize)?;
            rest = tail;
            Some(core::str::from_utf8(text).unwrap_or(""))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(loses: bool, payloads: Option<usize>, bytes: usize) -> Outbox {
        let bounds =
            Bounds { bytes, payloads, loses, discards: false, resend_interval: Duration::ZERO, retry_for: Duration::from_secs(60) };
        Outbox::new(&bounds).expect("sound")
    }

    fn at(ms: u64) -> Now {
        Now { mono: Instant(ms * 1_000_000), wall: Timestamp(i64::try_from(ms).expect("small")) }
    }

    fn retry(answered: bool) -> Verdict<'static> {
        Verdict::Retry { reason: "connect refused", text: "long text", answered, after: None }
    }

    fn head(o: &mut Outbox, ms: u64) -> Option<u8> {
        o.next(at(ms)).map(|w| w.body[0])
    }

    #[test]
    fn one_at_a_time_in_order() {
        let mut o = outbox(true, None, 4096);
        for b in [b"a", b"b"] {
            assert!(o.push(b"", b, at(0)));
        }
        assert_eq!(head(&mut o, 1), Some(b'a'));
        assert_eq!(head(&mut o, 1), Some(b'a'), "the same until it is done");
        o.done(Verdict::Delivered, at(2));
        assert_eq!(head(&mut o, 2), Some(b'b'));
        o.done(Verdict::Failed { text: "no" }, at(3));
        assert_eq!(head(&mut o, 3), None);
        assert_eq!(
            (o.sink.records_in_total, o.sink.records_out_total, o.sink.exceptions_total, o.sink.messages_processed_total),
            (2, 1, 1, 2)
        );
        assert_eq!(o.drops.refused_total, 1);
    }

    #[test]
    fn pauses_double_up_to_the_bound_and_count_one_exception() {
        let mut o = outbox(true, None, 4096);
        o.conn.status = 1;
        o.push(b"", b"a", at(0));
        let mut now = 0;
        for pause in [100, 200, 400, 800, 1600, 2000, 2000] {
            assert_eq!(head(&mut o, now), Some(b'a'));
            o.done(retry(false), at(now));
            assert_eq!(o.until(), Some(at(now + pause).mono));
            assert_eq!(head(&mut o, now + pause - 1), None);
            now += pause;
        }
        assert_eq!((o.sink.exceptions_total, o.sink.records_in_total, o.conn.status), (1, 1, -1));
        assert_eq!(o.down(), Some((Timestamp(0), "connect refused")));
        assert_eq!(head(&mut o, now), Some(b'a'));
        o.done(Verdict::Delivered, at(now));
        assert_eq!((o.down(), o.conn.status, o.sink.records_out_total), (None, 1, 1));
        o.push(b"", b"b", at(now));
        head(&mut o, now);
        o.done(retry(false), at(now));
        assert_eq!(o.until(), Some(at(now + 100).mono), "a new payload begins with the first pause");
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause() {
        for (asked, pause) in [(1, 1000), (0, 100), (301, 300_000)] {
            let mut o = outbox(true, None, 4096);
            o.push(b"", b"a", at(0));
            head(&mut o, 0);
            o.done(Verdict::Retry { reason: "", text: "", answered: true, after: Some(Duration::from_secs(asked)) }, at(0));
            assert_eq!(o.until(), Some(at(pause).mono));
        }
    }

    #[test]
    fn a_poison_payload_is_given_up_where_loss_is_allowed() {
        for (loses, gone) in [(true, 1), (false, 0)] {
            let mut o = outbox(loses, None, 4096);
            o.push(b"", b"a", at(0));
            o.push(b"", b"b", at(0));
            for now in [0, 59_000, 60_000] {
                assert_eq!(head(&mut o, now), Some(b'a'));
                o.done(retry(true), at(now));
            }
            assert_eq!(o.drops.given_up_total, gone);
            assert_eq!(head(&mut o, 70_000), Some(if loses { b'b' } else { b'a' }));
        }
    }

    #[test]
    fn nobody_there_is_no_reason_to_give_up() {
        let mut o = outbox(true, None, 4096);
        o.push(b"", b"a", at(0));
        for hour in 0..10 {
            assert_eq!(head(&mut o, hour * 3_600_000), Some(b'a'));
            o.done(retry(false), at(hour * 3_600_000));
        }
        assert_eq!(o.drops, Drops::default());
    }

    #[test]
    fn full_loses_the_oldest_or_waits() {
        let mut o = outbox(true, Some(2), 4096);
        for b in [b"a", b"b", b"c", b"d", b"e"] {
            assert!(o.push(b"", b, at(0)));
        }
        assert_eq!((o.waiting(), o.drops.outbox_full_total), (3, 2));
        assert_eq!(head(&mut o, 0), Some(b'c'));

        let mut o = outbox(false, Some(1), 4096);
        assert!(o.push(b"", b"a", at(0)) && o.push(b"", b"b", at(0)));
        assert!(!o.push(b"", b"c", at(0)) && o.is_blocked());
        assert_eq!(head(&mut o, 0), Some(b'a'));
        o.done(Verdict::Delivered, at(0));
        assert!(!o.is_blocked() && o.push(b"", b"c", at(0)));
        assert_eq!(o.drops, Drops::default());
    }

    #[test]
    fn a_payload_that_left_while_on_its_way() {
        // Delivered after all: not lost. Failed: lost, once.
        for (verdict, lost) in [(Verdict::Delivered, 0), (retry(false), 1)] {
            let mut o = outbox(true, Some(0), 4096);
            o.push(b"", b"a", at(0));
            assert_eq!(head(&mut o, 0), Some(b'a'));
            o.push(b"", b"b", at(0));
            assert_eq!(head(&mut o, 0), None);
            o.done(verdict, at(0));
            assert_eq!(o.drops.outbox_full_total, lost);
            assert_eq!(head(&mut o, 0), Some(b'b'));
        }
        // It waited for its next try: gone at once.
        let mut o = outbox(true, Some(0), 4096);
        o.push(b"", b"a", at(0));
        head(&mut o, 0);
        o.done(retry(false), at(0));
        o.push(b"", b"b", at(1));
        assert_eq!(o.drops.outbox_full_total, 1);
        assert_eq!(head(&mut o, 1), Some(b'b'));
    }

    #[test]
    fn queued_payloads_are_settled_later() {
        let mut o = outbox(true, None, 4096);
        for b in [b"a", b"b", b"c"] {
            o.push(b"", b, at(0));
        }
        for _ in 0..3 {
            head(&mut o, 0);
            o.done(Verdict::Queued, at(0));
        }
        assert_eq!((o.waiting(), head(&mut o, 0)), (3, None));
        o.settle(2, 2, 1, "disk full", at(1));
        assert_eq!((o.waiting(), o.sink.records_out_total, o.sink.exceptions_total), (1, 1, 1));
        o.settle(3, 1, 0, "", at(2));
        assert_eq!((o.waiting(), o.sink.records_out_total, o.down()), (0, 2, None));
    }

    #[test]
    fn texts_read_back() {
        let mut bytes = Vec::new();
        for text in ["", "ab", "é"] {
            bytes.extend(u32::try_from(text.len()).expect("small").to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        let texts = Texts(&bytes);
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["", "ab", "é"]);
        assert_eq!((texts.get(1), texts.get(3), Texts::default().get(0)), ("ab", "", ""));
    }
}
