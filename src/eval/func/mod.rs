//! Scalar functions by family; each file gives its implementations by name, and [`scalar`] finds them.
//!
//! In: values of the arguments and a [`Ctx`]. Out: a value in the row's scratch, or a [`Fault`] with eKuiper's words (without
//! `call func x error:`, which evaluation puts in front). Nothing allocates but a pattern that is no literal; work is paid in
//! fuel, an element or 64 octets a step.

mod arg;
mod array;
mod convert;
mod datetime;
mod deflate;
mod hash;
mod json_path;
mod locale;
mod math;
mod object;
mod other;
mod string;
#[cfg(test)]
pub(super) mod testing;
mod window;

pub(crate) use arg::{go_int, strict};

use super::{Call, Ctx, ScalarFn};
use crate::json::scan;
use crate::json::write::Out;
use crate::sql::func::{Family, FuncId};
use crate::time;
use crate::value::text::go_text;
use crate::value::{Eval, Fault, Moment, Numbers, PackWriter, Value};

/// Name and implementation, in the order of the table in `sql/func`.
pub(crate) type Table = &'static [(&'static str, ScalarFn)];

fn table(family: Family) -> Table {
    match family {
        Family::Math => math::TABLE,
        Family::String => string::TABLE,
        Family::Convert => convert::TABLE,
        Family::Hash => hash::TABLE,
        Family::JsonPath => json_path::TABLE,
        Family::DateTime => datetime::TABLE,
        Family::Array => array::TABLE,
        Family::Object => object::TABLE,
        Family::Other => other::TABLE,
        Family::Window => window::TABLE,
        Family::Aggregate => window::HITS,
        Family::Analytic | Family::SetReturning => &[],
    }
}

/// The implementation of a scalar function.
#[must_use]
pub fn scalar(id: FuncId) -> Option<ScalarFn> {
    let name = crate::sql::func::get(id)?.name;
    table(id.family).iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
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

/// `value`, or a copy of it in which every list and map is packed: reading and comparing it needs no scratch then.
fn deep<'a>(c: &Call<'_, 'a>, value: Value<'a>) -> Eval<'a> {
    fn whole(value: Value<'_>) -> bool {
        match value {
            Value::Json(..) => false,
            Value::Packed(p) => match p.object() {
                Some(object) => object.entries().all(|(_, value)| whole(value)),
                None => p.elements().all(whole),
            },
            _ => true,
        }
    }
    if whole(value) {
        return Ok(value);
    }
    let mut out = c.ctx.scratch.pack();
    pack(c, &mut out, value)?;
    Ok(Value::Packed(out.finish()?))
}

fn pack<'a>(c: &Call<'_, 'a>, out: &mut PackWriter<'_, 'a>, value: Value<'_>) -> Result<(), Fault<'a>> {
    match value {
        Value::Json(numbers, raw) if raw.starts_with('[') => {
            out.begin_list()?;
            for element in scan::elements(raw) {
                pack_json(c, out, element, numbers)?;
            }
            out.end()
        }
        Value::Json(numbers, raw) => {
            out.begin_object()?;
            for (key, value) in scan::members(raw) {
                out.json_key(key)?;
                pack_json(c, out, value, numbers)?;
            }
            out.end()
        }
        Value::Packed(p) => {
            match p.object() {
                Some(object) => {
                    out.begin_object()?;
                    for (key, value) in object.entries() {
                        out.key(key)?;
                        pack(c, out, value)?;
                    }
                }
                None => {
                    out.begin_list()?;
                    p.elements().try_for_each(|element| pack(c, out, element))?;
                }
            }
            out.end()
        }
        _ => out.value(value),
    }
}

