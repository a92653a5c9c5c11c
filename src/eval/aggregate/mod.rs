//! Aggregate functions as accumulators: each row of a group is added once, in order; the result can be asked for at any time.
//!
//! In: rows under evaluation. Out: values, with eKuiper's rules (facts §7.8): the first value that is not nil decides the type, nils
//! are left out, ints divide as ints. State: [`ACC_BYTES`] per group and aggregate inside the group's value, and for what grows
//! (`collect`, `median`, texts, …) a value of its own in the same [`Store`]. What a row breaks stays broken: the result is the fault.

mod acc;
mod fold;
mod result;
mod take;

use self::acc::{OWN, merge_accs};
pub use self::fold::fold;
use self::result::result;
use self::take::{add, seen_prefix};
use super::expr::Evaluator;
use super::state::{Full, Id, Store, View, u32_at};
use crate::sql::plan::Aggregate;
use crate::value::{Fault, Packed, Value};

/// State of one aggregate within its group's value.
pub const ACC_BYTES: usize = 40;

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the function of its name")]
pub enum Kind {
    Avg,
    Count,
    Max,
    Min,
    Sum,
    Collect,
    LastValue,
    MergeAgg,
    Deduplicate,
    Stddev,
    Stddevs,
    Var,
    Vars,
    PercentileCont,
    PercentileDisc,
    Median,
}

impl Kind {
    /// By its name in `sql/func`.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "avg" => Self::Avg,
            "count" => Self::Count,
            "max" => Self::Max,
            "min" => Self::Min,
            "sum" => Self::Sum,
            "collect" => Self::Collect,
            "last_value" => Self::LastValue,
            "merge_agg" => Self::MergeAgg,
            "deduplicate" => Self::Deduplicate,
            "stddev" => Self::Stddev,
            "stddevs" => Self::Stddevs,
            "var" => Self::Var,
            "vars" => Self::Vars,
            "percentile_cont" => Self::PercentileCont,
            "percentile_disc" => Self::PercentileDisc,
            "median" => Self::Median,
            _ => return None,
        })
    }

    /// True if its state grows with the rows.
    #[must_use]
    pub const fn grows(self) -> bool {
        matches!(self, Self::Collect | Self::MergeAgg | Self::Deduplicate | Self::PercentileCont | Self::PercentileDisc | Self::Median)
    }
}

/// Why a row was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble<'a> {
    /// The store has no room for what grew.
    Full,
    /// The row cannot be evaluated at all.
    Fault(Fault<'a>),
}

impl From<Full> for Trouble<'_> {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// The aggregates of one list of a plan, bound to their functions.
#[derive(Debug, Default)]
pub struct Kinds(Vec<Kind>);

impl Kinds {
    /// Binds a list. A name that is no aggregate counts rows: the planner lets none through.
    #[must_use]
    pub fn of(list: &[Aggregate]) -> Self {
        Self(list.iter().map(|a| Kind::of(a.name).unwrap_or(Kind::Count)).collect())
    }

    /// Bytes of a group's value that they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.len() * ACC_BYTES
    }

    /// True if any grows with the rows.
    #[must_use]
    pub fn grow(&self) -> bool {
        self.0.iter().any(|k| k.grows())
    }

    /// Adds the evaluator's row to all accumulators of `group`, which stand from `base` on in its value.
    ///
    /// # Errors
    /// [`Trouble::Full`]: some accumulators have the row, those from the one that found no room on have not.
    pub fn add<'a, B: AsRef<[u8]> + AsMut<[u8]>>(
        &self,
        store: &mut Store<B>,
        group: Id,
        base: usize,
        list: &'a [Aggregate],
        ev: &Evaluator<'_, 'a>,
    ) -> Result<(), Trouble<'a>> {
        for (i, (kind, aggregate)) in self.0.iter().zip(list).enumerate() {
            add(store, group, base + i * ACC_BYTES, *kind, i, aggregate, ev)?;
        }
        Ok(())
    }

    /// Puts the results for `group` into the row's slots; what a row broke is told to the expression that reads the slot.
    ///
    /// # Errors
    /// A full scratch.
    pub fn results<'a>(
        &self,
        view: View<'a>,
        group: Option<Id>,
        base: usize,
        list: &[Aggregate],
        ev: &Evaluator<'_, 'a>,
    ) -> Result<(), Fault<'a>> {
        for (i, (kind, aggregate)) in self.0.iter().zip(list).enumerate() {
            // Nothing was added: all are nil, but for the list of it all.
            let value = match group {
                None if *kind == Kind::Collect => Ok(Value::Packed(Packed::EMPTY_LIST)),
                None => Ok(Value::Null),
                Some(group) => {
                    let acc = view.get(group).get(base + i * ACC_BYTES..).and_then(|a| a.get(..ACC_BYTES)).unwrap_or(&[]);
                    result(view, acc, *kind, aggregate.name, ev.ctx.scratch)
                }
            };
            match value {
                Ok(value) => ev.row.set(aggregate.slot, Some(value)),
                Err(Fault::FULL) => return Err(Fault::FULL),
                Err(fault) => ev.row.set_broken(aggregate.slot, fault),
            }
        }
        Ok(())
    }

    /// True if the accumulators of two runs of rows make those of both.
    #[must_use]
    pub fn can_merge(&self) -> bool {
        self.0.iter().all(|kind| !kind.grows())
    }

    /// Adds the rows of `later` to `acc`; false if that cannot be told from the accumulators, which are spoilt then.
    pub fn merge(&self, acc: &mut [u8], later: &[u8]) -> bool {
        let (accs, _) = acc.as_chunks_mut::<ACC_BYTES>();
        let (laters, _) = later.as_chunks::<ACC_BYTES>();
        self.0.iter().zip(accs.iter_mut().zip(laters)).all(|(kind, (acc, later))| merge_accs(*kind, acc, later))
    }

    /// Bytes that the accumulators of a group keep outside its value.
    #[must_use]
    pub fn own_bytes<B: AsRef<[u8]> + AsMut<[u8]>>(&self, store: &Store<B>, group: Id, base: usize) -> usize {
        let own = |i: usize| Id::from_raw(u32_at(store.get(group), base + i * ACC_BYTES + OWN));
        (0..self.0.len()).filter_map(own).map(|id| store.get(id).len()).sum()
    }

    /// Gives back what the accumulators of a group keep outside its value.
    pub fn release<B: AsRef<[u8]> + AsMut<[u8]>>(&self, store: &mut Store<B>, group: Id, base: usize) {
        for (i, kind) in self.0.iter().enumerate() {
            let own = u32_at(store.get(group), base + i * ACC_BYTES + OWN);
            if let Some(id) = Id::from_raw(own) {
                store.remove(id);
            }
            if *kind == Kind::Deduplicate {
                let prefix = seen_prefix(group, i);
                loop {
                    let found = store.view().named().find(|id| store.view().key(*id).starts_with(&prefix));
                    let Some(id) = found else { break };
                    store.remove(id);
                }
            }
        }
    }
}
