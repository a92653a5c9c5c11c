//! SELECT of plain columns, or of `*` alone, from the text of a reading to the text of its result.
//!
//! In: a JSON object and its index, where every key is plain and stands there once. Out: `[{…}]`, octet for octet what projection and
//! encoding make of the row; or nothing, and the row goes their way: whatever is wrong with it is told there.

use super::project::Shaping;
use super::run::RuleUnit;
use crate::gate::body::{self, ENTRY_BYTES, INDEX_MAX, member_of};
use crate::json::name::Name;
use crate::json::scan::Member;
use crate::json::write::{Out, is_bare, string};
use crate::sql::plan::{Expr, Field, Plan, SlotKind};
use crate::value::forward::Pen;

/// How the rows of a rule are written.
#[derive(Debug)]
pub(super) enum Line {
    /// These columns, sorted by their names in the result.
    Columns(Vec<Column>),
    /// All members, sorted by key.
    All(Order),
}

/// One column of the result.
#[derive(Debug)]
pub(super) struct Column {
    name: Name,
    hint: u16,
    /// `,"name":` and as many octets more as make copying it cheap.
    front: Box<[u8]>,
    front_len: usize,
    /// What is sent for null, and for a column that is not there.
    null: bool,
    missing: bool,
}

/// Octets behind a front.
const SLACK: usize = 16;

impl Line {
    /// For a rule whose sinks take text as it is and whose columns have no types; `None` if its rows need more than that.
    pub(super) fn of(unit: &RuleUnit) -> Option<Self> {
        let RuleUnit { plan, shaping, sinks, sources, .. } = unit;
        let [source] = sources.as_slice() else { return None };
        if source.ignore_case || shaping.send_meta || plan.limit.is_some() || !sinks.iter().all(crate::sink::SinkUnit::takes_lines) {
            return None;
        }
        if let [Field::Wildcard { rows, except, replace }] = plan.fields.as_slice() {
            return (rows.len() == 1 && except.is_empty() && replace.is_empty()).then(|| Self::All(Order::default()));
        }
        let mut named: Vec<(&str, Column)> = Vec::new();
        for field in &plan.fields {
            let Field::Named { name, expr, visible, plain, aliased } = field else { return None };
            let column = column(name, expr, *plain, *aliased, plan, *shaping)?;
            if *visible {
                named.push((name, column));
            }
        }
        named.sort_by_key(|(name, _)| *name);
        // Of equal names the last one that is there would win.
        let distinct = named.is_sorted_by(|(a, _), (b, _)| a < b);
        distinct.then(|| Self::Columns(named.into_iter().map(|(_, column)| column).collect()))
    }

    /// Writes a row into `out`; gives its length.
    pub(super) fn write(&mut self, object: &[u8], index: &[u8], scratch: &mut [u8], out: &mut [u8]) -> Option<usize> {
        let mut pen = Pen::new(out);
        pen.byte(b'[')?;
        pen.byte(b'{')?;
        match self {
            Self::Columns(columns) => {
                // The first one goes without its comma.
                let mut skip = 1;
                for column in columns {
                    let member = body::place(index, object, &column.name, &mut column.hint);
                    let value = member.and_then(|member| Some((object.get(member.value_at..)?, member.value_len)));
                    let (value, len) = match value {
                        Some((value, len)) if column.null || value.first() != Some(&b'n') => (value, len),
                        _ if column.missing => (&b"null"[..], 4),
                        _ => continue,
                    };
                    pen.copy(column.front.get(skip..)?, column.front_len - skip)?;
                    pen.value(value, len, scratch)?;
                    skip = 0;
                }
            }
            Self::All(order) => order.write(object, index, scratch, &mut pen)?,
        }
        pen.byte(b'}')?;
        pen.byte(b']')?;
        Some(pen.len())
    }
}

/// A field that is a column, whatever its name in the result.
fn column(name: &str, expr: &Expr, plain: bool, aliased: bool, plan: &Plan, shaping: Shaping) -> Option<Column> {
    let expr = match expr {
        Expr::Alias(index) => &plan.aliases.get(usize::from(*index))?.expr,
        expr => expr,
    };
    let Expr::Slot(slot) = expr else { return None };
    let SlotKind::Column { name: key, .. } = plan.slots.get(usize::from(slot.0))? else { return None };
    let mut front = vec![0; 6 * name.len() + 4];
    let mut out = Out::new(&mut front);
    out.byte(b',').and_then(|()| string(&mut out, name)).and_then(|()| out.byte(b':')).ok()?;
    let front_len = out.len();
    front.resize(front_len + SLACK, 0);
    // A column under its own name keeps its null; another expression that gives null is left out, or sent for its alias.
    let missing = shaping.send_nil && (plain || aliased);
    Some(Column { name: Name::new(key), hint: 0, front: front.into(), front_len, null: plain, missing })
}

