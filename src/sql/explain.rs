//! A statement's plan as text: one JSON line per step, each below what it feeds, in eKuiper's words (facts §4.5).
//!
//! [`Texts`] spells expressions as eKuiper does, with names bound (`binaryExpr:{ demo.a + 1 }`): users find the failing expression
//! of a rule by that text in errors, too.

use super::ast::{Column, Expr, ExprKind, JoinKind, Key, Order, Select, Set, WindowKind};
use super::bind::{Bound, Target, bind};
use super::check::is_kind;
use super::error::{Span, SqlError};
use super::func::Kind;
use super::like;
use super::plan::{Plan, Source};
use super::text::float;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name and number: `ProjectPlan_0`.
    pub op: String,
    /// What it does, in eKuiper's words.
    pub info: String,
    /// How far it stands below the last step.
    pub level: usize,
    /// Which source it reads, in the order of the statement.
    pub source: Option<usize>,
}

/// The plan of `select` as text, the last step first. `plan` is what it was lowered to.
///
/// # Errors
/// What planning refuses.
pub fn explain(select: &Select, plan: &Plan, event_time: bool, reuse_aliases: bool) -> Result<String, SqlError> {
    let mut out = String::new();
    for Step { op, info, level, .. } in steps(select, plan, event_time, reuse_aliases)? {
        let tabs = "\t".repeat((2 * level).saturating_sub(1));
        let _ = writeln!(out, "{tabs}{{\"op\":\"{op}\",\"info\":{}}}", serde_json::Value::from(info));
    }
    Ok(out.trim_matches('\n').to_owned())
}

