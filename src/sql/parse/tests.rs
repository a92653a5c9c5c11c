use super::*;
use crate::sql::ast::{Column, Key, Set, WindowKind};

/// An expression in prefix form, so that each test shows how operators bound.
fn show(e: &Expr) -> String {
    let all = |list: &[Expr]| list.iter().map(show).collect::<Vec<_>>().join(" ");
    let negated = |not: bool, word: &str| if not { format!("not-{word}") } else { word.to_owned() };
    let column = |c: &Column| c.stream.as_ref().map_or_else(|| c.name.clone(), |s| format!("{s}.{}", c.name));
    match &e.kind {
        ExprKind::Int(v) => v.to_string(),
        ExprKind::Float(v) => format!("{v:?}"),
        ExprKind::Text(v) => format!("{v:?}"),
        ExprKind::Bool(v) => v.to_string(),
        ExprKind::Unit(unit, text) => format!("{}:{text}", unit.text()),
        ExprKind::Column(c) => column(c),
        ExprKind::Meta(c) => format!("meta:{}", column(c)),
        ExprKind::Star(star) => {
            let replace: Vec<String> = star.replace.iter().map(|f| format!("{}={}", f.output(), show(&f.expr))).collect();
            format!("*-[{}]+[{}]", star.except.join(","), replace.join(","))
        }
        ExprKind::Paren(inner) => format!("({})", show(inner)),
        ExprKind::Binary { op, left, right } => format!("[{} {} {}]", op.text(), show(left), show(right)),
        ExprKind::Arrow { of, key: Key::Name(name) } => format!("{}->{name}", show(of)),
        ExprKind::Arrow { of, key: Key::Other(other) } => format!("{}->{{{}}}", show(of), show(other)),
        ExprKind::Index { of, index } => format!("{}[{}]", show(of), show(index)),
        ExprKind::Slice { of, start, end } => {
            let part = |p: &Option<Box<Expr>>| p.as_ref().map(|e| show(e)).unwrap_or_default();
            format!("{}[{}:{}]", show(of), part(start), part(end))
        }
        ExprKind::In { of, not, set } => match set {
            Set::List(items) => format!("[{} {} ({})]", negated(*not, "in"), show(of), all(items)),
            Set::Array(array) => format!("[{} {} {}]", negated(*not, "in"), show(of), show(array)),
        },
        ExprKind::Between { of, not, low, high } => {
            format!("[{} {} {} {}]", negated(*not, "between"), show(of), show(low), show(high))
        }
        ExprKind::Like { of, not, pattern } => format!("[{} {} {}]", negated(*not, "like"), show(of), show(pattern)),
        ExprKind::Case { of, whens, otherwise } => {
            let whens: Vec<String> = whens.iter().map(|(w, t)| format!("{}:{}", show(w), show(t))).collect();
            let part = |p: &Option<Box<Expr>>| p.as_ref().map(|e| show(e)).unwrap_or_default();
            format!("case({};{};{})", part(of), whens.join(","), part(otherwise))
        }
        ExprKind::Call(call) => {
            let mut out = format!("{}({})", call.name, all(&call.args));
            if !call.partition.is_empty() {
                out.push_str(&format!("/by {}", all(&call.partition)));
            }
            if let Some(when) = &call.when {
                out.push_str(&format!("/when {}", show(when)));
            }
            out
        }
        ExprKind::Window(window) => format!("{:?}", window.kind),
    }
}

fn expr_of(text: &str) -> Result<String, String> {
    let sql = format!("SELECT {text} FROM demo");
    select(&sql).map(|s| show(&s.fields[0].expr)).map_err(|e| e.to_string())
}

