//! The operators of a rule as eKuiper would name and chain them, with their counters (facts §4.4, §4.5).
//!
//! Our engine fuses steps; the names follow the logical plan all the same, so that dashboards and scripts keep working:
//! source 1, decoder 2, then preprocessor, watermark, analytic, window, join, filter, … up to project, then the sinks' own.

use std::collections::BTreeMap;

use crate::source::file::FileType;
use crate::source::{Feed, StreamSpec};
use crate::sql::plan::{Field, Plan, WindowKind};
use crate::stats::{ConnStats, OpStats};
use crate::time::Timestamp;

/// One operator.
#[derive(Debug, Clone)]
pub struct Op {
    /// Its name in metrics, without the instance: `source_demo`, `op_2_decoder`.
    pub name: String,
    /// Its counters.
    pub stats: OpStats,
    /// Its connection, for a source.
    pub conn: Option<ConnStats>,
}

/// Index of an operator in [`Ops::list`].
pub type OpIndex = usize;

/// All operators of a rule but those of its sinks, and which is which.
#[derive(Debug, Clone, Default)]
pub struct Ops {
    /// In metric order.
    pub list: Vec<Op>,
    /// Per source of the plan.
    pub sources: Vec<SourceOps>,
    /// Watermark, with event time.
    pub watermark: Option<OpIndex>,
    /// Analytic functions.
    pub analytic: Option<OpIndex>,
    /// FILTER of the window.
    pub window_filter: Option<OpIndex>,
    /// The window.
    pub window: Option<OpIndex>,
    /// Rows of tables meet rows of the stream.
    pub join_aligner: Option<OpIndex>,
    /// Joins.
    pub join: Option<OpIndex>,
    /// Joins with lookup tables, each with the source that is looked up.
    pub lookups: Vec<(usize, OpIndex)>,
    /// WHERE.
    pub filter: Option<OpIndex>,
    /// GROUP BY.
    pub aggregate: Option<OpIndex>,
    /// HAVING.
    pub having: Option<OpIndex>,
    /// `row_number()`.
    pub window_func: Option<OpIndex>,
    /// ORDER BY.
    pub order: Option<OpIndex>,
    /// SELECT.
    pub project: OpIndex,
    /// Set-returning functions.
    pub project_set: Option<OpIndex>,
    /// From each operator to those behind it, sinks not counted.
    pub edges: BTreeMap<String, Vec<String>>,
    /// Names of the sources.
    pub source_names: Vec<String>,
    /// The operator in front of the sinks.
    pub last: String,
}

/// The operators of one source.
#[derive(Debug, Clone, Copy)]
pub struct SourceOps {
    /// The source.
    pub source: OpIndex,
    /// The rate limiter (`interval`).
    pub rate_limit: Option<OpIndex>,
    /// Inflates bodies (`decompression`).
    pub decompress: Option<OpIndex>,
    /// The decoder; tuple sources (memory) have none.
    pub decoder: Option<OpIndex>,
    /// The decoder of what messages hold, or of those that were merged.
    pub payload: Option<OpIndex>,
    /// Validation and event time.
    pub preprocessor: Option<OpIndex>,
}