/// The steps of `select`, the last one first, then what each source reads.
///
/// # Errors
/// What planning refuses.
pub fn steps(select: &Select, plan: &Plan, event_time: bool, reuse_aliases: bool) -> Result<Vec<Step>, SqlError> {
    let bound = bind(select, &plan.sources, reuse_aliases)?;
    let texts = Texts::of(&bound);
    let before_window = plan.filters_before_window(event_time);
    let mut steps: Vec<(&str, String)> = Vec::new();
    let fields: Vec<String> = bound.order.iter().filter_map(|i| select.fields.get(*i)).map(|f| texts.field(f)).collect();
    if let Some(field) = select.fields.iter().find(|f| is_kind(&f.expr, Kind::SetReturning)) {
        steps.push(("ProjectSetPlan", format!("SrfMap:{{key:{}}}, EnableLimit:{}", field.output(), select.limit.is_some())));
    }
    let limit = select.limit.filter(|_| steps.is_empty()).map(|l| format!(", Limit:{l}")).unwrap_or_default();
    steps.push(("ProjectPlan", format!("Fields:[ {} ]{limit}", fields.join(", "))));
    if !select.order.is_empty() {
        steps.push(("OrderPlan", format!("SortFields:[ {} ]", list(&select.order, |o| texts.order(o)))));
    }
    if plan.row_number {
        steps.push(("WindowFuncPlan", "windowFuncField:{name:wf_row_number_1, expr:Call:{ name:row_number }}".to_owned()));
    }
    if let Some(having) = &select.having {
        steps.push(("HavingPlan", format!("Condition:{{ {} }}, ", texts.expr(having))));
    }
    if !plan.groups.is_empty() {
        let keys: Vec<String> = select.keys().map(|k| texts.expr(k)).collect();
        steps.push(("AggregatePlan", format!("Dimension:{{ {} }}", keys.join(", "))));
    }
    let filter = select.filter.as_ref().map(|f| Texts { in_filter: true, ..texts }.expr(f));
    // What a window in processing time filters by goes below it, as eKuiper's optimizer has it.
    let window_filter = select.window().and_then(|w| w.filter.as_ref()).map(|f| texts.expr(f));
    let sinks = plan.opens_below_window(event_time);
    let (sunk, window_filter) = if sinks && (before_window || filter.is_none()) { (window_filter, None) } else { (None, window_filter) };
    if let Some(filter) = filter.as_ref().filter(|_| !before_window) {
        steps.push(("FilterPlan", format!("Condition:{{ {filter} }}, ")));
    }
    let mut refs = Vec::new();
    if let Some(filter) = &select.filter {
        filter.walk(&mut |e| {
            refs.extend(is_kind(e, Kind::Aggregate).then(|| format!("$$agg_ref_0:{}", texts.expr(e))));
            true
        });
    }
    if !refs.is_empty() {
        steps.push(("AggFunc", format!("aggFuncs:[{}]", refs.concat())));
    }
    let (looked_up, joined): (Vec<_>, Vec<_>) = select.joins.iter().zip(&plan.joins).partition(|(_, planned)| planned.probe.is_some());
    steps.extend(looked_up.iter().rev().map(|(join, _)| ("LookupPlan", texts.lookup(join))));
    if !joined.is_empty() {
        steps.push(("JoinPlan", format!("Joins:[ {} ]", list(&joined, |(join, _)| texts.join(join)))));
        let scanned = plan.sources.iter().filter(|s| s.table && s.lookup.is_none());
        let tables: Vec<&str> = scanned.map(|s| s.name.as_str()).collect();
        if !tables.is_empty() {
            steps.push(("JoinAlignPlan", format!("Emitters:[ {} ]", tables.join(", "))));
        }
    }
    if let Some(window) = select.window() {
        let filter = window_filter.map(|f| format!(", condition:{f}")).unwrap_or_default();
        let (name, length) = window_name(&window.kind);
        steps.push(("WindowPlan", format!("{{ length:{length}, windowType:{name}{filter}, limit: 0 }}")));
    }
    let below = match (filter.filter(|_| before_window), sunk) {
        (Some(filter), Some(sunk)) => Some(format!("binaryExpr:{{ {filter} AND {sunk} }}")),
        (filter, sunk) => filter.or(sunk),
    };
    if let Some(filter) = below {
        steps.push(("FilterPlan", format!("Condition:{{ {filter} }}, ")));
    }
    let analytic = |e: &Expr| is_kind(e, Kind::Analytic) && !matches!(&e.kind, ExprKind::Call(call) if call.name == "changed_cols");
    let mut calls = Vec::new();
    for field in bound.order.iter().filter_map(|i| select.fields.get(*i)) {
        field.expr.walk(&mut |e| {
            calls.extend(analytic(e).then(|| texts.expr(e)));
            true
        });
    }
    if !plan.analytics.iter().all(|a| a.late) {
        steps.push(("AnalyticFuncsPlan", format!("FieldFuncs:[ {} ]", calls.join(", "))));
    }
    if event_time {
        let streams: Vec<&str> = plan.sources.iter().filter(|s| !s.table).map(|s| s.name.as_str()).collect();
        let info = format!("Emitters:[ {} ], SendWatermark:{}", streams.join(", "), select.window().is_some());
        steps.push(("WatermarkPlan", info));
    }
    let depth = steps.len();
    let mut out: Vec<Step> =
        steps.into_iter().enumerate().map(|(level, (op, info))| Step { op: format!("{op}_{level}"), info, level, source: None }).collect();
    let read = plan.sources.iter().enumerate().filter(|(_, source)| source.lookup.is_none());
    out.extend(read.enumerate().map(|(place, (i, source))| Step {
        op: format!("DataSourcePlan_{}", depth + place),
        info: source_info(select, plan, i, source),
        level: depth,
        source: Some(i),
    }));
    Ok(out)
}

