//! Aggregates, HAVING and `row_number()` over one row without a window: the row is a group of one.

use super::stage::{Select, prefixed};
use crate::eval::aggregate::{Kinds, Trouble};
use crate::eval::expr::Evaluator;
use crate::eval::state::Store;
use crate::sql::plan::{Aggregate, Plan, Slot, SlotKind};
use crate::value::{Fault, Value};

/// Memory that accumulators are tried in, in octets.
const SIZES: [usize; 3] = [1024, 8192, 65_536];

/// True if rows need nothing of this.
pub(super) fn is_plain(plan: &Plan) -> bool {
    plan.aggregates.is_empty() && plan.filter_aggregates.is_empty() && plan.having.is_none() && !plan.row_number
}

/// The whole way of one row.
pub(super) fn run<'a>(ev: &Evaluator<'_, 'a>, (aggregates, filters): (&Kinds, &Kinds), select: &mut Select<'_>, rows: &mut [u8]) {
    let plan = ev.plan;
    let project = select.ops.project;
    if let Err(fault) = group(ev, filters, &plan.filter_aggregates) {
        return select.fail(select.ops.filter.unwrap_or(project), fault);
    }
    if let Err(fault) = group(ev, aggregates, &plan.aggregates) {
        return select.fail(project, prefixed("run Select error", fault, ev.ctx.scratch));
    }
    if let Some(place) = plan.slots.iter().position(|kind| matches!(kind, SlotKind::RowNumber))
        && let Ok(place) = u16::try_from(place)
    {
        ev.row.set(Slot(place), Some(Value::Int(1)));
    }
    // As eKuiper: only rows of windows have groups to choose among.
    if plan.having.is_some() {
        let fault = Fault::new("run Having error: invalid input *xsql.Tuple: HAVING needs a window");
        return select.fail(select.ops.having.unwrap_or(project), fault);
    }
    select.alone(ev, rows);
}

fn group<'a>(ev: &Evaluator<'_, 'a>, kinds: &Kinds, list: &'a [Aggregate]) -> Result<(), Fault<'a>> {
    if list.is_empty() {
        return Ok(());
    }
    for size in SIZES {
        let mut store = Store::new(ev.ctx.scratch.alloc(size)?);
        let Ok(group) = store.insert(b"g", kinds.bytes()) else { continue };
        match kinds.add(&mut store, group, 0, list, ev) {
            Ok(()) => return kinds.results(store.into_view(), Some(group), 0, list, ev),
            Err(Trouble::Full) => {}
            Err(Trouble::Fault(fault)) => return Err(fault),
        }
    }
    Err(Fault::FULL)
}