/// The order of keys in the reading before: mostly it is that of the next one too.
#[derive(Debug, Default)]
pub(super) struct Order {
    places: heapless::Vec<u8, INDEX_MAX>,
}

impl Order {
    fn write(&mut self, object: &[u8], index: &[u8], scratch: &mut [u8], pen: &mut Pen<'_>) -> Option<()> {
        let entries = index.as_chunks::<ENTRY_BYTES>().0;
        self.sort(object, entries)?;
        for (i, place) in self.places.iter().enumerate() {
            let Member { key_at, key_len, value_at, value_len, .. } = member_of(entries.get(usize::from(*place))?);
            let key = object.get(key_at.checked_sub(1)?..)?;
            if !is_bare(key.get(1..)?, key_len) {
                return None;
            }
            if i > 0 {
                pen.byte(b',')?;
            }
            if key.get(key_len + 2) == Some(&b':') {
                pen.copy(key, key_len + 3)?;
            } else {
                pen.copy(key, key_len + 2)?;
                pen.byte(b':')?;
            }
            pen.value(object.get(value_at..)?, value_len, scratch)?;
        }
        Some(())
    }

    /// Sorts the places of members by their keys.
    fn sort(&mut self, object: &[u8], entries: &[[u8; ENTRY_BYTES]]) -> Option<()> {
        let mut fronts = [0; INDEX_MAX];
        for (front, entry) in fronts.iter_mut().zip(entries) {
            let member = member_of(entry);
            *front = front_of(object, member.key_at, member.key_len)?;
        }
        if self.places.len() != entries.len() {
            self.places.clear();
            for place in 0..entries.len() {
                self.places.push(u8::try_from(place).ok()?).ok()?;
            }
        }
        let key = |place: u8| {
            let member = entries.get(usize::from(place)).map(member_of)?;
            object.get(member.key_at..member.key_at + member.key_len)
        };
        let before = |a: u8, b: u8| match (fronts.get(usize::from(a)), fronts.get(usize::from(b))) {
            (Some(x), Some(y)) if x != y => x < y,
            _ => key(a) < key(b),
        };
        // By insertion: nothing moves where the order still holds.
        for end in 1..self.places.len() {
            let mut at = end;
            while at > 0 && before(self.places[at], self.places[at - 1]) {
                self.places.swap(at, at - 1);
                at -= 1;
            }
        }
        Some(())
    }
}

/// The first eight octets of a key, as a number that is in the order of keys; a shorter key is in front of those that go on.
#[inline]
fn front_of(object: &[u8], at: usize, len: usize) -> Option<u64> {
    let rest = object.get(at..)?;
    let word = match rest.first_chunk() {
        Some(word) => u64::from_be_bytes(*word),
        None => rest.iter().chain(&[0; 8]).take(8).fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    Some(match len {
        0 => 0,
        1..8 => word >> (64 - 8 * len) << (64 - 8 * len),
        _ => word,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::Format;
    use crate::gate::body::Index;

    fn all(order: &mut Order, body: &str) -> Option<String> {
        let mut index = Index::new();
        let checked = index.check(Format::Json, body.as_bytes(), 0).expect("good");
        let (mut out, mut scratch) = (vec![0; 2000], vec![0; 2000]);
        let mut pen = Pen::new(&mut out);
        order.write(body.as_bytes(), index.bytes(checked), &mut scratch, &mut pen)?;
        let len = pen.len();
        Some(String::from_utf8(out[..len].to_vec()).expect("text"))
    }

    #[test]
    fn members_come_sorted_whatever_came_before() {
        let mut order = Order::default();
        for (body, want) in [
            (r#"{"b":1,"a":2.50,"abcdefghij":3,"abcdefgh":4}"#, r#""a":2.5,"abcdefgh":4,"abcdefghij":3,"b":1"#),
            (r#"{"c":1,"a":2,"b":3,"d":4}"#, r#""a":2,"b":3,"c":1,"d":4"#),
            (r#"{ "z" : "x" , "y":null}"#, r#""y":null,"z":"x""#),
            (r#"{"é":1,"z":2,"":3,"Z":4}"#, r#""":3,"Z":4,"z":2,"é":1"#),
            ("{}", ""),
        ] {
            assert_eq!(all(&mut order, body).as_deref(), Some(want));
        }
        assert_eq!(all(&mut order, r#"{"a<":1}"#), None, "a key that Go escapes");
        assert_eq!(all(&mut order, r#"{"a":1e999}"#), None, "no number of JSON");
    }
}
