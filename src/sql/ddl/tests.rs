use super::*;
use crate::sql::parse::statement;

fn create(sql: &str) -> Result<Create, String> {
    match statement(sql) {
        Ok(Some(Statement::Create(create))) => Ok(create),
        Ok(other) => Err(format!("{other:?}")),
        Err(e) => Err(e.to_string()),
    }
}

#[test]
fn columns_and_types() {
    for (rule, columns, want) in [
        ("schemaless", "", ""),
        (
            "simple",
            "a BIGINT, b float, C String, d BYTEA, e datetime, f BOOLEAN",
            "a bigint\nb float\nC string\nd bytea\ne datetime\nf boolean",
        ),
        ("trailing_comma", "a BIGINT,", "a bigint"),
        ("twice", "a BIGINT, a FLOAT", "a bigint\na float"),
        ("array", "a ARRAY(BIGINT), b array(array(string))", "a array(bigint)\nb array(array(string))"),
        (
            "struct",
            "a STRUCT(b BIGINT, c STRUCT(d FLOAT)), e ARRAY(STRUCT(f STRING))",
            "a struct(b bigint, c struct(d float))\ne array(struct(f string))",
        ),
        ("struct_trailing_comma", "a STRUCT(b BIGINT,)", "a struct(b bigint)"),
        ("back_ticks", "`my-col` BIGINT, `select` STRING", "my-col bigint\nselect string"),
        (
            "default",
            "a BIGINT DEFAULT 10, b FLOAT DEFAULT -1.5, c STRING DEFAULT 'x', d BOOLEAN DEFAULT true",
            "a bigint=10\nb float=-1.5\nc string=x\nd boolean=true",
        ),
        (
            "default_of_text",
            "a BIGINT DEFAULT \"0x1F\", b FLOAT DEFAULT 1000000, c STRING DEFAULT 5",
            "a bigint=31\nb float=1e+06\nc string=5",
        ),
    ] {
        let made = create(&format!("CREATE STREAM s ({columns}) WITH ()")).unwrap_or_else(|e| panic!("{rule}: {e}"));
        let shown: Vec<String> = made
            .columns
            .iter()
            .map(|c| format!("{} {}{}", c.name, c.typ, c.default.as_ref().map(|d| format!("={d}")).unwrap_or_default()))
            .collect();
        assert_eq!(shown.join("\n"), want, "{rule}");
    }
    for (rule, columns, want) in [
        ("no_type", "a", "found \")\", expected valid stream field types(BIGINT | FLOAT | STRING"),
        ("bad_type", "a INT", "found \"INT\", expected valid stream field types(BIGINT"),
        ("no_comma", "a BIGINT b FLOAT", "found \"b\", expected comma or rparen at line 1, column 27."),
        ("no_name", "1a BIGINT", "found \"1\", expected stream field name."),
        ("reserved", "select BIGINT", "found \"SELECT\", expected stream field name."),
        ("bare_array", "a ARRAY", "found \")\", expected lparen in array type definition."),
        ("array_of_two", "a ARRAY(BIGINT, FLOAT)", "found \",\", expected rparen in array type definition."),
        ("empty_struct", "a STRUCT()", "found \")\", expected stream field name."),
        ("default_misfit", "a BIGINT DEFAULT 'x'", "cannot convert string(x) to bigint"),
        ("default_fraction", "a BIGINT DEFAULT 1.5", "cannot convert string(1.5) to bigint"),
        ("default_array", "a ARRAY(BIGINT) DEFAULT 1", "DEFAULT clause is not supported for array(bigint)"),
        ("default_bytea", "a BYTEA DEFAULT 'x'", "DEFAULT clause is not supported for bytea"),
        ("default_word", "a BIGINT DEFAULT b", "found \"b\", expected default constraint value."),
    ] {
        let made = create(&format!("CREATE STREAM s ({columns}) WITH ()"));
        assert!(made.as_ref().is_err_and(|e| e.starts_with(want.trim_end_matches('.'))), "{rule}: {made:?}");
    }
    let deep = format!("CREATE STREAM s (a {}BIGINT{}) WITH ()", "ARRAY(".repeat(2000), ")".repeat(2000));
    assert!(create(&deep).is_err_and(|e| e.contains("EXPR_DEPTH")));
}

