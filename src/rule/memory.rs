//! What a rule's state takes: how its one region is shared out, whether a window needs to keep rows at all, and the least it needs.
//!
//! In: a plan and the rule's options. Out: [`Shares`] of `limits.stateBytes`, and [`parts`]: every buffer that a run holds, with its
//! bytes, before it starts. Control plane: may allocate.

use super::run::RuleUnit;
use super::slide::Slider;
use super::windowed::PARKED_BYTES;
use super::windowed::WindowOptions;
use crate::eval::aggregate::Kinds;
use crate::limits::Limits;
use crate::ring::Overflow;
use crate::sql::plan::{Expr, Plan, Slot, WindowKind};
use crate::window::rows::Keep;

/// Shares of a rule's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    pub analytic: usize,
    pub groups: usize,
    pub rows: usize,
    pub parts: usize,
    pub places: usize,
    pub marks: usize,
}

/// True if the groups of the plan's window can take rows one by one.
#[must_use]
pub(super) fn incremental(plan: &Plan, event_time: bool, options: WindowOptions) -> bool {
    let Some(window) = &plan.window else { return false };
    let kind = match &window.kind {
        WindowKind::Tumbling { length_ms } => *length_ms > 0,
        WindowKind::Count { count, every } => every >= count,
        WindowKind::Session { max_ms, timeout_ms } => !event_time && *max_ms > 0 && *timeout_ms > 0,
        WindowKind::State { .. } => true,
        WindowKind::Hopping { .. } | WindowKind::Sliding { .. } => false,
    };
    let ordered = plan.groups.is_empty() && !plan.order.is_empty();
    let bounded = |expr: &Expr| uses_bounds(expr, plan);
    let early = plan.filter.iter().chain(&plan.groups).chain(plan.aggregates.iter().flat_map(|a| &a.args)).any(bounded);
    let grows = Kinds::of(&plan.aggregates).grow();
    kind && plan.grouped
        && plan.joins.is_empty()
        && plan.filter_aggregates.is_empty()
        && !ordered
        && !early
        && !(grows && options.drop_oldest)
}

/// True if an expression asks for the bounds of its window, which are not known while rows come in.
fn uses_bounds(expr: &Expr, plan: &Plan) -> bool {
    calls(expr, plan, |name| name.starts_with("window_") || name == "event_time")
}

/// True if an expression calls a function whose name fits.
pub(super) fn calls(expr: &Expr, plan: &Plan, fits: impl Fn(&str) -> bool) -> bool {
    let mut found = false;
    walk(expr, plan, &mut |e| {
        if let Expr::Call { call, .. } = e {
            found |= plan.calls.get(usize::from(*call)).is_some_and(|(_, name)| fits(name));
        }
    });
    found
}

/// Visits an expression and all within it, those of aliases too. Depth is bounded by the plan's.
pub(super) fn walk<'p>(expr: &'p Expr, plan: &'p Plan, visit: &mut dyn FnMut(&'p Expr)) {
    visit(expr);
    let mut each = |e: &'p Expr| walk(e, plan, visit);
    match expr {
        Expr::Const(_) | Expr::Slot(_) | Expr::First(_) | Expr::Meta(..) => {}
        Expr::Row { replace, .. } => replace.iter().for_each(|(_, e)| each(e)),
        Expr::Alias(index) => plan.aliases.get(usize::from(*index)).iter().for_each(|a| each(&a.expr)),
        Expr::Member(e, _) => each(e),
        Expr::Index(a, b, _) | Expr::Binary(_, a, b) | Expr::Into(a, b) => [a, b].into_iter().for_each(|e| each(e)),
        Expr::Slice(a, b, c, _) => [Some(a), b.as_ref(), c.as_ref()].into_iter().flatten().for_each(|e| each(e)),
        Expr::Case { value, arms, otherwise } => {
            value.iter().for_each(|e| each(e));
            arms.iter().for_each(|(a, b)| {
                each(a);
                each(b);
            });
            otherwise.iter().for_each(|e| each(e));
        }
        Expr::Call { args, .. } | Expr::Fold { args, .. } => args.iter().for_each(each),
        Expr::In { value, list, .. } => {
            each(value);
            list.iter().for_each(each);
        }
        Expr::InList { value, list, .. } => [value, list].into_iter().for_each(|e| each(e)),
        Expr::Between { value, low, high, .. } => [value, low, high].into_iter().for_each(|e| each(e)),
        Expr::Like { value, pattern, .. } => {
            each(value);
            pattern.iter().for_each(|e| each(e));
        }
    }
}

