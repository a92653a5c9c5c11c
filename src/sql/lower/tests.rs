use super::*;
use crate::sql::parse;
use crate::sql::plan::{Literal, Op};
use crate::sql::types::{Column, Type};

fn column(name: &str) -> Column {
    Column { name: name.to_owned(), typ: Type::Bigint, default: None }
}

/// A source `name(a, b)`, or `name` alone for a schemaless one; `[name]` is a table.
fn source(text: &str) -> Source {
    let (text, table) = text.strip_prefix('[').map_or((text, false), |t| (t.trim_end_matches(']'), true));
    let (name, columns) = text.split_once('(').map_or((text, None), |(n, c)| (n, Some(c.trim_end_matches(')'))));
    let columns = columns.map(|c| c.split(", ").map(column).collect());
    Source { name: name.to_owned(), alias: name.to_owned(), table, lookup: None, columns }
}

fn plan_of(sources: &str, sql: &str) -> Result<Plan, String> {
    let select = parse::select(sql).map_err(|e| e.to_string())?;
    let sources = sources.split("; ").map(source).collect();
    lower(&select, sources, true, &|name| (name == "UTC").then(Zone::utc)).map_err(|e| e.to_string())
}

fn plan(sources: &str, sql: &str) -> Plan {
    plan_of(sources, sql).unwrap_or_else(|e| panic!("{sql}: {e}"))
}

/// Plans in prefix form: slots by what they hold, aliases as `@name`.
fn slot(plan: &Plan, slot: Slot) -> String {
    let source = |i: u8| plan.sources[usize::from(i)].name.clone();
    match &plan.slots[usize::from(slot.0)] {
        SlotKind::Column { source: s, name, .. } => format!("{}.{name}", source(*s)),
        SlotKind::Row { source: s } => format!("{}.*", source(*s)),
        SlotKind::Analytic(i) => {
            let a = &plan.analytics[usize::from(*i)];
            let all = a.all.iter().map(|_| "*".to_owned());
            let mut out = format!("{}({})", a.name, all.chain(a.args.iter().map(|e| show(plan, e))).collect::<Vec<_>>().join(" "));
            if !a.partition.is_empty() {
                out.push_str(&format!("/by {}", shows(plan, &a.partition)));
            }
            if let Some(when) = &a.when {
                out.push_str(&format!("/when {}", show(plan, when)));
            }
            if a.late { format!("late {out}") } else { out }
        }
        SlotKind::Aggregate(i) => aggregate(plan, &plan.aggregates[usize::from(*i)]),
        SlotKind::FilterAggregate(i) => format!("where-{}", aggregate(plan, &plan.filter_aggregates[usize::from(*i)])),
        SlotKind::RowNumber => "#row".to_owned(),
    }
}

fn aggregate(plan: &Plan, a: &crate::sql::plan::Aggregate) -> String {
    let all = a.all.iter().map(|rows| format!("*{}", rows.len()));
    format!("{}({})", a.name, all.chain(a.args.iter().map(|e| show(plan, e))).collect::<Vec<_>>().join(" "))
}

fn shows(plan: &Plan, list: &[Expr]) -> String {
    list.iter().map(|e| show(plan, e)).collect::<Vec<_>>().join(" ")
}

