//! What the engine takes, and whether one more rule, lookup table or credential fits `limits.memoryBudget`.
//!
//! In: what runs, and what would. Out: the [`Bill`] of this moment, or a refusal with what is needed, what is left, and the keys that
//! change either. Without a budget everything fits.

use super::{Engine, StartFault};
use crate::bill::{self, Bill, Post};
use crate::rule::run::RuleUnit;
use crate::source::{Feed, StreamSpec};

impl Engine {
    /// The memory bill: what is taken whatever is defined, and what the running rules and their streams take.
    #[must_use]
    pub fn bill(&self) -> Bill {
        let mut bill = self.fixed.clone();
        let lookups = self.feeds.open.iter().flatten().filter(|open| open.lookup.is_some()).count() as u64;
        let queues = self.feeds.open.iter().flatten().count() as u64 - lookups;
        let files = self.feeds.open.iter().flatten().filter(|open| open.file.is_some()).count() as u64;
        let credentials: usize = self.feeds.open.iter().flatten().map(|open| open.access.count()).sum();
        let (state, sinks) = self.rules.iter().fold((0, 0), |(state, sinks), running| {
            let (own, its) = bill::rule_bytes(&running.rule.unit, &self.limits);
            (state + own, sinks + its)
        });
        let posts = [
            ("queues of open streams", queues, bill::queue_bytes(&self.limits), "limits.queueBytes"),
            ("lookup tables", lookups, bill::lookup_bytes(&self.limits), "limits.stateBytes"),
            ("readers of files", files, bill::file_bytes(&self.limits), "limits.bodyBytes"),
            ("credentials (allowance)", credentials as u64, bill::CREDENTIAL_BYTES as u64, ""),
            ("state of running rules", 1, state, "limits.stateBytes"),
            ("sinks of running rules", 1, sinks, "limits.outboxBytes, limits.payloadBytes"),
        ];
        let post = |(what, count, each, keys)| Post { what, count, each, keys };
        bill.posts.extend(posts.into_iter().map(post).filter(|post| post.bytes() > 0));
        bill
    }

    /// Whether a rule fits what is left of `limits.memoryBudget`. What it replaces leaves.
    pub(super) fn afford(&self, unit: &RuleUnit) -> Result<(), StartFault> {
        if self.limits.memory_budget.is_none() {
            return Ok(());
        }
        let of = |unit: &RuleUnit| bill::rule_bytes(unit, &self.limits);
        let (state, sinks) = of(unit);
        let mut queues = 0;
        for (i, spec) in unit.sources.iter().enumerate() {
            let again = unit.sources[..i].iter().any(|other| other == spec);
            if !again && self.open_feed(spec).is_none() {
                queues += self.feed_bytes(spec);
            }
        }
        let (old_state, old_sinks) = self.running(&unit.id).map_or((0, 0), |running| of(&running.rule.unit));
        let need = state + sinks + queues;
        let Some((left, budget)) = self.short_of(need, old_state + old_sinks) else { return Ok(()) };
        Err(StartFault(format!(
            "rule {} needs {need} bytes of memory (state {state}, sinks {sinks}, new queues {queues}), and {left} are left of limits.memoryBudget ({budget}): raise it, or lower limits.stateBytes, limits.outboxBytes or limits.queueBytes",
            unit.id
        )))
    }

    /// What is left of `limits.memoryBudget` once `freed` bytes have gone, and the budget, if `need` more are too many.
    fn short_of(&self, need: u64, freed: u64) -> Option<(u64, u64)> {
        let budget = self.limits.memory_budget?;
        let left = (budget + freed).saturating_sub(self.bill().total());
        (need > left).then_some((left, budget))
    }

    /// What a stream's queue takes, or a lookup table.
    fn feed_bytes(&self, spec: &StreamSpec) -> u64 {
        match &spec.feed {
            _ if spec.lookup.is_some() => bill::lookup_bytes(&self.limits),
            Feed::Push(push) => bill::queue_bytes(&self.limits) + (push.access.0.count() * bill::CREDENTIAL_BYTES) as u64,
            Feed::File(_) => bill::queue_bytes(&self.limits) + bill::file_bytes(&self.limits),
            Feed::Memory(_) | Feed::Simulator(_) => bill::queue_bytes(&self.limits),
        }
    }

    /// Whether a lookup table fits what is left of `limits.memoryBudget`.
    pub(super) fn afford_lookup(&self, spec: &StreamSpec) -> Result<(), StartFault> {
        let need = self.feed_bytes(spec);
        let Some((left, budget)) = self.short_of(need, 0) else { return Ok(()) };
        let name = &spec.name;
        Err(StartFault(format!(
            "table {name} needs {need} bytes of memory, and {left} are left of limits.memoryBudget ({budget}): raise it, or lower limits.stateBytes"
        )))
    }

    /// Whether so many more credentials fit what is left of `limits.memoryBudget`.
    pub(super) fn afford_credentials(&self, more: usize) -> Result<(), StartFault> {
        let need = (more * bill::CREDENTIAL_BYTES) as u64;
        let Some((left, budget)) = self.short_of(need, 0) else { return Ok(()) };
        Err(StartFault(format!(
            "{more} more credentials need {need} bytes of memory, and {left} are left of limits.memoryBudget ({budget}): raise it"
        )))
    }
}
