//! The walk of `docs/from-ekuiper.md`: every command in its blocks is run, in order, and every block is known here.
//!
//! `old` is played by a server that gives out an export recorded from eKuiper and keeps what is sent back to it.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    os::unix::fs::symlink,
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Map, Value};

use crate::gate::{Gate, Scratch, finish, program, until};
use crate::http::Client;

const EXPORT: &str = include_str!("../data/move/ekuiper_export.json");
/// eKuiper's answer to an import that took everything.
const TAKEN: &str = r#"{"ErrorMsg":"","ConfigResponse":{"streams":{},"tables":{},"rules":{},"nativePlugins":{},"portablePlugins":{},"sourceConfig":{},"sinkConfig":{},"connectionConfig":{},"Service":{},"Schema":{},"uploads":{},"scripts":{}}}"#;

/// The eKuiper that is left, and returned to.
struct Old {
    addr: SocketAddr,
    /// Bodies of `POST /data/import`, each with its target.
    imports: Arc<Mutex<Vec<(String, String)>>>,
}

impl Old {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
        let old = Self { addr: listener.local_addr().expect("bound"), imports: Arc::default() };
        let imports = Arc::clone(&old.imports);
        // The thread ends with the test binary.
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut bytes = Vec::new();
                let mut chunk = [0; 4096];
                let (head, body) = loop {
                    let n = stream.read(&mut chunk).unwrap_or(0);
                    bytes.extend_from_slice(&chunk[..n]);
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let lower = head.to_ascii_lowercase();
                    let length = lower.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
                    if body.len() >= length || n == 0 {
                        break (head.to_owned(), body.to_owned());
                    }
                };
                let mut words = head.split(' ');
                let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_owned());
                let answer = match (method, target.split('?').next().unwrap_or_default()) {
                    ("GET", "/data/export") => EXPORT,
                    ("POST", "/data/import") => {
                        imports.lock().expect("no panic holds it").push((target, body));
                        TAKEN
                    }
                    _ => "404 page not found",
                };
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}", answer.len());
            }
        });
        old
    }
}

/// The lines of the page's `sh` blocks, each with the exit code that its remark names.
fn commands() -> Vec<(String, i32)> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/from-ekuiper.md")).expect("the page");
    let mut found = Vec::new();
    for block in page.split("```sh\n").skip(1) {
        for line in block.split("```").next().unwrap_or_default().lines().filter(|line| !line.trim().is_empty()) {
            let (line, code) = line.split_once("    # exit code ").unwrap_or((line, "0"));
            found.push((line.to_owned(), code.trim().parse().expect("a number")));
        }
    }
    found
}

