//! The state of one aggregate: a few words in its group's value, and what grows in a value of its own.
//!
//! In: values and words to keep. Out: the changed state, or [`Full`]. Two states of rows that follow each other can become one
//! ([`merge_accs`]) as long as neither has a value of its own.

use super::{ACC_BYTES, Kind};
use crate::eval::state::{Full, Id, Store, put_u32, u32_at};
use crate::value::Value;
use crate::value::packed::{self, Encoder};

pub(super) const TAG: usize = 0;
pub(super) const FLAG: usize = 1;
/// Raw id of the value of its own.
pub(super) const OWN: usize = 4;
pub(super) const COUNT: usize = 8;
pub(super) const A: usize = 16;
pub(super) const B: usize = 24;

/// Type of what was seen so far.
pub(super) const NOTHING: u8 = 0;
pub(super) const INT: u8 = 1;
pub(super) const FLOAT: u8 = 2;
pub(super) const TEXT: u8 = 3;
pub(super) const FAULT: u8 = 255;

/// In the flag of a percentile: rows came, and none of them said which.
pub(super) const NO_SHARE: u8 = 2;

/// A copy of an accumulator's state while it is changed.
pub(super) struct Acc(pub(super) [u8; ACC_BYTES]);

impl Acc {
    pub(super) fn count(&self) -> u64 {
        self.word(COUNT)
    }

    pub(super) fn word(&self, at: usize) -> u64 {
        self.0.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
    }

    pub(super) fn int(&self, at: usize) -> i64 {
        self.word(at).cast_signed()
    }

    pub(super) fn float(&self, at: usize) -> f64 {
        f64::from_bits(self.word(at))
    }

    pub(super) fn set(&mut self, at: usize, word: u64) {
        if let Some(place) = self.0.get_mut(at..at + 8) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }

    pub(super) fn own(&self) -> Option<Id> {
        Id::from_raw(u32_at(&self.0, OWN))
    }
}

/// Bytes of a value that is kept without an entry of its own.
const INLINE: usize = 16;

/// Appends to the packed list of its own.
pub(super) fn push<S: AsRef<[u8]> + AsMut<[u8]>>(store: &mut Store<S>, acc: &mut Acc, value: Value<'_>) -> Result<(), Full> {
    let add = packed::len(value);
    let id = match acc.own() {
        Some(id) => id,
        None => {
            let id = store.alloc(packed::LIST_HEADER)?;
            let mut list = Encoder::new(store.get_mut(id));
            // It is exactly as long as an empty list.
            let _ = list.begin_list().and_then(|()| list.end());
            put_u32(&mut acc.0, OWN, id.to_raw() as usize);
            id
        }
    };
    let old = store.get(id).len();
    store.resize(id, old + add)?;
    let list = store.get_mut(id);
    if let Some(room) = list.get_mut(old..) {
        let _ = Encoder::new(room).value(value); // measured above
    }
    packed::grown(list);
    Ok(())
}

/// Appends 8 octets to the value of its own.
pub(super) fn word_list<S: AsRef<[u8]> + AsMut<[u8]>>(store: &mut Store<S>, acc: &mut Acc, word: u64) -> Result<(), Full> {
    let id = match acc.own() {
        Some(id) => id,
        None => {
            let id = store.alloc(0)?;
            put_u32(&mut acc.0, OWN, id.to_raw() as usize);
            id
        }
    };
    let old = store.get(id).len();
    store.resize(id, old + 8)?;
    if let Some(place) = store.get_mut(id).get_mut(old..) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    Ok(())
}

/// Makes `bytes` the value of its own.
pub(super) fn put_own<S: AsRef<[u8]> + AsMut<[u8]>>(store: &mut Store<S>, acc: &mut Acc, bytes: &[u8]) -> Result<(), Full> {
    match acc.own() {
        Some(id) => store.put(id, bytes),
        None => {
            let id = store.alloc(bytes.len())?;
            store.get_mut(id).copy_from_slice(bytes);
            put_u32(&mut acc.0, OWN, id.to_raw() as usize);
            Ok(())
        }
    }
}

/// Keeps one value: small ones in place (their length in FLAG), others in a value of their own.
pub(super) fn keep<S: AsRef<[u8]> + AsMut<[u8]>>(store: &mut Store<S>, acc: &mut Acc, value: Value<'_>) -> Result<(), Full> {
    let len = packed::len(value);
    let inline = &mut acc.0[A..A + INLINE];
    if len <= INLINE {
        let _ = Encoder::new(inline).value(value); // measured above
        #[expect(clippy::cast_possible_truncation, reason = "at most INLINE")]
        let len = len as u8;
        acc.0[FLAG] = len;
        return Ok(());
    }
    let id = match acc.own() {
        Some(id) => id,
        None => {
            let id = store.alloc(0)?;
            put_u32(&mut acc.0, OWN, id.to_raw() as usize);
            id
        }
    };
    store.resize(id, len)?;
    let _ = Encoder::new(store.get_mut(id)).value(value); // measured above
    acc.0[FLAG] = u8::MAX;
    Ok(())
}

/// See [`Kinds::merge`](crate::eval::aggregate::Kinds::merge).
pub(super) fn merge_accs(kind: Kind, acc: &mut [u8; ACC_BYTES], later: &[u8; ACC_BYTES]) -> bool {
    let (mut a, b) = (Acc(*acc), Acc(*later));
    if a.own().is_some() || b.own().is_some() || a.0[TAG] == FAULT || b.0[TAG] == FAULT {
        return false;
    }
    let (n, m) = (a.count(), b.count());
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    match kind {
        Kind::Count => a.set(COUNT, n + m),
        Kind::LastValue if b.0[FLAG] == 0 => return true,
        Kind::LastValue => a = b,
        Kind::Stddev | Kind::Stddevs | Kind::Var | Kind::Vars if m == 0 => return true,
        Kind::Stddev | Kind::Stddevs | Kind::Var | Kind::Vars => {
            // Chan's way to put two sets together.
            let (x, y) = (n as f64, m as f64);
            let delta = b.float(A) - a.float(A);
            let mean = a.float(A) + delta * y / (x + y);
            let squares = a.float(B) + b.float(B) + delta * delta * x * y / (x + y);
            a.set(A, mean.to_bits());
            a.set(B, squares.to_bits());
            a.set(COUNT, n + m);
        }
        Kind::Sum | Kind::Avg | Kind::Max | Kind::Min => match (a.0[TAG], b.0[TAG]) {
            (_, NOTHING) => return true,
            (NOTHING, _) => a = b,
            (INT, INT) => {
                let (p, q) = (a.int(A), b.int(A));
                let word = match kind {
                    Kind::Max => p.max(q),
                    Kind::Min => p.min(q),
                    _ => p.wrapping_add(q),
                };
                a.set(A, word.cast_unsigned());
                a.set(COUNT, n + m);
            }
            (FLOAT, FLOAT) => {
                let (p, q) = (a.float(A), b.float(A));
                let word = match kind {
                    Kind::Max => p.max(q),
                    Kind::Min => p.min(q),
                    _ => p + q,
                };
                a.set(A, word.to_bits());
                a.set(COUNT, n + m);
            }
            _ => return false,
        },
        _ => return false,
    }
    *acc = a.0;
    true
}
