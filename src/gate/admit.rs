//! How much a sender may send: token buckets, connections and queue shares in fixed tables, decided before the body is read.
//!
//! A sender is a credential (by its name) or an address (IPv6 by /64). Each has an [`Entry`] once something bounds it. An entry
//! whose buckets are full and that holds no connection is forgotten when its place is wanted. When all places where an entry may
//! stand are taken, its sender shares one entry with all others without one, and that is counted. Half of the table is for
//! credentials, half for addresses: however many addresses there are, they take no place from who has a credential. Time is an
//! argument; nothing allocates after [`Admission::new`].
//!
//! Buckets hold time: a request takes `1 / requestsPerSecond`, a body `bytes / bytesPerSecond`; a request may go once there is that
//! much, a body once there is anything at all (so that one larger than the burst is not refused for ever) and leaves a debt behind.

use core::net::IpAddr;
use core::time::Duration;

use crate::config::credentials::LimitsConf;
use crate::ring::Ring;
use crate::time::Instant;

/// Entries that may stand in one place of the table.
const WAYS: usize = 8;
/// Parts of a queue by which shares are counted: what is left of a part that is half drained counts whole.
const PARTS: usize = 16;
/// Senders with a queue share that are told apart.
const SHARE_COUNT: usize = 256;
/// Failed signatures and passwords of one address: so many at once, then one in this time.
const FAILURES_AT_ONCE: u64 = 100;
const FAILURE_EVERY: Duration = Duration::from_millis(100);
/// Passwords hashed with PBKDF2 that one address may have checked, and all addresses together.
const PASSWORDS_AT_ONCE: u64 = 4;
const PASSWORD_EVERY: Duration = Duration::from_secs(5);
const PASSWORDS_AT_ONCE_ALL: u64 = 8;
const PASSWORD_EVERY_ALL: Duration = Duration::from_millis(500);

/// What a sender may send, in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    /// What one request takes of its bucket, and what the bucket holds, in nanoseconds; 0: no bound.
    request: u64,
    request_burst: u64,
    /// Bytes a second; 0: no bound.
    bytes_per_second: u64,
    byte_burst: u64,
    /// Connections at once; 0: no bound.
    connections: u32,
    /// Percent of a queue; 0: no bound.
    pub queue_share: u8,
}

impl Pace {
    /// The pace that a configuration asks for.
    #[must_use]
    pub fn of(conf: &LimitsConf) -> Self {
        let request = conf.request_every.map_or(0, nanos);
        let bytes_per_second = conf.bytes_per_second.unwrap_or(0);
        Self {
            request,
            request_burst: request.saturating_mul(u64::from(conf.request_burst)),
            bytes_per_second,
            byte_burst: time_of(conf.byte_burst, bytes_per_second),
            connections: conf.connections.unwrap_or(0),
            queue_share: conf.queue_share.unwrap_or(0),
        }
    }

    /// Whether it bounds nothing.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.request == 0 && self.bytes_per_second == 0 && self.connections == 0 && self.queue_share == 0
    }
}

/// Whose entry it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who<'w> {
    /// A credential, by name.
    Credential(&'w str),
    /// An address.
    Address(IpAddr),
    /// An address as the source of failed signatures.
    Failures(IpAddr),
    /// An address as the source of passwords.
    Passwords(IpAddr),
}

/// Why a request has to wait, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Too many requests or bytes: in so many seconds there is room again.
    Rate(u16),
    /// Too many connections.
    Connections,
}

/// What one sender has used.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// Whose; 0: nobody's.
    key: u64,
    requests: Bucket,
    bytes: Bucket,
    connections: u32,
}

/// A bucket as the moment when it will be full again.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    full_at: u64,
}

impl Bucket {
    /// Nanoseconds until `need` is there; 0: now.
    const fn wait(self, need: u64, burst: u64, now: u64) -> u64 {
        let missing = self.full_at.saturating_sub(now);
        (missing + need).saturating_sub(burst)
    }

    const fn take(&mut self, cost: u64, now: u64) {
        let from = if self.full_at > now { self.full_at } else { now };
        self.full_at = from.saturating_add(cost);
    }
}

/// One connection that is counted.
#[derive(Debug, Clone, Copy, Default)]
struct Seat {
    /// The connection's number plus one; 0: free.
    connection: u64,
    credential: Option<u32>,
    address: Option<u32>,
}

/// See the module text.
#[derive(Debug)]
pub struct Admission {
    /// Sets of [`WAYS`], first those of credentials, then those of addresses; the last two entries are shared, one for each.
    entries: Box<[Entry]>,
    seats: Box<[Seat]>,
    shares: Box<[Share]>,
    passwords: Bucket,
    seed: u64,
    /// Requests whose sender found no entry of its own.
    pub overflow_total: u64,
}