/// The words of a line, as a shell splits it.
fn words(line: &str) -> Vec<String> {
    let (mut all, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            '\'' => (quoted, begun) = (!quoted, true),
            ' ' if !quoted => {
                if begun {
                    all.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        all.push(word);
    }
    all
}

struct Walk {
    scratch: Scratch,
    old: Old,
    gate: Option<Gate>,
}

impl Walk {
    fn step(&mut self, line: &str) -> (i32, String) {
        let line = line.replace("http://old:9081", &format!("http://{}", self.old.addr));
        let words = words(&line);
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["pushgate", "run", rest @ ..] => {
                self.gate = Some(Gate::spawn(program().current_dir(self.scratch.path("")).arg("run").args(rest)));
                (0, String::new())
            }
            ["pushgate", rest @ ..] => self.run(program().args(rest)),
            ["./kuiper", rest @ ..] => {
                let mut command = Command::new(self.scratch.path("kuiper"));
                command.env_clear().args(rest);
                self.run(&mut command)
            }
            ["ln", "-s", "/usr/bin/pushgate", name] => {
                symlink(env!("CARGO_BIN_EXE_pushgate"), self.scratch.path(name)).expect("a link");
                (0, String::new())
            }
            ["curl", "-X", method, "-d", body, url] => {
                let path = url.strip_prefix("http://127.0.0.1:10081").expect("the data port");
                let reply = Client::connect(self.gate.as_ref().expect("it runs").data()).ask(method, path, body);
                (i32::from(reply.status != 200), reply.body)
            }
            other => panic!("the page has a command that this test does not know: {other:?}"),
        }
    }

    fn run(&self, command: &mut Command) -> (i32, String) {
        command.current_dir(self.scratch.path(""));
        if let Some(gate) = &self.gate {
            command.env("PUSHGATE_URL", format!("http://{}", gate.management));
        }
        let (code, out, err) = finish(command);
        (code, out + &err)
    }
}

#[test]
fn every_command_of_the_page() {
    let scratch = Scratch::new();
    scratch.write("kuiper.yaml", include_str!("../data/config/kuiper.yaml"));
    let mut walk = Walk { scratch, old: Old::start(), gate: None };
    let mut said = Vec::new();
    for (line, want) in commands() {
        let (code, text) = walk.step(&line);
        assert_eq!(code, want, "{line}\n{text}");
        said.push((line, text));
    }
    let of = |start: &str| &said.iter().find(|(line, _)| line.starts_with(start)).unwrap_or_else(|| panic!("{start}")).1;
    // What the page says that they show.
    for line in ["stream demo: works", "rule hot: works with this difference: the rest sink retries what can heal, eKuiper drops it"] {
        assert!(of("pushgate check --ruleset").contains(line), "{}", of("pushgate check --ruleset"));
    }
    assert!(of("pushgate check --ruleset").contains("rule plant: not supported because source type mqtt not found"));
    assert!(of("pushgate check --config").contains("configuration: kuiper.yaml"));
    assert!(of("pushgate getstatus import").contains("\"plant\": "), "{}", of("pushgate getstatus import"));
    let shown: Value = serde_json::from_str(of("pushgate show rules")).expect("JSON");
    let rules: Vec<_> = shown.as_array().expect("a list").iter().map(|r| (r["id"].as_str(), r["status"].as_str())).collect();
    assert_eq!(rules, [(Some("avg"), Some("stopped")), (Some("hot"), Some("running"))]);
    assert!(of("./kuiper show streams").starts_with("Connecting to 127.0.0.1:"), "{}", of("./kuiper show streams"));
    assert!(of("./kuiper show streams").contains("demo\nplant"), "{}", of("./kuiper show streams"));
    assert!(of("./kuiper describe stream demo").contains("DATASOURCE: /api/data"));
    let gate = walk.gate.as_ref().expect("it ran");
    until("the reading is counted", || gate.status("hot")["source_demo_0_records_in_total"] == 1);
    // What goes back is what came, but for the rule that could not be taken.
    let imports = walk.old.imports.lock().expect("no panic holds it");
    let [(target, body)] = imports.as_slice() else { panic!("{} imports", imports.len()) };
    assert!(target.contains("partial=0"), "{target}");
    let body: Value = serde_json::from_str(body).expect("JSON");
    let mut want: Value = serde_json::from_str(EXPORT).expect("JSON");
    want["rules"].as_object_mut().expect("rules").remove("plant");
    assert_eq!(serde_json::from_str::<Value>(body["content"].as_str().expect("a text")).expect("JSON"), want);
}

/// Definitions made here, exported, have the shape in which eKuiper writes and reads them: the members of the recorded export in their
/// order, statements as texts, rules, conf keys and connections as texts that hold JSON.
#[test]
fn an_export_has_ekuipers_shape() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/api/data");
    gate.sql(r#"CREATE TABLE devices (id STRING) WITH (DATASOURCE="/devices", FORMAT="json", TYPE="httppush", RETAIN_SIZE="10")"#);
    gate.tell("PUT", "/metadata/sources/httppush/confKeys/puts", r#"{"method":"PUT"}"#);
    gate.tell("POST", "/connections", r#"{"id":"c1","typ":"httppush","props":{"method":"POST","datasource":"/c"}}"#);
    let text = r#"{"id": "hot",  "sql": "SELECT * FROM demo WHERE t > 50", "actions": [{"log": {}}], "options": {"qos": 1, "windowFull": "drop_oldest"}}"#;
    gate.tell("POST", "/rules", text);
    gate.tell("POST", "/rules", r#"{"id":"gone","sql":"SELECT * FROM demo","actions":[{"nop":{}}],"temp":true}"#);
    let all = gate.tell("GET", "/data/export", "");
    let order = |text: &str| -> Vec<usize> {
        let keys: Map<String, Value> = serde_json::from_str(EXPORT).expect("JSON");
        let mut at: Vec<usize> =
            keys.keys().map(|key| text.find(&format!("\"{key}\":{{")).unwrap_or_else(|| panic!("{key}: {text}"))).collect();
        at.sort_unstable();
        at
    };
    let names = |text: &str| -> Vec<String> {
        order(text).iter().map(|at| text[at + 1..].split('"').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(names(&all), names(EXPORT), "the members in their order");
    let all: Map<String, Value> = serde_json::from_str(&all).expect("JSON");
    for (section, entries) in &all {
        for (name, entry) in entries.as_object().unwrap_or_else(|| panic!("{section}")) {
            let text = entry.as_str().unwrap_or_else(|| panic!("{section}.{name} is no text"));
            match section.as_str() {
                "streams" => assert!(text.starts_with("CREATE STREAM "), "{text}"),
                "tables" => assert!(text.starts_with("CREATE TABLE "), "{text}"),
                _ => assert!(serde_json::from_str::<Map<String, Value>>(text).is_ok(), "{section}.{name}: {text}"),
            }
        }
    }
    assert_eq!(all["rules"]["hot"].as_str(), Some(text), "byte for byte as it came");
    assert!(all["rules"].get("gone").is_none(), "a temporary rule stays");
    let keys: Value = serde_json::from_str(all["sourceConfig"]["httppush"].as_str().expect("a text")).expect("JSON");
    assert_eq!(keys["puts"]["method"], "PUT");
    // The ruleset has the first three members, and /data/export of some rules what these need.
    let ruleset: Map<String, Value> = serde_json::from_str(&gate.tell("POST", "/ruleset/export", "")).expect("JSON");
    assert_eq!(ruleset.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(["rules", "streams", "tables"]));
    let some: Map<String, Value> = serde_json::from_str(&gate.tell("POST", "/data/export", r#"["hot"]"#)).expect("JSON");
    assert!(some["streams"].get("demo").is_some() && some["tables"].as_object().is_some_and(Map::is_empty), "{some:?}");
}

#[test]
fn the_recorded_export_goes_through_unchanged() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    let mut want: Value = serde_json::from_str(EXPORT).expect("JSON");
    for (section, name) in [("rules", "plant"), ("streams", "plant")] {
        want[section].as_object_mut().expect("a section").remove(name);
    }
    let body = serde_json::json!({"content": want.to_string()}).to_string();
    gate.tell("POST", "/data/import", &body);
    let got: Value = serde_json::from_str(&gate.tell("GET", "/data/export", "")).expect("JSON");
    assert_eq!(got, want);
}