/// The slots that an expression looks at.
pub(super) fn slots_of(expr: &Expr, plan: &Plan) -> Vec<Slot> {
    let mut found = Vec::new();
    walk(expr, plan, &mut |e| match e {
        Expr::Slot(slot) => found.push(*slot),
        Expr::First(slots) => found.extend(slots),
        Expr::Row { rows, .. } => found.extend(rows),
        _ => {}
    });
    found
}

/// True if windows overlap, and their aggregates can be put together from those of their parts.
pub(super) fn slides(plan: &Plan, event_time: bool) -> bool {
    let kind = match plan.window.as_ref().map(|w| &w.kind) {
        Some(WindowKind::Count { count, every }) => every < count,
        Some(WindowKind::Sliding { delay_ms, .. }) => *delay_ms <= 0,
        _ => false,
    };
    kind && !event_time
        && plan.grouped
        && plan.groups.is_empty()
        && plan.joins.is_empty()
        && plan.filter.is_none()
        && plan.order.is_empty()
        && !plan.aggregates.is_empty()
        && Kinds::of(&plan.aggregates).can_merge()
        && !plan.aggregates.iter().flat_map(|a| &a.args).any(|e| uses_bounds(e, plan))
}

/// Shares `bytes` out among what a plan needs.
#[must_use]
pub(super) fn shares(plan: &Plan, event_time: bool, options: WindowOptions, bytes: usize) -> Shares {
    let incremental = incremental(plan, event_time, options);
    let analytic = usize::from(!plan.analytics.is_empty()) * 2;
    let groups = if incremental { 6 } else { 0 };
    let joins = !plan.joins.is_empty();
    let rows = if event_time || (plan.window.is_some() && !incremental) || joins { 6 } else { 0 };
    let parts = usize::from(matches!(plan.window.as_ref().map(|w| &w.kind), Some(WindowKind::State { .. })));
    let places = if joins { 2 } else { 0 };
    let marks = usize::from(slides(plan, event_time));
    let whole = (analytic + groups + rows + parts + places + marks).max(1);
    let share = |weight: usize| bytes / whole * weight;
    Shares {
        analytic: share(analytic),
        groups: share(groups),
        rows: share(rows),
        parts: share(parts),
        places: share(places),
        marks: share(marks),
    }
}

/// The least that a plan's state takes however small its values are, when that is more than it has: need and bound in bytes.
#[must_use]
pub(super) fn misfit(plan: &Plan, event_time: bool, options: WindowOptions, bytes: usize) -> Option<(usize, usize)> {
    /// Header, place in the order and time of a kept row.
    const ROW: usize = 32;
    /// Entry, index and blob header of a group.
    const GROUP: usize = 64;
    let shares = shares(plan, event_time, options, bytes);
    let accumulators = Kinds::of(&plan.aggregates).bytes();
    let (need, have) = match plan.window.as_ref().map(|w| &w.kind) {
        _ if incremental(plan, event_time, options) => (GROUP + accumulators, shares.groups),
        Some(WindowKind::Count { count, .. }) => {
            let slots = Keep::of_plan(plan).of(0).len();
            let row = ROW + slots.div_ceil(8) + slots;
            (usize::try_from(*count).unwrap_or(usize::MAX).saturating_mul(row), shares.rows)
        }
        _ => return None,
    };
    // As a need of the whole region, of which this is one share.
    (need > have).then(|| (need.saturating_mul(bytes.div_ceil(have.max(1))), bytes))
}

/// Memory that a rule takes when it starts, and never more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which step holds it: the prefix of its name in the plan (`WindowPlan`), or a sink's own name.
    pub step: String,
    /// Source that a `DataSourcePlan` reads, in the order of the statement.
    pub source: Option<usize>,
    /// What lies in it.
    pub what: &'static str,
    /// Its size.
    pub bytes: usize,
    /// What happens when it is full.
    pub full: &'static str,
    /// True for the queue of a stream, which all its rules share.
    pub shared: bool,
    /// True for what a sink holds.
    pub sink: bool,
}