fn show(plan: &Plan, e: &Expr) -> String {
    match e {
        Expr::Const(Literal::Null) => "nil".to_owned(),
        Expr::Const(Literal::Bool(v)) => v.to_string(),
        Expr::Const(Literal::Int(v)) => v.to_string(),
        Expr::Const(Literal::Float(v)) => format!("{v:?}"),
        Expr::Const(Literal::Str(v)) => format!("{v:?}"),
        Expr::Slot(s) => slot(plan, *s),
        Expr::First(slots) => format!("first({})", slots.iter().map(|s| slot(plan, *s)).collect::<Vec<_>>().join(" ")),
        Expr::Row { rows, except, replace } => {
            let rows: Vec<String> = rows.iter().map(|s| slot(plan, *s)).collect();
            let replace: Vec<String> = replace.iter().map(|(n, e)| format!("{n}={}", show(plan, e))).collect();
            format!("row({}-{}+{})", rows.join(" "), except.join(","), replace.join(","))
        }
        Expr::Alias(i) => format!("@{}", plan.aliases[usize::from(*i)].name),
        Expr::Member(of, key) => format!("{}->{key}", show(plan, of)),
        Expr::Into(of, other) => format!("{}->({})", show(plan, of), show(plan, other)),
        Expr::Index(of, index, _) => format!("{}[{}]", show(plan, of), show(plan, index)),
        Expr::Slice(of, from, to, _) => {
            let part = |p: &Option<Box<Expr>>| p.as_ref().map(|e| show(plan, e)).unwrap_or_default();
            format!("{}[{}:{}]", show(plan, of), part(from), part(to))
        }
        Expr::Binary(op, l, r) => {
            let op = match op {
                Op::Add => "+",
                Op::Mul => "*",
                Op::Gt => ">",
                Op::Lt => "<",
                Op::Eq => "=",
                Op::And => "AND",
                _ => "?",
            };
            format!("[{op} {} {}]", show(plan, l), show(plan, r))
        }
        Expr::Like { regex, pattern, .. } => {
            format!(
                "like({})",
                regex.as_ref().map(|r| r.to_string()).or_else(|| pattern.as_ref().map(|p| show(plan, p))).unwrap_or_default()
            )
        }
        Expr::Call { call, args, .. } => format!("{}({})", plan.calls[usize::from(*call)].1, shows(plan, args)),
        Expr::Fold { name, args } => format!("fold {name}({})", shows(plan, args)),
        Expr::Meta(name, path) => {
            format!("meta:{}{}", name.as_deref().unwrap_or("*"), path.iter().map(|p| format!("->{p}")).collect::<String>())
        }
        Expr::Case { .. } => "case".to_owned(),
        Expr::In { .. } | Expr::InList { .. } => "in".to_owned(),
        Expr::Between { .. } => "between".to_owned(),
    }
}

/// The fields, then the definitions of aliases in the order in which they were first needed.
fn fields(plan: &Plan) -> String {
    let mut out: Vec<String> = plan
        .fields
        .iter()
        .map(|f| match f {
            Field::Named { name, expr, visible, plain, .. } => {
                format!("{}{name}{}={}", if *visible { "" } else { "-" }, if *plain { "!" } else { "" }, show(plan, expr))
            }
            Field::Wildcard { rows, except, replace } => {
                let rows: Vec<String> = rows.iter().map(|s| slot(plan, *s)).collect();
                let replace: Vec<String> = replace.iter().map(|(n, e)| format!("{n}={}", show(plan, e))).collect();
                format!("*({}-{}+{})", rows.join(" "), except.join(","), replace.join(","))
            }
            Field::Spread(s) => format!("spread {}", slot(plan, *s)),
            Field::Unnest { name, func_name, expr, .. } => format!("{func_name} {name}={}", show(plan, expr)),
        })
        .collect();
    out.extend(plan.aliases.iter().map(|a| format!("@{}{}:={}", a.name, if a.aggregate { "+" } else { "" }, show(plan, &a.expr))));
    out.join("; ")
}

#[test]
fn columns_and_paths() {
    for (rule, sources, sql, want) in [
        ("own_name", "demo", "SELECT a, demo.b, c.d, c.d.e FROM demo", "a!=demo.a; b!=demo.b; d=demo.c->d; kuiper_field_0=demo.c->d->e"),
        ("same_slot", "demo(a)", "SELECT a, a + a FROM demo", "a!=demo.a; kuiper_field_0=[+ demo.a demo.a]"),
        ("unit", "demo(a)", "SELECT mi FROM demo", "mi=nil"),
        ("case_kept", "demo(a)", "SELECT A FROM demo", "A!=demo.A"),
        ("star", "demo", "SELECT *, a AS b FROM demo", "*(demo.*-+); b=demo.a"),
        ("star_except", "demo", "SELECT * EXCEPT(a, b) REPLACE(c->d AS c, 5 AS zz) FROM demo", "*(demo.*-a,b+c=demo.c->d,zz=5)"),
        ("stream_star", "demo", "SELECT demo.* FROM demo", "*(demo.*-+)"),
        ("invisible", "demo", "SELECT a, a+b AS s INVISIBLE, b INVISIBLE FROM demo", "a!=demo.a; -s=[+ demo.a demo.b]; -b!=demo.b"),
        ("path_index", "demo", "SELECT a->b[0]->c AS r FROM demo", "r=demo.a->b[0]->c"),
        ("stream_alias_gives_nothing", "demo", "SELECT t.a FROM demo AS t", "a=nil"),
        ("window_in_select", "demo", "SELECT TUMBLINGWINDOW(ss, 1) AS w FROM demo", "w=nil"),
    ] {
        assert_eq!(fields(&plan(sources, sql)), want, "{rule}");
    }
}

