//! The messages of an interval, the latest for each value of one member (`mergeField`).
//!
//! In: checked JSON bodies as they come. Out, at each tick of `interval`: the bodies kept, in the order in which they came. A later
//! body of the same value takes the place of the one before; a message without the member, with null, a list or an object in it, or
//! that is a list itself, counts as one value of its own. Bound: the bytes given. What finds no room stays in the queue until
//! the tick, and the queue's own bound holds.

use crate::json::scan;
use crate::pages::Pages;
use crate::value::{Fault, Numbers, Scratch, Value, key, key_is};

/// total u32 (bit 31: superseded), key u32, meta u32.
const HEADER: usize = 12;
const DEAD: u32 = 1 << 31;

/// See the module text.
#[derive(Debug)]
pub(super) struct Frames {
    bytes: Pages,
    len: usize,
    /// Where the latest stands.
    last: usize,
    /// Those kept.
    live: usize,
}

/// There is no room before the next tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Frames {
    /// Empty, with room for so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes: Pages::new(bytes), len: 0, last: 0, live: 0 }
    }

    /// True without a message.
    pub(super) const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Forgets all.
    pub(super) const fn clear(&mut self) {
        (self.len, self.last, self.live) = (0, 0, 0);
    }

    /// Takes a message under its key.
    ///
    /// # Errors
    /// [`Full`]: it was not taken. One that is larger than all the room is never [`Full`]: it is taken alone or not at all (`Ok(false)`).
    pub(super) fn put(&mut self, key: &[u8], meta: &[u8], body: &[u8]) -> Result<bool, Full> {
        let total = (HEADER + key.len() + meta.len() + body.len()).next_multiple_of(4);
        if total > self.bytes.len() {
            return Ok(false);
        }
        let old = self.entries().find(|e| e.key == key).map(|e| e.at);
        if self.bytes.len() - self.len < total {
            let freed = old.map_or(0, |at| self.word(at) as usize);
            let dead: usize = self.len - self.entries().map(|e| self.word(e.at) as usize).sum::<usize>();
            if self.bytes.len() - self.len + dead + freed < total {
                return Err(Full);
            }
        }
        if let Some(at) = old {
            let total = self.word(at) | DEAD;
            self.set_word(at, total);
            self.live -= 1;
        }
        if self.bytes.len() - self.len < total {
            self.compact();
        }
        let at = self.len;
        let lens = [total, key.len(), meta.len()].map(|n| u32::try_from(n).unwrap_or(0));
        for (i, word) in lens.into_iter().enumerate() {
            self.set_word(at + 4 * i, word);
        }
        let mut to = at + HEADER;
        for part in [key, meta, body] {
            if let Some(room) = self.bytes.get_mut(to..to + part.len()) {
                room.copy_from_slice(part);
            }
            to += part.len();
        }
        // What rounds the total up belongs to nobody.
        let pad = total - (to - at);
        if let Some(room) = self.bytes.get_mut(to..to + pad) {
            room.fill(b' ');
        }
        self.len += total;
        self.last = at;
        self.live += 1;
        Ok(true)
    }

    /// The bodies, in the order in which they came.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        self.entries().map(|e| e.body)
    }

    /// The arrival facts of the latest message.
    pub(super) fn meta(&self) -> &[u8] {
        if self.is_empty() { &[] } else { self.entry(self.last).map_or(&[], |e| e.meta) }
    }

    /// Moves what is kept to the front.
    fn compact(&mut self) {
        let (mut from, mut to) = (0, 0);
        while from < self.len {
            let word = self.word(from);
            let total = (word & !DEAD) as usize;
            if word & DEAD == 0 {
                self.bytes.copy_within(from..from + total, to);
                self.last = to;
                to += total;
            }
            from += total.max(HEADER);
        }
        self.len = to;
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut at = 0;
        core::iter::from_fn(move || {
            while at < self.len {
                let word = self.word(at);
                let entry = self.entry(at);
                at += ((word & !DEAD) as usize).max(HEADER);
                if word & DEAD == 0 {
                    return entry;
                }
            }
            None
        })
    }

    fn entry(&self, at: usize) -> Option<Entry<'_>> {
        let total = (self.word(at) & !DEAD) as usize;
        let (key, meta) = (self.word(at + 4) as usize, self.word(at + 8) as usize);
        let rest = self.bytes.get(at + HEADER..at + total)?;
        let (key, rest) = rest.split_at_checked(key)?;
        let (meta, body) = rest.split_at_checked(meta)?;
        Some(Entry { at, key, meta, body })
    }

    fn word(&self, at: usize) -> u32 {
        self.bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
    }

    fn set_word(&mut self, at: usize, word: u32) {
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }
}