const OUTBOX: &str = "outbox and pipeline";

/// Every buffer of a run, in the order of the way back from the sinks.
#[must_use]
pub fn parts(unit: &RuleUnit, limits: &Limits) -> Vec<Part> {
    let plan = &unit.plan;
    let mut out = Vec::new();
    let mut put = |step: &str, source: Option<usize>, what: &'static str, bytes: usize, full: &'static str, shared: bool| {
        if bytes > 0 {
            out.push(Part { step: step.to_owned(), source, what, bytes, full, shared, sink: what == OUTBOX });
        }
    };
    let shares = shares(plan, unit.event_time, unit.window, unit.state_bytes);
    let waits = unit.pending_bytes > 0;
    for sink in &unit.sinks {
        let full = if waits { "the rule waits, then its streams answer 503" } else { "the oldest payload leaves, counted" };
        put(sink.name(), None, OUTBOX, sink.bytes(), full, false);
    }
    put("ProjectPlan", None, "the message that a full outbox refused", unit.pending_bytes, "the rule waits", false);
    let late = plan.analytics.iter().all(|a| a.late);
    let evicts = "the partition that was not used for longest leaves, counted";
    let grouped = if unit.window.groups_early {
        "the window is emitted early, counted (groupFull: emit_early)"
    } else {
        "rows of new groups are dropped, counted (groupFull: drop_new)"
    };
    let windowed = if unit.window.drop_oldest {
        "the oldest rows leave, counted (windowFull: drop_oldest)"
    } else {
        "the window is emitted early, counted (windowFull: emit_early)"
    };
    put("JoinPlan", None, "places of joined rows", shares.places, "the window is lost, counted", false);
    let keeper = if plan.window.is_some() {
        "WindowPlan"
    } else if unit.event_time {
        "WatermarkPlan"
    } else {
        "JoinPlan"
    };
    put(keeper, None, "rows, with the columns that the rule names", shares.rows, windowed, false);
    put("WindowPlan", None, "groups and their accumulators, no rows", shares.groups, grouped, false);
    put("WindowPlan", None, "partitions of the state window", shares.parts, evicts, false);
    if shares.marks > 0 {
        let sums = Slider::bytes(Kinds::of(&plan.aggregates).bytes());
        put("WindowPlan", None, "sums of overlapping windows", shares.marks + sums, "windows are summed up row by row", false);
    }
    if plan.window.is_some() && plan.analytics.iter().any(|a| !a.late) {
        put("WindowPlan", None, "analytic results of a row that is offered again", PARKED_BYTES, "they are missing", false);
    }
    put(if late { "ProjectPlan" } else { "AnalyticFuncsPlan" }, None, "what functions remember", shares.analytic, evicts, false);
    for (i, spec) in unit.sources.iter().enumerate() {
        if spec.lookup.is_some() {
            let bytes = crate::table::Lookup::bytes_of(limits.state_bytes);
            put("DataSourcePlan", Some(i), "rows of the lookup table", bytes, "the rows written longest ago leave, counted", true);
            continue;
        }
        if spec.table {
            put("DataSourcePlan", Some(i), "rows of the table", unit.table_bytes, "the oldest row leaves", false);
        }
        if spec.payload.is_some() || spec.merge_field.is_some() {
            let bytes = super::unfold::Unfold::bytes_of(unit.payload_bytes);
            put("DataSourcePlan", Some(i), "the row that a payload makes", bytes, "the row is lost, counted", false);
        }
        if spec.merge_field.is_some() {
            let full = "messages wait in the queue until the next tick";
            put("DataSourcePlan", Some(i), "messages that are merged at the next tick", unit.table_bytes, full, false);
        }
        let full = match spec.overflow {
            Overflow::Reject => "the sender gets 503 with Retry-After",
            Overflow::DropOldest => "the oldest reading leaves, counted",
        };
        put("DataSourcePlan", Some(i), "the stream's queue", limits.queue_bytes, full, true);
    }
    out
}