impl Admission {
    /// For endpoints that are all open: it will never be asked about a sender, and takes no memory.
    #[must_use]
    pub fn unused() -> Self {
        Self {
            entries: vec![Entry::default(); WAYS + 1].into(),
            seats: vec![Seat::default()].into(),
            shares: Box::default(),
            passwords: Bucket::default(),
            seed: 0,
            overflow_total: 0,
        }
    }

    /// It was made by [`Admission::unused`].
    #[must_use]
    pub fn is_unused(&self) -> bool {
        self.shares.is_empty()
    }

    /// Room for `count` senders, `connections` connections and `streams` queues. `seed` keeps senders from choosing places that are taken.
    #[must_use]
    pub fn new(count: usize, connections: usize, streams: usize, seed: u64) -> Self {
        let sets = count.div_ceil(2 * WAYS).max(1) * 2;
        Self {
            entries: vec![Entry::default(); sets * WAYS + 2].into(),
            seats: vec![Seat::default(); (connections * 2).next_power_of_two()].into(),
            shares: vec![Share::default(); SHARE_COUNT + streams].into(),
            passwords: Bucket::default(),
            seed,
            overflow_total: 0,
        }
    }

    /// Bytes that [`Admission::new`] takes.
    #[must_use]
    pub const fn bytes(count: usize, connections: usize, streams: usize) -> usize {
        let sets = count.div_ceil(2 * WAYS) * 2;
        (sets * WAYS + 2) * size_of::<Entry>()
            + (connections * 2).next_power_of_two() * size_of::<Seat>()
            + (SHARE_COUNT + streams) * size_of::<Share>()
    }

    /// Whether a request may go now. Takes nothing.
    ///
    /// # Errors
    /// How long it has to wait.
    pub fn look(&mut self, who: Who<'_>, pace: &Pace, now: Instant) -> Result<(), Wait> {
        if pace.request == 0 && pace.bytes_per_second == 0 {
            return Ok(());
        }
        let at = self.entry(who, now.0);
        let entry = &self.entries[at];
        let mut wait = 0;
        if pace.request > 0 {
            wait = entry.requests.wait(pace.request, pace.request_burst, now.0);
        }
        if pace.bytes_per_second > 0 {
            wait = wait.max(entry.bytes.wait(1, pace.byte_burst, now.0));
        }
        if wait == 0 { Ok(()) } else { Err(Wait::Rate(seconds(wait))) }
    }

    /// Takes a request and its bytes.
    pub fn take(&mut self, who: Who<'_>, pace: &Pace, requests: u64, bytes: usize, now: Instant) {
        if pace.request == 0 && pace.bytes_per_second == 0 {
            return;
        }
        let at = self.entry(who, now.0);
        let entry = &mut self.entries[at];
        entry.requests.take(pace.request.saturating_mul(requests), now.0);
        entry.bytes.take(time_of(bytes as u64, pace.bytes_per_second), now.0);
    }

    /// Counts a connection for a sender, once.
    ///
    /// # Errors
    /// [`Wait::Connections`] when it would be one too many.
    pub fn seat(&mut self, connection: u64, who: Who<'_>, pace: &Pace, now: Instant) -> Result<(), Wait> {
        if pace.connections == 0 {
            return Ok(());
        }
        let entry = self.entry(who, now.0);
        let index = u32::try_from(entry).unwrap_or(u32::MAX);
        let address = matches!(who, Who::Address(_));
        let Some(at) = self.seat_of(connection, true) else { return Err(Wait::Connections) };
        let seat = &mut self.seats[at];
        let own = if address { &mut seat.address } else { &mut seat.credential };
        if *own == Some(index) {
            return Ok(());
        }
        if self.entries[entry].connections >= pace.connections {
            if seat.credential.is_none() && seat.address.is_none() {
                self.unseat(at);
            }
            return Err(Wait::Connections);
        }
        if let Some(old) = own.replace(index) {
            self.entries[old as usize].connections -= 1;
        }
        self.entries[entry].connections += 1;
        Ok(())
    }

    /// A connection has ended.
    pub fn closed(&mut self, connection: u64) {
        let Some(at) = self.seat_of(connection, false) else { return };
        let seat = self.seats[at];
        for entry in [seat.credential, seat.address].into_iter().flatten() {
            if let Some(entry) = self.entries.get_mut(entry as usize) {
                entry.connections = entry.connections.saturating_sub(1);
            }
        }
        self.unseat(at);
    }

    /// Whether an address has sent too many wrong signatures: seconds to wait.
    pub fn failures(&mut self, addr: IpAddr, now: Instant) -> Option<u16> {
        let key = self.key(Who::Failures(addr));
        // Nobody's failures are remembered before the first.
        let at = self.find(key)?;
        let each = nanos(FAILURE_EVERY);
        let wait = self.entries[at].requests.wait(each, each * FAILURES_AT_ONCE, now.0);
        (wait > 0).then(|| seconds(wait))
    }

