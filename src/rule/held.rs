//! The rows that joins find in tables: scan tables are the rule's own, lookup tables are shared.
//!
//! In: a source of the plan. Out: the rows of its table by place; `None` for a stream.

use std::sync::Arc;

use super::run::{Feeds, Input};
use crate::source::StreamSpec;
use crate::table::{Lookup, Table};
use crate::value::Value;

/// The tables of one rule.
#[derive(Clone, Copy)]
pub(super) struct Held<'s> {
    /// Scan tables, per source.
    pub scanned: &'s [Option<Table>],
    pub inputs: &'s [Input],
    pub sources: &'s [Arc<StreamSpec>],
    pub feeds: &'s dyn Feeds,
}

/// One table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side<'s> {
    Scanned(&'s Table),
    Shared(&'s Lookup),
}

impl<'s> Held<'s> {
    /// The table of a source.
    pub(super) fn of(&self, source: usize) -> Option<Side<'s>> {
        if let Some(Some(table)) = self.scanned.get(source) {
            return Some(Side::Scanned(table));
        }
        self.sources.get(source)?.lookup.as_ref()?;
        self.feeds.lookup(self.inputs.get(source)?.feed).map(Side::Shared)
    }
}

impl<'s> Side<'s> {
    /// The first place from this one on that has a row.
    pub(super) fn next(self, from: usize) -> Option<usize> {
        match self {
            Self::Scanned(table) => (from < table.len()).then_some(from),
            Self::Shared(table) => table.next(from),
        }
    }

    /// The row at a place.
    pub(super) fn row(self, place: usize) -> Option<Value<'s>> {
        match self {
            Self::Scanned(table) => table.row(place),
            Self::Shared(table) => table.row(place),
        }
    }

    /// The place of the row that a value identifies.
    pub(super) fn find(self, value: Value<'_>) -> Option<usize> {
        match self {
            Self::Scanned(_) => None,
            Self::Shared(table) => table.find(value),
        }
    }
}

impl core::fmt::Debug for Held<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}
