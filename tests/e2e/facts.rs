//! eKuiper's REST API and command line, a test for each line of `tests/facts.md`, over the real program.
//!
//! A step is a request (or a command) with the status (or exit code) and words of its answer; `=` before the words asks for the whole
//! answer. Answers that differ from eKuiper's on purpose are those of `docs/from-ekuiper.md`.

use serde_json::{Value, json};

use crate::gate::{Gate, Scratch, finish, program};

type Step<'s> = (&'s str, &'s str, &'s str, u16, &'s str);

const DEMO: &str = r#"{"sql":"CREATE STREAM demo (a bigint, b string) WITH (DATASOURCE=\"/demo\", FORMAT=\"json\", TYPE=\"httppush\")"}"#;
const R1: &str = r#"{"id":"r1","sql":"SELECT * FROM demo","actions":[{"log":{}}],"tags":["x","y"]}"#;
const MISSING: &str = r#"{"error":1002,"message":""#;

fn gate(scratch: &Scratch, given: &[(&str, &str)]) -> Gate {
    let gate = Gate::start(scratch);
    for (target, body) in given {
        gate.tell("POST", target, body);
    }
    gate
}

fn follow(gate: &Gate, steps: &[Step<'_>]) {
    for (method, target, body, status, words) in steps {
        let reply = gate.ask(method, target, body);
        let fits = words.strip_prefix('=').map_or_else(|| reply.body.contains(words), |whole| reply.body == whole);
        assert!(
            reply.status == *status && fits,
            "{method} {target} {body:.120}\nwant {status} {words}\ngot  {} {}",
            reply.status,
            reply.body
        );
    }
}

/// A fact of the REST API: what is there before, and the steps.
fn rest(given: &[(&str, &str)], steps: &[Step<'_>]) {
    let scratch = Scratch::new();
    follow(&gate(&scratch, given), steps);
}

/// A fact of the command line: words, exit code, output.
fn command_line(given: &[(&str, &str)], steps: &[(&[&str], i32, &str)]) {
    let scratch = Scratch::new();
    let gate = gate(&scratch, given);
    for (words, code, want) in steps {
        let (got, said) = gate.verb(words);
        let fits = want.strip_prefix('=').map_or_else(|| said.contains(want), |whole| said == whole);
        assert!(got == *code && fits, "{words:?}\nwant {code} {want}\ngot  {got} {said}");
    }
}

fn parsed(gate: &Gate, target: &str) -> Value {
    serde_json::from_str(&gate.tell("GET", target, "")).unwrap_or_else(|e| panic!("{target}: {e}"))
}

const BOTH: &[(&str, &str)] = &[("/streams", DEMO), ("/rules", R1)];

#[test]
fn root_ping_and_stop() {
    let scratch = Scratch::new();
    let gate = gate(&scratch, &[]);
    for method in ["GET", "POST"] {
        let root: Value = serde_json::from_str(&gate.tell(method, "/", "")).expect("JSON");
        assert!(root["upTimeSeconds"].is_number() && root["version"].is_string() && root["memoryUsed"].is_string(), "{root}");
    }
    follow(&gate, &[("GET", "/ping", "", 200, "="), ("GET", "/stop", "", 405, "=")]);
    follow(&gate, &[("POST", "/stop", "", 200, "stop success")]);
}

#[test]
fn errors_and_codes() {
    let scratch = Scratch::new();
    let gate = gate(&scratch, &[]);
    let reply = gate.ask("POST", "/rules", r#"{"id":"x","sql":"SELECT * FROM none","actions":[{"log":{}}]}"#);
    assert_eq!((reply.status, reply.field("content-type")), (400, Some("text/plain; charset=utf-8")));
    assert_eq!(reply.field("x-content-type-options"), Some("nosniff"));
    assert!(reply.body.starts_with(r#"{"error":1000,"message":""#) && reply.body.ends_with("}\n"), "{}", reply.body);
    assert_eq!(gate.ask("PATCH", "/rules", "").field("allow"), Some("GET, POST"));
    follow(
        &gate,
        &[
            ("GET", "/nowhere", "", 404, "=404 page not found\n"),
            ("POST", "/rules", "null", 400, r#"{"error":1000"#),
            ("POST", "/rules", "", 400, r#"{"error":1000"#),
            ("GET", "//rules", "", 301, "="),
            ("HEAD", "/rules", "", 405, "="),
        ],
    );
}

#[test]
fn streams_are_made_by_statements() {
    rest(
        &[],
        &[
            ("POST", "/streams", DEMO, 201, "=Stream demo is created."),
            ("POST", "/streams", DEMO, 400, r#"{"error":3000,"message":"Stream command error: "#),
            ("POST", "/streams", "{", 400, r#"{"error":1000,"message":"Invalid body: Error decoding the statement descriptor"#),
            ("POST", "/streams", r#"{"sql":"SHOW STREAMS"}"#, 201, "demo"),
            ("POST", "/streams", r#"{"sql":"DESCRIBE STREAM demo"}"#, 201, "a\tbigint"),
            ("POST", "/streams", r#"{"sql":"CREATE TABLE t () WITH (DATASOURCE=\"/t\", TYPE=\"httppush\")"}"#, 201, "Table t is created."),
            ("POST", "/tables", r#"{"sql":"DROP STREAM demo"}"#, 201, "Stream demo is dropped."),
            ("POST", "/streams", r#"{"sql":"SELECT a FROM demo"}"#, 400, "Invalid stream statement"),
        ],
    );
}

#[test]
fn streams_are_listed_and_described() {
    rest(&[], &[("GET", "/streams", "", 200, "=[]")]);
    rest(
        &[("/streams", DEMO)],
        &[
            ("GET", "/streams", "", 200, r#"=["demo"]"#),
            ("GET", "/streamdetails", "", 200, r#"[{"name":"demo","type":"httppush","format":"json"}]"#),
            ("GET", "/streams/demo", "", 200, r#""Name":"demo""#),
            ("GET", "/streams/demo", "", 200, r#""StreamFields":[{"#),
            ("GET", "/streams/none", "", 404, MISSING),
            ("GET", "/streams/demo/schema", "", 200, r#""a":{"type":"bigint","index":0}"#),
            ("GET", "/streams/none/schema", "", 404, MISSING),
        ],
    );
}

#[test]
fn streams_are_replaced() {
    let sql = |text: &str| json!({ "sql": text }).to_string();
    let newer = sql(r#"CREATE STREAM demo () WITH (DATASOURCE="/new", TYPE="httppush", VERSION="2")"#);
    rest(
        &[("/streams", DEMO)],
        &[
            ("PUT", "/streams/demo", &newer, 200, "Stream demo is replaced."),
            ("PUT", "/streams/demo", &newer, 400, "already exists with version (2), new version (2) is lower"),
            ("PUT", "/streams/other", &newer, 400, "the sql statement must update the other source"),
            ("PUT", "/streams/fresh", &sql(r#"CREATE STREAM fresh () WITH (TYPE="httppush")"#), 200, "Stream fresh is replaced."),
            (
                "PUT",
                "/streams/fresh",
                &sql(r#"CREATE STREAM fresh () WITH (TYPE="httppush", SHARED="true")"#),
                400,
                "do not support to change stream SHARED option",
            ),
        ],
    );
}

#[test]
fn streams_are_dropped() {
    rest(
        BOTH,
        &[
            ("DELETE", "/streams/none", "", 404, MISSING),
            ("DELETE", "/streams/demo", "", 400, "stream demo has been referenced by other rules"),
            ("DELETE", "/streams/demo?force=no", "", 400, "referenced"),
            ("DELETE", "/streams/demo?force=true", "", 200, "=Stream demo is dropped."),
            ("GET", "/streams", "", 200, "=[]"),
        ],
    );
}

#[test]
fn tables_are_streams_by_another_name() {
    let table = r#"{"sql":"CREATE TABLE t (a bigint) WITH (DATASOURCE=\"/t\", TYPE=\"httppush\", FORMAT=\"json\")"}"#;
    rest(
        &[("/streams", DEMO), ("/tables", table)],
        &[
            ("GET", "/tables", "", 200, r#"=["t"]"#),
            ("GET", "/tables?kind=scan", "", 200, r#"["t"]"#),
            ("GET", "/tables?kind=lookup", "", 200, "[]"),
            ("GET", "/tabledetails", "", 200, r#""name":"t""#),
            ("GET", "/tables/t", "", 200, r#""Name":"t""#),
            ("GET", "/tables/demo", "", 404, "table demo is not found"),
            ("GET", "/tables/t/schema", "", 200, "bigint"),
            ("PUT", "/tables/t", table, 200, "Table t is replaced."),
            ("DELETE", "/tables/demo", "", 404, MISSING),
            ("DELETE", "/tables/t", "", 200, "=Table t is dropped."),
        ],
    );
}

#[test]
fn rules_are_created_and_read() {
    rest(
        &[("/streams", DEMO)],
        &[
            ("GET", "/rules", "", 200, "=[]"),
            ("POST", "/rules", R1, 201, "Rule r1 was created successfully."),
            ("POST", "/rules", R1, 400, "rule r1 already exists"),
            ("POST", "/rules", "{", 400, "invalid rule json"),
            ("POST", "/rules", r#"{"id":"r2","sql":"SELECT * FROM demo","actions":[{"nosuch":{}}]}"#, 400, r#"{"error":2201"#),
            ("GET", "/rules/r1", "", 200, &format!("={R1}")),
            ("GET", "/rules/none", "", 404, MISSING),
            ("GET", "/rules", "", 200, r#"=[{"id":"r1","name":"r1","status":"running","tags":["x","y"],"trace":false,"version":""}]"#),
        ],
    );
}

#[test]
fn rules_are_updated_and_dropped() {
    rest(
        BOTH,
        &[
            ("POST", "/rules/r1/stop", "", 200, "Rule r1 was stopped."),
            ("PUT", "/rules/r1", R1, 200, "Rule r1 was updated successfully."),
            ("GET", "/rules/r1/status", "", 200, r#""status": "running""#),
            ("PUT", "/rules/r1", r#"{"id":"r1","sql":"SELECT","actions":[{"log":{}}]}"#, 400, "Update rule error"),
            ("GET", "/rules/r1/status", "", 200, r#""status": "running""#),
            ("PUT", "/rules/r2", r#"{"sql":"SELECT a FROM demo","actions":[{"log":{}}],"triggered":false}"#, 200, "Rule r2 was updated"),
            ("GET", "/rules/r2/status", "", 200, r#""status": "stopped""#),
            ("DELETE", "/rules/r1", "", 200, "=Rule r1 is dropped."),
            ("DELETE", "/rules/r1", "", 404, MISSING),
        ],
    );
}

#[test]
fn the_status_of_rules() {
    rest(
        BOTH,
        &[
            ("GET", "/rules/r1/status", "", 200, "{\n  \"status\": \"running\",\n  \"message\": \"\",\n  \"lastStartTimestamp\": "),
            ("GET", "/rules/r1/status", "", 200, r#""source_demo_0_records_in_total": 0"#),
            ("GET", "/v2/rules/r1/status", "", 200, r#""status":"running""#),
            ("GET", "/rules/status/all", "", 200, r#"{"r1":{"#),
            ("GET", "/rules/none/status", "", 404, "get rule status error: Rule none is not found"),
        ],
    );
}

#[test]
fn rules_start_stop_and_restart() {
    rest(
        BOTH,
        &[
            ("POST", "/rules/r1/stop", "", 200, "=Rule r1 was stopped."),
            ("GET", "/rules/r1/status", "", 200, "canceled manually"),
            ("POST", "/rules/r1/start", "", 200, "=Rule r1 was started"),
            ("POST", "/rules/r1/restart", "", 200, "=Rule r1 was restarted"),
            ("POST", "/rules/none/start", "", 404, "start rule error: Rule none is not found in registry"),
            ("POST", "/rules/none/stop", "", 404, "not found"),
            ("POST", "/rules/none/restart", "", 404, "not found"),
        ],
    );
}

#[test]
fn what_a_rule_is_made_of() {
    rest(
        BOTH,
        &[
            ("GET", "/rules/r1/topo", "", 200, r#""sources":["source_demo"]"#),
            ("GET", "/rules/r1/explain", "", 200, "DataSourcePlan"),
            ("GET", "/rules/none/topo", "", 404, MISSING),
            ("GET", "/rules/none/explain", "", 404, MISSING),
            ("PUT", "/rules/r2", r#"{"sql":"SELECT a FROM demo","actions":[{"log":{}}],"triggered":false}"#, 200, ""),
            ("GET", "/rules/r2/schema", "", 400, "make sure the rule has been started before"),
            ("POST", "/rules/r2/start", "", 200, ""),
            ("GET", "/rules/r2/schema", "", 200, r#"{"a":{"hasIndex":true,"index":0}}"#),
            ("PUT", "/rules/r2", r#"{"sql":"SELECT a FROM demo","actions":[{"log":{}}],"triggered":false}"#, 200, ""),
            ("GET", "/rules/r2/topo", "", 200, "source_demo"),
            ("PUT", "/rules/r3", r#"{"sql":"SELECT a FROM demo","actions":[{"log":{}}],"triggered":false}"#, 200, ""),
            ("GET", "/rules/r3/topo", "", 400, "make sure the rule has been started before"),
        ],
    );
}

#[test]
fn rules_are_validated() {
    rest(
        &[("/streams", DEMO)],
        &[
            ("POST", "/rules/validate", R1, 200, r#"{"sources":["demo"],"valid":true}"#),
            ("POST", "/rules/validate", r#"{"id":"x","sql":"SELECT * FROM none","actions":[{"log":{}}]}"#, 422, "none"),
            ("POST", "/rules/validate", r#"{"sql":"SELECT * FROM demo","actions":[{"log":{}}]}"#, 422, "Missing rule id"),
            ("GET", "/rules", "", 200, "=[]"),
        ],
    );
}

#[test]
fn rules_have_tags() {
    rest(
        BOTH,
        &[
            ("PUT", "/rules/r1/tags", r#"{"tags":["a"]}"#, 200, "="),
            ("PATCH", "/rules/r1/tags", r#"{"tags":["b"]}"#, 200, "="),
            ("GET", "/rules/tags/match", r#"{"tags":["a","b"]}"#, 200, r#"{"rules":["r1"]}"#),
            ("DELETE", "/rules/r1/tags", r#"{"tags":["a"]}"#, 200, "="),
            ("GET", "/rules/tags/match", r#"{"tags":["a"]}"#, 200, "{}"),
            ("GET", "/rules/tags/match", r#"{"tags":[]}"#, 200, "r1"),
            ("PUT", "/rules/none/tags", r#"{"tags":["a"]}"#, 404, MISSING),
        ],
    );
}

#[test]
fn rules_in_bulk() {
    rest(
        BOTH,
        &[
            ("POST", "/rules/bulkstop", r#"{"tags":["x"]}"#, 200, r#"[{"ruleId":"r1","success":true}]"#),
            ("GET", "/rules/r1/status", "", 200, r#""status": "stopped""#),
            ("POST", "/rules/bulkstart", r#"{"tags":["x"]}"#, 200, r#"[{"ruleId":"r1","success":true}]"#),
            ("POST", "/rules/bulkstart", r#"{"tags":["nosuch"]}"#, 400, "no matching rules"),
        ],
    );
}

#[test]
fn reset_cpu_and_trace() {
    rest(
        BOTH,
        &[
            (
                "PUT",
                "/rules/r1/reset_state",
                r#"{"type":1,"params":{"streamName":"demo","input":{}}}"#,
                400,
                "stream demo not found in topo",
            ),
            ("PUT", "/rules/r1/reset_state", r#"{"type":0}"#, 400, "unknown stateType:0"),
            ("GET", "/rules/usage/cpu", "", 200, ""),
            ("POST", "/rules/r1/trace/start", r#"{"strategy":"always"}"#, 200, "="),
            ("GET", "/rules", "", 200, r#""trace":true"#),
            ("POST", "/rules/r1/trace/stop", "", 200, "="),
            ("POST", "/rules/none/trace/start", r#"{"strategy":"always"}"#, 400, "rule none isn't existed"),
        ],
    );
}

#[test]
fn rulesets_go_out_and_come_in() {
    let set = json!({"streams": {"s": "CREATE STREAM s () WITH (TYPE=\"httppush\")"}, "tables": {}, "rules": {"q": R1.replace("r1", "q")}});
    let body = json!({"content": set.to_string()}).to_string();
    rest(
        BOTH,
        &[
            ("POST", "/ruleset/export", "", 200, r#"{"streams":{"demo":"CREATE STREAM demo"#),
            ("POST", "/ruleset/import", &body, 200, "imported 1 streams, 0 tables and 1 rules"),
            ("GET", "/rules/q", "", 200, "demo"),
            ("POST", "/ruleset/import", r#"{"content":"no"}"#, 400, "invalid import file"),
            ("POST", "/ruleset/import", "{", 400, r#"{"error":"#),
            ("POST", "/ruleset/import", r#"{"file":"file:///etc/passwd"}"#, 400, "Fail to read file"),
        ],
    );
}

#[test]
fn everything_goes_out_and_comes_in() {
    let bad = json!({"content": json!({"rules": {"bad": "{"}}).to_string()}).to_string();
    rest(
        BOTH,
        &[
            ("GET", "/data/export", "", 200, r#""connectionConfig":{}"#),
            ("POST", "/data/export", r#"["r1"]"#, 200, r#""demo":"#),
            ("POST", "/data/export", r#"["none"]"#, 200, r#""none":"""#),
            ("POST", "/data/import?partial=1", &bad, 400, r#"\"bad\":"#),
            ("GET", "/data/import/status", "", 200, r#""bad":"#),
            ("GET", "/rules/r1/status", "", 200, r#""status": "running""#),
            ("POST", "/data/import", r#"{"content":"{}"}"#, 200, r#"{"ErrorMsg":"","ConfigResponse":{"streams":{}"#),
            ("GET", "/rules", "", 200, "=[]"),
            ("POST", "/data/import", "{", 400, r#"{"error":"#),
        ],
    );
}

#[test]
fn yaml_and_imports_in_the_background() {
    let yaml = "streams:\n    s:\n        sql: CREATE STREAM s () WITH (TYPE=\"httppush\")\n";
    let content = json!({ "content": yaml }).to_string();
    rest(
        BOTH,
        &[
            ("GET", "/v2/data/export", "", 200, "streams:\n    demo:\n        sql: CREATE STREAM demo"),
            ("POST", "/v2/data/import", &content, 200, "=success"),
            ("GET", "/streams", "", 200, r#""s""#),
        ],
    );
    let scratch = Scratch::new();
    let gate = gate(&scratch, &[]);
    let task: Value = serde_json::from_str(&gate.tell("POST", "/async/data/import", r#"{"content":"{}"}"#)).expect("JSON");
    let id = task["id"].as_str().expect("an id");
    assert!(id.starts_with("dataImport-"), "{id}");
    assert_eq!(parsed(&gate, &format!("/async/task/{id}"))["status"], "finish");
    follow(&gate, &[("GET", "/async/task/none", "", 400, "none not found")]);
}

#[test]
fn named_connections() {
    let made = r#"{"id":"c1","typ":"httppush","props":{"method":"POST","datasource":"/c1"}}"#;
    rest(
        &[],
        &[
            ("GET", "/connections", "", 200, "=[]"),
            ("POST", "/connections", made, 201, "success"),
            ("POST", "/connections", made, 400, "already been created"),
            ("GET", "/connections", "", 200, r#""id":"c1""#),
            ("GET", "/connections/c1", "", 200, r#""typ":"httppush""#),
            ("GET", "/connections/none", "", 404, "connection none not existed"),
            ("PUT", "/connections/c1", made, 200, "success"),
            ("DELETE", "/connections/c1", "", 200, "success"),
        ],
    );
}

#[test]
fn settings_uploads_and_batches() {
    let batch = r#"[{"method":"GET","path":"/ping"},{"method":"GET","path":"/rules/none"},{"method":"GET","path":"/streams"}]"#;
    rest(
        &[],
        &[
            ("PATCH", "/configs", r#"{"basic":{"logLevel":"debug"}}"#, 204, "="),
            ("PATCH", "/configs", "{", 400, "Invalid JSON"),
            ("POST", "/config/uploads", r#"{"name":"u.json","content":"{}"}"#, 201, "u.json"),
            ("GET", "/config/uploads", "", 200, "u.json"),
            ("POST", "/ruleset/import", r#"{"file":"file:///u.json"}"#, 200, "imported 0 streams"),
            ("DELETE", "/config/uploads/u.json", "", 200, "=ok"),
            ("DELETE", "/config/uploads/u.json", "", 400, "Error deleting the file"),
            ("POST", "/config/uploads", r#"{"name":"../x","content":""}"#, 400, r#"{"error":"#),
            ("POST", "/batch/req", batch, 200, r#"[{"code":200"#),
            ("POST", "/batch/req", "{", 400, r#"{"error":"#),
        ],
    );
}

#[test]
fn metadata_and_conf_keys() {
    rest(
        &[],
        &[
            ("GET", "/metadata/functions", "", 200, r#""name":"avg""#),
            ("GET", "/metadata/operators", "", 200, "["),
            ("GET", "/metadata/sinks", "", 200, r#""name":"rest""#),
            ("GET", "/metadata/sinks/rest", "", 200, "properties"),
            ("GET", "/metadata/sources", "", 200, r#""name":"httppush""#),
            ("GET", "/metadata/sources/httppush", "", 200, "properties"),
            ("GET", "/metadata/sources/none", "", 400, r#"{"error":5000,"message":"This plugin was not found:"#),
            ("PUT", "/metadata/sources/httppush/confKeys/k", r#"{"method":"PUT"}"#, 200, "="),
            ("GET", "/metadata/sources/yaml/httppush", "", 200, r#""k":{"method":"PUT"}"#),
            ("PUT", "/metadata/sources/httppush/confKeys/k", "[]", 400, r#"{"error":5000,"message":"Type conversion failed:httppush."#),
            ("PUT", "/metadata/sources/httppush/confKeys/a%20b", "{}", 400, "Invalid confKey: id 'a b' contains invalid characters"),
            ("DELETE", "/metadata/sources/httppush/confKeys/k", "", 200, "="),
            ("DELETE", "/metadata/sources/httppush/confKeys/k", "", 400, "k is not found"),
            ("POST", "/metadata/sources/connection/httppush", "{}", 400, "source httppush doesn't support ping connection"),
            ("GET", "/metadata/resources", "", 200, ""),
        ],
    );
}

#[test]
fn what_is_not_here_says_so() {
    rest(
        &[],
        &[
            ("GET", "/plugins/sources", "", 200, "[]"),
            ("POST", "/plugins/sources", r#"{"name":"x","file":"http://h/x.zip"}"#, 400, "cannot be loaded into pushgate"),
            ("GET", "/services", "", 200, "[]"),
            ("POST", "/services", r#"{"name":"x"}"#, 400, r#"{"error":1000"#),
            ("GET", "/udf/javascript", "", 200, "[]"),
            ("POST", "/schemas/protobuf", r#"{"name":"x"}"#, 400, r#"{"error":1000"#),
            ("GET", "/metrics/dump/check", "", 200, "disabled"),
            ("GET", "/metrics/dump", "", 400, "metrics dump not enabled"),
        ],
    );
}

#[test]
fn the_words_of_sources() {
    let ddl = "demo (a bigint) WITH (DATASOURCE=\"/d\", FORMAT=\"json\", TYPE=\"httppush\")";
    command_line(
        &[],
        &[
            (&["show", "streams"], 0, "=No stream definitions are found.\n\n"),
            (&["show", "tables"], 0, "No table definitions are found."),
            (&["create", "stream", ddl], 0, "=Stream demo is created.\n\n"),
            // A shell may have split the statement.
            (&["create", "stream", "two", "()", "WITH", "(TYPE=\"httppush\")"], 0, "Stream two is created."),
            (&["create", "stream", ddl], 1, "Stream command error: Create stream fails: Item demo already exists."),
            (&["create", "table", "t () WITH (DATASOURCE=\"/t\", TYPE=\"httppush\")"], 0, "Table t is created."),
            (&["show", "streams"], 0, "demo\ntwo"),
            (&["describe", "stream", "demo"], 0, "a\tbigint"),
            (&["describe", "stream", "demo", "-json"], 0, "\"FORMAT:\": \"json\""),
            (&["describe", "stream", "none"], 1, "Stream command error: Describe stream fails, none is not found."),
            (&["drop", "stream", "two"], 0, "Stream two is dropped."),
            (&["drop", "stream", "two"], 1, "Drop stream fails: stream two is not found."),
        ],
    );
}

#[test]
fn definitions_from_files() {
    let scratch = Scratch::new();
    let file = scratch.write("s.sql", "demo () WITH (TYPE=\"httppush\")").display().to_string();
    let rule = scratch.write("r.json", r#"{"sql":"SELECT * FROM demo","actions":[{"log":{}}]}"#).display().to_string();
    command_line(
        &[],
        &[
            (&["create", "stream", "-f", &file], 0, "Creating a new stream from file"),
            (&["create", "stream", "-f", "none.sql"], 1, "The specified stream defenition file none.sql is not existed."),
            (&["create", "rule", "r1", "-f", &rule], 0, "Creating a new rule from file"),
            (&["validate", "rule", "r2", "-f", &rule], 0, "The rule has been successfully validated and is confirmed to be correct."),
            (&["import", "ruleset", "-f", "none.json"], 1, "fail to read file none.json"),
            (&["import", "ruleset"], 1, "Required ruleset json file to import"),
        ],
    );
}

#[test]
fn the_words_of_rules() {
    let text = r#"{"sql":"SELECT * FROM demo","actions":[{"log":{}}]}"#;
    command_line(
        &[("/streams", DEMO)],
        &[
            (&["show", "rules"], 0, "No rule definitions are found."),
            (
                &["create", "rule", "r1", text],
                0,
                "Rule r1 was created successfully, please use 'bin/kuiper getstatus rule r1' command to get rule status.",
            ),
            (&["create", "rule", "r1", text], 1, "Create rule r1 error"),
            (&["show", "rules"], 0, "\"id\": \"r1\""),
            (&["describe", "rule", "r1"], 0, "\"lateTolerance\": \"1s\""),
            (&["describe", "rule", "none"], 1, "Desc rule error"),
            (&["getstatus", "rule", "r1"], 0, "\"status\": \"running\""),
            (&["getstatus", "rule", "none"], 1, "Rule none is not found"),
            (&["gettopo", "rule", "r1"], 0, "\"sources\""),
            (&["stop", "rule", "r1"], 0, "=Rule r1 was stopped.\n"),
            (&["start", "rule", "r1"], 0, "=Rule r1 was started\n"),
            (&["restart", "rule", "r1"], 0, "=Rule r1 was restarted.\n"),
            (&["start", "rule", "none"], 1, "Rule none is not found in registry, please check if it is created"),
            (&["validate", "rule", "r9", text], 0, "successfully validated"),
            (&["validate", "rule", "r9", "{"], 1, ""),
            (&["drop", "rule", "r1"], 0, "=Rule r1 is dropped.\n"),
            (&["drop", "rule", "r1"], 1, "Drop rule error : rule r1 not found."),
            (&["start", "rule"], 1, "Expect rule name."),
            (&["create", "rule", "r1"], 1, "Expect rule name and json."),
        ],
    );
}

#[test]
fn files_of_definitions() {
    let scratch = Scratch::new();
    let (set, all) = (scratch.text("set.json"), scratch.text("all.json"));
    command_line(
        BOTH,
        &[
            (&["export", "ruleset", &set], 0, "exported 1 streams, 0 tables and 1 rules"),
            (&["import", "ruleset", "-f", &set], 0, "imported 1 streams, 0 tables and 1 rules"),
            (&["export", "data", &all], 0, "export configuration success"),
            (&["export", "data", &all, "-r", "[\"r1\"]"], 0, "export configuration success"),
            (&["import", "data", "-f", &all, "-s", "false", "-p", "true"], 0, "\"ErrorMsg\": \"\""),
            (&["import", "data", "-f", &all, "-s", "maybe", "-p", "true"], 1, "Expect s flag to be a boolean value."),
            (&["import", "data", "-f", &all, "-s", "false"], 1, "Expect p flag to be a boolean value."),
            (&["getstatus", "import"], 0, "\"streams\": {}"),
        ],
    );
}

#[test]
fn words_that_mean_nothing() {
    command_line(
        &[],
        &[
            (&["frobnicate"], 2, ""),
            (&["create"], 0, "create stream"),
            (&["show", "nothing"], 2, "No help topic for 'nothing'"),
            (&["create", "plugin", "sink", "x", "{}"], 1, "not supported by pushgate"),
            (&["show", "services"], 0, "No service definitions are found."),
            (&["help"], 0, "Commands:"),
            (&["create", "--help"], 0, "create rule"),
            (&["CREATE", "Stream", "s () WITH (TYPE=\"httppush\")"], 0, "Stream s is created."),
        ],
    );
}

#[test]
fn the_prompt() {
    let scratch = Scratch::new();
    let gate = gate(&scratch, &[("/streams", DEMO)]);
    let input = scratch.write("lines", "\nSELECT nosuch(a) FROM demo\nSELECT a FROM demo\nquit\n");
    let mut command = program();
    command.arg("query").env("PUSHGATE_URL", format!("http://{}", gate.management));
    command.stdin(std::fs::File::open(input).expect("written"));
    let (code, out, err) = finish(&mut command);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("kuiper > ") && out.contains("Query was submit successfully."), "{out}");
    assert!(out.contains("nosuch"), "{out}");
}

#[test]
fn the_first_line_and_a_server_that_is_away() {
    let scratch = Scratch::new();
    let link = scratch.path("kuiper");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pushgate"), &link).expect("a link");
    let url = format!("http://{}", crate::http::dead_address());
    let (code, out, _) = finish(std::process::Command::new(&link).args(["show", "streams"]).env_clear().env("PUSHGATE_URL", url));
    assert_ne!(code, 0);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("Connecting to 127.9.9.9:") && lines[0].ends_with("... "), "{out}");
    assert_eq!(lines[1], "Failed to connect the server, please start the server.");
}