    /// An address has sent a wrong signature.
    pub fn failed(&mut self, addr: IpAddr, now: Instant) {
        let at = self.entry(Who::Failures(addr), now.0);
        self.entries[at].requests.take(nanos(FAILURE_EVERY), now.0);
    }

    /// Whether a password of that address may be hashed now; if so it is counted. Seconds to wait, if not.
    pub fn password(&mut self, addr: IpAddr, now: Instant) -> Option<u16> {
        let (each, all) = (nanos(PASSWORD_EVERY), nanos(PASSWORD_EVERY_ALL));
        let at = self.entry(Who::Passwords(addr), now.0);
        let own = self.entries[at].requests.wait(each, each * PASSWORDS_AT_ONCE, now.0);
        let wait = own.max(self.passwords.wait(all, all * PASSWORDS_AT_ONCE_ALL, now.0));
        if wait > 0 {
            return Some(seconds(wait));
        }
        self.entries[at].requests.take(each, now.0);
        self.passwords.take(all, now.0);
        None
    }

    /// The password was right: it is held against nobody.
    pub fn password_was_good(&mut self, addr: IpAddr) {
        let key = self.key(Who::Passwords(addr));
        if let Some(at) = self.find(key) {
            let bucket = &mut self.entries[at].requests;
            bucket.full_at = bucket.full_at.saturating_sub(nanos(PASSWORD_EVERY));
        }
        self.passwords.full_at = self.passwords.full_at.saturating_sub(nanos(PASSWORD_EVERY_ALL));
    }

    /// Bytes of a sender's readings that wait in a queue, at most one part of it too many.
    #[must_use]
    pub fn queued<B: AsRef<[u8]> + AsMut<[u8]>>(&self, who: Who<'_>, feed: u16, ring: &Ring<B>) -> u64 {
        let key = self.share_key(who, feed);
        let (tail, _) = ring.span();
        match self.share(key, feed, tail) {
            Some(at) if self.shares[at].key == key || at >= SHARE_COUNT => self.shares[at].since(tail, ring.capacity() as u64),
            _ => 0,
        }
    }

    /// Counts a reading that was just pushed; `before`: where the ring's head stood.
    pub fn pushed<B: AsRef<[u8]> + AsMut<[u8]>>(&mut self, who: Who<'_>, feed: u16, before: u64, ring: &Ring<B>) {
        let key = self.share_key(who, feed);
        let (tail, head) = ring.span();
        let Some(at) = self.share(key, feed, tail) else { return };
        if at >= SHARE_COUNT {
            self.overflow_total += 1;
        }
        let share = &mut self.shares[at];
        if share.key != key && at < SHARE_COUNT {
            *share = Share { key, feed, ..Share::default() };
        }
        share.add(before, head, ring.capacity() as u64);
    }

    /// Forgets the shares of a queue that is gone.
    pub fn forget(&mut self, feed: u16) {
        for (at, share) in self.shares.iter_mut().enumerate() {
            if at == SHARE_COUNT + usize::from(feed) || at < SHARE_COUNT && share.key != 0 && share.feed == feed {
                *share = Share::default();
            }
        }
    }

    fn share_key(&self, who: Who<'_>, feed: u16) -> u64 {
        mix(self.key(who) ^ mix(u64::from(feed) + 1)).max(1)
    }

    /// Where the share of a sender stands, or may stand: its own place, a free one, else the one that the queue's others share.
    fn share(&self, key: u64, feed: u16, tail: u64) -> Option<usize> {
        let own = self.shares.iter().take(SHARE_COUNT);
        let free = |s: &Share| s.key == 0 || s.feed == feed && s.head <= tail;
        let at = own.clone().position(|s| s.key == key).or_else(|| own.clone().position(free));
        at.or_else(|| Some(SHARE_COUNT + usize::from(feed)).filter(|at| *at < self.shares.len()))
    }

    fn key(&self, who: Who<'_>) -> u64 {
        let (kind, value) = match who {
            Who::Credential(name) => (1, name.bytes().fold(self.seed, |n, b| mix(n ^ u64::from(b)))),
            Who::Address(addr) => (2, mix(network(addr) ^ self.seed)),
            Who::Failures(addr) => (3, mix(network(addr) ^ self.seed)),
            Who::Passwords(addr) => (4, mix(network(addr) ^ self.seed)),
        };
        // The last bit tells the halves of the table apart.
        mix(value ^ mix(self.seed ^ kind)).max(2) & !1 | u64::from(kind == 1)
    }

    fn set(&self, key: u64) -> core::ops::Range<usize> {
        let half = (self.entries.len() - 2) / WAYS / 2;
        let at = usize::try_from((key >> 1) % half as u64).unwrap_or(0) + if key & 1 == 1 { 0 } else { half };
        at * WAYS..(at + 1) * WAYS
    }

