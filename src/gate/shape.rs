//! What the readings of one sender look like: the keys of the one before, to compare the next one with instead of taking it apart.
//!
//! In: JSON text that may be an object. Out: its leading members, as far as all that stands between their values is octet for octet
//! what it was in the reading that was learned. Values are checked as strictly as ever, so that nothing but time depends on this.

use crate::json::scan::{self, JsonError, Member};

/// Members that are remembered.
const LEADS: usize = 32;
/// Bytes in front of a value that are remembered: comma, key, colon and white space.
const LEAD_BYTES: usize = 32;
/// Readings that looked alike, before others are learned instead.
const TRUST_MAX: u8 = 4;

/// What stands in front of one value.
#[derive(Debug, Clone, Copy)]
struct Lead {
    bytes: [u8; LEAD_BYTES],
    /// Which bits of the first 16 octets count.
    mask: u128,
    len: u8,
    /// Where the key stands in it.
    key_at: u8,
    key_len: u8,
}

impl Lead {
    /// Whether `rest` begins with it.
    #[inline]
    fn fits(&self, rest: &[u8]) -> bool {
        let len = usize::from(self.len);
        match (rest.first_chunk(), self.bytes.first_chunk()) {
            (Some(rest), Some(own)) if len <= 16 => (u128::from_le_bytes(*rest) ^ u128::from_le_bytes(*own)) & self.mask == 0,
            _ => rest.get(..len) == self.bytes.get(..len),
        }
    }
}

/// See the module text.
#[derive(Debug, Clone)]
pub struct Shape {
    leads: [Lead; LEADS],
    count: usize,
    trust: u8,
}

impl Shape {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new() -> Self {
        let none = Lead { bytes: [0; LEAD_BYTES], mask: 0, len: 0, key_at: 0, key_len: 0 };
        Self { leads: [none; LEADS], count: 0, trust: 0 }
    }

    /// Gives the leading members of `text` that stand as they did in the reading that was learned: how many, and behind the last value.
    /// Their keys hold no escapes, and no two are alike.
    ///
    /// # Errors
    /// The first octet of a value that does not fit.
    pub fn walk(&self, text: &str, mut member: impl FnMut(Member)) -> Result<(usize, usize), JsonError> {
        let body = text.as_bytes();
        let (mut at, mut count) = (0, 0);
        for lead in self.leads.get(..self.count).unwrap_or_default() {
            if !lead.fits(body.get(at..).unwrap_or_default()) {
                break;
            }
            let (value_at, end) = scan::check_value(text, at + usize::from(lead.len))?;
            let (key_at, key_len) = (at + usize::from(lead.key_at), usize::from(lead.key_len));
            member(Member { key_at, key_len, escaped: false, value_at, value_len: end - value_at });
            at = end;
            count += 1;
        }
        Ok((count, at))
    }

    /// Hears how a reading went whose keys are distinct and hold no escapes: whether all of its members stood as they did before. If
    /// not, its `members` are learned once there is no trust left in those that are known.
    pub fn hear(&mut self, all: bool, body: &[u8], members: impl Iterator<Item = Member>) {
        if all {
            self.trust = (self.trust + 1).min(TRUST_MAX);
            return;
        }
        if self.trust > 0 {
            self.trust -= 1;
            return;
        }
        // One reading of another look does not undo what was just learned.
        (self.count, self.trust) = (0, 1);
        let mut at = 0;
        for (lead, member) in self.leads.iter_mut().zip(members) {
            let (Some(text), Some(key_at)) = (body.get(at..member.value_at), member.key_at.checked_sub(at)) else { return };
            let (Some(place), Ok(len)) = (lead.bytes.get_mut(..text.len()), u8::try_from(text.len())) else { return };
            place.copy_from_slice(text);
            let narrow = |n: usize| u8::try_from(n).unwrap_or(0);
            (lead.len, lead.key_at, lead.key_len) = (len, narrow(key_at), narrow(member.key_len));
            lead.mask = if len >= 16 { u128::MAX } else { (1 << (8 * u32::from(len))) - 1 };
            at = member.value_at + member.value_len;
            self.count += 1;
        }
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self::new()
    }
}