#[test]
fn joins_and_names() {
    let w = "GROUP BY TUMBLINGWINDOW(ss, 10)";
    for (rule, sources, sql, want) in [
        ("qualified", "s1; s2", "SELECT s1.a, s2.a AS b FROM s1 INNER JOIN s2 ON s1.id = s2.id", "a!=s1.a; b=s2.a"),
        (
            "first_that_has_it",
            "s1; s2",
            "SELECT a, b AS c FROM s1 LEFT JOIN s2 ON s1.id = s2.id",
            "a!=first(s1.a s2.a); c=first(s1.b s2.b)",
        ),
        ("bound_by_use", "s1; s2", "SELECT s2.id, id + 1 FROM s1 LEFT JOIN s2 ON s1.id = s2.id", "id!=s2.id; kuiper_field_0=[+ s2.id 1]"),
        ("declared_once", "s1(id, a); s2(id, b)", "SELECT a, b FROM s1 LEFT JOIN s2 ON s1.id = s2.id", "a!=s1.a; b!=s2.b"),
        ("star", "s1; s2", "SELECT * FROM s1 LEFT JOIN s2 ON s1.id = s2.id", "*(s1.* s2.*-+)"),
        ("one_star", "s1; s2", "SELECT s2.* FROM s1 LEFT JOIN s2 ON s1.id = s2.id", "*(s2.*-+)"),
    ] {
        assert_eq!(fields(&plan(sources, &format!("{sql} {w}"))), want, "{rule}");
    }
    let p = plan("s1; [t1]", "SELECT s1.a FROM s1 FULL JOIN t1 ON s1.id = t1.id");
    assert!(
        matches!(p.joins.as_slice(), [Join { kind: JoinKind::Full, on: Some(on), probe: None, right_first: false }] if show(&p, on) == "[= s1.id t1.id]")
    );
}

#[test]
fn aliases() {
    for (rule, sources, sql, want) in [
        ("own_definition_is_the_column", "demo", "SELECT a + 1 AS a FROM demo", "a=[+ demo.a 1]"),
        ("later_field", "demo", "SELECT a + 1 AS x, x * 2 AS y FROM demo", "x=@x; y=[* @x 2]; @x:=[+ demo.a 1]"),
        ("over_a_column", "demo", "SELECT a + 1 AS a, a * 2 AS b FROM demo", "a=@a; b=[* @a 2]; @a:=[+ demo.a 1]"),
        ("bare_column_by_name", "demo", "SELECT a AS x, x + 1 AS y FROM demo", "x=@x; y=[+ @x 1]; @x:=demo.a"),
        ("bare_column_and_where", "demo", "SELECT a AS x, x + 1 AS y FROM demo WHERE y > 3", "x=@x; y=@y; @y:=[+ demo.x 1]; @x:=demo.a"),
        (
            "expression_and_where",
            "demo",
            "SELECT a + 1 AS x, x + 1 AS y FROM demo WHERE y > 3",
            "x=@x; y=@y; @x:=[+ demo.a 1]; @y:=[+ @x 1]",
        ),
        (
            "where_computes_both",
            "demo",
            "SELECT a AS x, x + 1 AS y FROM demo WHERE x > 0 AND y > 3",
            "x=@x; y=@y; @x:=demo.a; @y:=[+ @x 1]",
        ),
        ("bare_column_used_before", "demo", "SELECT x + 1 AS y, a AS x FROM demo", "y=[+ @x 1]; x=@x; @x:=demo.a"),
        ("expression_used_before", "demo", "SELECT x + 1 AS y, a + 1 AS x FROM demo", "y=[+ demo.x 1]; x=[+ demo.a 1]"),
        ("unnamed_field_first", "demo", "SELECT a AS x, x + 1 FROM demo", "x=@x; kuiper_field_0=[+ demo.x 1]; @x:=demo.a"),
        ("declared_sorts", "demo(a)", "SELECT x + 1 AS y, a + 1 AS x FROM demo", "y=[+ @x 1]; x=@x; @x:=[+ demo.a 1]"),
        ("declared_last_of_two", "demo(a, b)", "SELECT a AS x, b AS x FROM demo", "x=demo.b"),
        ("invisible_same_name", "demo", "SELECT a + 1 AS x INVISIBLE, x FROM demo", "-x=@x; x!=@x; @x:=[+ demo.a 1]"),
    ] {
        assert_eq!(fields(&plan(sources, sql)), want, "{rule}");
    }
    let p = plan("demo", "SELECT a AS x FROM demo WHERE X > 1");
    assert_eq!(p.filter.as_ref().map(|f| show(&p, f)).as_deref(), Some("[> @x 1]"), "aliases are found in any case");
    let p = plan("demo", "SELECT a + 1 AS a FROM demo WHERE a > 1 AND b < 2");
    assert_eq!(p.filter.as_ref().map(|f| show(&p, f)).as_deref(), Some("[AND [> @a 1] [< demo.b 2]]"), "an alias wins over the column");
    let p = lower(
        &parse::select("SELECT a + 1 AS x, x + 1 AS y FROM demo").unwrap_or_else(|e| panic!("{e}")),
        vec![source("demo")],
        false,
        &|_| None,
    );
    assert_eq!(p.map(|p| fields(&p)), Ok("x=@x; y=[+ @x 1]; @x:=[+ demo.a 1]".to_owned()));
}

