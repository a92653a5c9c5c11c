//! One row per line of facts §5 that is in scope: request, status, content type, words of the body.

use super::*;
use crate::catalog::fake::{Fake, control};
use crate::config::Basic;

const STREAM: &str = r#"{"sql":"CREATE STREAM demo (a BIGINT) WITH (DATASOURCE=\"/a\", FORMAT=\"json\", TYPE=\"httppush\")"}"#;
const TABLE: &str = r#"{"sql":"CREATE TABLE tab () WITH (DATASOURCE=\"/t\", TYPE=\"httppush\")"}"#;
const RULE: &str = r#"{"id":"r1","sql":"SELECT * FROM demo","actions":[{"nop":{}}]}"#;

/// A server with stream `demo`, table `tab`, running rule `r1` and stopped rule `r2` that was never started.
fn ready() -> Control<Fake> {
    let mut c = control();
    for (target, body) in [("/streams", STREAM), ("/tables", TABLE), ("/rules", RULE)] {
        assert_eq!(send(&mut c, "POST", target, body).status, 201);
    }
    let stopped = RULE.replace("\"r1\"", "\"r2\",\"triggered\":false");
    assert_eq!(send(&mut c, "POST", "/rules", &stopped).status, 201);
    c
}

fn send(c: &mut Control<Fake>, method: &str, target: &str, body: &str) -> Response {
    let fields = vec![("Host".to_owned(), "127.0.0.1:9081".to_owned()), ("Content-Type".to_owned(), JSON.to_owned())];
    handle(c, &Request { method: method.into(), target: target.into(), fields, body: body.into() })
}

/// Each row on a server of its own.
fn rows(rows: &[(&str, &str, &str, u16, &str, &str)]) {
    for (method, target, body, status, content_type, words) in rows {
        let mut c = ready();
        let r = send(&mut c, method, target, body);
        let text = r.body_text();
        let fits =
            r.status == *status && r.content_type == *content_type && if words.is_empty() { text.is_empty() } else { text.contains(words) };
        assert!(
            fits,
            "{method} {target} {body:.60}\n  want {status} {content_type} {words}\n  got  {} {} {text}",
            r.status, r.content_type
        );
    }
}