struct Entry<'f> {
    at: usize,
    key: &'f [u8],
    meta: &'f [u8],
    /// With the spaces that round it up.
    body: &'f [u8],
}

/// What tells the messages of an interval apart: the value of a member, numbers by what they are worth.
///
/// # Errors
/// A number that the stream's rule for numbers does not take; [`Fault::FULL`].
pub(super) fn key_of<'a>(body: &'a [u8], member: &str, numbers: Numbers, scratch: &Scratch<'a>) -> Result<&'a [u8], Fault<'a>> {
    let text = core::str::from_utf8(body).unwrap_or("");
    let found = scan::members(text).filter(|(key, _)| key_is(key, member)).last();
    let value = found.map_or(Ok(Value::Null), |(_, value)| Value::from_json(value, numbers, scratch))?;
    scratch.write_bytes(|out| {
        if !key::write(value, out)? {
            key::write(Value::Null, out)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(frames: &Frames) -> Vec<String> {
        frames.bodies().map(|b| String::from_utf8_lossy(b).trim_end().to_owned()).collect()
    }

    #[test]
    fn the_latest_of_each_key_in_the_order_they_came() {
        let mut frames = Frames::new(256);
        for (key, body) in [("1", "a"), ("2", "b"), ("1", "c"), ("3", "dddd"), ("2", "e")] {
            assert_eq!(frames.put(key.as_bytes(), body.as_bytes(), body.as_bytes()), Ok(true));
        }
        assert_eq!(kept(&frames), ["c", "dddd", "e"]);
        assert_eq!(frames.meta(), b"e");
        frames.clear();
        assert!(frames.is_empty() && kept(&frames).is_empty() && frames.meta().is_empty());
    }

    #[test]
    fn room_is_found_again_where_messages_were_superseded() {
        // Entries of 12 + 1 + 7 = 20 bytes: exactly three.
        let mut frames = Frames::new(60);
        for i in 0..100 {
            let key = [b'0' + i % 3];
            assert_eq!(frames.put(&key, b"", format!("{i:07}").as_bytes()), Ok(true), "{i}");
        }
        assert_eq!(kept(&frames), ["0000097", "0000098", "0000099"]);
        assert_eq!(frames.put(b"x", b"", b"0000100"), Err(Full), "one key more");
        assert_eq!(frames.put(b"0", b"", b"00000101"), Err(Full), "one byte more");
        assert_eq!(kept(&frames), ["0000097", "0000098", "0000099"], "nothing changed");
        assert_eq!(frames.put(b"0", b"", &[b'y'; 48]), Ok(false), "larger than all the room");
        frames.clear();
        assert_eq!(frames.put(b"0", b"", &[b'y'; 47]), Ok(true), "as large");
    }

    #[test]
    fn keys_are_values() {
        let mut buf = vec![0; 4096];
        let scratch = Scratch::new(&mut buf);
        let key = |body: &'static str, numbers| key_of(body.as_bytes(), "id", numbers, &scratch).map(<[u8]>::to_vec);
        let float = Numbers::Float;
        for (a, b, same) in [
            (r#"{"id":1}"#, r#"{"x":2,"id":1.0}"#, true),
            (r#"{"id":1}"#, r#"{"id":"1"}"#, false),
            (r#"{"id":"a"}"#, r#"{"id":"\u0061"}"#, true),
            (r#"{"id":null}"#, r#"{"x":1}"#, true),
            (r#"{"id":[1]}"#, r#"[{"id":1}]"#, true),
            (r#"{"id":true}"#, r#"{"id":false}"#, false),
            (r#"{"id":2,"id":1}"#, r#"{"id":1}"#, true),
            (r#"{"id":0}"#, r#"{"id":-0}"#, true),
        ] {
            assert_eq!(key(a, float) == key(b, float), same, "{a} {b}");
        }
        assert_ne!(key(r#"{"id":9007199254740993}"#, Numbers::Whole), key(r#"{"id":9007199254740992}"#, Numbers::Whole));
        assert!(key(r#"{"id":1e3}"#, Numbers::Whole).is_err());
    }
}
