//! SELECT: from an evaluated row to an output object (facts §7.3).
//!
//! Fields are evaluated first and written then, because a function may need the scratch that the writer holds.

use heapless::Vec;

use crate::eval::expr::Evaluator;
use crate::json::scan;
use crate::limits::SLOT_COUNT;
use crate::sql::plan::{Expr, Field, Slot, SlotKind};
use crate::value::packed::Encoder;
use crate::value::{Eval, Fault, List, Object, Value};

/// Options of a rule that shape its rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shaping {
    /// `sendNilField`.
    pub send_nil: bool,
    /// `sendMetaToSink`.
    pub send_meta: bool,
}

/// A field's value: `None` leaves the field out.
type Computed<'a> = Option<Value<'a>>;

/// The values of all fields, REPLACE parts included, in plan order.
#[derive(Debug)]
pub struct Projection<'a> {
    values: Vec<Computed<'a>, SLOT_COUNT>,
}

impl<'a> Projection<'a> {
    /// Evaluates all fields of the plan over the evaluator's row.
    ///
    /// # Errors
    /// What an expression gives.
    pub fn compute(ev: &Evaluator<'_, 'a>, shaping: Shaping) -> Result<Self, Fault<'a>> {
        let mut values = Vec::new();
        let mut put = |value| values.push(value).map_err(|_| Fault::new("a row has more fields than SLOT_COUNT"));
        for (place, field) in ev.plan.fields.iter().enumerate() {
            let labelled = |fault: Fault<'a>| {
                let label = ev.plan.labels.get(place).map_or("", String::as_str);
                ev.ctx.scratch.fault(format_args!("{label} meet error, err:{}", fault.text))
            };
            match field {
                Field::Named { expr, plain, aliased, .. } => put(named(ev, expr, *plain, *aliased, shaping).map_err(labelled)?)?,
                Field::Wildcard { replace, .. } => {
                    for (_, expr) in replace {
                        put(Some(ev.eval(expr).map_err(labelled)?))?;
                    }
                }
                Field::Spread(slot) => put(spread(ev, *slot).map_err(labelled)?)?,
                Field::Unnest { expr, func_name, .. } => put(Some(set_returning(ev, expr, func_name).map_err(labelled)?))?,
            }
        }
        Ok(Self { values })
    }

    /// What the set-returning field runs through, if the plan has one.
    ///
    /// # Errors
    /// There is nothing, or it is no list.
    pub fn unnest<'c>(&self, ev: &Evaluator<'c, 'a>) -> Result<List<'c, 'a>, Fault<'a>> {
        let mut at = 0;
        for field in &ev.plan.fields {
            match field {
                Field::Unnest { name, func_name, .. } => {
                    let scratch = ev.ctx.scratch;
                    let value = self.values.get(at).copied().flatten().filter(|v| !v.is_nil_or_empty());
                    let Some(value) = value else {
                        return Err(scratch.fault(format_args!("can't find the result from the {name} function")));
                    };
                    if *func_name == "extract" {
                        return Ok(List::One(Some(value)));
                    }
                    let not_list = || scratch.fault(format_args!("the argument for the {name} function should be array"));
                    return value.elements(scratch).ok_or_else(not_list);
                }
                Field::Wildcard { replace, .. } => at += replace.len(),
                _ => at += 1,
            }
        }
        Ok(List::One(None))
    }

    /// Writes the row as an object. `element`: what the set-returning field gave for this row.
    ///
    /// # Errors
    /// A full scratch.
    pub fn write(
        &self,
        ev: &Evaluator<'_, 'a>,
        shaping: Shaping,
        element: Option<Value<'a>>,
        out: &mut Encoder<'_>,
    ) -> Result<(), Fault<'a>> {
        out.begin_object()?;
        // Wildcards first: a named field beside `*` replaces the column of its name.
        let mut at = 0;
        for field in &ev.plan.fields {
            match field {
                Field::Wildcard { rows, except, replace } => {
                    // Of equal names the first source wins, so it is written last.
                    for slot in rows.iter().rev() {
                        wildcard(ev.row.get(*slot), except, out)?;
                    }
                    // A column stays what it was where its replacement is nil, as in eKuiper.
                    for (i, (name, _)) in replace.iter().enumerate() {
                        if let Some(Some(value)) = self.values.get(at + i)
                            && (shaping.send_nil || !value.is_null())
                        {
                            out.entry(name, *value)?;
                        }
                    }
                    at += replace.len();
                }
                _ => at += 1,
            }
        }
        at = 0;
        for field in &ev.plan.fields {
            match field {
                Field::Named { name, visible, .. } => {
                    if let Some(Some(value)) = self.values.get(at)
                        && *visible
                    {
                        out.entry(name, *value)?;
                    }
                    at += 1;
                }
                Field::Spread(_) => {
                    if let Some(Some(Value::Packed(p))) = self.values.get(at)
                        && let Some(object) = p.object()
                    {
                        for (key, value) in object.entries() {
                            out.entry(key, value)?;
                        }
                    }
                    at += 1;
                }
                Field::Unnest { .. } => at += 1,
                Field::Wildcard { replace, .. } => at += replace.len(),
            }
        }
        // The members of an element replace columns of their names.
        for field in &ev.plan.fields {
            let Field::Unnest { name, .. } = field else { continue };
            match element {
                Some(Value::Packed(p)) if !p.is_list() => {
                    for (key, value) in p.object().into_iter().flat_map(Object::entries) {
                        out.entry(key, value)?;
                    }
                }
                Some(Value::Json(numbers, raw)) if raw.starts_with('{') => {
                    for (key, value) in scan::members(raw) {
                        out.json_key(key)?;
                        out.json(value, numbers)?;
                    }
                }
                Some(value) => out.entry(name, value)?,
                None => {}
            }
        }
        if shaping.send_meta {
            out.key("__meta")?;
            match ev.ctx.event.meta {
                Some(meta) => out.value(meta.value())?,
                None => out.value(Value::Packed(crate::eval::expr::EMPTY_OBJECT))?,
            }
        }
        out.end()
    }
}