#[test]
fn refusals() {
    for (rule, sources, sql, want) in [
        ("unknown", "demo(a)", "SELECT b FROM demo", Some("unknown field b at line 1, column 8")),
        ("unknown_in_where", "demo(a)", "SELECT a FROM demo WHERE a > b", Some("unknown field b")),
        ("only_the_last_counts", "demo(a)", "SELECT b + a FROM demo", None),
        ("only_the_last_counts_where", "demo(a)", "SELECT a FROM demo WHERE b > a", None),
        ("unknown_in_alias", "demo(a)", "SELECT b + a AS c FROM demo", Some("unknown field b")),
        ("alias_case", "demo(a)", "SELECT A AS c FROM demo", Some("unknown field A")),
        ("unknown_path", "demo(a)", "SELECT b.c FROM demo", Some("unknown field b")),
        ("stream_star_declared", "demo(a)", "SELECT demo.* FROM demo", Some("unknown field *")),
        (
            "unknown_stream",
            "s1(id, a); s2(id)",
            "SELECT s3.a FROM s1 INNER JOIN s2 ON s1.id = s2.id GROUP BY TUMBLINGWINDOW(ss, 1)",
            Some("unknown field s3"),
        ),
        (
            "ambiguous",
            "s1(id); s2(id)",
            "SELECT id FROM s1 INNER JOIN s2 ON s1.id = s2.id GROUP BY TUMBLINGWINDOW(ss, 1)",
            Some("ambiguous field id"),
        ),
        (
            "ambiguous_schemaless",
            "s1; s2",
            "SELECT s1.id, s2.id AS x, id + 1 FROM s1 INNER JOIN s2 ON s1.id = s2.id GROUP BY TUMBLINGWINDOW(ss, 1)",
            Some("ambiguous field id"),
        ),
        (
            "of_stream",
            "s1(id); s2(id, b)",
            "SELECT s1.b FROM s1 INNER JOIN s2 ON s1.id = s2.id GROUP BY TUMBLINGWINDOW(ss, 1)",
            Some("unknown field s1.b"),
        ),
        ("alias_of_stream_in_where", "demo", "SELECT a FROM demo AS t WHERE t.a > 1", Some("stream t not found")),
        (
            "alias_of_stream_in_on",
            "s1; s2",
            "SELECT * FROM s1 AS x INNER JOIN s2 AS y ON x.id = y.id GROUP BY TUMBLINGWINDOW(ss, 1)",
            Some("stream y not found"),
        ),
        ("alias_of_declared_stream", "demo(a)", "SELECT t.a FROM demo AS t", Some("unknown field t.a")),
        ("cycle", "demo", "SELECT a + 1 AS b, b + 1 AS a FROM demo", Some("select fields have cycled alias")),
        ("long_cycle", "demo", "SELECT c AS a, a AS b, b AS c, d AS e FROM demo", Some("select fields have cycled alias")),
        ("no_cycle", "demo", "SELECT a AS a, a + b AS b FROM demo", None),
        ("duplicate", "demo", "SELECT a, b AS a FROM demo", Some("duplicate field definition a")),
        ("duplicate_alias", "demo", "SELECT a AS x, b AS x FROM demo", Some("duplicate alias x")),
        ("duplicate_alias_and_where", "demo", "SELECT a AS x, b AS x FROM demo WHERE a > 1", Some("duplicate field definition x")),
        ("duplicate_columns", "demo", "SELECT a, a FROM demo", Some("duplicate field definition a")),
        ("stars_may_repeat", "demo", "SELECT *, * FROM demo", None),
        ("invisible_may_repeat", "demo", "SELECT a INVISIBLE, a FROM demo", None),
        ("group_without_window", "demo", "SELECT a FROM demo GROUP BY a", Some("select stmt group by should be used with window")),
        (
            "having_column",
            "demo",
            "SELECT a FROM demo GROUP BY COUNTWINDOW(2) HAVING a > 1",
            Some("Not allowed to call non-aggregate functions in HAVING clause"),
        ),
        ("having_literal", "demo", "SELECT a FROM demo GROUP BY COUNTWINDOW(2) HAVING 1 > 0", None),
        ("having_paren_passes", "demo", "SELECT a FROM demo GROUP BY COUNTWINDOW(2) HAVING (a > 1)", None),
        (
            "joins_need_a_window",
            "s1; s2",
            "SELECT * FROM s1 INNER JOIN s2 ON s1.id = s2.id",
            Some("a time window or count window is required to join multiple streams"),
        ),
        ("joins_with_a_table", "s1; [t1]", "SELECT * FROM s1 INNER JOIN t1 ON s1.id = t1.id", None),
        ("table_alone", "[t1]", "SELECT * FROM t1", None),
        ("window_of_table", "[t1]", "SELECT * FROM t1 GROUP BY COUNTWINDOW(2)", Some("cannot run window for TABLE sources")),
        ("two_windows", "demo", "SELECT a FROM demo GROUP BY COUNTWINDOW(2), TUMBLINGWINDOW(ss, 1)", None),
        ("odd_key", "demo", "SELECT a->(b) FROM demo", None),
        (
            "too_many",
            "demo",
            &format!("SELECT {} FROM demo", (0..200).map(|i| format!("a{i}")).collect::<Vec<_>>().join(", ")),
            Some("the rule uses 200 columns and results, more than SLOT_COUNT (128)"),
        ),
    ] {
        let outcome = plan_of(sources, sql);
        match want {
            Some(want) => {
                assert!(outcome.as_ref().is_err_and(|e| e.starts_with(want.trim_end_matches('.'))), "{rule}: {:?}", outcome.as_ref().err())
            }
            None => assert!(outcome.is_ok(), "{rule}: {:?}", outcome.as_ref().err()),
        }
    }
}

