//! Buckets against the obvious model, seats, shares, and what a full table does.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::ring::{Overflow, Parts};

fn conf(per_second: u32, burst: u32) -> LimitsConf {
    LimitsConf { request_every: Some(Duration::from_secs(1) / per_second), request_burst: burst, ..LimitsConf::default() }
}

const A: Who<'static> = Who::Credential("a");

#[test]
fn a_burst_then_the_rate_and_how_long_to_wait() {
    let mut table = Admission::new(8, 4, 1, 7);
    let pace = Pace::of(&conf(2, 3));
    let at = |ms: u64| Instant(5_000_000_000 + ms * 1_000_000);
    let mut go = |ms| {
        let seen = table.look(A, &pace, at(ms));
        if seen.is_ok() {
            table.take(A, &pace, 1, 0, at(ms));
        }
        seen
    };
    assert_eq!([go(0), go(0), go(0)], [Ok(()); 3]);
    assert_eq!(go(0), Err(Wait::Rate(1)));
    assert_eq!(go(499), Err(Wait::Rate(1)));
    assert_eq!(go(500), Ok(()));
    assert_eq!(go(999), Err(Wait::Rate(1)));
    assert_eq!(go(10_000), Ok(()));
    let slow = Pace::of(&LimitsConf { request_every: Some(Duration::from_secs(100)), request_burst: 1, ..LimitsConf::default() });
    table.take(Who::Credential("s"), &slow, 1, 0, at(0));
    assert_eq!(table.look(Who::Credential("s"), &slow, at(1)), Err(Wait::Rate(100)));
    assert_eq!(table.look(Who::Credential("s"), &slow, at(100_000)), Ok(()));
}

#[test]
fn a_body_larger_than_the_burst_goes_once_and_is_paid_for() {
    let mut table = Admission::new(8, 4, 1, 7);
    let pace = Pace::of(&LimitsConf { bytes_per_second: Some(1000), byte_burst: 1000, ..LimitsConf::default() });
    let at = |ms: u64| Instant(5_000_000_000 + ms * 1_000_000);
    assert_eq!(table.look(A, &pace, at(0)), Ok(()));
    table.take(A, &pace, 1, 10_000, at(0));
    assert_eq!(table.look(A, &pace, at(0)), Err(Wait::Rate(10)));
    assert_eq!(table.look(A, &pace, at(9_000)), Err(Wait::Rate(1)));
    assert_eq!(table.look(A, &pace, at(9_001)), Ok(()));
}

#[test]
fn connections_are_counted_once_and_given_back() {
    let mut table = Admission::new(8, 4, 1, 7);
    let pace = Pace::of(&LimitsConf { connections: Some(2), ..LimitsConf::default() });
    let now = Instant(1);
    let addr = Who::Address([10, 0, 0, 1].into());
    for connection in [0, 0, 5] {
        assert_eq!(table.seat(connection, A, &pace, now), Ok(()));
        assert_eq!(table.seat(connection, addr, &pace, now), Ok(()));
    }
    assert_eq!(table.seat(9, A, &pace, now), Err(Wait::Connections));
    assert_eq!(table.seat(9, Who::Credential("b"), &pace, now), Ok(()));
    // One that says it is another is counted there.
    assert_eq!(table.seat(5, Who::Credential("b"), &pace, now), Ok(()));
    assert_eq!(table.seat(7, A, &pace, now), Ok(()));
    table.closed(0);
    table.closed(0);
    assert_eq!(table.seat(8, A, &pace, now), Ok(()));
    assert_eq!(table.seat(3, A, &pace, now), Err(Wait::Connections));
}

#[test]
fn a_full_table_shares_one_entry_and_counts_it() {
    let mut table = Admission::new(2 * WAYS, 4, 1, 7);
    let pace = Pace::of(&conf(1, 1));
    let now = Instant(1);
    let addr = |n: u8| Who::Address([10, 0, 0, n].into());
    for n in 0..WAYS {
        table.take(addr(u8::try_from(n).expect("small")), &pace, 1, 0, now);
    }
    assert_eq!(table.overflow_total, 0);
    assert_eq!(table.look(addr(100), &pace, now), Ok(()));
    table.take(addr(100), &pace, 1, 0, now);
    assert!(table.look(addr(101), &pace, now).is_err(), "it shares the entry of 100");
    assert_eq!(table.overflow_total, 3);
    for name in ["a", "b"] {
        assert_eq!(table.look(Who::Credential(name), &pace, now), Ok(()), "addresses take no place from credentials");
        table.take(Who::Credential(name), &pace, 1, 0, now);
    }
    assert_eq!(table.overflow_total, 3);
    // Once the others are at rest there is room again.
    assert_eq!(table.look(addr(101), &pace, Instant(2_000_000_000)), Ok(()));
    assert_eq!(table.overflow_total, 3);
}