    fn find(&self, key: u64) -> Option<usize> {
        self.set(key).find(|at| self.entries[*at].key == key)
    }

    /// The entry of a sender: its own, a free one, else the shared one.
    fn entry(&mut self, who: Who<'_>, now: u64) -> usize {
        let key = self.key(who);
        if let Some(at) = self.find(key) {
            return at;
        }
        let idle = |e: &Entry| e.key == 0 || e.connections == 0 && e.requests.full_at <= now && e.bytes.full_at <= now;
        match self.set(key).find(|at| idle(&self.entries[*at])) {
            Some(at) => {
                self.entries[at] = Entry { key, ..Entry::default() };
                at
            }
            None => {
                self.overflow_total += 1;
                self.entries.len() - if key & 1 == 1 { 2 } else { 1 }
            }
        }
    }

    /// Where a connection's seat is; with `make`, a new one when it has none. `None` when all are taken.
    fn seat_of(&mut self, connection: u64, make: bool) -> Option<usize> {
        let number = connection.wrapping_add(1).max(1);
        let mask = self.seats.len() - 1;
        let mut at = usize::try_from(mix(number) & mask as u64).unwrap_or(0);
        for _ in 0..self.seats.len() {
            if self.seats[at].connection == number {
                return Some(at);
            }
            if self.seats[at].connection == 0 {
                if !make {
                    return None;
                }
                self.seats[at] = Seat { connection: number, ..Seat::default() };
                return Some(at);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Frees a seat; those that were pushed on by it move back, so that they are still found.
    fn unseat(&mut self, at: usize) {
        let mask = self.seats.len() - 1;
        let home = |seat: &Seat| usize::try_from(mix(seat.connection) & mask as u64).unwrap_or(0);
        let (mut hole, mut next) = (at, (at + 1) & mask);
        while self.seats[next].connection != 0 && next != at {
            // It may move into the hole if its home is not between the two.
            let from = home(&self.seats[next]);
            if (next.wrapping_sub(from) & mask) >= (next.wrapping_sub(hole) & mask) {
                self.seats[hole] = self.seats[next];
                hole = next;
            }
            next = (next + 1) & mask;
        }
        self.seats[hole] = Seat::default();
    }
}

/// What of one queue is one sender's.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    /// Whose, and of which queue; 0: nobody's.
    key: u64,
    feed: u16,
    /// Where the ring's head stood after the last reading.
    head: u64,
    /// Bytes pushed while the head was in each part, in a circle.
    parts: [u32; PARTS + 1],
}

impl Share {
    fn add(&mut self, before: u64, head: u64, capacity: u64) {
        let size = part_bytes(capacity);
        let (last, now) = (self.head.div_ceil(size), head.div_ceil(size));
        for part in (last + 1..=now).rev().take(PARTS + 1) {
            self.parts[place(part)] = 0;
        }
        let bytes = u32::try_from(head - before).unwrap_or(u32::MAX);
        let part = &mut self.parts[place(now)];
        *part = part.saturating_add(bytes);
        self.head = head;
    }

    /// Bytes pushed since the ring's head stood at `tail`.
    fn since(&self, tail: u64, capacity: u64) -> u64 {
        if self.head <= tail {
            return 0;
        }
        let size = part_bytes(capacity);
        let (first, last) = (tail / size + 1, self.head.div_ceil(size));
        (first..=last).rev().take(PARTS + 1).map(|part| u64::from(self.parts[place(part)])).sum()
    }
}

const fn part_bytes(capacity: u64) -> u64 {
    let size = capacity.div_ceil(PARTS as u64);
    if size == 0 { 1 } else { size }
}

fn place(part: u64) -> usize {
    usize::try_from(part % (PARTS as u64 + 1)).unwrap_or(0)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How long `bytes` take at a rate; 0 without one.
const fn time_of(bytes: u64, per_second: u64) -> u64 {
    match bytes.saturating_mul(1_000_000_000).checked_div(per_second) {
        Some(time) => time,
        None => 0,
    }
}

/// Whole seconds for `Retry-After`, rounded up, so that who waits that long is let in.
fn seconds(nanos: u64) -> u16 {
    u16::try_from(nanos.div_ceil(1_000_000_000).max(1)).unwrap_or(u16::MAX)
}

/// The part of an address that stands for one subscriber: all of IPv4, the first 64 bits of IPv6.
const fn network(addr: IpAddr) -> u64 {
    match addr {
        IpAddr::V4(addr) => 1 << 32 | addr.to_bits() as u64,
        IpAddr::V6(addr) => (addr.to_bits() >> 64) as u64 | 1 << 63,
    }
}

/// A bijection that spreads its input over all bits (SplitMix64).
pub(super) const fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

#[cfg(test)]
mod tests;