#[test]
fn windows_and_clauses() {
    let p = plan(
        "demo",
        "SELECT a FROM demo WHERE b LIKE 'x%' GROUP BY c, HOPPINGWINDOW(mi, 10, 5) FILTER(WHERE d > 1), e ORDER BY a DESC, f LIMIT 3",
    );
    let window = p.window.as_ref().expect("a window");
    assert!(matches!(window.kind, WindowKind::Hopping { length_ms: 600_000, hop_ms: 300_000 }));
    assert_eq!(window.unit, Unit::Mi);
    assert_eq!(window.filter.as_ref().map(|f| show(&p, f)).as_deref(), Some("[> demo.d 1]"));
    assert_eq!(p.filter.as_ref().map(|f| show(&p, f)).as_deref(), Some("like(^x.*$)"));
    assert_eq!(shows(&p, &p.groups), "demo.c demo.e");
    assert!(p.grouped);
    assert_eq!(
        p.order.iter().map(|o| (show(&p, &o.expr), o.descending)).collect::<Vec<_>>(),
        [("demo.a".to_owned(), true), ("demo.f".to_owned(), false)]
    );
    assert_eq!(p.limit, Some(3));
    let p = plan("demo", "SELECT a FROM demo GROUP BY b, STATEWINDOW(c) OVER (PARTITION BY d, e) LIMIT -1");
    let window = p.window.as_ref().expect("a window");
    assert!(matches!(&window.kind, WindowKind::State { begin, emit: None } if show(&p, begin) == "demo.c"));
    assert_eq!(shows(&p, &window.partition), "demo.d demo.e");
    assert!(p.groups.is_empty() && p.grouped && p.limit.is_none());
    for (text, ok) in [
        ("SLIDINGWINDOW(ss, 10, 2) OVER (WHEN a > 1)", "Sliding { length_ms: 10000, delay_ms: 2000 }"),
        ("SESSIONWINDOW(hh, 2, 1)", "Session { max_ms: 7200000, timeout_ms: 3600000 }"),
        ("TUMBLINGWINDOW(dd, 1)", "Tumbling { length_ms: 86400000 }"),
        ("COUNTWINDOW(5)", "Count { count: 5, every: 5 }"),
        ("COUNTWINDOW(5, 2)", "Count { count: 5, every: 2 }"),
        ("COUNTWINDOW(0, 0)", "Count { count: 1, every: 1 }"),
        ("TUMBLINGWINDOW(ms, 0)", "Tumbling { length_ms: 0 }"),
    ] {
        let p = plan("demo", &format!("SELECT a FROM demo GROUP BY {text}"));
        assert_eq!(p.window.map(|w| format!("{:?}", w.kind)).as_deref(), Some(ok), "{text}");
        assert!(!p.grouped);
    }
}

