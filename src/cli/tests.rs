//! One row per line of facts §6 that is in scope, against the real API over a fake host.

use super::*;
use crate::api;
use crate::catalog::Control;
use crate::catalog::fake::{Fake, control};

struct Api(Control<Fake>);

impl Server for Api {
    fn ask(&mut self, ask: &Ask<'_>) -> Result<Reply, String> {
        let fields = vec![("Host".to_owned(), "localhost".to_owned())];
        let request = api::Request { method: ask.method.into(), target: ask.target.into(), fields, body: ask.body.to_vec() };
        let response = api::handle(&mut self.0, &request);
        Ok(Reply { status: response.status, body: response.body_text().into_owned() })
    }

    fn follow(&mut self, target: &str) -> Result<(), String> {
        assert_eq!(target, "/test/cli_query");
        Ok(())
    }
}

#[derive(Default)]
struct Desk {
    /// Lines of standard input.
    lines: Vec<&'static str>,
    files: std::collections::BTreeMap<String, String>,
    out: String,
    err: String,
}

impl Outside for Desk {
    fn read_file(&mut self, path: &str) -> Result<String, String> {
        self.files.get(path).cloned().ok_or_else(|| "no such file or directory".to_owned())
    }

    fn write_file(&mut self, path: &str, text: &str) -> Result<(), String> {
        self.files.insert(path.to_owned(), text.to_owned());
        Ok(())
    }

    fn read_line(&mut self) -> Option<String> {
        (!self.lines.is_empty()).then(|| self.lines.remove(0).to_owned())
    }