#[test]
fn failures_and_passwords() {
    let mut table = Admission::new(64, 4, 1, 7);
    let addr = IpAddr::from([10, 0, 0, 1]);
    let now = Instant(1);
    for _ in 0..FAILURES_AT_ONCE {
        assert_eq!(table.failures(addr, now), None);
        table.failed(addr, now);
    }
    assert_eq!(table.failures(addr, now), Some(1));
    assert_eq!(table.failures([10, 0, 0, 2].into(), now), None);
    assert_eq!(table.failures(addr, Instant(200_000_000)), None);
    for _ in 0..PASSWORDS_AT_ONCE {
        assert_eq!(table.password(addr, now), None);
    }
    assert_eq!(table.password(addr, now), Some(5));
    for n in 2..=5 {
        assert_eq!(table.password([10, 0, 0, n].into(), now), None);
    }
    assert_eq!(table.password([10, 0, 0, 9].into(), now), Some(1), "all addresses together");
    table.password_was_good(addr);
    assert_eq!(table.password(addr, Instant(1_000_000_001)), None);
}

#[test]
fn a_hundred_thousand_addresses_take_no_more_place_and_nothing_from_credentials() {
    let mut table = Admission::new(1024, 64, 4, 7);
    let (own, pace) = (Pace::of(&conf(1000, 5)), Pace::of(&conf(1, 1)));
    let places = (table.entries.len(), table.seats.len(), table.shares.len());
    let name = Who::Credential("press-7");
    let mut refused = 0;
    for n in 0..100_000_u32 {
        // A thousand new addresses a second, each with a request, a wrong signature and a password.
        let (addr, now) = (IpAddr::from(n.to_be_bytes()), Instant(u64::from(n) * 1_000_000));
        if table.look(Who::Address(addr), &pace, now).is_ok() {
            table.take(Who::Address(addr), &pace, 1, 0, now);
        } else {
            refused += 1;
        }
        table.failed(addr, now);
        let _ = table.password(addr, now);
        // The sender with a credential goes on at its own rate, one a millisecond.
        assert_eq!(table.look(name, &own, now), Ok(()), "{n}");
        table.take(name, &own, 1, 0, now);
    }
    assert_eq!((table.entries.len(), table.seats.len(), table.shares.len()), places);
    // Those without a place share one, are held back together, and counted.
    assert!(table.overflow_total > 50_000 && refused > 50_000, "{} {refused}", table.overflow_total);
    // A second and a half later there is place for a newcomer again.
    let before = table.overflow_total;
    let later = Instant(101_500_000_000);
    let newcomers = (0..100_u8).filter(|n| table.look(Who::Address([192, 168, 7, *n].into()), &pace, later).is_ok()).count();
    assert_eq!(newcomers, 100);
    assert!(table.overflow_total - before < 100, "some have a place of their own");
}