#[test]
fn calls() {
    let w = "GROUP BY COUNTWINDOW(4)";
    for (rule, sql, want) in [
        ("scalar", "SELECT abs(a) FROM demo", "abs=abs(demo.a)".to_owned()),
        ("alias_name_kept", "SELECT CEIL(a) FROM demo", "ceil=ceil(demo.a)".to_owned()),
        ("aggregate", &format!("SELECT avg(a) AS m, count(*) FROM demo {w}"), "m=avg(demo.a); count=count(*0)".to_owned()),
        ("of_all", &format!("SELECT collect(*) AS c FROM demo {w}"), "c=collect(*1)".to_owned()),
        ("of_most", &format!("SELECT collect(* EXCEPT(b)) AS c FROM demo {w}"), "c=collect(row(demo.*-b+))".to_owned()),
        ("deduplicate", &format!("SELECT deduplicate(a, true) AS d FROM demo {w}"), "d=deduplicate(*1 demo.a true)".to_owned()),
        ("equal_ones_once", &format!("SELECT avg(a) AS m, avg(a) + 1 AS n FROM demo {w}"), "m=avg(demo.a); n=[+ avg(demo.a) 1]".to_owned()),
        ("of_an_alias", &format!("SELECT a + 1 AS x, sum(x) AS s FROM demo {w}"), "x=@x; s=sum(@x); @x:=[+ demo.a 1]".to_owned()),
        (
            "analytic",
            "SELECT lag(a) OVER (PARTITION BY b WHEN c > 1) AS l FROM demo",
            "l=lag(demo.a)/by demo.b/when [> demo.c 1]".to_owned(),
        ),
        ("nested_analytic", "SELECT lag(lag(a)) AS l FROM demo", "l=lag(lag(demo.a))".to_owned()),
        ("analytic_inside_aggregate", &format!("SELECT avg(lag(a)) AS l FROM demo {w}"), "l=avg(lag(demo.a))".to_owned()),
        ("aggregate_inside_analytic", &format!("SELECT lag(avg(a)) AS l FROM demo {w}"), "l=late lag(avg(demo.a))".to_owned()),
        ("changed_cols", "SELECT changed_cols(\"p\", true, *, c) FROM demo", "spread late changed_cols(* \"p\" true demo.c)".to_owned()),
        ("named_changed_cols", "SELECT changed_cols(\"p\", true, a) AS x FROM demo", "x=late changed_cols(\"p\" true demo.a)".to_owned()),
        ("row_number", &format!("SELECT *, row_number() AS n FROM demo {w}"), "*(demo.*-+); n=#row".to_owned()),
        ("set", "SELECT unnest(a) AS u, b FROM demo", "unnest u=demo.a; b!=demo.b".to_owned()),
        (
            "meta",
            "SELECT meta(topic) AS t, meta(\"path\"), meta(header->\"x-device\") AS h, meta(*) AS m FROM demo",
            "t=meta:topic; meta=meta:path; h=meta:header->x-device; m=meta:*".to_owned(),
        ),
        ("meta_path", "SELECT meta(header.host) AS h, meta(demo.path) AS p FROM demo", "h=meta:header->host; p=meta:path".to_owned()),
    ] {
        assert_eq!(fields(&plan("demo", sql)), want, "{rule}");
    }
}