#[test]
fn options() {
    let made = create(
        r#"create table `my-t` () with (datasource="/a" FORMAT="JSON", conf_key="c", type="memory", KEY="id",,
        strict_validation="True", shared=true, temp=FALSE, timestamp="ts" timestamp_format="yyyy", retain_size="-3",
        kind="LOOKUP", version="V1", extra="{\"a\":[1]}", schemaid="s.m", delimiter="|", type="redis",);"#,
    );
    let made = made.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(made.name, "my-t");
    assert!(made.table && made.is_lookup());
    let want = Options {
        datasource: "/a".to_owned(),
        key: "id".to_owned(),
        format: "JSON".to_owned(),
        conf_key: "c".to_owned(),
        kind_of_source: "redis".to_owned(),
        strict_validation: true,
        timestamp: "ts".to_owned(),
        timestamp_format: "yyyy".to_owned(),
        shared: true,
        schema_id: "s.m".to_owned(),
        version: "v1".to_owned(),
        extra: "{\"a\":[1]}".to_owned(),
        temp: false,
        retain_size: -3,
        kind: "lookup".to_owned(),
        delimiter: "|".to_owned(),
    };
    assert_eq!(made.options, want);
    assert_eq!(
        made.options.to_json(),
        r#"{"datasource":"/a","key":"id","format":"JSON","confKey":"c","type":"redis","strictValidation":true,"timestamp":"ts","timestampFormat":"yyyy","shared":true,"schemaid":"s.m","version":"v1","extra":"{\"a\":[1]}","retainSize":-3,"kind":"lookup","delimiter":"|"}"#
    );
    for (rule, options, want) in [
        ("bare_number", "RETAIN_SIZE=3", "found \"3\", expect string or boolean value in option."),
        ("single_quotes", "TYPE='httppush'", "found \"httppush\", expect string or boolean value in option."),
        (
            "unknown",
            "NOPE=\"x\"",
            "found \"NOPE\", unknown option keys(DATASOURCE|FORMAT|KEY|CONF_KEY|SHARED|STRICT_VALIDATION|TYPE|TIMESTAMP|TIMESTAMP_FORMAT|RETAIN_SIZE|SCHEMAID|EXTRA|VERSION|TEMP|KIND|DELIMITER).",
        ),
        ("no_equals", "TYPE \"x\"", "found \"x\", expected equals(=) in options."),
        ("flag", "SHARED=\"yes\"", "found \"yes\", expect TRUE/FALSE value in SHARED option."),
        ("size", "RETAIN_SIZE=\"x\"", "found \"x\", expect number value in RETAIN_SIZE option."),
        ("extra", "EXTRA=\"USERID\"", "invalid extra option, expect JSON string"),
        ("format", "FORMAT=\"csv\"", "option 'format=csv' is invalid"),
        ("lookup_key", "TYPE=\"memory\", KIND=\"lookup\"", "Option \"key\" is required for memory lookup table."),
        ("unclosed", "TYPE=\"x\"", ""),
    ] {
        let sql = format!("CREATE STREAM s () WITH ({options}");
        let made = create(&if want.is_empty() { sql } else { format!("{sql})") });
        assert!(made.as_ref().is_err_and(|e| e.starts_with(want.trim_end_matches('.'))), "{rule}: {made:?}");
    }
    for (columns, options, ok) in [
        ("", "FORMAT=\"binary\"", true),
        ("a BYTEA", "FORMAT=\"BINARY\"", true),
        ("a STRING", "FORMAT=\"binary\"", false),
        ("a BYTEA, b BYTEA", "FORMAT=\"binary\"", false),
        ("", "FORMAT=\"delimited\", DELIMITER=\"||\"", true),
        ("", "FORMAT=\"urlencoded\"", true),
        ("", "", true),
    ] {
        assert_eq!(create(&format!("CREATE STREAM s ({columns}) WITH ({options})")).is_ok(), ok, "{columns} {options}");
    }
    assert!(create("CREATE TABLE s () WITH (FORMAT=\"binary\")").is_err());
}