#[test]
fn addresses_of_one_subscriber_are_one() {
    let at = |text: &str| network(text.parse().expect("an address"));
    assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
    assert_ne!(at("2001:db8:0:1::1"), at("2001:db8:0:2::1"));
    assert_ne!(at("10.0.0.1"), at("10.0.0.2"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Against the obvious model: a bucket that fills by itself and is taken from.
    #[test]
    fn as_a_bucket_that_fills(
        per_second in 1_u32..50,
        burst in 1_u32..20,
        bytes_per_second in 1_u64..5000,
        steps in proptest::collection::vec((0_u64..3, 0_u64..400_000_000, 0_usize..3000), 1..200),
    ) {
        let limits = LimitsConf { bytes_per_second: Some(bytes_per_second), byte_burst: bytes_per_second, ..conf(per_second, burst) };
        let pace = Pace::of(&limits);
        let mut table = Admission::new(64, 4, 1, 7);
        let names = ["a", "b", "c"];
        // Nanoseconds in each bucket, and when it was looked at last.
        let mut model: HashMap<u64, (i128, i128, u64)> = HashMap::new();
        let mut now = 1_000_000_000;
        for (who, pass, bytes) in steps {
            now += pass;
            let full = (i128::from(pace.request_burst), i128::from(pace.byte_burst));
            let (requests, filled, then) = *model.entry(who).or_insert((full.0, full.1, now));
            let (requests, filled) =
                ((requests + i128::from(now - then)).min(full.0), (filled + i128::from(now - then)).min(full.1));
            let fits = requests >= i128::from(pace.request) && filled > 0;
            let id = Who::Credential(names[usize::try_from(who).expect("small")]);
            let seen = table.look(id, &pace, Instant(now));
            prop_assert_eq!(seen.is_ok(), fits);
            let (mut requests, mut filled) = (requests, filled);
            if fits {
                table.take(id, &pace, 1, bytes, Instant(now));
                requests -= i128::from(pace.request);
                filled -= bytes as i128 * 1_000_000_000 / i128::from(bytes_per_second);
            } else if let Err(Wait::Rate(seconds)) = seen {
                // Who waits as long as it was told is let in, and a second less would not have done.
                let later = |s: u16| i128::from(s) * 1_000_000_000;
                let in_at = |t: i128| requests + t >= i128::from(pace.request) && filled + t > 0;
                prop_assert!(in_at(later(seconds)) && !in_at(later(seconds - 1)));
            }
            model.insert(who, (requests, filled, now));
        }
        prop_assert_eq!(table.overflow_total, 0);
    }

    /// However connections come and go, each is found again and none is left behind.
    #[test]
    fn seats_are_found_again(steps in proptest::collection::vec((0_u64..12, any::<bool>()), 1..200)) {
        let mut table = Admission::new(64, 8, 1, 3);
        let pace = Pace::of(&LimitsConf { connections: Some(100), ..LimitsConf::default() });
        let mut open = std::collections::BTreeSet::new();
        for (connection, close) in steps {
            if close {
                table.closed(connection);
                open.remove(&connection);
            } else {
                prop_assert_eq!(table.seat(connection, A, &pace, Instant(1)), Ok(()));
                open.insert(connection);
            }
            let at = table.entry(A, 1);
            prop_assert_eq!(table.entries[at].connections as usize, open.len());
            prop_assert_eq!(table.seats.iter().filter(|s| s.connection != 0).count(), open.len());
        }
    }

    /// What a sender has in a queue is never counted too low, and at most two parts of the queue too high.
    #[test]
    fn shares_of_a_queue(steps in proptest::collection::vec((0_usize..3, 0_usize..300, any::<bool>()), 1..200)) {
        let mut ring = Ring::new(vec![0_u8; 4096], 1, Overflow::Reject, None);
        let reader = ring.add_reader().expect("room");
        let mut table = Admission::new(64, 4, 1, 7);
        let names = ["a", "b", "c"];
        let mut inside: std::collections::VecDeque<(usize, u64)> = std::collections::VecDeque::new();
        for (who, len, take) in steps {
            if take {
                if let Some(record) = ring.peek(reader) {
                    let seq = record.seq;
                    ring.advance(reader);
                    ring.done(reader, seq);
                    inside.pop_front();
                }
            } else {
                let body = vec![b'x'; len];
                let (_, before) = ring.span();
                if ring.push(&Parts { body: &body, ..Parts::default() }).is_ok() {
                    table.pushed(Who::Credential(names[who]), 0, before, &ring);
                    let (_, head) = ring.span();
                    inside.push_back((who, head - before));
                }
            }
            for (who, name) in names.iter().enumerate() {
                let real: u64 = inside.iter().filter(|(w, _)| *w == who).map(|(_, n)| n).sum();
                let seen = table.queued(Who::Credential(name), 0, &ring);
                prop_assert!(seen >= real, "{} holds {}, counted {}", name, real, seen);
                prop_assert!(seen <= real + 2 * 4096 / PARTS as u64 + 340, "{} holds {}, counted {}", name, real, seen);
            }
        }
    }
}