#[test]
fn expressions() {
    for (rule, text, want) in [
        ("left_associative", "a-b-c", "[- [- a b] c]"),
        ("mul_before_add", "a+b*c", "[+ a [* b c]]"),
        ("bit_and_with_mul", "a + b & c", "[+ a [& b c]]"),
        ("bit_or_with_add", "a * b | c", "[| [* a b] c]"),
        ("add_before_compare", "a > 1 = b", "[= [> a 1] b]"),
        ("compare_mixed", "a + 1 > b * 2 = true", "[= [> [+ a 1] [* b 2]] true]"),
        ("and_before_or", "a=1 OR b=2 AND c=3", "[OR [= a 1] [AND [= b 2] [= c 3]]]"),
        ("arrow_with_mul", "a * b->c", "[* a b]->c"),
        ("index_with_mul", "a * b[0]", "[* a b][0]"),
        ("arrow_after_add", "a + b->c", "[+ a b->c]"),
        ("paren", "(a+b)*c", "[* ([+ a b]) c]"),
        ("paths", "a->b[0:1]->c.d", "a->b[0:1]->c->d"),
        ("dotted", "a.b.c[1]", "a.b->c[1]"),
        ("path_key_unit", "a->ms", "a->ms"),
        ("path_of_call", "f.x[-1]", "f.x[-1]"),
        ("slices", "a[]", "a[:]"),
        ("slice_open_start", "a[:2]", "a[:2]"),
        ("slice_open_end", "a[1:]", "a[1:]"),
        ("slice_negative", "a[-2:-1]", "a[-2:-1]"),
        ("slice_expr", "a[b+1:c]", "a[[+ b 1]:c]"),
        ("negative", "-3", "-3"),
        ("negative_space", "- 1.5", "-1.5"),
        ("minus_glued", "a -1", "[- a 1]"),
        ("times_negative", "a * -1", "[* a -1]"),
        ("minus_dot", "a * -.5", "[* a -0.5]"),
        ("int_clamps", "9223372036854775808", "9223372036854775807"),
        ("int_clamps_low", "-9223372036854775809", "-9223372036854775808"),
        ("point_at_end", "1.", "1.0"),
        ("strings", "'a' = \"a\"", "[= \"a\" \"a\"]"),
        ("booleans", "TRUE = false", "[= true false]"),
        ("unit_is_a_column", "mi", "MI:mi"),
        ("null_is_a_column", "NULL", "NULL"),
        ("lone_bang", "a ! b", "[= a b]"),
        ("in_list", "a in (1, b+1)", "[in a (1 [+ b 1])]"),
        ("in_array", "a NOT IN b.c AND d", "[AND [not-in a b.c] d]"),
        ("in_number", "a IN 1", "[in a 1]"),
        ("between", "a between 1 and 5 and b", "[AND [between a 1 5] b]"),
        ("not_between", "a + 1 NOT BETWEEN b AND c.d", "[not-between [+ a 1] b c.d]"),
        ("like", "a like 'x%' or b NOT LIKE c", "[OR [like a \"x%\"] [not-like b c]]"),
        ("case_searched", "CASE WHEN a > 1 THEN 'x' WHEN true THEN 2 END", "case(;[> a 1]:\"x\",true:2;)"),
        ("case_value", "case a when 1 then b else c end", "case(a;1:b;c)"),
        ("case_value_any_when", "case a when b then 1 end", "case(a;b:1;)"),
        ("except_loose_commas", "* EXCEPT(a,,b c,)", "*-[a,b,c]+[]"),
        ("replace", "* REPLACE(a->b as a, 5 AS zz)", "*-[]+[a=a->b,zz=5]"),
        ("except_and_replace", "* EXCEPT(a) REPLACE(1 AS b)", "*-[a]+[b=1]"),
        ("comment_inside", "a /* x */ + -- y\n b", "[+ a b]"),
    ] {
        assert_eq!(expr_of(text).as_deref(), Ok(want), "{rule}");
    }
}