impl Ops {
    /// The operators of a plan over its sources.
    #[must_use]
    pub fn of(plan: &Plan, sources: &[impl AsRef<StreamSpec>], event_time: bool) -> Self {
        let mut ops = Self::default();
        let mut number = 0;
        let mut ends = Vec::new(); // last operator of each stream, then of each table
        let mut table_ends = Vec::new();
        for spec in sources {
            let spec = spec.as_ref();
            if spec.lookup.is_some() {
                // Its operator stands where it is joined.
                let nowhere = OpIndex::MAX;
                ops.sources.push(SourceOps {
                    source: nowhere,
                    rate_limit: None,
                    decompress: None,
                    decoder: None,
                    payload: None,
                    preprocessor: None,
                });
                continue;
            }
            number += 1;
            let source_name = format!("source_{}", spec.name);
            let source = ops.add(source_name.clone(), Some(ConnStats::default()));
            ops.source_names.push(source_name.clone());
            let mut end = source_name;
            let shared = if spec.shared { format!("{}_", spec.name) } else { String::new() };
            let mut chain = |ops: &mut Self, what: &str| {
                number += 1;
                let name = format!("op_{shared}{number}_{what}");
                ops.edge(&end, &name);
                end.clone_from(&name);
                ops.add(name, None)
            };
            // Rows of CSV are rows already.
            let decoded = match &spec.feed {
                Feed::Push(_) => true,
                Feed::File(file) => file.kind != FileType::Csv,
                Feed::Memory(_) | Feed::Simulator(_) => false,
            };
            let rate_limit = spec.interval.is_some().then(|| chain(&mut ops, "ratelimit"));
            let decompress = spec.inflated.then(|| chain(&mut ops, "decompress"));
            let decoder = (decoded && spec.merge_field.is_none()).then(|| chain(&mut ops, "decoder"));
            let unfolds = spec.payload.is_some() || spec.merge_field.is_some();
            let payload = unfolds.then(|| chain(&mut ops, "payload_decoder"));
            let preprocessor = (event_time || (spec.columns.is_some() && spec.strict)).then(|| chain(&mut ops, "preprocessor"));
            ops.sources.push(SourceOps { source, rate_limit, decompress, decoder, payload, preprocessor });
            if spec.table { table_ends.push(end) } else { ends.push(end) }
        }
        let mut next = |ops: &mut Self, ends: &mut Vec<String>, what: &str, named: bool| {
            number += 1;
            let name = if named { format!("op_{what}") } else { format!("op_{number}_{what}") };
            for end in &*ends {
                ops.edge(end, &name);
            }
            *ends = vec![name.clone()];
            ops.add(name, None)
        };
        if event_time {
            ops.watermark = Some(next(&mut ops, &mut ends, "watermark", false));
        }
        if !plan.analytics.is_empty() {
            ops.analytic = Some(next(&mut ops, &mut ends, "analytic", false));
        }
        // eKuiper moves WHERE below a window that time alone closes, where it meets FILTER; behind analytic functions it stays there.
        let below = plan.joins.is_empty() && !event_time && plan.window.as_ref().is_some_and(|w| closes_by_time(&w.kind));
        if let Some(window) = &plan.window {
            if below && (window.filter.is_some() || plan.filter.is_some()) {
                let op = next(&mut ops, &mut ends, if plan.analytics.is_empty() { "filter" } else { "windowFilter" }, false);
                ops.window_filter = Some(op);
                ops.filter = plan.filter.is_some().then_some(op);
            } else if window.filter.is_some() {
                ops.window_filter = Some(next(&mut ops, &mut ends, "windowFilter", false));
            }
            ops.window = Some(next(&mut ops, &mut ends, "window", false));
        }
        if plan.joins.iter().any(|join| join.probe.is_none()) {
            if !table_ends.is_empty() {
                ends.append(&mut table_ends);
                ops.join_aligner = Some(next(&mut ops, &mut ends, "join_aligner", false));
            }
            ops.join = Some(next(&mut ops, &mut ends, "join", false));
        }
        for (source, spec) in sources.iter().enumerate().filter(|(_, spec)| spec.as_ref().lookup.is_some()) {
            // It has a number, and goes by its name.
            let op = next(&mut ops, &mut ends, &spec.as_ref().name, true);
            ops.lookups.push((source, op));
            ops.sources[source].source = op;
        }
        if plan.filter.is_some() && ops.filter.is_none() {
            ops.filter = Some(next(&mut ops, &mut ends, "filter", false));
        }
        if !plan.groups.is_empty() {
            ops.aggregate = Some(next(&mut ops, &mut ends, "aggregate", false));
        }
        if plan.having.is_some() {
            ops.having = Some(next(&mut ops, &mut ends, "having", false));
        }
        if plan.row_number {
            ops.window_func = Some(next(&mut ops, &mut ends, "windowFunc", false));
        }
        if !plan.order.is_empty() {
            ops.order = Some(next(&mut ops, &mut ends, "order", false));
        }
        ops.project = next(&mut ops, &mut ends, "project", false);
        if plan.fields.iter().any(|f| matches!(f, Field::Unnest { .. })) {
            ops.project_set = Some(next(&mut ops, &mut ends, "projectset", false));
        }
        ops.last = ends.pop().unwrap_or_default();
        ops
    }

    /// Counters of an operator.
    #[inline]
    pub fn at(&mut self, index: OpIndex) -> &mut OpStats {
        &mut self.list[index].stats
    }

    /// A message comes to the joins.
    pub fn join_begins(&mut self, now: Timestamp) {
        let lookups = self.lookups.iter().map(|(_, op)| *op);
        for op in self.join_aligner.into_iter().chain(self.join).chain(lookups) {
            if let Some(op) = self.list.get_mut(op) {
                op.stats.take(now);
                op.stats.messages_processed_total += 1;
            }
        }
        if let Some(op) = self.join_aligner {
            self.at(op).give(1);
        }
    }

    /// Joined rows leave the joins.
    pub fn join_ends(&mut self) {
        let lookups = self.lookups.iter().map(|(_, op)| *op);
        for op in self.join.into_iter().chain(lookups) {
            if let Some(op) = self.list.get_mut(op) {
                op.stats.give(1);
            }
        }
    }

    /// The operator that joins a source.
    #[must_use]
    pub fn join_of(&self, source: usize) -> OpIndex {
        let lookup = self.lookups.iter().find(|(s, _)| *s == source).map(|(_, op)| *op);
        lookup.or(self.join).unwrap_or(self.project)
    }

    fn add(&mut self, name: String, conn: Option<ConnStats>) -> OpIndex {
        self.list.push(Op { name, stats: OpStats::default(), conn });
        self.list.len() - 1
    }

    fn edge(&mut self, from: &str, to: &str) {
        self.edges.entry(from.to_owned()).or_default().push(to.to_owned());
    }
}

const fn closes_by_time(kind: &WindowKind) -> bool {
    !matches!(kind, WindowKind::Count { .. } | WindowKind::Sliding { .. })
}