#[test]
fn answers() {
    rows(&[
        ("GET", "/", "", 200, TEXT, r#""upTimeSeconds":7,"cpuUsage":"0.50","memoryUsed":"1000","memoryTotal":"2000"}"#),
        ("POST", "/", "", 200, TEXT, r#"{"version":""#),
        ("GET", "/ping", "", 200, "", ""),
        ("GET", "/ping?x=1", "", 200, "", ""),
        ("GET", "/%70ing", "", 200, "", ""),
        ("POST", "/stop", "", 200, TEXT, "stop success"),
        ("GET", "/counters", "", 200, JSON, r#"{"port":{},"streams":{},"rules":{},"sinks":{}}"#),
        ("GET", "/streams", "", 200, JSON, r#"["demo"]"#),
        ("GET", "/tables", "", 200, JSON, r#"["tab"]"#),
        ("GET", "/tables?kind=lookup", "", 200, JSON, "[]"),
        ("GET", "/tables?kind=scan", "", 200, JSON, r#"["tab"]"#),
        ("GET", "/streamdetails", "", 200, JSON, r#"[{"name":"demo","type":"httppush","format":"json"}]"#),
        ("GET", "/tabledetails", "", 200, JSON, r#"[{"name":"tab","type":"httppush","format":"json"}]"#),
        (
            "GET",
            "/streams/demo",
            "",
            200,
            JSON,
            r#"{"Name":"demo","StreamFields":[{"FieldType":"bigint","Name":"a"}],"Options":{"datasource":"/a","format":"json","type":"httppush"},"StreamType":0,"Statement":null}"#,
        ),
        ("GET", "/tables/tab", "", 200, JSON, r#""StreamFields":null"#),
        ("GET", "/streams/demo/schema", "", 200, JSON, r#"{"a":{"type":"bigint","index":0}}"#),
        ("GET", "/tables/tab/schema", "", 200, JSON, "null"),
        ("PUT", "/streams/demo", STREAM, 200, TEXT, "Stream demo is replaced."),
        ("PUT", "/tables/other", r#"{"sql":"CREATE TABLE other () WITH (DATASOURCE=\"/x\")"}"#, 200, TEXT, "Table other is replaced."),
        ("POST", "/streams", r#"{"sql":"SHOW STREAMS"}"#, 201, TEXT, "demo"),
        ("POST", "/streams", r#"{"sql":"DESCRIBE STREAM demo"}"#, 201, TEXT, "a\tbigint\n\nDATASOURCE: /a"),
        ("POST", "/streams", r#"{"sql":"CREATE TABLE t2 () WITH ()","x":1}"#, 201, TEXT, "Table t2 is created."),
        ("POST", "/streams", r#"{"sql":"DROP TABLE tab"}"#, 201, TEXT, "Table tab is dropped."),
        ("DELETE", "/tables/tab", "", 200, TEXT, "Table tab is dropped."),
        ("DELETE", "/streams/demo?force=true", "", 200, TEXT, "Stream demo is dropped."),
        ("DELETE", "/streams/demo?force=1", "", 200, TEXT, "Stream demo is dropped."),
        ("POST", "/rules", r#"{"id":"r9","sql":"SELECT * FROM demo","actions":[{}]}"#, 201, TEXT, "Rule r9 was created successfully."),
        (
            "GET",
            "/rules",
            "",
            200,
            JSON,
            r#"[{"id":"r1","name":"r1","status":"running","tags":null,"trace":false,"version":""},{"id":"r2","name":"r2","status":"stopped","#,
        ),
        ("GET", "/rules/r1", "", 200, JSON, RULE),
        ("GET", "/rules/r1?options=all", "", 200, JSON, r#""concurrency":1,"bufferLength":1024"#),
        ("PUT", "/rules/r1", r#"{"sql":"SELECT a FROM demo","actions":[{"nop":{}}]}"#, 200, TEXT, "Rule r1 was updated successfully."),
        ("PUT", "/rules/r9", r#"{"sql":"SELECT a FROM demo","actions":[{"nop":{}}]}"#, 200, TEXT, "Rule r9 was updated successfully."),
        ("DELETE", "/rules/r1", "", 200, TEXT, "Rule r1 is dropped."),
        ("GET", "/rules/r1/status", "", 200, JSON, "{\n  \"status\": \"running\",\n  \"message\": \"\","),
        ("GET", "/v2/rules/r1/status", "", 200, TEXT, r#"{"lastStartTimestamp":"#),
        ("GET", "/rules/status/all", "", 200, JSON, r#""r2":{"status":"stopped","last_exception":"","exceptions_total":0}"#),
        ("POST", "/rules/r1/start", "", 200, TEXT, "Rule r1 was started"),
        ("POST", "/rules/r1/stop", "", 200, TEXT, "Rule r1 was stopped."),
        ("POST", "/rules/r1/restart", "", 200, TEXT, "Rule r1 was restarted"),
        ("GET", "/rules/r1/topo", "", 200, JSON, r#"{"sources":["source_demo"],"edges":{"source_demo":["op_2_decoder"]}}"#),
        ("GET", "/rules/r1/explain", "", 200, TEXT, "plan of r1"),
        ("POST", "/rules/r1/explain", "", 200, JSON, r#"{"id":"r1"}"#),
        ("GET", "/rules/r1/schema", "", 200, JSON, "{}"),
        ("GET", "/rules/usage/cpu", "", 200, TEXT, "cpu usage not enabled"),
        ("POST", "/rules/validate", RULE, 200, TEXT, r#"{"sources":["demo"],"valid":true}"#),
        ("PUT", "/rules/r1/tags", r#"{"tags":["a"]}"#, 200, "", ""),
        ("GET", "/rules/tags/match", r#"{"tags":[]}"#, 200, JSON, r#"{"rules":["r1","r2"]}"#),
        ("GET", "/rules/tags/match", r#"{"tags":["none"]}"#, 200, JSON, "{}"),
        ("POST", "/rules/bulkstop", r#"{"tags":[]}"#, 200, JSON, r#"[{"ruleId":"r1","success":true},{"ruleId":"r2","success":true}]"#),
        ("POST", "/rules/r1/trace/start", r#"{"strategy":"always"}"#, 200, "", ""),
        ("POST", "/ruleset/export", "", 200, OCTETS, r#"{"streams":{"demo":"CREATE STREAM demo"#),
        (
            "POST",
            "/ruleset/import",
            r#"{"content":"{\"streams\":{},\"tables\":{},\"rules\":{}}"}"#,
            200,
            TEXT,
            "imported 0 streams, 0 tables and 0 rules",
        ),
        ("GET", "/data/export", "", 200, OCTETS, r#""nativePlugins":{}"#),
        ("POST", "/data/export", r#"["r1"]"#, 200, OCTETS, r#""rules":{"r1":"#),
        ("POST", "/data/export", "{}", 200, OCTETS, r#""rules":{}"#),
        ("POST", "/data/import?partial=1", r#"{"content":"{}"}"#, 200, TEXT, r#"{"ErrorMsg":"","ConfigResponse":{"streams":{},"#),
        ("GET", "/data/import/status", "", 200, JSON, r#""scripts":{}"#),
        ("GET", "/v2/data/export", "", 200, OCTETS, "rules:\n    r1:\n        triggered: true"),
        ("PATCH", "/configs", r#"{"basic":{"logLevel":"info"}}"#, 204, "", ""),
        ("PATCH", "/configs", r#"{"logLevel":"info"}"#, 204, "", ""),
        (
            "POST",
            "/tables",
            r#"{"sql":"CREATE TABLE l () WITH (DATASOURCE=\"0\", TYPE=\"memory\", KEY=\"id\", KIND=\"lookup\")"}"#,
            201,
            TEXT,
            "Table l is created.",
        ),
        ("GET", "/connections", "", 200, TEXT, "[]"),
        ("POST", "/connections", r#"{"id":"c1","typ":"httppush","props":{"method":"POST"}}"#, 201, TEXT, "success"),
        ("PUT", "/metadata/sources/httppush/confKeys/ck1", "{}", 200, "", ""),
        ("GET", "/metadata/sources/yaml/nosuch", "", 400, TEXT, "This plugin was not found:sources.nosuch"),
        ("GET", "/metadata/sinks", "", 200, JSON, r#""name":"rest""#),
        ("GET", "/metadata/sinks/rest", "", 200, JSON, r#""name":"url""#),
        ("GET", "/metadata/sources", "", 200, JSON, r#""name":"httppush""#),
        ("GET", "/metadata/sources?kind=lookup", "", 200, JSON, r#"[{"about":"#),
        ("GET", "/metadata/sources/httppush", "", 200, JSON, r#""default":"/api/data""#),
        ("GET", "/metadata/functions", "", 200, JSON, r#""name":"abs""#),
        ("GET", "/metadata/operators", "", 200, JSON, "[]"),
        ("GET", "/plugins/sources", "", 200, JSON, "[]"),
        ("GET", "/services", "", 200, JSON, "[]"),
        ("GET", "/schemas/protobuf", "", 200, JSON, "[]"),
        ("GET", "/metrics/dump/check", "", 200, TEXT, "disabled"),
        (
            "POST",
            "/batch/req",
            r#"[{"method":"GET","path":"/ping"},{"method":"GET","path":"/rules/none"},{"method":"GET","path":"ping"}]"#,
            200,
            JSON,
            r#"[{"code":200},{"code":404,"response":"{\"error\":1002,"#,
        ),
    ]);
}

#[test]
fn refusals() {
    let deep = "[".repeat(100_000);
    let deep_rule = format!(r#"{{"id":"x","sql":{}"#, "[".repeat(100_000));
    let error = |code: u32, message: &str| format!("{{\"error\":{code},\"message\":\"{message}");
    rows(&[
        ("GET", "/nosuch", "", 404, TEXT, "404 page not found\n"),
        ("GET", "/streams/", "", 404, TEXT, "404 page not found\n"),
        ("GET", "/stop", "", 405, "", ""),
        ("HEAD", "/ping", "", 405, "", ""),
        ("BREW", "/ping", "", 405, "", ""),
        ("GET", "/a//b", "", 301, "", ""),
        ("GET", "/streams/../ping", "", 301, "", ""),
        ("GET", "/%zz", "", 400, TEXT, "400 Bad Request"),
        ("GET", "/metrics", "", 404, TEXT, "404 page not found\n"),
        ("GET", "/metrics/dump", "", 400, TEXT, "metrics dump not enabled"),
        ("POST", "/streams", "", 400, TEXT, &error(1000, "Invalid body: Error decoding the statement descriptor: EOF")),
        ("POST", "/streams", "{", 400, TEXT, &error(1000, "Invalid body: Error decoding")),
        ("POST", "/streams", "null", 400, TEXT, &error(3000, "Stream command error: Invalid stream statement: ")),
        ("POST", "/streams", &deep, 400, TEXT, &error(1000, "Invalid body")),
        ("POST", "/streams", r#"{"sql":5}"#, 400, TEXT, &error(1000, "Invalid body")),
        ("POST", "/streams", STREAM, 400, TEXT, &error(3000, "Stream command error: Create stream fails: Item demo already exists.")),
        ("POST", "/tables", r#"{"sql":"CREATE TABLE tab"}"#, 400, TEXT, &error(3000, "Table command error: found")),
        ("POST", "/streams", r#"{"sql":"SELECT * FROM demo"}"#, 400, TEXT, &error(3000, "Stream command error: Invalid stream statement")),
        ("GET", "/streams/a.b", "", 400, TEXT, &error(1000, "id 'a.b' contains invalid characters")),
        ("DELETE", "/streams/a%20b", "", 400, TEXT, &error(1000, "id 'a b' contains invalid characters")),
        ("PUT", "/streams/a$b", r#"{"sql":""}"#, 400, TEXT, &error(1000, "id 'a$b' contains invalid")),
        ("GET", "/streams/none", "", 404, TEXT, &error(1002, "describe stream error: Describe stream fails, none is not found.")),
        ("GET", "/streams/tab", "", 404, TEXT, &error(1002, "describe stream error")),
        ("GET", "/tables/none/schema", "", 404, TEXT, &error(1002, "get schema of table error")),
        ("DELETE", "/tables/none", "", 404, TEXT, &error(1002, "delete table error: table none is not found")),
        ("DELETE", "/tables/demo?force=true", "", 404, TEXT, &error(1002, "delete table error: table demo is not found")),
        ("DELETE", "/streams/demo", "", 400, TEXT, &error(1000, "stream demo has been referenced by other rules")),
        ("DELETE", "/streams/demo?force=yes", "", 400, TEXT, &error(1000, "stream demo has been referenced by other rules")),
        (
            "PUT",
            "/streams/other",
            STREAM,
            400,
            TEXT,
            &error(3000, "Stream command error: Replace other fails: the sql statement must update the other source."),
        ),
        ("PUT", "/tables/demo", STREAM, 404, TEXT, &error(1002, "Table command error: table demo is not found")),
        ("POST", "/rules", "{not json", 400, TEXT, &error(1000, "invalid rule json: ")),
        ("POST", "/rules", "null", 400, TEXT, &error(1000, "invalid rule json: ")),
        ("POST", "/rules", "", 400, TEXT, &error(1000, "invalid rule json: ")),
        ("POST", "/rules", &deep_rule, 400, TEXT, &error(1000, "invalid rule json: ")),
        ("POST", "/rules", RULE, 400, TEXT, &error(1000, "rule r1 already exists")),
        ("POST", "/rules", r#"{"id":"x","sql":"SELECT nope FROM demo","actions":[{}]}"#, 400, TEXT, &error(1000, "unknown field nope")),
        (
            "POST",
            "/rules",
            r#"{"id":"x","sql":"SELECT a FROM demo","actions":[{"bad":{}}]}"#,
            400,
            TEXT,
            &error(2201, "sink bad is not defined"),
        ),
        ("GET", "/rules/none", "", 404, TEXT, &error(1002, "Describe rule error: Rule none is not found.")),
        ("GET", "/rules/a.b", "", 400, TEXT, &error(1000, "id 'a.b' contains invalid")),
        (
            "PUT",
            "/rules/r1",
            r#"{"id":"r2"}"#,
            400,
            TEXT,
            &error(1000, "Update rule error: Invalid rule json: RuleId is not consistent with rule id."),
        ),
        ("DELETE", "/rules/none", "", 404, TEXT, &error(1002, "Delete rule error: rule none not found")),
        ("GET", "/rules/none/status", "", 404, TEXT, &error(1002, "get rule status error: Rule none is not found")),
        ("GET", "/v2/rules/none/status", "", 404, TEXT, &error(1002, "get rule status error: Rule none is not found")),
        ("GET", "/rules/none/topo", "", 404, TEXT, &error(1002, "get rule topo error: Rule none is not found")),
        (
            "GET",
            "/rules/r2/topo",
            "",
            400,
            TEXT,
            &error(1001, "get rule topo error: Fail to get rule r2's topo, make sure the rule has been started before"),
        ),
        ("GET", "/rules/none/explain", "", 404, TEXT, &error(1002, "explain rules error: Rule none is not found.")),
        ("POST", "/rules/none/explain", "", 404, TEXT, &error(1002, "explain rules error: Rule none is not found.")),
        ("GET", "/rules/none/schema", "", 404, TEXT, &error(1002, "get rule schema error")),
        ("GET", "/rules/none/scantables", "", 404, TEXT, &error(1002, "failed to get topology for rule none: Rule none is not found")),
        (
            "POST",
            "/rules/none/start",
            "",
            404,
            TEXT,
            &error(1002, "start rule error: Rule none is not found in registry, please check if it is created"),
        ),
        ("POST", "/rules/none/stop", "", 404, TEXT, &error(1002, "stop rule error: Rule none is not found in registry")),
        ("POST", "/rules/none/restart", "", 404, TEXT, &error(1002, "restart rule error: Rule none is not found in registry")),
        ("POST", "/rules/validate", r#"{"sql":"SELECT * FROM demo"}"#, 422, TEXT, "invalid rule json: Missing rule id."),
        ("POST", "/rules/validate", r#"{"id":"x","sql":"SELECT * FROM none","actions":[{}]}"#, 422, TEXT, "none is not found"),
        ("PUT", "/rules/none/tags", r#"{"tags":["a"]}"#, 404, TEXT, &error(1002, "Get rule error: Rule none is not found.")),
        ("PUT", "/rules/r1/tags", "{", 400, TEXT, &error(1000, "decode body error")),
        ("POST", "/rules/bulkstart", r#"{"tags":["none"]}"#, 400, TEXT, &error(1000, "bulk start failed: no matching rules")),
        ("PUT", "/rules/none/reset_state", r#"{"type":1}"#, 400, TEXT, &error(1000, "Rule none is not found in registry")),
        ("PUT", "/plugins/sources/a%20b", "{}", 400, TEXT, &error(1000, "id 'a b' contains invalid characters")),
        ("PATCH", "/configs", r#"{"timezone":"No/Where"}"#, 400, TEXT, &error(1000, "Invalid TZ")),
        ("PUT", "/rules/r1/reset_state", r#"{"type":0}"#, 400, TEXT, &error(1000, "unknown stateType:0")),
        (
            "PUT",
            "/rules/r1/reset_state",
            r#"{"type":1,"params":{"streamName":"demo"}}"#,
            400,
            TEXT,
            &error(1000, "stream demo not found in topo"),
        ),
        ("POST", "/rules/none/trace/start", r#"{"strategy":"always"}"#, 400, TEXT, &error(1000, "rule none isn't existed")),
        ("POST", "/ruleset/import", "{", 400, TEXT, &error(1000, "Invalid body: Error decoding json")),
        ("POST", "/ruleset/import", "{}", 400, TEXT, &error(1000, "Invalid body: must specify content or file")),
        (
            "POST",
            "/ruleset/import",
            r#"{"content":"a","file":"b"}"#,
            400,
            TEXT,
            &error(1000, "Invalid body: Cannot specify both content and file"),
        ),
        ("POST", "/ruleset/import", r#"{"content":"no json"}"#, 400, TEXT, &error(1000, "Import ruleset error: invalid import file")),
        ("POST", "/ruleset/import", r#"{"file":"file:///etc/passwd"}"#, 400, TEXT, &error(1000, "Fail to read file")),
        ("POST", "/ruleset/import", r#"{"file":"http://127.0.0.1/x"}"#, 400, TEXT, &error(1000, "Fail to read file")),
        ("POST", "/data/import", r#"{"content":"x"}"#, 400, TEXT, &error(1000, "configuration unmarshal with error")),
        (
            "POST",
            "/data/import?partial=1",
            r#"{"content":"{\"rules\":{\"r1\":\"{}\"}}"}"#,
            400,
            TEXT,
            &error(1000, r#"{\"streams\":{},\"tables\":{},\"rules\":{\"r1\":"#),
        ),
        ("GET", "/connections/none", "", 404, TEXT, &error(1002, "connection none not existed")),
        ("DELETE", "/connections/none", "", 404, TEXT, &error(1002, "drop connection failed: connection none not existed")),
        (
            "PUT",
            "/metadata/sources/httppush/confKeys/a.b",
            "{}",
            400,
            TEXT,
            &error(1000, "Invalid confKey: id 'a.b' contains invalid characters"),
        ),
        ("PUT", "/metadata/sources/httppush/confKeys/k", "[]", 400, TEXT, &error(5000, "Type conversion failed:httppush.")),
        (
            "DELETE",
            "/metadata/sources/httppush/confKeys/k",
            "",
            400,
            TEXT,
            &error(5000, "Failed to write data to file:sources.httppush.k is not found"),
        ),
        ("POST", "/metadata/sources/connection/httppush", "{}", 400, TEXT, &error(1000, "source httppush doesn't support ping connection")),
        ("GET", "/metadata/sources/x", "", 400, TEXT, &error(5000, "This plugin was not found:x")),
        ("GET", "/metadata/sinks/x", "", 400, TEXT, &error(5000, "This plugin was not found:x")),
        ("POST", "/plugins/sources", "{}", 400, TEXT, &error(1000, "plugins cannot be loaded")),
        ("GET", "/schemas/nosuch", "", 400, TEXT, &error(1000, "unsupported schema type nosuch")),
        ("POST", "/batch/req", "{", 400, TEXT, &error(1000, "unexpected EOF")),
        ("POST", "/batch/req", r#"[{"method":"POST","path":"/batch/req","body":"[]"}]"#, 200, JSON, "refused"),
    ]);
}

#[test]
fn yaml_goes_out_and_comes_in() {
    let mut c = ready();
    send(&mut c, "PUT", "/metadata/sources/httppush/confKeys/ck1", r#"{"method":"PUT"}"#);
    let yaml = send(&mut c, "GET", "/v2/data/export", "").body_text().into_owned();
    let body = serde_json::json!({ "content": yaml }).to_string();
    let mut fresh = control();
    for _ in 0..2 {
        assert_eq!(send(&mut fresh, "POST", "/v2/data/import", &body).body_text(), "success");
        assert_eq!(send(&mut fresh, "GET", "/v2/data/export", "").body_text(), yaml);
    }
    for (content, words) in [
        ("", "must specify content or file"),
        ("a: [", "import failed"),
        ("streams: 5", "streams: cannot unmarshal number into a map"),
        ("5", "cannot unmarshal number"),
        ("rules:\n  r1:\n    sql: SELECT\n", "replace rule r1 failed, err:"),
    ] {
        let body = serde_json::json!({ "content": content }).to_string();
        let r = send(&mut fresh, "POST", "/v2/data/import", &body);
        assert!(r.status == 400 && r.body_text().contains(words), "{content}: {}", r.body_text());
    }
    assert_eq!(send(&mut fresh, "GET", "/rules/r1", "").status, 200, "the old rule stays");
    // What does not say that it is triggered is not, and is kept in eKuiper's order of members.
    let rule = "rules:\n  y1:\n    sql: SELECT * FROM demo\n    actions:\n    - nop: {}\n    id: y1\n    name: N\n";
    let body = serde_json::json!({ "content": rule }).to_string();
    assert_eq!(send(&mut fresh, "POST", "/v2/data/import", &body).body_text(), "success");
    let want = r#"{"triggered":false,"id":"y1","name":"N","sql":"SELECT * FROM demo","actions":[{"nop":{}}]}"#;
    assert_eq!(send(&mut fresh, "GET", "/rules/y1", "").body_text(), want);
    assert!(send(&mut fresh, "GET", "/rules", "").body_text().contains(r#""id":"y1","name":"N","status":"stopped""#));
}

#[test]
fn an_import_in_the_background() {
    let mut c = ready();
    for (body, words) in [(r#"{"content":"{}"}"#, r#""status":"finish""#), (r#"{"content":"x"}"#, r#""status":"error""#)] {
        let r = send(&mut c, "POST", "/async/data/import?partial=1", body);
        let id = r.body_text().split('"').nth(3).unwrap_or_default().to_owned();
        assert!(id.starts_with("dataImport-170000000"), "{}", r.body_text());
        assert!(send(&mut c, "GET", &format!("/async/task/{id}"), "").body_text().contains(words));
        assert_eq!(send(&mut c, "POST", &format!("/async/task/{id}/cancel"), "").body_text(), "cancel success");
    }
    assert_eq!(send(&mut c, "GET", "/async/task/none", "").status, 400);
}

#[test]
fn guards_come_first() {
    let mut c = ready();
    let base = Request {
        method: "POST".into(),
        target: "/rules".into(),
        fields: vec![("host".into(), "rebound.example".into())],
        body: RULE.into(),
    };
    assert_eq!(handle(&mut c, &base).status, 421);
    let foreign = Request { fields: vec![("Host".into(), "localhost".into()), ("Origin".into(), "https://evil.example".into())], ..base };
    assert_eq!(handle(&mut c, &foreign).status, 403);
    c.config.basic = Basic { rest_origins: vec!["https://evil.example".into()], ..Basic::default() };
    let r = handle(&mut c, &foreign);
    assert!(r.status == 400 && r.fields.contains(&("Access-Control-Allow-Origin", "https://evil.example".into())), "{r:?}");
}

#[test]
fn a_temp_rule_can_be_seen_and_dropped() {
    let mut c = ready();
    let temp = RULE.replace("\"r1\"", "\"t1\",\"temp\":true");
    assert_eq!(send(&mut c, "POST", "/rules", &temp).status, 201);
    assert_eq!(send(&mut c, "GET", "/rules/t1", "").body_text(), temp);
    assert!(!c.host.files.contains_key(&(crate::catalog::Kind::Rule, "t1".into())));
    assert_eq!(send(&mut c, "DELETE", "/rules/t1", "").status, 200);
}

#[test]
fn conf_keys_come_and_go() {
    let mut c = ready();
    let path = "/metadata/sources/httppush/confKeys/ck1";
    assert_eq!(send(&mut c, "PUT", path, r#"{"method":"PUT","n":1}"#).status, 200);
    assert!(send(&mut c, "GET", "/metadata/sources/yaml/httppush", "").body_text().contains(r#""ck1":{"method":"PUT","n":1}"#));
    assert_eq!(send(&mut c, "DELETE", path, "").status, 200);
    assert_eq!(send(&mut c, "DELETE", path, "").status, 400);
    assert_eq!(send(&mut c, "PUT", path, "{}").status, 200, "the refusal does not stick");
}

#[test]
fn connections_come_and_go() {
    let mut c = ready();
    let body = r#"{"id":"c1","typ":"httppush","props":{"method":"POST","datasource":"/n"}}"#;
    assert_eq!(send(&mut c, "POST", "/connections", body).status, 201);
    assert!(send(&mut c, "POST", "/connections", body).body_text().contains("already been created"));
    let want = r#"{"id":"c1","typ":"httppush","props":{"datasource":"/n","method":"POST"},"isNamed":true,"status":"connected"}"#;
    assert_eq!(send(&mut c, "GET", "/connections/c1", "").body_text(), want);
    assert_eq!(send(&mut c, "PUT", "/connections/c1", r#"{"typ":"mqtt","props":{}}"#).body_text(), "success");
    assert_eq!(send(&mut c, "DELETE", "/connections/c1", "").body_text(), "success");
}

#[test]
fn uploads_from_json_and_forms() {
    let mut c = ready();
    assert_eq!(send(&mut c, "POST", "/config/uploads", r#"{"name":"a.txt","content":"x"}"#).body_text(), "uploads/a.txt");
    let form = "--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name=\"uploadFile\"; filename=\"../b.txt\"\r\n\r\nhello\r\n--b--\r\n";
    let fields =
        vec![("Host".to_owned(), "localhost".to_owned()), ("Content-Type".to_owned(), "multipart/form-data; boundary=b".to_owned())];
    let r = handle(&mut c, &Request { method: "POST".into(), target: "/config/uploads".into(), fields, body: form.into() });
    assert_eq!((r.status, r.body_text().as_ref()), (201, "uploads/b.txt"));
    assert_eq!(c.host.uploads["b.txt"], "hello");
    assert_eq!(send(&mut c, "GET", "/config/uploads", "").body_text(), r#"["uploads/a.txt","uploads/b.txt"]"#);
    assert_eq!(send(&mut c, "POST", "/ruleset/import", r#"{"file":"file:///b.txt"}"#).status, 400, "no ruleset, but it was found");
    assert_eq!(send(&mut c, "DELETE", "/config/uploads/a.txt", "").body_text(), "ok");
}

#[test]
fn every_route_answers_something() {
    for (method, pattern, _) in routes::ROUTES {
        for body in ["", "null", "[]", "{}", "\"x\"", "{\"a\":"] {
            let mut c = ready();
            let r = send(&mut c, method, &pattern.replace("{}", "x"), body);
            assert!(r.status < 500 && (200..=204).contains(&r.status) | (r.status >= 300), "{method} {pattern} {body}: {}", r.status);
        }
    }
}

#[test]
fn rows_of_scan_tables() {
    let mut c = ready();
    let table = STREAM.replace("STREAM demo", "TABLE kept").replace("/a", "/f");
    assert_eq!(send(&mut c, "POST", "/tables", &table).status, 201);
    for (id, name) in [("j1", "kept"), ("j2", "tab")] {
        let sql = format!("SELECT * FROM demo INNER JOIN {name} ON demo.a = {name}.a");
        let rule = RULE.replace("\"r1\"", &format!("\"{id}\"")).replace("SELECT * FROM demo", &sql);
        assert_eq!(send(&mut c, "POST", "/rules", &rule).status, 201);
    }
    assert_eq!(send(&mut c, "GET", "/rules/j1/scantables", "").body_text(), r#"[{"emitter":"kept","content":{"id":1}}]"#);
    assert!(send(&mut c, "GET", "/rules/j2/scantables", "").body_text().contains("unable to find tuples for the given scan table"));
    assert!(send(&mut c, "GET", "/rules/r1/scantables", "").body_text().contains("join node is not found for r1"));
}