#[test]
fn aggregates_of_clauses() {
    let p = plan("demo", "SELECT a FROM demo WHERE a > avg(a) GROUP BY COUNTWINDOW(2) HAVING avg(a) > 1 ORDER BY count(*) DESC");
    assert_eq!(p.filter.as_ref().map(|f| show(&p, f)).as_deref(), Some("[> demo.a where-avg(demo.a)]"));
    assert_eq!(p.having.as_ref().map(|f| show(&p, f)).as_deref(), Some("[> avg(demo.a) 1]"));
    assert_eq!((p.filter_aggregates.len(), p.aggregates.len(), p.grouped), (1, 2, false));
    let p = plan("demo", "SELECT avg(a) AS m FROM demo WHERE m > 1 GROUP BY TUMBLINGWINDOW(ss, 1) HAVING m > 2");
    assert_eq!(p.filter.as_ref().map(|f| show(&p, f)).as_deref(), Some("[> where-avg(demo.a) 1]"));
    assert_eq!(fields(&p), "m=@m; @m+:=avg(demo.a)");
    assert!(p.grouped && !p.filters_before_window(false));
    for (sql, processing, event) in [
        ("SELECT a FROM demo WHERE a > 1 GROUP BY TUMBLINGWINDOW(ss, 1)", true, false),
        ("SELECT a FROM demo WHERE a > 1 GROUP BY STATEWINDOW(a)", true, false),
        ("SELECT a FROM demo WHERE a > 1 GROUP BY COUNTWINDOW(2)", false, false),
        ("SELECT a FROM demo WHERE a > 1 GROUP BY SLIDINGWINDOW(ss, 2)", false, false),
        ("SELECT a FROM demo WHERE a > 1", false, false),
    ] {
        let p = plan("demo", sql);
        assert_eq!((p.filters_before_window(false), p.filters_before_window(true)), (processing, event), "{sql}");
    }
}

