//! Scalar functions by family; each file gives its implementations by name, and [`scalar`] finds them.
//!
//! In: values of the arguments and a [`Ctx`]. Out: a value in the row's scratch, or a [`Fault`] with eKuiper's words (without
//! `call func x error:`, which evaluation puts in front). Nothing allocates but a pattern that is no literal; work is paid in
//! fuel, an element or 64 octets a step.

mod arg;
mod convert;
mod deflate;
mod hash;
mod locale;
mod math;
mod string;
#[cfg(test)]
mod testing;
mod window;

use std::sync::Mutex;

pub(crate) use arg::go_int;

use super::{Call, Ctx, ScalarFn};
use crate::json::write::Out;
use crate::sql::func::{Family, FuncId};
use crate::sql::plan::{Aux, Literal};
use crate::time::{self, Zone};
use crate::value::text::go_text;
use crate::value::{Eval, Fault, Moment, Value};

/// Name and implementation, in the order of the table in `sql/func`.
pub(crate) type Table = &'static [(&'static str, ScalarFn)];

fn table(family: Family) -> Table {
    match family {
        Family::Math => math::TABLE,
        Family::String => string::TABLE,
        Family::Convert => convert::TABLE,
        Family::Hash => hash::TABLE,
        Family::Aggregate => window::HITS,
        Family::Window => window::TABLE,
        Family::JsonPath
        | Family::DateTime
        | Family::Array
        | Family::Object
        | Family::Analytic
        | Family::SetReturning
        | Family::Other => &[],
    }
}

/// The implementation of a scalar function, by the name that `sql/func` gives it.
#[must_use]
pub fn scalar(id: FuncId, name: &str) -> Option<ScalarFn> {
    table(id.family).iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
}

/// What can be compiled from the literal arguments of a call when it is planned; `None` stands for an argument that is no
/// literal. What does not compile is left to the row, where it is an error. `zone` knows time zones by name.
#[must_use]
pub fn prepare(name: &str, args: &[Option<Literal>], zone: &dyn Fn(&str) -> Option<Zone>) -> Aux {
    let Some(Some(Literal::Str(text))) = args.get(1) else { return Aux::None };
    match name {
        "regexp_matches" | "regexp_substr" | "regexp_substring" => super::compile(text).map_or(Aux::None, Aux::Regex),
        "regexp_replace" => super::compile(text).map_or(Aux::None, |regex| {
            let groups = Mutex::new(regex.capture_locations());
            Aux::Replace(regex, groups)
        }),
        "convert_tz" => zone(text).map_or(Aux::None, Aux::Zone),
        _ => Aux::None,
    }
}

/// `value` as a moment, as far as eKuiper converts: a time, milliseconds, or text in a known layout.
///
/// # Errors
/// A text in no known layout, or a value of another type.
pub fn to_moment<'a>(value: Value<'a>, ctx: &Ctx<'_, 'a>) -> Result<Moment, Fault<'a>> {
    let ms = match value {
        Value::Time(t) => return Ok(t),
        Value::Int(ms) => ms,
        Value::Float(ms) => arg::go_int(ms),
        Value::Str(text) => {
            return time::text::parse(text, None, &ctx.rule.zone, Moment::from_ms(ctx.now.wall.0))
                .ok_or_else(|| ctx.scratch.fault(format_args!("Can't parse string as time: {text}")));
        }
        other => {
            let text = go_text(other, ctx.scratch)?;
            return Err(ctx.scratch.fault(format_args!("unsupported type to convert to timestamp {text}")));
        }
    };
    let t = Moment::from_ms(ms);
    Ok(Moment { offset_s: ctx.rule.zone.offset_at(t.secs), ..t })
}

impl<'a> Call<'_, 'a> {
    /// Pays for looking at so many octets.
    fn work(&self, bytes: usize) -> Result<(), Fault<'a>> {
        self.elements(bytes / 64)
    }

    /// Pays for so many elements.
    fn elements(&self, count: usize) -> Result<(), Fault<'a>> {
        self.ctx.spend(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Text that `write` puts into the scratch.
    fn written(&self, write: impl FnOnce(&mut Out<'_>) -> Result<(), Fault<'a>>) -> Eval<'a> {
        let bytes = self.ctx.scratch.write_bytes(write)?;
        self.work(bytes.len())?;
        Ok(Value::Str(core::str::from_utf8(bytes).unwrap_or("")))
    }
}
