//! The tables agree with themselves, with eKuiper's list, and with `docs/sql.md`, whose list is written here.

use super::*;
use std::fmt::Write as _;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sql.md");
const MARK: &str = "<!-- written by the code from here on -->\n";

/// A heading and its rows.
fn section(family: Family, funcs: &[Func]) -> String {
    let (title, about) = match family {
        Family::Math => ("Mathematics", "Numbers in, numbers out."),
        Family::String => ("Text", "Positions count octets from 0."),
        Family::Convert => ("Conversion", ""),
        Family::Hash => ("Digests", ""),
        Family::JsonPath => ("JSON paths", ""),
        Family::DateTime => ("Dates and times", "A time is a DATETIME, milliseconds since 1970, or a text in a known layout."),
        Family::Array => ("Lists", ""),
        Family::Object => ("Objects", ""),
        Family::Aggregate => ("Aggregates", "One value from the rows of a window or group."),
        Family::Analytic => ("Analytic", "Values that remember earlier rows; `OVER (PARTITION BY .. WHEN ..)` may follow."),
        Family::SetReturning => ("Several rows from one", "At most one, and only as a field of SELECT."),
        Family::Window => ("Windows", ""),
        Family::Other => ("Others", ""),
    };
    let mut out = format!("\n### {title}\n\n");
    if !about.is_empty() {
        let _ = writeln!(out, "{about}\n");
    }
    out.push_str("| function | gives | nil | what | example |\n|---|---|---|---|---|\n");
    for func in funcs {
        out.push_str(&row(func));
    }
    out
}

fn row(func: &Func) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let names: Vec<String> = std::iter::once(&func.name).chain(func.aliases).map(|name| format!("`{name}`")).collect();
    let nil = match func.nulls {
        Nulls::AnyNil => "gives nil",
        Nulls::Taken => "is seen",
    };
    let example = if func.gives.is_empty() { format!("`{}`", func.example) } else { format!("`{}` is `{}`", func.example, func.gives) };
    format!("| {} | {} | {nil} | {} | {} |\n", names.join(", "), cell(func.result), cell(func.note), cell(&example))
}

fn list() -> String {
    let all: Vec<&Func> = FAMILIES.iter().flat_map(|(_, funcs)| *funcs).collect();
    let names = all.iter().map(|f| 1 + f.aliases.len()).sum::<usize>();
    let aggregates = all.iter().filter(|f| f.kind == Kind::Aggregate).count();
    let mut out = format!("\n{names} names, {aggregates} of them aggregates.\n");
    for (family, funcs) in FAMILIES.iter().filter(|(_, funcs)| !funcs.is_empty()) {
        out.push_str(&section(*family, funcs));
    }
    out
}

#[test]
fn the_page_lists_the_functions() {
    let page = std::fs::read_to_string(PAGE).unwrap_or_else(|e| panic!("{PAGE}: {e}"));
    let (head, listed) = page.split_once(MARK).unwrap_or_else(|| panic!("{PAGE} has no mark {MARK}"));
    let list = list();
    if listed == list {
        return;
    }
    if std::env::var_os("PUSHGATE_BLESS").is_some() {
        std::fs::write(PAGE, format!("{head}{MARK}{list}")).unwrap_or_else(|e| panic!("{PAGE}: {e}"));
        return;
    }
    let difference = list.lines().zip(listed.lines()).find(|(new, old)| new != old);
    panic!(
        "docs/sql.md is not what the code says: PUSHGATE_BLESS=1 cargo test --lib sql::func writes it; first difference: {difference:?}"
    );
}

/// eKuiper's built-in functions, `dedup_trigger` (docs/gaps.md) and what its optimizer makes up left out.
const BUILT_IN: &str = "
abs acc_avg acc_count acc_max acc_min acc_sum acos array_cardinality array_concat array_contains array_contains_any
array_create array_distinct array_except array_flatten array_intersect array_join array_last_position array_map
array_max array_min array_position array_remove array_shuffle array_sort array_union asin atan atan2 avg bitand bitnot
bitor bitxor bypass cardinality cast ceil ceiling changed_col changed_cols chr coalesce collect compress concat conv
convert_tz cos cosh cot count crc32 cur_date cur_time current_date current_time current_timestamp date_calc date_diff
day day_name day_of_month day_of_week day_of_year dec2hex decode decompress deduplicate degrees delay element_at
encode endswith erase event_time exp extract floor format format_time from_days from_unix_time get_keyed_state
had_changed hex2dec hour indexof isnull items json_path_exists json_path_query json_path_query_first keys
kvpair_array_to_obj lag last_agg_hit_count last_agg_hit_time last_day last_hit_count last_hit_time last_value latest
length ln local_time local_timestamp log lower lpad ltrim max md5 median merge_agg meta microsecond min minute mod
month month_name mqtt newuuid now numbytes obj_to_kvpair_array object object_concat object_construct object_pick
object_size parse_json percentile_cont percentile_disc pi pow power props radians rand regexp_matches regexp_replace
regexp_substr repeat reverse round row_number rpad rtrim rule_id rule_start second sequence sha1 sha256 sha384 sha512
sign sin sinh split_value sqrt startswith stddev stddevs substring sum tan tanh to_json to_seconds trim trunc tstamp
unnest upper values var vars window_end window_start window_trigger zip";

#[test]
fn every_built_in_function_is_listed() {
    let all: Vec<&str> = BUILT_IN.split_whitespace().collect();
    let missing: Vec<&&str> = all.iter().filter(|name| super::find(name).is_none()).collect();
    println!("functions: {} of {} listed", all.len() - missing.len(), all.len());
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn names_are_unique_and_lower_case() {
    let mut seen = std::collections::BTreeSet::new();
    for (_, funcs) in FAMILIES {
        for f in *funcs {
            for name in std::iter::once(&f.name).chain(f.aliases) {
                assert_eq!(*name, name.to_ascii_lowercase());
                assert!(seen.insert(*name), "{name} stands twice");
            }
            assert!(f.args.min <= f.args.max, "{}", f.name);
        }
    }
}

#[test]
fn find_and_get_agree() {
    for (family, funcs) in FAMILIES {
        for f in *funcs {
            let (id, found) = find(&f.name.to_ascii_uppercase()).expect("listed");
            assert_eq!(id.family, *family);
            assert!(std::ptr::eq(found, f));
            assert!(get(id).is_some_and(|g| std::ptr::eq(g, f)));
        }
    }
    assert!(find("no_such_function").is_none());
}