fn pack_json<'a>(c: &Call<'_, 'a>, out: &mut PackWriter<'_, 'a>, raw: &str, numbers: Numbers) -> Result<(), Fault<'a>> {
    if raw.starts_with(['[', '{']) {
        c.work(raw.len())?;
        pack(c, out, Value::Json(numbers, raw))
    } else {
        out.json(raw, numbers)
    }
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

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell};
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::testing::{answer, with_ctx, zone};
    use super::*;
    use crate::eval::expr::Evaluator;
    use crate::eval::row::Row;
    use crate::eval::{Ctx, Event, Hits, RegexCache, RuleFacts};
    use crate::sql::func::prepare::prepare;
    use crate::sql::func::{self, FAMILIES, Kind};
    use crate::sql::plan::{Aux, Field, Plan, Source};
    use crate::sql::{lower, parse};
    use crate::time::{Now, Timestamp, Zone};
    use crate::value::Scratch;

    /// Rows that are no scalar functions but have an implementation all the same: they read the rule's counters.
    const BESIDE: [&str; 2] = ["last_agg_hit_count", "last_agg_hit_time"];

    #[test]
    fn every_scalar_row_has_an_implementation_and_none_is_left_over() {
        for (family, rows) in FAMILIES {
            let mut known: BTreeSet<&str> = table(*family).iter().map(|(name, _)| *name).collect();
            assert_eq!(known.len(), table(*family).len(), "{family:?}");
            for row in *rows {
                let implemented = known.remove(row.name);
                assert_eq!(implemented, row.kind == Kind::Scalar || BESIDE.contains(&row.name), "{}", row.name);
            }
            assert!(known.is_empty(), "{known:?}");
        }
    }

    /// eKuiper's built-in functions, by the sections of its documentation.
    const BUILT_IN: &str = "avg count max min sum collect last_value merge_agg deduplicate stddev stddevs var vars median percentile_cont \
        percentile_disc last_agg_hit_count last_agg_hit_time lag latest changed_col had_changed changed_cols acc_sum acc_avg acc_min acc_max \
        acc_count abs acos asin atan atan2 bitand bitor bitxor bitnot ceil ceiling floor cos cosh cot degrees radians exp ln log mod pi pow \
        power rand round sign sin sinh sqrt tan tanh conv concat endswith startswith format indexof length lower upper lpad rpad ltrim rtrim \
        trim numbytes regexp_matches regexp_replace regexp_substr reverse substring split_value cast chr encode decode trunc hex2dec dec2hex \
        to_json parse_json to_seconds convert_tz compress decompress md5 sha1 sha256 sha384 sha512 crc32 json_path_query \
        json_path_query_first json_path_exists now current_timestamp local_time local_timestamp cur_date current_date cur_time current_time \
        format_time date_calc date_diff day_name day day_of_month day_of_week day_of_year from_days from_unix_time hour minute second \
        microsecond month month_name last_day tstamp array_create array_contains array_contains_any array_position array_last_position \
        element_at array_remove array_intersect array_union array_except array_max array_min array_cardinality cardinality array_flatten \
        array_distinct array_map array_join array_shuffle array_sort array_concat repeat sequence kvpair_array_to_obj keys values object zip \
        items object_concat object_construct erase object_size object_pick obj_to_kvpair_array unnest extract row_number isnull coalesce \
        newuuid meta mqtt rule_id rule_start event_time window_start window_end window_trigger last_hit_count last_hit_time delay \
        get_keyed_state props bypass";

    #[test]
    fn count_against_ekuiper() {
        let names: Vec<&str> = BUILT_IN.split_ascii_whitespace().collect();
        let missing: Vec<&&str> = names.iter().filter(|name| func::find(name).is_none()).collect();
        let scalar = names.iter().filter(|n| func::find(n).is_some_and(|(id, _)| scalar(id).is_some())).count();
        println!("functions: {} of {} known, {scalar} of them run on one row", names.len() - missing.len(), names.len());
        assert!(missing.is_empty(), "{missing:?}");
    }

    /// Plans `SELECT expression AS r FROM demo`.
    fn plan(expression: &str) -> Result<Plan, String> {
        let select = parse::select(&format!("SELECT {expression} AS r FROM demo")).map_err(|e| e.to_string())?;
        let demo = Source { name: "demo".into(), alias: "demo".into(), table: false, lookup: None, columns: None };
        lower::lower(&select, vec![demo], true, &zone).map_err(|e| e.to_string())
    }

    #[test]
    fn examples_do_as_they_say() {
        for row in FAMILIES.iter().flat_map(|(_, rows)| rows.iter()) {
            assert!(!row.note.is_empty() && row.note.ends_with('.') && !row.result.is_empty(), "{}", row.name);
            let plan: &'static Plan = Box::leak(Box::new(plan(row.example).unwrap_or_else(|e| panic!("{}: {e}", row.example))));
            if row.gives.is_empty() || row.kind == Kind::Window {
                continue;
            }
            let functions = plan.calls.iter().filter_map(|(id, _)| scalar(*id)).collect();
            let facts: &'static RuleFacts =
                Box::leak(Box::new(RuleFacts { id: "r1".into(), start: Timestamp(0), zone: Zone::utc(), window_time: false, functions }));
            with_ctx(10_000, 65_536, |ctx| {
                let ctx = Ctx { rule: facts, ..*ctx };
                let cells = Row::new(plan.slots.len(), plan.aliases.len());
                let Some(Field::Named { expr, .. }) = plan.fields.first() else { panic!("{}", row.example) };
                let got = answer(Evaluator { plan, ctx: &ctx, row: &cells }.eval(expr), ctx.scratch);
                assert_eq!(got, row.gives, "{}", row.example);
            });
        }
    }

    /// Owned values of every kind, leaning to the edges.
    #[derive(Debug, Clone)]
    enum Any {
        Null,
        Bool(bool),
        Int(i64),
        Float(f64),
        Text(String),
        Octets(Vec<u8>),
        Json(String),
        Time(i64, u32, i32),
    }

    fn any_value() -> impl Strategy<Value = Any> {
        let int = prop_oneof![-3_i64..40, any::<i64>(), Just(i64::MIN), Just(i64::MAX), Just(1_709_210_096_789)];
        let float = prop_oneof![-3.0..40.0_f64, any::<f64>(), Just(f64::NAN), Just(1e20), Just(-0.0), (-3_i32..40).prop_map(f64::from)];
        let text = prop_oneof![
            "\\PC{0,12}",
            "[0-9a-z+./:$()*-]{0,12}",
            Just("2024-02-29 12:34:56".to_owned()),
            Just("base64".to_owned()),
            Just("bigint".to_owned()),
            Just("datetime".to_owned()),
            Just("gzip".to_owned()),
            Just("array_sort".to_owned()),
            Just("yyyy-MM-ddTHH:mm:ssSSSXXX".to_owned()),
            Just("$..a[?(@.b > 1)]".to_owned()),
            Just("{\"a\":[1,{\"b\":null}]}".to_owned()),
        ];
        let scalar = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("-1.5e3".to_owned()),
            Just("7".to_owned()),
            Just("\"a\\u0062\"".to_owned()),
            Just("\"key\"".to_owned())
        ];
        let json = scalar.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(","))),
                prop::collection::vec(("[ab]|key|value", inner), 0..4)
                    .prop_map(|v| format!("{{{}}}", v.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect::<Vec<_>>().join(","))),
            ]
        });
        prop_oneof![
            Just(Any::Null),
            any::<bool>().prop_map(Any::Bool),
            int.prop_map(Any::Int),
            float.prop_map(Any::Float),
            text.prop_map(Any::Text),
            prop::collection::vec(any::<u8>(), 0..12).prop_map(Any::Octets),
            json.prop_filter("a list or map", |j| j.starts_with(['[', '{'])).prop_map(Any::Json),
            (-9_223_372_036_854_775_i64..9_223_372_036_854_775, 0_u32..1_000_000_000, -90_000..93_600)
                .prop_map(|(s, n, o)| Any::Time(s, n, o)),
        ]
    }

    impl Any {
        fn value(&self) -> Value<'_> {
            match self {
                Self::Null => Value::Null,
                Self::Bool(b) => Value::Bool(*b),
                Self::Int(i) => Value::Int(*i),
                Self::Float(x) => Value::Float(*x),
                Self::Text(text) => Value::Str(text),
                Self::Octets(bytes) => Value::Bytes(bytes),
                Self::Json(raw) => Value::Json(Numbers::Float, raw),
                Self::Time(secs, nanos, offset_s) => Value::Time(Moment { secs: *secs, nanos: *nanos, offset_s: *offset_s }),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn no_values_make_a_function_panic(args in prop::collection::vec(any_value(), 3), scratch_bytes in prop_oneof![Just(96_usize), Just(40_000)]) {
            let rule = RuleFacts { id: "r1".into(), start: Timestamp(0), zone: Zone::utc(), window_time: false, functions: Vec::new() };
            let regexes = RefCell::new(RegexCache::default());
            for (family, rows) in FAMILIES {
                for (row, (_, run)) in rows.iter().filter_map(|row| Some((row, table(*family).iter().find(|(n, _)| *n == row.name)?))) {
                    for count in row.args.min..=row.args.max.min(3) {
                        let aux = match &args[1] {
                            Any::Text(text) => prepare(row.name, Some(text), &zone),
                            _ => Aux::None,
                        };
                        let mut buf = vec![0; scratch_bytes];
                        let scratch = Scratch::new(&mut buf);
                        let values: Vec<Value<'_>> = args.iter().take(count).map(Any::value).collect();
                        let (fuel, rng, delay_ms) = (Cell::new(2_000), Cell::new(1), Cell::new(0));
                        let ctx = Ctx {
                            scratch: &scratch,
                            now: Now::default(),
                            rule: &rule,
                            event: Event::default(),
                            window: None,
                            hits: Hits::default(),
                            agg_hits: Hits::default(),
                            fuel: &fuel,
                            rng: &rng,
                            regexes: &regexes,
                            delay_ms: &delay_ms,
                        };
                        let _ = run(&Call { args: &values, ctx: &ctx, aux: &aux });
                    }
                }
            }
        }
    }
}
