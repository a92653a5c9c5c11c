//! Lookup tables: kept from their definition on, filled by memory sinks, shared by rules (facts §3.3).
//!
//! In: the definitions there are, and rows of memory sinks. Out: [`Lookup`]s among the engine's feeds. Limits: each takes one of
//! `limits.streamCount`, `limits.stateBytes` for its rows, and its part of `limits.memoryBudget`.

use std::sync::Arc;

use super::{Engine, StartFault};
use crate::source::{Feed, StreamSpec};
use crate::table::Lookup;
use crate::table::lookup::Change;
use crate::time::Now;
use crate::value::{Packed, Value};

impl Engine {
    /// Keeps these lookup tables, whether a rule reads them or not, and no others: those that are new begin to gather rows, those that
    /// are gone leave with their last rule. Tables over one topic by one column are one table.
    ///
    /// # Errors
    /// [`StartFault`] when `limits.streamCount` queues and tables are open; nothing changed then.
    pub fn keep_lookups(&mut self, specs: &[Arc<StreamSpec>], now: Now) -> Result<(), StartFault> {
        let mut wanted = Vec::new();
        let mut opened = Vec::new();
        for spec in specs {
            let known = self.open_feed(spec);
            match known.map_or_else(|| self.afford_lookup(spec).and_then(|()| self.make_feed(spec, now.mono)), Ok) {
                Ok(index) => {
                    wanted.push(index);
                    opened.extend(known.is_none().then_some(index));
                }
                Err(fault) => {
                    for index in opened {
                        self.feeds.open[index] = None;
                    }
                    return Err(fault);
                }
            }
        }
        for (index, slot) in self.feeds.open.iter_mut().enumerate() {
            let Some(open) = slot.as_mut().filter(|open| open.lookup.is_some()) else { continue };
            open.pinned = wanted.contains(&index);
            if !open.pinned && open.ring.reader_count() == 0 {
                *slot = None;
            }
        }
        Ok(())
    }
}

/// An empty lookup table, or that of a simulator, whose rows are given.
pub(super) fn lookup_of(spec: &StreamSpec, key: &str, bytes: usize) -> Lookup {
    let mut lookup = Lookup::new(key, bytes);
    if let Feed::Simulator(feed) = &spec.feed {
        for row in feed.rows() {
            lookup.add(row);
        }
    }
    lookup
}

/// Takes the rows of a memory sink into a table.
pub(super) fn gather(lookup: &mut Lookup, body: &[u8], kinds: Option<(&str, &str)>) {
    let Some(list) = Packed::from_bytes(body) else { return };
    for value in list.elements() {
        let Value::Packed(packed) = value else { continue };
        let Some(row) = packed.object() else { continue };
        let change = match kinds {
            Some((kind, key)) if matches!(row.get(kind), Some(Value::Str("delete"))) => Change::Delete(row.get(key).unwrap_or(Value::Null)),
            _ => Change::Put,
        };
        lookup.change(row, change);
    }
}
