//! A member's key that is looked for in many readings: told from others by one comparison of words where it is short.

/// A key as JSON text spells it without escapes.
#[derive(Debug, Clone)]
pub struct Name {
    text: Box<[u8]>,
    /// Its first 16 octets, and which bits of them count.
    word: u128,
    mask: u128,
}

impl Name {
    /// The key `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut word = [0; 16];
        let mut mask = [0; 16];
        for ((word, mask), byte) in word.iter_mut().zip(&mut mask).zip(text.bytes()) {
            (*word, *mask) = (byte, 0xff);
        }
        Self { text: text.as_bytes().into(), word: u128::from_le_bytes(word), mask: u128::from_le_bytes(mask) }
    }

    /// Whether the `len` octets of `body` from `at` on are this key.
    #[must_use]
    #[inline]
    pub fn is(&self, body: &[u8], at: usize, len: usize) -> bool {
        if len != self.text.len() {
            return false;
        }
        let Some(rest) = body.get(at..) else { return false };
        match rest.first_chunk() {
            Some(word) if len <= 16 => (u128::from_le_bytes(*word) ^ self.word) & self.mask == 0,
            _ => rest.get(..len) == Some(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_whole() {
        let long = "abcdefghijklmnopqrstuvwxyz";
        for body in [long, "abcdefghijklmnop", "ab", ""] {
            for at in 0..=body.len() {
                for len in 0..=body.len() - at {
                    let text = &body[at..at + len];
                    assert!(Name::new(text).is(body.as_bytes(), at, len), "{text}");
                    assert!(!Name::new(&format!("{text}x")).is(body.as_bytes(), at, len), "{text}");
                    let other = text.replace(text.chars().last().unwrap_or('z'), "_");
                    assert_eq!(Name::new(&other).is(body.as_bytes(), at, len), text.is_empty(), "{text}");
                }
            }
        }
        assert!(!Name::new("ab").is(b"ab", 1, 2));
        assert!(!Name::new("ab").is(b"ab", 9, 2));
    }
}