#[test]
fn statements() {
    let named = |table, name: &str| Named { table, name: name.to_owned() };
    for (sql, want) in [
        ("SHOW STREAMS", Statement::Show { table: false }),
        ("show tables;", Statement::Show { table: true }),
        ("DESCRIBE STREAM demo", Statement::Describe(named(false, "demo"))),
        ("describe table `a-b` rubbish", Statement::Describe(named(true, "a-b"))),
        ("EXPLAIN STREAM demo", Statement::Explain(named(false, "demo"))),
        ("DROP TABLE demo", Statement::Drop(named(true, "demo"))),
        ("drop stream stream", Statement::Drop(named(false, "stream"))),
    ] {
        assert_eq!(statement(sql), Ok(Some(want)), "{sql}");
    }
    for (sql, want) in [
        ("SHOW STREAM", "found \"STREAM\", expected keyword streams or tables at line 1, column 6."),
        ("SHOW STREAMS x", "found \"x\", expected semicolon or EOF at line 1, column 14."),
        ("CREATE rule x", "found \"RULE\", expected keyword stream or table."),
        ("CREATE STREAM", "found \"EOF\", expected stream name at line 1, column 14."),
        ("CREATE STREAM 1a () WITH ()", "found \"1\", expected stream name at line 1, column 15."),
        ("CREATE STREAM select () WITH ()", "found \"SELECT\", expected stream name at line 1, column 15."),
        ("CREATE STREAM s WITH ()", "found \"WITH\", expected lparen after stream name at line 1, column 17."),
        ("CREATE STREAM s ()", "found \"EOF\", expected is with at line 1, column 19."),
        ("CREATE STREAM s () WITH", "found \"EOF\", expected stream options at line 1, column 24."),
        ("CREATE STREAM s () WITH () x", "found \"x\", expected semicolon or EOF at line 1, column 28."),
        ("DROP STREAM", "found \"EOF\", expected stream name at line 1, column 12."),
    ] {
        assert_eq!(statement(sql).map_err(|e| e.to_string()).err().as_deref(), Some(want), "{sql}");
    }
    assert!(create("CREATE STREAM s () WITH (); and rubbish @'").is_ok());
    assert_eq!(statement("insert into x"), Ok(None));
}

#[test]
fn a_forgotten_quote_is_found() {
    let sql = r#"CREATE STREAM demo() with(format="json", datasource="/api/data type="httppush")"#;
    let shown = create(sql).expect_err("a quote is missing");
    let mut lines = shown.lines();
    assert_eq!(lines.next(), Some("string starting at column 53 swallowed type=: missing \" here"));
    let (line, caret) = (lines.next().expect("the line"), lines.next().expect("the caret"));
    assert_eq!(line.get(..caret.len() - 1).map(|l| l.ends_with("\"/api/data")), Some(true), "{line}");
    assert!(caret.ends_with('^'));
    let quoted = r#"CREATE STREAM demo'() with(format="json", datasource="/api/data", type="httppush")'"#;
    assert!(create(quoted).is_err_and(|e| e.contains("belong to a shell")));
}

#[test]
fn shown_again() {
    let sql = r#"CREATE STREAM demo (a BIGINT DEFAULT 3, b ARRAY(STRUCT(c FLOAT)), d STRUCT(e ARRAY(STRING))) WITH (TYPE="httppush", DATASOURCE="/x?a&b", SHARED="true", FORMAT="json", RETAIN_SIZE="2", VERSION="1")"#;
    let made = create(sql).unwrap_or_else(|e| panic!("{e}"));
    let line = "-".repeat(80);
    assert_eq!(
        made.describe(),
        format!(
            "Fields\n{line}\na\tbigint\tDEFAULT\t3\nb\tarray(struct(c float))\nd\tstruct(e array(string))\n\nDATASOURCE: /x?a&b\nFORMAT: json\nRETAIN_SIZE: 2\nSHARED: true\nTYPE: httppush\nVERSION: 1\n"
        )
    );
    assert_eq!(
        made.to_json(),
        concat!(
            r#"{"Name":"demo","StreamFields":[{"FieldType":"bigint","Name":"a","DefaultClause":"3"},"#,
            r#"{"FieldType":{"Type":"array","ElementType":{"Type":"struct","Fields":[{"FieldType":"float","Name":"c"}]}},"Name":"b"},"#,
            r#"{"FieldType":{"Type":"struct","Fields":[{"FieldType":{"Type":"array","ElementType":"string"},"Name":"e"}]},"Name":"d"}],"#,
            r#""Options":{"datasource":"/x?a\u0026b","format":"json","type":"httppush","shared":true,"version":"1","retainSize":2},"StreamType":0,"Statement":null}"#
        )
    );
    assert_eq!(
        made.schema_json(),
        concat!(
            r#"{"a":{"type":"bigint","default":"3","index":0},"#,
            r#""b":{"type":"array","items":{"type":"struct","properties":{"c":{"type":"float","index":0}},"index":0},"index":0},"#,
            r#""d":{"type":"struct","properties":{"e":{"type":"array","items":{"type":"string","index":0},"index":0}},"index":0}}"#
        )
    );
    let bare = create("CREATE TABLE t () WITH ()").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(bare.to_json(), r#"{"Name":"t","StreamFields":null,"Options":{},"StreamType":1,"Statement":null}"#);
    assert_eq!((bare.schema_json().as_str(), bare.noun()), ("null", "table"));
}

#[test]
fn ids() {
    for (id, ok) in
        [("demo", true), ("a-b_1", true), ("1a", true), ("", false), (" a", false), ("a.b", false), ("a/b", false), ("é", false)]
    {
        assert_eq!(check_id(id).is_ok(), ok, "{id:?}");
    }
}