#[test]
fn misplaced_calls() {
    for (rule, sql, want) in [
        (
            "aggregate_in_group",
            "SELECT a FROM demo GROUP BY COUNTWINDOW(2), count(a)",
            Some("Not allowed to call aggregate functions in GROUP BY clause: count(a)."),
        ),
        (
            "aggregate_alias_in_group",
            "SELECT count(a) AS c FROM demo GROUP BY COUNTWINDOW(2), c",
            Some("Not allowed to call aggregate functions in GROUP BY clause: c."),
        ),
        (
            "aggregate_in_window_filter",
            "SELECT a FROM demo GROUP BY COUNTWINDOW(2) FILTER(WHERE sum(a) > 1)",
            Some("Not allowed to call aggregate functions in GROUP BY clause"),
        ),
        ("nested_aggregate", "SELECT sum(avg(a)) FROM demo", Some("invalid argument for func sum: aggregate argument is not allowed")),
        (
            "nested_by_alias",
            "SELECT count(a) AS a, sum(a) AS b FROM demo",
            Some("invalid argument for func sum: aggregate argument is not allowed"),
        ),
        (
            "having_scalar",
            "SELECT count(*) FROM demo HAVING sin(a) > 1",
            Some("Not allowed to call non-aggregate functions in HAVING clause"),
        ),
        ("having_scalar_of_aggregate", "SELECT count(*) AS c FROM demo HAVING sin(c) > 1", None),
        ("having_path", "SELECT collect(*) AS c FROM demo HAVING c[2]->t > 20", None),
        (
            "having_path_and_column",
            "SELECT collect(*) AS c FROM demo HAVING c[2]->t + t > 20",
            Some("Not allowed to call non-aggregate functions in HAVING clause"),
        ),
        ("aggregate_without_window", "SELECT count(*) FROM demo WHERE count(*) > 1", None),
        (
            "hits_in_window",
            "SELECT last_hit_count() FROM demo GROUP BY COUNTWINDOW(2)",
            Some("function last_hit_count is not allowed in an aggregate query"),
        ),
        ("hits_in_window_condition", "SELECT * FROM demo GROUP BY SLIDINGWINDOW(ss, 5) OVER (WHEN last_hit_time() > 1)", None),
        ("row_number_in_where", "SELECT a FROM demo WHERE row_number() > 1", Some("window functions can only be in select fields")),
        ("row_number_over", "SELECT row_number() OVER (PARTITION BY a ORDER BY b DESC) AS n FROM demo GROUP BY COUNTWINDOW(2)", None),
        ("set_in_where", "SELECT a FROM demo WHERE unnest(a) > 1", Some("select statement shouldn't has srf except fields")),
        ("two_sets", "SELECT unnest(a), unnest(b) FROM demo", Some("select clause shouldn't has multi set-returning-functions")),
        ("nested_set", "SELECT abs(unnest(a)) FROM demo", Some("select clause shouldn't has nested set-returning-functions")),
        (
            "changed_cols_in_where",
            "SELECT a FROM demo WHERE changed_cols('a', true, a)",
            Some("function changed_cols can only be used inside the select clause"),
        ),
        ("over_of_scalar", "SELECT abs(a) OVER (PARTITION BY b) FROM demo", Some("Found OVER after non analytic function abs")),
        ("over_of_aggregate", "SELECT sum(a) OVER (PARTITION BY b) FROM demo", Some("Found OVER after non analytic function sum")),
        (
            "over_of_changed_cols",
            "SELECT changed_cols('a', true, a) OVER (PARTITION BY b) FROM demo",
            Some("Found OVER after non analytic function changed_cols"),
        ),
        ("over_empty", "SELECT lag(a) OVER () FROM demo", Some("found \")\", expected partition by or when after OVER (")),
        ("filter_of_aggregate", "SELECT sum(a) FILTER(WHERE b > 1) FROM demo", Some("found \"FILTER\", expected FROM")),
        ("arity", "SELECT abs(a, b) FROM demo", Some("validate function abs error: Expect 1 arguments but found 2.")),
        ("arity_at_least", "SELECT concat() FROM demo", Some("validate function concat error: At least has 1 argument but found 0.")),
        (
            "literal_type",
            "SELECT abs('a') FROM demo",
            Some("validate function abs error: Expect number - float or int type for parameter 1"),
        ),
        (
            "comparison_is_boolean",
            "SELECT abs(a > 1) FROM demo",
            Some("validate function abs error: Expect number - float or int type for parameter 1"),
        ),
        ("trailing_comma", "SELECT abs(a,) FROM demo", None),
        ("acc_of_two", "SELECT acc_sum(a, b > 1) FROM demo", Some("validate function acc_sum error: Expect 1/3 arguments but found 2.")),
        ("lag_column_as_count", "SELECT lag(a, b) FROM demo", Some("validate function lag error: Expect int type for parameter 2")),
        ("lag_negative", "SELECT lag(a, -1) FROM demo", Some("validate function lag error: the index should not be a negative integer")),
        (
            "cast_type",
            "SELECT cast(a, 'int') FROM demo",
            Some("validate function cast error: Expect one of following value for the 2nd parameter: bigint"),
        ),
        ("meta_of_number", "SELECT meta(1) FROM demo", Some("validate function meta error: Expect meta reference type for parameter 1")),
        (
            "meta_of_text_that_is_no_name",
            "SELECT meta(\"s1.device\") FROM demo",
            Some("validate function meta error: Expect meta reference type for parameter 1"),
        ),
        (
            "mqtt_of_text",
            "SELECT mqtt(\"topic\") FROM demo",
            Some("validate function mqtt error: Expect meta reference type for parameter 1"),
        ),
        ("call_open", "SELECT abs(a FROM demo", Some("found function call \"abs\", expected ), but with \"FROM\".")),
    ] {
        let outcome = plan_of("demo", sql);
        match want {
            Some(want) => {
                assert!(outcome.as_ref().is_err_and(|e| e.starts_with(want.trim_end_matches('.'))), "{rule}: {:?}", outcome.as_ref().err())
            }
            None => assert!(outcome.is_ok(), "{rule}: {:?}", outcome.as_ref().err()),
        }
    }
}