    fn print(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn complain(&mut self, text: &str) {
        self.err.push_str(text);
    }
}

const DDL: &str = r#"demo (a BIGINT) WITH (DATASOURCE="/a", TYPE="httppush")"#;
const RULE: &str = r#"{"id":"r1","sql":"SELECT * FROM demo","actions":[{"nop":{}}]}"#;

fn invocation(args: &[&str]) -> Invocation {
    parse(std::iter::once("pushgate").chain(args.iter().copied()).map(OsString::from), None)
}

/// Exit code, standard output, standard error.
fn run(api: &mut Api, desk: &mut Desk, args: &[&str]) -> (u8, String) {
    (desk.out, desk.err) = (String::new(), String::new());
    let Invocation::Client(client) = invocation(args) else { panic!("{args:?} is no client verb") };
    let code = client.run(api, desk);
    (code, desk.out.clone())
}

/// A server with stream `demo`, table `tab`, running rule `r1`, stopped rule `r2`; and files.
fn ready() -> (Api, Desk) {
    let mut c = control();
    c.run_ddl(&format!("CREATE STREAM {DDL}")).expect("stream");
    c.run_ddl(r#"CREATE TABLE tab () WITH (DATASOURCE="/t", TYPE="httppush")"#).expect("table");
    c.create_rule("", RULE).expect("rule");
    c.create_rule("", &RULE.replace("\"r1\"", "\"r2\",\"triggered\":false")).expect("rule");
    let mut desk = Desk::default();
    desk.files.insert("s.txt".into(), DDL.replace("demo", "filed"));
    desk.files.insert("r.json".into(), RULE.replace("r1", "filed"));
    desk.files.insert("set.json".into(), r#"{"streams":{},"tables":{},"rules":{}}"#.into());
    desk.files.insert("bad.json".into(), r#"{"streams":{"x":"CREATE"},"tables":{},"rules":{}}"#.into());
    (Api(c), desk)
}

#[test]
fn what_is_printed() {
    let other = DDL.replace("demo", "other");
    let get_status = "Rule r9 was created successfully, please use 'bin/kuiper getstatus rule r9' command to get rule status.\n";
    let r9 = RULE.replace("r1", "r9");
    for (args, code, want) in [
        (&["create", "stream", other.as_str()][..], 0, "Stream other is created.\n\n"),
        (&["CREATE", "Stream", "x", "()", "with", "(TYPE=\"httppush\")"], 0, "Stream x is created.\n\n"),
        (&["create", "stream", "-f", "s.txt"], 0, "Creating a new stream from file s.txt.\nStream filed is created.\n\n"),
        (&["create", "stream", "name", "-f", "s.txt"], 0, "Creating a new stream from file s.txt.\nStream filed is created.\n\n"),
        (&["create", "stream", DDL], 1, "Stream command error: Create stream fails: Item demo already exists.\n"),
        (&["create", "table", "tab () WITH ()"], 1, "Stream command error: Create table fails: Item tab already exists.\n"),
        (&["create", "stream", "-f", "none"], 1, "The specified stream defenition file none is not existed.\n"),
        (&["show", "streams"], 0, "demo\n\n"),
        (&["Show", "Tables"], 0, "tab\n\n"),
        (&["describe", "table", "none"], 1, "Stream command error: Describe table fails, none is not found.\n"),
        (&["drop", "table", "tab"], 0, "Table tab is dropped.\n\n"),
        (&["drop", "stream", "none"], 1, "Stream command error: Drop stream fails: stream none is not found.\n"),
        (&["drop", "stream", "demo"], 1, "Stream command error: Drop stream fails: stream demo has been referenced by other rules.\n"),
        (&["create", "rule", "r9", &r9], 0, get_status),
        (
            &["create", "rule", "filed", "-f", "r.json"],
            0,
            "Creating a new rule from file r.json.\nRule filed was created successfully, please use 'bin/kuiper getstatus rule filed' command to get rule status.\n",
        ),
        (&["create", "rule", "-f", "r.json"], 1, "Creating a new rule from file r.json.\nExpect rule name.\n"),
        (&["create", "rule", "r9"], 1, "Expect rule name and json.\nBut found 1 args:[r9].\n"),
        (&["create", "rule", "r1", RULE], 1, "Create rule r1 error : rule r1 already exists.\n"),
        (&["create", "rule", "r9", RULE], 1, "Create rule  error : invalid rule json: RuleId is not consistent with rule id..\n"),
        (&["describe", "rule", "none"], 1, "Desc rule error : Rule none is not found..\n"),
        (&["describe", "rule"], 1, "Expect rule name.\n"),
        (&["describe", "rule", "a.b"], 1, "id 'a.b' contains invalid characters: only alphanumeric, hyphens and underscores are allowed\n"),
        (&["getstatus", "rule", "none"], 1, "Rule none is not found\n"),
        (&["gettopo", "rule", "none"], 1, "Rule none is not found\n"),
        (&["gettopo", "rule", "r2"], 1, "Fail to get rule r2's topo, make sure the rule has been started before\n"),
        (&["start", "rule", "r2"], 0, "Rule r2 was started\n"),
        (&["stop", "rule", "r1"], 0, "Rule r1 was stopped.\n"),
        (&["RESTART", "RULE", "r1"], 0, "Rule r1 was restarted.\n"),
        (&["start", "rule", "none"], 1, "Rule none is not found in registry, please check if it is created\n"),
        (&["drop", "rule", "r1"], 0, "Rule r1 is dropped.\n"),
        (&["drop", "rule", "none"], 1, "Drop rule error : rule none not found.\n"),
        (&["validate", "rule", "r1", RULE], 0, "The rule has been successfully validated and is confirmed to be correct.\n"),
        (&["validate", "rule", "r1", "{}"], 1, "invalid rule json: Rule r1 has neither sql nor graph.\n"),
        (&["import", "ruleset", "-f", "set.json"], 0, "imported 0 streams, 0 tables and 0 rules\n"),
        (&["import", "ruleset"], 1, "Required ruleset json file to import\n"),
        (&["import", "ruleset", "-f", "none"], 1, "fail to read file none: open none: no such file or directory\n"),
        (&["export", "ruleset", "out.json"], 0, "exported 1 streams, 1 tables and 2 rules\n"),
        (&["export", "ruleset"], 1, "Require exported file name.\n"),
        (&["import", "data"], 1, "Required configuration json file to import\n"),
        (&["import", "data", "-f", "set.json"], 1, "Expect s flag to be a boolean value.\n"),
        (&["import", "data", "-f", "set.json", "-s", "false"], 1, "Expect p flag to be a boolean value.\n"),
        (&["export", "data", "out.json"], 0, "export configuration success\n"),
        (&["export", "data"], 1, "Expect configuration file.\n"),
    ] {
        let (mut api, mut desk) = ready();
        assert_eq!(run(&mut api, &mut desk, args), (code, want.to_owned()), "{args:?}");
    }
}

#[test]
fn longer_answers() {
    for (args, words) in [
        (&["describe", "stream", "demo"][..], "a\tbigint\n\nDATASOURCE: /a\n"),
        (
            &["describe", "stream", "demo", "-json"],
            "{\n\t\"Fields\": [\n\t\t{\n\t\t\t\"Name\": \"a\",\n\t\t\t\"Type\": \"bigint\"\n\t\t}\n\t],\n\t\"Options\": {\n\t\t\"DATASOURCE:\": \"/a\",",
        ),
        (&["describe", "table", "--json", "tab"], "\"Fields\": null"),
        (&["describe", "rule", "r1"], "{\n  \"triggered\": true,\n  \"id\": \"r1\",\n  \"sql\": \"SELECT * FROM demo\","),
        (&["describe", "rule", "r1"], "\"lateTolerance\": \"1s\",\n    \"concurrency\": 1,\n    \"bufferLength\": 1024,"),
        (&["show", "rules"], "[\n  {\n    \"id\": \"r1\",\n    \"name\": \"r1\",\n    \"status\": \"running\","),
        (&["getstatus", "rule", "r1"], "{\n  \"status\": \"running\","),
        (&["getstatus", "import"], "{\n  \"streams\": {},"),
        (&["gettopo", "rule", "r1"], "{\n  \"sources\": [\n    \"source_demo\"\n  ],"),
        (&["import", "data", "-f", "set.json", "-s", "false", "-p", "true"], "{\n  \"ErrorMsg\": \"\","),
        (&["show", "streams", "--json"], "[\"demo\"]\n"),
        (&["stop", "rule", "r1", "--json"], "{\"message\":\"Rule r1 was stopped.\"}\n"),
        (&["help"], "Commands:"),
        (&["create"], "create stream DDL"),
    ] {
        let (mut api, mut desk) = ready();
        let (code, out) = run(&mut api, &mut desk, args);
        assert!(code == 0 && out.contains(words), "{args:?}: {code}\n{out}");
    }
}

#[test]
fn failures() {
    for (args, code, words) in [
        (&["frobnicate"][..], 2, "no command \"frobnicate\""),
        (&["create", "nothing"], 2, "No help topic for 'nothing'"),
        (&["describe", "stream"], 1, "Stream command error"),
        (&["drop", "stream"], 1, "Stream command error"),
        (&["create", "plugin", "source", "x", "{}"], 1, "not supported by pushgate"),
        (&["import", "ruleset", "-f", "bad.json"], 1, "stream x: "),
        (&["import", "data", "-f", "bad.json", "-s", "false", "-p", "true"], 1, "\"ErrorMsg\": \"process error\""),
        (&["start", "rule", "none", "--json"], 1, "{\"error\":\"Rule none is not found in registry"),
        (&["create", "stream", "-f"], 2, "expected a value"),
    ] {
        let (mut api, mut desk) = ready();
        let (got, out) = run(&mut api, &mut desk, args);
        assert!(got == code && (out.contains(words) || desk.err.contains(words)), "{args:?}: {got}\n{out}\n{}", desk.err);
    }
}

#[test]
fn a_dead_server() {
    struct Dead;
    impl Server for Dead {
        fn ask(&mut self, _: &Ask<'_>) -> Result<Reply, String> {
            Err("http://127.0.0.1:1: connection refused".into())
        }
    }
    let mut desk = Desk::default();
    let Invocation::Client(client) = invocation(&["show", "streams"]) else { panic!("a client verb") };
    assert_eq!(client.run(&mut Dead, &mut desk), 3);
    assert_eq!(desk.out, "Failed to connect the server, please start the server.\n");
}

#[test]
fn invocations() {
    let place = |config: Option<&str>, state: Option<&str>| Place { config: config.map(Into::into), state: state.map(Into::into) };
    assert_eq!(invocation(&[]), Invocation::Run { place: Place::default(), starter: true });
    assert_eq!(invocation(&["--state", "s"]), Invocation::Run { place: place(None, Some("s")), starter: true });
    assert_eq!(invocation(&["run", "--config", "c", "--state=s"]), Invocation::Run { place: place(Some("c"), Some("s")), starter: false });
    assert_eq!(invocation(&["check", "--show"]), Invocation::Check { place: Place::default(), show: true, ruleset: None });
    for args in [&["--help"][..], &["--version"], &["run", "--help"], &["create", "stream", "--help"], &["HELP", "-h"]] {
        assert!(matches!(invocation(args), Invocation::Print { code: 0, .. }), "{args:?}");
    }
    for args in [&["--nope"][..], &["run", "x"], &["--url"], &["show", "--url"], &["nope", "--help"], &["query", "--nope"]] {
        assert!(matches!(invocation(args), Invocation::Print { code: 2, .. }), "{args:?}");
    }
    assert!(matches!(invocation(&["query"]), Invocation::Client(client) if client.words == ["query"]));
    let Invocation::Query(query) = invocation(&["--config", "c", "QUERY", "SELECT 1 FROM a"]) else { panic!("a query") };
    assert_eq!((query.config.as_deref(), query.explain), (Some("c".as_ref()), false));
    let Invocation::Client(client) = invocation(&["--url", "http://h:1", "create", "stream", "demo'() with(x)'"]) else {
        panic!("a client verb")
    };
    assert_eq!((client.url.as_deref(), client.words.len()), (Some("http://h:1"), 3));
    let kuiper = parse(["/usr/bin/kuiper", "show", "streams"].map(OsString::from), Some("http://e".into()));
    assert!(matches!(kuiper, Invocation::Client(Client { as_kuiper: true, url: Some(_), .. })));
}

#[test]
fn the_prompt_runs_one_statement_after_the_other() {
    let (mut api, mut desk) = (Api(control()), Desk::default());
    assert_eq!(run(&mut api, &mut desk, &["create", "stream", DDL]).0, 0);
    desk.lines = vec!["", "SELECT a FROM demo", "SELECT * FROM none", "nonsense", "SELECT b FROM demo", " EXIT ", "SELECT c FROM demo"];
    let (code, out) = run(&mut api, &mut desk, &["query"]);
    let p = "kuiper > ";
    let submitted = "Query was submit successfully.\n";
    assert_eq!(code, 0);
    assert!(out.starts_with(&format!("{p}{p}{submitted}{p}fail to get stream none, please check if stream is created\n{p}")), "{out}");
    assert!(out.ends_with(&format!("is not a select statement.\n{p}{submitted}{p}")), "{out}");
    assert_eq!(desk.lines, ["SELECT c FROM demo"], "nothing is read behind the end");
    assert!(!api.0.has_trial("cli_query") && api.0.host.engine.runs.is_empty(), "what ran is ended");
    desk.lines = Vec::new();
    assert_eq!(run(&mut api, &mut desk, &["query"]), (0, p.to_owned()), "the end of the input ends it");
}

#[test]
fn extensions_that_nobody_has() {
    let (mut api, mut desk) = (Api(control()), Desk::default());
    for (args, code, words) in [
        (&["show", "plugins", "source"][..], 0, "No plugin is found."),
        (&["show", "plugins"], 1, "Expect plugin type."),
        (&["show", "plugins", "x"], 1, "Invalid plugin type x"),
        (&["show", "services"], 0, "No service definitions are found."),
        (&["show", "schemas", "protobuf"], 0, "No schema definitions are found."),
        (&["describe", "service", "x"], 1, "Desc service error : can't get the service x."),
        (&["drop", "service", "x"], 1, "Drop service error : x is not found."),
        (&["create", "plugin", "source", "x", "{}"], 1, "not supported by pushgate"),
    ] {
        let (got, out) = run(&mut api, &mut desk, args);
        assert!(got == code && out.contains(words), "{args:?}: {got} {out}");
    }
}