fn source_info(select: &Select, plan: &Plan, index: usize, source: &Source) -> String {
    let mut out = format!("StreamName: {}", source.name);
    let (mut names, mut all) = (BTreeSet::new(), false);
    for slot in &plan.slots {
        match slot {
            super::plan::SlotKind::Column { source, name, .. } if usize::from(*source) == index => {
                names.insert(name.as_str());
            }
            super::plan::SlotKind::Row { source } if usize::from(*source) == index => all = true,
            _ => {}
        }
    }
    // As eKuiper has it, `count(*)` reads every column, and `* EXCEPT(..)` not those.
    let mut except: &[String] = &[];
    for field in &select.fields {
        field.expr.walk(&mut |e| {
            if let ExprKind::Star(star) = &e.kind {
                all = true;
                except = &star.except;
            }
            true
        });
    }
    if all {
        let columns = source.columns.iter().flatten().map(|c| c.name.as_str());
        names.extend(columns.filter(|name| !except.iter().any(|e| e == name)));
    }
    if !names.is_empty() {
        let _ = write!(out, ", StreamFields:[ {} ]", names.into_iter().collect::<Vec<_>>().join(", "));
    }
    out
}

const fn window_name(kind: &WindowKind) -> (&'static str, i64) {
    match kind {
        WindowKind::Tumbling { length, .. } => ("TUMBLING_WINDOW", *length),
        WindowKind::Hopping { length, .. } => ("HOPPING_WINDOW", *length),
        WindowKind::Sliding { length, .. } => ("SLIDING_WINDOW", *length),
        WindowKind::Session { length, .. } => ("SESSION_WINDOW", *length),
        WindowKind::Count { length, .. } => ("COUNT_WINDOW", *length),
        WindowKind::States { .. } | WindowKind::State { .. } => ("", 0),
    }
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Spells expressions of a bound statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts<'b, 's> {
    bound: &'b Bound<'s>,
    /// In WHERE aggregates are computed beforehand and only looked up.
    in_filter: bool,
}

impl<'b, 's> Texts<'b, 's> {
    /// Spells expressions of `bound`.
    pub(super) const fn of(bound: &'b Bound<'s>) -> Self {
        Self { bound, in_filter: false }
    }

    /// What stands before the error of a field: the alias and its definition, or the expression.
    pub(super) fn label(&self, field: &super::ast::Field) -> String {
        match &field.alias {
            Some(alias) => format!("alias: {alias} expr: {}", self.expr(&field.expr)),
            None => format!("expr: {}", self.expr(&field.expr)),
        }
    }

    fn field(&self, field: &super::ast::Field) -> String {
        match &field.alias {
            Some(alias) => format!("$$alias.{alias},aliasRef:{}", self.expr(&field.expr)),
            None => self.expr(&field.expr),
        }
    }

    fn order(&self, order: &Order) -> String {
        format!("sortField:{{ name:{}, ascending:{}, fieldExpr:{{ {} }} }}", order.name, !order.descending, self.expr(&order.expr))
    }

    /// A lookup: what of ON is no equality, then the join.
    fn lookup(&self, join: &super::ast::Join) -> String {
        let parts = join.on.iter().flat_map(super::lower::conjuncts);
        let conditions: Vec<&Expr> = parts.filter(|part| super::lower::equality(part).is_none()).collect();
        let conditions = conditions.iter().map(|c| self.expr(c)).reduce(|all, more| format!("binaryExpr:{{ {all} AND {more} }}"));
        let conditions = conditions.map(|c| format!("Condition:{{ {c} }}, ")).unwrap_or_default();
        let on = join.on.as_ref().map(|on| format!(", expr:{}", self.expr(on))).unwrap_or_default();
        format!("{conditions}Join:{{ joinType:{}{on} }}", Self::join_kind(join))
    }

    const fn join_kind(join: &super::ast::Join) -> &'static str {
        match join.kind {
            JoinKind::Inner => "INNER_JOIN",
            JoinKind::Left => "LEFT_JOIN",
            JoinKind::Right => "RIGHT_JOIN",
            JoinKind::Full => "FULL_JOIN",
            JoinKind::Cross => "CROSS_JOIN",
        }
    }

    fn join(&self, join: &super::ast::Join) -> String {
        let kind = Self::join_kind(join);
        format!("{{ joinType:{kind}, {} }}", join.on.as_ref().map(|on| self.expr(on)).unwrap_or_default())
    }

    fn column(&self, column: &Column, span: Span) -> String {
        let (name, target, key) = self.bound.column(column, span);
        let of = match target {
            Target::ByName => format!("$$default.{name}"),
            Target::Nothing => format!("{}.{name}", column.stream.as_deref().unwrap_or("$$default")),
            Target::Source(source) => format!("{}.{name}", self.bound.sources.get(source).map_or("", |s| s.name.as_str())),
            Target::Alias(alias) => {
                let field = self.bound.aliases.get(alias).and_then(|a| self.bound.select.fields.get(a.field));
                format!("$$alias.{name},aliasRef:{}", field.map(|f| self.expr(&f.expr)).unwrap_or_default())
            }
        };
        match key {
            Some(key) => format!("binaryExpr:{{ {of} -> jsonFieldName:{key} }}"),
            None => of,
        }
    }

    /// An expression.
    pub(super) fn expr(&self, expr: &Expr) -> String {
        let binary = |left: &Expr, op: &str, right: String| format!("binaryExpr:{{ {} {op} {right} }}", self.expr(left));
        let not = |not: bool, op: &str| if not { format!("NOT {op}") } else { op.to_owned() };
        match &expr.kind {
            ExprKind::Int(value) => value.to_string(),
            ExprKind::Float(value) => float(*value),
            ExprKind::Text(text) => text.clone(),
            ExprKind::Bool(value) => value.to_string(),
            ExprKind::Unit(unit, _) => unit.text().to_owned(),
            ExprKind::Column(column) => self.column(column, expr.span),
            ExprKind::Meta(column) => {
                let stream = column.stream.as_deref().unwrap_or("$$default");
                format!("metaRef:{{ streamName:{stream}, fieldName:{} }}", column.name)
            }
            ExprKind::Star(_) => "*".to_owned(),
            ExprKind::Paren(inner) => format!("parenExpr:{{ {} }}", self.expr(inner)),
            ExprKind::Binary { op, left, right } => binary(left, op.text(), self.expr(right)),
            ExprKind::Arrow { of, key: Key::Name(name) } => binary(of, "->", format!("jsonFieldName:{name}")),
            ExprKind::Arrow { of, key: Key::Other(other) } => binary(of, "->", self.expr(other)),
            ExprKind::Index { of, index } => format!("binaryExpr:{{ {}[{}] }}", self.expr(of), self.expr(index)),
            ExprKind::Slice { of, start, end } => {
                let start = start.as_ref().map_or_else(|| "0".to_owned(), |e| self.expr(e));
                let end = end.as_ref().map_or_else(|| i32::MIN.to_string(), |e| self.expr(e));
                format!("binaryExpr:{{ {}[ColonExpr:{{ start:{{ {start} }}, end:{{ {end} }} }}] }}", self.expr(of))
            }
            ExprKind::In { of, not: n, set } => {
                let set = match set {
                    Set::List(items) => format!("valueSetExpr:{{ literalExprs:[{}] }}", list(items, |e| self.expr(e))),
                    Set::Array(array) => self.expr(array),
                };
                binary(of, &not(*n, "IN"), set)
            }
            ExprKind::Between { of, not: n, low, high } => {
                binary(of, &not(*n, "BETWEEN"), format!("betweenExpr:{{ {}, {} }}", self.expr(low), self.expr(high)))
            }
            ExprKind::Like { of, not: n, pattern } => {
                let pattern = match &pattern.kind {
                    ExprKind::Text(text) => like::regex_text(text),
                    _ => self.expr(pattern),
                };
                binary(of, &not(*n, "LIKE"), format!("likePattern:{pattern}"))
            }
            ExprKind::Case { of, whens, .. } => {
                let value = of.as_ref().map(|of| format!("value:{{ {} }}, ", self.expr(of))).unwrap_or_default();
                let whens = list(whens, |(when, _)| format!("{{ whenClause:{{ {} }} }}", self.expr(when)));
                format!("caseExprValue:{{ {value}whenClauses:[{whens}] }}")
            }
            ExprKind::Call(call) if call.name == "row_number" => "Call:{ name:bypass, args:[wf_row_number_1] }".to_owned(),
            ExprKind::Call(call) if self.in_filter && call.kind == Kind::Aggregate => {
                "Call:{ name:bypass, args:[$$default.$$agg_ref_0] }".to_owned()
            }
            ExprKind::Call(call) => {
                let columns = call.name == "changed_cols";
                let arg = |e: &Expr| match (&e.kind, columns) {
                    (ExprKind::Column(column), true) => format!("colFuncField:{{ name: {}, expr:{{ {} }} }}", column.name, self.expr(e)),
                    (ExprKind::Star(_), true) => "colFuncField:{ name: *, expr:{ * } }".to_owned(),
                    (_, true) => format!("colFuncField:{{ expr:{{ {} }} }}", self.expr(e)),
                    _ => self.expr(e),
                };
                let mut args: Vec<String> = (call.name == "deduplicate").then(|| "*".to_owned()).into_iter().collect();
                args.extend(call.args.iter().map(arg));
                let args = if args.is_empty() { String::new() } else { format!(", args:[{}]", args.join(", ")) };
                let when = call.when.as_ref().map(|e| format!(", when:{{ {} }}", self.expr(e))).unwrap_or_default();
                format!("Call:{{ name:{}{args}{when} }}", call.name)
            }
            ExprKind::Window(window) => {
                let filter = window.filter.as_ref().map(|e| format!(", {}", self.expr(e))).unwrap_or_default();
                let unit = match &window.kind {
                    WindowKind::Tumbling { unit, .. }
                    | WindowKind::Hopping { unit, .. }
                    | WindowKind::Sliding { unit, .. }
                    | WindowKind::Session { unit, .. } => format!(", timeUnit: {} ", unit.text()),
                    _ => String::new(),
                };
                format!("window:{{ windowType:{}{unit}{filter} }}", window_name(&window.kind).0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lower::lower;
    use crate::sql::parse;

    fn text(sql: &str, event_time: bool) -> String {
        let select = parse::select(sql).unwrap_or_else(|e| panic!("{e}"));
        let names: Vec<String> = select.sources().map(str::to_owned).collect();
        let sources = names
            .into_iter()
            .map(|name| Source { alias: name.clone(), table: name.starts_with('t'), lookup: None, name, columns: None })
            .collect();
        let plan = lower(&select, sources, true, &|_| None).unwrap_or_else(|e| panic!("{e}"));
        explain(&select, &plan, event_time, true).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn conditions_sink_below_a_window_in_processing_time() {
        let sql = "SELECT sum(a) FROM demo WHERE c > 0 GROUP BY TUMBLINGWINDOW(ss, 10) FILTER (WHERE b > 1)";
        let below =
            r#"{"op":"FilterPlan_2","info":"Condition:{ binaryExpr:{ binaryExpr:{ demo.c > 0 } AND binaryExpr:{ demo.b > 1 } } }, "}"#;
        assert!(text(sql, false).contains(below), "{}", text(sql, false));
        let inside = "windowType:TUMBLING_WINDOW, condition:binaryExpr:{ demo.b > 1 }";
        assert!(text(sql, true).contains(inside) && !text(sql, false).contains(inside), "{}", text(sql, true));
        let alone = text("SELECT sum(a) FROM demo GROUP BY TUMBLINGWINDOW(ss, 10) FILTER (WHERE b > 1)", false);
        assert!(alone.contains(r#"{"op":"FilterPlan_2","info":"Condition:{ binaryExpr:{ demo.b > 1 } }, "}"#), "{alone}");
    }

    #[test]
    fn chains() {
        assert_eq!(
            text("SELECT a, b + 1 AS c FROM demo WHERE c > 2 AND d LIKE 'x%' LIMIT 3", false),
            concat!(
                r#"{"op":"ProjectPlan_0","info":"Fields:[ demo.a, $$alias.c,aliasRef:binaryExpr:{ demo.b + 1 } ], Limit:3"}"#,
                "\n\t",
                r#"{"op":"FilterPlan_1","info":"Condition:{ binaryExpr:{ binaryExpr:{ $$alias.c,aliasRef:binaryExpr:{ demo.b + 1 } > 2 } AND binaryExpr:{ demo.d LIKE likePattern:^x.*$ } } }, "}"#,
                "\n\t\t\t",
                r#"{"op":"DataSourcePlan_2","info":"StreamName: demo, StreamFields:[ a, b, d ]"}"#,
            )
        );
        let joined = text("SELECT demo.a FROM demo LEFT JOIN t1 ON demo.id = t1.id", false);
        let ops: Vec<&str> = joined.lines().filter_map(|l| l.split('"').nth(3)).collect();
        assert_eq!(ops, ["ProjectPlan_0", "JoinPlan_1", "JoinAlignPlan_2", "DataSourcePlan_3", "DataSourcePlan_4"]);
        for (event_time, want) in [
            (false, ["ProjectPlan_0", "AggregatePlan_1", "WindowPlan_2", "FilterPlan_3", "DataSourcePlan_4", ""]),
            (true, ["ProjectPlan_0", "AggregatePlan_1", "FilterPlan_2", "WindowPlan_3", "WatermarkPlan_4", "DataSourcePlan_5"]),
        ] {
            let windowed = text("SELECT a FROM demo WHERE a > 1 GROUP BY TUMBLINGWINDOW(ss, 10), b ORDER BY b", event_time);
            let ops: Vec<&str> = windowed.lines().filter_map(|l| l.split('"').nth(3)).filter(|op| !op.starts_with("Order")).collect();
            let renumbered: Vec<String> =
                ops.iter().enumerate().map(|(i, op)| format!("{}_{i}", op.split('_').next().unwrap_or(""))).collect();
            assert_eq!(renumbered, want.iter().filter(|w| !w.is_empty()).copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn expressions_as_ekuiper_spells_them() {
        let spelled = |sql: &str| {
            let select = parse::select(&format!("SELECT {sql} FROM demo")).unwrap_or_else(|e| panic!("{e}"));
            let sources = [Source { name: "demo".to_owned(), alias: "demo".to_owned(), table: false, lookup: None, columns: None }];
            let bound = bind(&select, &sources, true).unwrap_or_else(|e| panic!("{e}"));
            Texts::of(&bound).expr(&select.fields[0].expr)
        };
        for (sql, want) in [
            ("a[0]", "binaryExpr:{ demo.a[0] }"),
            ("a->b[0:1]", "binaryExpr:{ binaryExpr:{ demo.a -> jsonFieldName:b }[ColonExpr:{ start:{ 0 }, end:{ 1 } }] }"),
            ("a.b", "binaryExpr:{ demo.a -> jsonFieldName:b }"),
            ("a[]", "binaryExpr:{ demo.a[ColonExpr:{ start:{ 0 }, end:{ -2147483648 } }] }"),
            ("a BETWEEN 1 AND 5", "binaryExpr:{ demo.a BETWEEN betweenExpr:{ 1, 5 } }"),
            ("a NOT IN (1, 'x')", "binaryExpr:{ demo.a NOT IN valueSetExpr:{ literalExprs:[1, x] } }"),
            ("(a) * 1.50", "binaryExpr:{ parenExpr:{ demo.a } * 1.5 }"),
            ("CASE a WHEN 1 THEN 2 ELSE 3 END", "caseExprValue:{ value:{ demo.a }, whenClauses:[{ whenClause:{ 1 } }] }"),
            ("CASE WHEN a > 1 THEN 2 END", "caseExprValue:{ whenClauses:[{ whenClause:{ binaryExpr:{ demo.a > 1 } } }] }"),
        ] {
            assert_eq!(spelled(sql), want, "{sql}");
        }
    }
}