#[test]
fn refusals() {
    for (rule, text, want) in [
        ("empty", "", "found \"FROM\", expected expression at line 1, column 9"),
        ("dangling_comma", "a,", "found \"FROM\", expected expression at line 1, column 11"),
        ("no_alias_after_as", "a AS", "found \"FROM\", expected as alias at line 1, column 13"),
        ("unit_no_alias", "a AS mi", "found \"MI\", expected as alias at line 1, column 13"),
        ("alias_of_star", "* AS x", "alias is not supported for * at line 1, column 13"),
        ("alias_without_as", "a b", "found \"b\", expected FROM at line 1, column 10"),
        ("hex", "0x1F", "found \"x1F\", expected FROM at line 1, column 9"),
        ("exponent", "1e5", "found \"e5\", expected FROM at line 1, column 9"),
        ("two_dots", "1.2.3", "found \"1.2.3\", invalid number value at line 1, column 8."),
        ("minus_column", "-a", "found \"-\", expected expression at line 1, column 8"),
        ("minus_minus", "a - -1", "found \"EOF\", expected FROM at line 1, column 24"),
        ("not_equal_angle", "a <> b", "found \">\", expected expression at line 1, column 11"),
        ("unary_not", "NOT a", "found \"NOT\", expected expression at line 1, column 8"),
        ("not_what", "a NOT b", "found \"b\", expected expression at line 1, column 14"),
        ("is_null", "a IS NULL", "found \"IS\", expected FROM at line 1, column 10"),
        ("string_escape", r"'\q'", r"invalid string: '\q' (unknown escape), expected expression at line 1, column 8"),
        ("string_open", "'abc", "string without closing ': 'abc FROM demo, expected expression at line 1, column 8"),
        ("leading_underscore", "_a", "found \"_\", expected expression at line 1, column 8"),
        ("between_sum", "a BETWEEN 1+1 AND 3", "expect AND expression after between but found + at line 1, column 19"),
        ("between_cut", "a BETWEEN 1", "expect AND expression after between but found FROM at line 1, column 20"),
        ("in_empty", "a IN ()", "expect elements for IN expression, but found \")\", expected expression at line 1, column 14"),
        ("slice_backwards", "a[3:1]", "colon start value can't be greater than end value at line 1, column 8"),
        ("slice_empty", "a[2:2]", "colon start value can't be greater than end value at line 1, column 8"),
        ("bracket_open", "a[1", "found \"FROM\", expected right bracket at line 1, column 12"),
        ("paren_open", "(a", "found \"FROM\", expected right paren at line 1, column 11"),
        ("case_column", "CASE WHEN a THEN 1 END", "invalid CASE expression, WHEN expression must be a bool condition at line 1, column 18"),
        (
            "case_paren",
            "CASE WHEN (a=1) THEN 1 END",
            "invalid CASE expression, WHEN expression must be a bool condition at line 1, column 18",
        ),
        ("case_no_then", "CASE WHEN a=1 2 END", "invalid CASE expression, THEN expected after WHEN at line 1, column 22"),
        ("case_no_end", "CASE WHEN a=1 THEN 2", "invalid CASE expression, END expected at line 1, column 29"),
        ("case_else_first", "CASE a ELSE 1 END", "invalid CASE expression, WHEN expected before ELSE at line 1, column 15"),
        ("case_bare_end", "CASE a END", "invalid CASE expression, WHEN expected before END at line 1, column 15"),
        ("function", "nofn(a)", "function nofn not found at line 1, column 8"),
        ("subquery", "(SELECT a FROM b)", "found \"SELECT\", expected expression at line 1, column 9"),
        ("keyword_column", "order", "found \"ORDER\", expected expression at line 1, column 8"),
        ("distinct", "DISTINCT a", "found \"a\", expected FROM at line 1, column 17"),
        ("concat_operator", "a || b", "found \"|\", expected expression at line 1, column 11"),
    ] {
        assert_eq!(expr_of(text).as_ref().map_err(String::as_str), Err(want), "{rule}");
    }
    assert!(expr_of("a LIKE 'a(c'").is_err_and(|e| e.contains("invalid LIKE pattern: error parsing regexp")));
}