/// The list or map of a set-returning function.
fn set_returning<'a>(ev: &Evaluator<'_, 'a>, expr: &'a Expr, func_name: &str) -> Eval<'a> {
    let value = ev.eval(expr)?;
    if func_name == "extract" && !value.is_nil_or_empty() && !value.is_object() {
        return Err(Fault::new("call func extract error: extract should use map"));
    }
    Ok(value)
}

fn named<'a>(ev: &Evaluator<'_, 'a>, expr: &'a Expr, plain: bool, aliased: bool, shaping: Shaping) -> Result<Computed<'a>, Fault<'a>> {
    let column = match expr {
        Expr::Slot(slot) if plain => Some(ev.row.get(*slot)),
        Expr::First(slots) if plain => Some(slots.iter().find_map(|slot| ev.row.get(*slot))),
        _ => None,
    };
    if let Some(value) = column {
        return Ok(if shaping.send_nil { Some(value.unwrap_or(Value::Null)) } else { value });
    }
    let value = ev.eval(expr)?;
    // `changed_cols() AS x` without a change is null, not left out.
    if aliased && value.is_nil_or_empty() && is_changed_cols(ev, expr) {
        return Ok(Some(Value::Null));
    }
    // So is a list of nothing.
    if value.is_nil_or_empty() && is_list_made(ev, expr) {
        return Ok(Some(Value::Null));
    }
    // `sendNilField` is for columns and aliases; other expressions that give nil are left out with it too.
    Ok((!value.is_null() || (shaping.send_nil && aliased)).then_some(value))
}

/// True for `collect()` and `array_concat()` themselves: without elements they are null, not left out (facts §7.3).
fn is_list_made(ev: &Evaluator<'_, '_>, expr: &Expr) -> bool {
    match expr {
        Expr::Slot(slot) => match ev.plan.slots.get(usize::from(slot.0)) {
            Some(SlotKind::Aggregate(index)) => ev.plan.aggregates.get(usize::from(*index)).is_some_and(|a| a.name == "collect"),
            _ => false,
        },
        Expr::Alias(index) => ev.plan.aliases.get(usize::from(*index)).is_some_and(|a| is_list_made(ev, &a.expr)),
        Expr::Call { call, .. } => ev.plan.calls.get(usize::from(*call)).is_some_and(|(_, name)| *name == "array_concat"),
        _ => false,
    }
}

/// True for a call of `changed_cols`.
fn is_changed_cols(ev: &Evaluator<'_, '_>, expr: &Expr) -> bool {
    match expr {
        Expr::Slot(slot) => match ev.plan.slots.get(usize::from(slot.0)) {
            Some(SlotKind::Analytic(index)) => ev.plan.analytics.get(usize::from(*index)).is_some_and(|a| a.name == "changed_cols"),
            _ => false,
        },
        Expr::Alias(index) => ev.plan.aliases.get(usize::from(*index)).is_some_and(|a| is_changed_cols(ev, &a.expr)),
        _ => false,
    }
}

fn spread<'a>(ev: &Evaluator<'_, 'a>, slot: Slot) -> Result<Computed<'a>, Fault<'a>> {
    let value = ev.row.get(slot).unwrap_or(Value::Null);
    Ok(value.object(ev.ctx.scratch)?.map(Object::value))
}

fn wildcard<'a>(row: Option<Value<'a>>, except: &[String], out: &mut Encoder<'_>) -> Result<(), Fault<'a>> {
    match row {
        Some(Value::Json(numbers, raw)) => {
            for (key, value) in scan::members(raw) {
                if except.iter().any(|e| crate::value::key_is(key, e)) {
                    continue;
                }
                out.json_key(key)?;
                out.json(value, numbers)?;
            }
        }
        Some(Value::Packed(p)) => {
            for (key, value) in p.object().into_iter().flat_map(Object::entries) {
                if !except.iter().any(|e| e == key) {
                    out.entry(key, value)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}
