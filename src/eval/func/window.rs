//! Bounds of the window that is being emitted, and how often its condition held before.

use super::Table;
use crate::eval::Call;
use crate::value::{Eval, Value};

pub(super) const TABLE: Table = &[
    ("window_start", |call| bound(call, |w| w.start.0)),
    ("window_end", |call| bound(call, |w| w.end.0)),
    ("window_trigger", |call| bound(call, |w| w.trigger.0)),
];

/// Aggregates that read the rule's counters and no column.
pub(super) const HITS: Table = &[
    ("last_agg_hit_count", |call| Ok(Value::Int(call.ctx.agg_hits.count))),
    ("last_agg_hit_time", |call| Ok(Value::Int(call.ctx.agg_hits.time))),
];

fn bound<'a>(call: &Call<'_, 'a>, of: fn(&crate::eval::Bounds) -> i64) -> Eval<'a> {
    Ok(call.ctx.window.as_ref().map_or(Value::Null, |w| Value::Int(of(w))))
}