#[test]
fn statements() {
    let ok = |sql: &str| select(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    let s = ok("select a, a->b, c as d invisible, `x y` from t/a/+/# as q");
    assert_eq!(s.fields.iter().map(|f| f.output().to_owned()).collect::<Vec<_>>(), ["a", "kuiper_field_0", "d", "x y"]);
    assert!(s.fields[2].invisible);
    assert_eq!((s.from.name.as_str(), s.from.alias.as_deref()), ("t/a/+/#", Some("q")));
    let s = ok("SELECT demo.a, b.c.d, 1, 2 FROM demo x");
    assert_eq!(s.fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["a", "kuiper_field_0", "kuiper_field_1", "kuiper_field_2"]);
    assert_eq!(s.from.name, "demox", "pieces are glued");
    let s = ok("SELECT * FROM a INNER JOIN b ON a.id = b.id LEFT JOIN c AS d RIGHT JOIN e FULL JOIN f CROSS JOIN g");
    assert_eq!(
        s.joins.iter().map(|j| j.kind).collect::<Vec<_>>(),
        [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full, JoinKind::Cross]
    );
    assert_eq!(s.sources().collect::<Vec<_>>(), ["a", "b", "c", "e", "f", "g"]);
    assert_eq!(s.joins[1].source.alias.as_deref(), Some("d"));
    let s = ok(
        "SELECT a FROM demo WHERE a > 1 GROUP BY b, TUMBLINGWINDOW(ss, 10), c HAVING d > 1 ORDER BY x.y DESC,, z ASC w LIMIT -1;rubbish @",
    );
    assert_eq!(s.keys().count(), 2);
    assert!(matches!(s.window().map(|w| &w.kind), Some(WindowKind::Tumbling { unit: crate::sql::ast::TimeUnit::Second, length: 10 })));
    assert_eq!(s.order.iter().map(|o| (o.name.as_str(), o.descending)).collect::<Vec<_>>(), [("y", true), ("z", false), ("w", false)]);
    assert_eq!(s.limit, Some(-1));
    for (rule, sql, want) in [
        ("no_from", "SELECT a WHERE a > 1", "found \"WHERE\", expected FROM at line 1, column 10"),
        ("no_source", "SELECT a FROM", "found \"EOF\", expected stream name at line 1, column 14"),
        ("two_sources", "SELECT a FROM a, b", "found \",\", expected EOF at line 1, column 16"),
        ("bare_join", "SELECT a FROM a JOIN b", "found \"JOIN\", expected EOF at line 1, column 17"),
        ("inner_what", "SELECT a FROM a INNER b", "found \"b\", expected JOIN key word at line 1, column 23"),
        ("outer", "SELECT a FROM a LEFT OUTER JOIN b", "found \"OUTER\", expected JOIN key word at line 1, column 22"),
        (
            "cross_on",
            "SELECT a FROM a CROSS JOIN b ON a.x = b.x",
            "On expression is not required for cross join type at line 1, column 30.",
        ),
        ("group_by", "SELECT a FROM a GROUP a", "found \"a\", expected BY statement at line 1, column 23"),
        ("order_by_number", "SELECT a FROM a ORDER BY 1", "found \"1\", expected EOF at line 1, column 26"),
        ("limit_float", "SELECT a FROM a LIMIT 1.5", "limit should be integer at line 1, column 23"),
        ("limit_offset", "SELECT a FROM a LIMIT 1 OFFSET 2", "found \"OFFSET\", expected EOF at line 1, column 25"),
        ("clause_order", "SELECT a FROM a LIMIT 1 WHERE a > 1", "found \"WHERE\", expected EOF at line 1, column 25"),
        ("union", "SELECT a FROM a UNION SELECT b FROM b", "found \"SELECT\", expected EOF at line 1, column 23"),
        ("no_select", "CREATE STREAM a () WITH ()", "SQL CREATE STREAM a () WITH () is not a select statement."),
        ("empty", "", "SQL  is not a select statement."),
        ("other", "delete from a", "SQL delete from a is not a select statement."),
        ("comment_open", "SELECT a FROM a /* x", "comment without end, expected EOF at line 1, column 17"),
        ("second_line", "SELECT a\nFROM a\nWHERE ", "found \"EOF\", expected expression at line 3, column 7"),
    ] {
        assert_eq!(select(sql).map_err(|e| e.to_string()).err().as_deref(), Some(want), "{rule}");
    }
}

#[test]
fn windows() {
    let window = |text: &str| select(&format!("SELECT a FROM demo GROUP BY {text}")).map(|s| s.window().cloned());
    for text in [
        "TUMBLINGWINDOW(ss, 10)",
        "tumblingwindow(dd, 0)",
        "TumblingWindow(ms, -5)",
        "HOPPINGWINDOW(mi, 10, 20)",
        "SLIDINGWINDOW(hh, 1)",
        "SLIDINGWINDOW(ss, 1, 1) FILTER (where size = 3)",
        "SLIDINGWINDOW(ss, 1) OVER (WHEN a > 1)",
        "SESSIONWINDOW(mi, 2, 1)",
        "COUNTWINDOW(5)",
        "COUNTWINDOW(5, 5)",
        "STATEWINDOW(a > 1, b)",
        "STATEWINDOW(a) OVER (PARTITION BY b, c)",
        "STATEWINDOW(a) FILTER(WHERE b) OVER (WHEN c PARTITION BY b)",
        "a, TUMBLINGWINDOW(ss, 10), COUNTWINDOW(2)",
        "COUNTWINDOW(5) OVER ()",
    ] {
        assert!(window(text).is_ok_and(|w| w.is_some()), "{text}");
    }
    for (text, want) in [
        ("TUMBLINGWINDOW(ss)", "The arguments for tumblingwindow should be 2."),
        ("TUMBLINGWINDOW(10, ss)", "The 1 argument for tumblingwindow is expecting"),
        ("TUMBLINGWINDOW(a, 10)", "The 1st argument for tumblingwindow is expecting timer literal"),
        ("TUMBLINGWINDOW(ss, 1.5)", "The 1 argument for tumblingwindow is expecting"),
        ("TUMBLINGWINDOW('ss', 1)", "The 1st argument for tumblingwindow is expecting timer literal"),
        ("HOPPINGWINDOW(ss, 10)", "The arguments for hoppingwindow should be 3."),
        ("SLIDINGWINDOW(ss)", "The arguments for slidingwindow should be 2 or 3."),
        ("SESSIONWINDOW(ss, 1)", "The arguments for sessionwindow should be 3."),
        ("COUNTWINDOW()", "Invalid parameter count."),
        ("COUNTWINDOW(0)", "Invalid parameter value"),
        ("COUNTWINDOW(-1)", "Invalid parameter value"),
        ("COUNTWINDOW(1.5)", "Invalid parameter value"),
        ("COUNTWINDOW(2, 3)", "The second parameter value 3 should be less than the first parameter 2."),
        ("COUNTWINDOW(a, 3)", "Invalid parameter value"),
        ("STATEWINDOW()", "The arguments for statewindow should be 1 or 2."),
        ("STATEWINDOW(a, b, c)", "The arguments for statewindow should be 1 or 2."),
        ("COUNTWINDOW(2) FILTER(a > 1)", "found \"a\", expected WHERE after FILTER("),
        ("COUNTWINDOW(2) FILTER(WHERE a > 1", "found \"EOF\", expected right parentheses after FILTER"),
        ("COUNTWINDOW(2) OVER (PARTITION b)", "found \"b\", expected by after partition"),
        ("COUNTWINDOW(2) OVER WHEN a", "found \"WHEN\", expected parentheses after OVER"),
    ] {
        assert!(
            window(text).is_err_and(|e| e.to_string().starts_with(want.trim_end_matches('.'))),
            "{text}: {:?}",
            window(text).map_err(|e| e.to_string())
        );
    }
}

#[test]
fn bounds() {
    let deep = |n: usize| format!("{}a{}", "(".repeat(n), ")".repeat(n));
    assert!(expr_of(&deep(crate::limits::EXPR_DEPTH)).is_ok());
    assert!(expr_of(&deep(crate::limits::EXPR_DEPTH + 1)).is_err_and(|e| e.contains("EXPR_DEPTH")));
    let chain = |n: usize| format!("a{}", "+1".repeat(n));
    assert!(expr_of(&chain(super::super::ast::HEIGHT_MAX - 1)).is_ok());
    assert!(expr_of(&chain(super::super::ast::HEIGHT_MAX)).is_err_and(|e| e.contains("EXPR_DEPTH")));
    for open in ["case ", "a[", "abs(", "a in (", "* replace(", "case when ", "-", "a between ", "a->", "a.b.", "a like "] {
        assert!(expr_of(&open.repeat(SQL_BYTES / open.len() - 10)).is_err(), "{open}");
    }
    let long = format!("SELECT a FROM demo -- {}", "x".repeat(SQL_BYTES));
    assert!(select(&long).is_err_and(|e| e.message.contains("SQL_BYTES (16384)")));
}
