//! The client verbs: each asks the management API and prints what eKuiper's command line prints.

use serde_json::{Value, json};

use super::{Ask, Client, Outside, Reply, Server, help};
use crate::catalog::text::{go_json_indented, html_unescape, indent};
use crate::json::words::complaint;
use crate::sql::ddl::check_id;

/// How a command ended.
type Done = Result<String, Failure>;

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    /// The server, or the arguments: eKuiper prints these to standard output.
    Told(String),
    /// Words that mean nothing: to standard error, with a hint.
    Words(String),
    /// No server.
    Unreachable(String),
}

impl Client {
    /// Runs the verb. Gives the exit code.
    pub fn run(&self, server: &mut dyn Server, outside: &mut dyn Outside) -> u8 {
        if let (true, Some(url)) = (self.as_kuiper, &self.url) {
            let address = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            outside.print(&format!("Connecting to {address}... \n"));
        }
        let mut session = Session { server, outside, json: self.json };
        match session.verb(&self.words) {
            Ok(text) => {
                let text = if self.json && serde_json::from_str::<Value>(&text).is_err() {
                    format!("{}\n", json!({"message": text.trim_end()}))
                } else {
                    text
                };
                session.outside.print(&text);
                0
            }
            Err(Failure::Told(text)) => {
                let text = if self.json { json!({"error": text.trim_end()}).to_string() } else { text };
                session.outside.print(&format!("{}\n", text.trim_end_matches('\n')));
                1
            }
            Err(Failure::Words(text)) => {
                session.outside.complain(&text);
                2
            }
            Err(Failure::Unreachable(why)) => {
                session.outside.print("Failed to connect the server, please start the server.\n");
                session.outside.complain(&format!("{why}\n"));
                3
            }
        }
    }
}

struct Session<'s> {
    server: &'s mut dyn Server,
    outside: &'s mut dyn Outside,
    json: bool,
}

/// Words behind verb and noun, with the flags among them taken out.
struct Words {
    plain: Vec<String>,
    flags: Vec<(String, String)>,
}

impl Words {
    /// `names`: flags that take a value, each by its short and long word.
    fn of(words: &[String], names: &[(&str, &str)]) -> Result<Self, Failure> {
        let (mut plain, mut flags) = (Vec::new(), Vec::new());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let name = word.trim_start_matches('-');
            let flag = word.starts_with('-').then(|| names.iter().find(|(short, long)| name == *short || name == *long)).flatten();
            match flag {
                Some((short, long)) => {
                    let value = words.next().ok_or_else(|| Failure::Words(format!("{word}: expected a value ({long})\n")))?;
                    flags.push(((*short).to_owned(), value.clone()));
                }
                None => plain.push(word.clone()),
            }
        }
        Ok(Self { plain, flags })
    }

    fn flag(&self, short: &str) -> Option<&str> {
        self.flags.iter().find(|(name, _)| name == short).map(|(_, value)| value.as_str())
    }
}

const FILE: (&str, &str) = ("f", "file");

impl Session<'_> {
    fn verb(&mut self, words: &[String]) -> Done {
        let verb = words.first().map(|w| w.to_ascii_lowercase()).unwrap_or_default();
        let noun = words.get(1).map(|w| w.to_ascii_lowercase()).unwrap_or_default();
        let rest = words.get(2..).unwrap_or_default();
        match (verb.as_str(), noun.as_str()) {
            ("help", "") => Ok(help::general()),
            ("help", word) => help::of(word).ok_or_else(|| unknown(word)),
            (verb, "") if verb != "query" && help::of(verb).is_some() => Ok(help::of(verb).unwrap_or_default()),
            ("create", "stream" | "table") => self.create_source(&noun, rest),
            ("create", "rule") => self.create_rule(rest),
            ("show", "streams" | "tables") => self.show_sources(&noun),
            ("show", "rules") => self.show_rules(),
            ("describe", "stream" | "table") => self.describe_source(&noun, rest),
            ("describe", "rule") => {
                let id = one_rule(rest)?;
                let text = self
                    .get(&format!("/rules/{id}?options=all"))
                    .map_err(|f| f.reworded("Describe rule error: ", |m| format!("Desc rule error : {m}.")))?;
                Ok(format!("{}\n\n", indent(&text, "  ")))
            }
            ("drop", "stream" | "table") => self.ddl(&format!("DROP {} {}", noun.to_ascii_uppercase(), rest.join(" "))),
            ("drop", "rule") => {
                let id = one_rule(rest)?;
                self.ask("DELETE", &format!("/rules/{id}"), "")
                    .map_err(|f| f.reworded("Delete rule error: ", |m| format!("Drop rule error : {m}.")))
                    .map(line)
            }
            ("start" | "stop" | "restart", "rule") => {
                let id = one_rule(rest)?;
                let done = self
                    .ask("POST", &format!("/rules/{id}/{verb}"), "")
                    .map_err(|f| f.reworded(&format!("{verb} rule error: "), str::to_owned))?;
                Ok(line(if verb == "restart" { format!("{done}.") } else { done }))
            }
            ("validate", "rule") => self.validate_rule(rest),
            ("getstatus", "rule") => {
                let id = one_rule(rest)?;
                self.get(&format!("/rules/{id}/status")).map_err(|f| f.reworded("get rule status error: ", str::to_owned)).map(line)
            }
            ("getstatus", "import") => self.get("/data/import/status").map(|text| line(indent(&text, "  "))),
            ("gettopo", "rule") => {
                let id = one_rule(rest)?;
                let text = self.get(&format!("/rules/{id}/topo")).map_err(|f| f.reworded("get rule topo error: ", str::to_owned))?;
                Ok(line(indent(&text, "  ")))
            }
            ("import", "ruleset") => self.import_ruleset(rest),
            ("export", "ruleset") => self.export_ruleset(rest),
            ("import", "data") => self.import_data(rest),
            ("export", "data") => self.export_data(rest),
            ("show" | "describe" | "drop", noun) if is_extension(noun) => extension(&verb, noun, rest),
            ("create" | "register", noun) if is_extension(noun) => {
                Err(Failure::Told(format!("{noun}: not supported by pushgate, sources, sinks and functions are built in")))
            }
            ("query", "") => self.prompt(),
            (verb, noun) if help::of(verb).is_some() => {
                Err(Failure::Words(format!("No help topic for '{noun}'\n\n{}", help::of(verb).unwrap_or_default())))
            }
            (verb, _) => Err(unknown(verb)),
        }
    }

    /// Statements line by line, each run as a trial in place of the one before; rows are printed as they come.
    fn prompt(&mut self) -> Done {
        const TRIAL: &str = "cli_query";
        let mut running = false;
        loop {
            self.outside.print("kuiper > ");
            let Some(text) = self.outside.read_line() else { break };
            let sql = text.trim();
            if sql.eq_ignore_ascii_case("quit") || sql.eq_ignore_ascii_case("exit") {
                break;
            }
            if sql.is_empty() {
                continue;
            }
            let trial = json!({"id": TRIAL, "sql": sql}).to_string();
            let submitted = self.ask("POST", "/ruletest", &trial).and_then(|_| self.ask("POST", &format!("/ruletest/{TRIAL}/start"), ""));
            match submitted {
                Ok(_) => {
                    running = true;
                    self.outside.print("Query was submit successfully.\n");
                    if let Err(why) = self.server.follow(&format!("/test/{TRIAL}")) {
                        self.outside.complain(&format!("{why}\n"));
                    }
                }
                Err(Failure::Told(message)) => {
                    let bare = message.strip_prefix("fail to run rule cli_query: ").unwrap_or(&message);
                    self.outside.print(&format!("{bare}\n"));
                }
                Err(other) => return Err(other),
            }
        }
        if running {
            self.ask("DELETE", &format!("/ruletest/{TRIAL}"), "")?;
        }
        Ok(String::new())
    }

    /// Sends a DDL statement. Success prints the text and a blank line, as eKuiper's command line does.
    fn ddl(&mut self, sql: &str) -> Done {
        let text = self.ask("POST", "/streams", &json!({ "sql": sql }).to_string())?;
        Ok(format!("{}\n\n", html_unescape(&text)))
    }

    fn create_source(&mut self, noun: &str, rest: &[String]) -> Done {
        let words = Words::of(rest, &[FILE])?;
        let ddl = match words.flag("f") {
            Some(file) => self.definition(file, noun)?,
            None => words.plain.join(" "),
        };
        self.ddl(&format!("CREATE {} {ddl}", noun.to_ascii_uppercase()))
    }

    /// Text of a definition file, announced as eKuiper announces it.
    fn definition(&mut self, file: &str, noun: &str) -> Done {
        match self.outside.read_file(file) {
            Ok(text) => {
                if !self.json {
                    self.outside.print(&format!("Creating a new {noun} from file {file}.\n"));
                }
                Ok(text)
            }
            // eKuiper's spelling; scripts may look for it.
            Err(why) if why.contains("no such file") => {
                Err(Failure::Told(format!("The specified {noun} defenition file {file} is not existed.")))
            }
            Err(why) => Err(Failure::Told(format!("Failed to read from {noun} definition file {file}: {why}."))),
        }
    }

    fn show_sources(&mut self, noun: &str) -> Done {
        if self.json {
            return self.get(&format!("/{noun}")).map(line);
        }
        self.ddl(&format!("SHOW {}", noun.to_ascii_uppercase()))
    }

    fn describe_source(&mut self, noun: &str, rest: &[String]) -> Done {
        let text = self.ddl(&format!("DESCRIBE {} {}", noun.to_ascii_uppercase(), rest.join(" ")))?;
        Ok(if self.json { line(described_as_json(&text)) } else { text })
    }

    /// Name and JSON of a rule, given as words or with `-f`.
    fn named_rule(&mut self, rest: &[String]) -> Result<(String, String), Failure> {
        let words = Words::of(rest, &[FILE])?;
        if let Some(file) = words.flag("f") {
            let text = self.definition(file, "rule")?;
            let [name] = words.plain.as_slice() else { return Err(Failure::Told("Expect rule name.".to_owned())) };
            return Ok((name.clone(), text));
        }
        match words.plain.as_slice() {
            [name, text] => Ok((name.clone(), text.clone())),
            other => {
                let found = other.join(" ");
                Err(Failure::Told(format!("Expect rule name and json.\nBut found {} args:[{found}].", other.len())))
            }
        }
    }

    fn create_rule(&mut self, rest: &[String]) -> Done {
        let (name, text) = self.named_rule(rest)?;
        let told = |message: &str| {
            // eKuiper knows no id when the text could not be read.
            let id = if message.starts_with("invalid rule json") { "" } else { name.as_str() };
            format!("Create rule {id} error : {message}.")
        };
        self.ask("POST", &format!("/rules?id={}", encode(&name)), &text).map_err(|f| f.reworded("", told))?;
        Ok(line(format!("Rule {name} was created successfully, please use 'bin/kuiper getstatus rule {name}' command to get rule status.")))
    }

    fn validate_rule(&mut self, rest: &[String]) -> Done {
        let (name, text) = self.named_rule(rest)?;
        self.ask("POST", &format!("/rules/validate?id={}", encode(&name)), &text)?;
        Ok(line("The rule has been successfully validated and is confirmed to be correct.".to_owned()))
    }

    fn show_rules(&mut self) -> Done {
        let text = self.get("/rules")?;
        if text == "[]" && !self.json {
            return Ok(line("No rule definitions are found.".to_owned()));
        }
        Ok(line(indent(&text, "  ")))
    }

    /// Text of an import file.
    fn import_file(&mut self, words: &Words, what: &str) -> Done {
        let Some(file) = words.flag("f") else { return Err(Failure::Told(format!("Required {what} json file to import"))) };
        self.outside.read_file(file).map_err(|why| Failure::Told(format!("fail to read file {file}: open {file}: {why}")))
    }

    fn import_ruleset(&mut self, rest: &[String]) -> Done {
        let words = Words::of(rest, &[FILE])?;
        let content = self.import_file(&words, "ruleset")?;
        let told = |message: &str| message.replacen("Import ruleset error", "import ruleset error", 1);
        let text = self.ask("POST", "/ruleset/import", &json!({ "content": content }).to_string()).map_err(|f| f.reworded("", told))?;
        // Further lines are what was not taken.
        if text.contains('\n') { Err(Failure::Told(text)) } else { Ok(line(text)) }
    }

    fn export_ruleset(&mut self, rest: &[String]) -> Done {
        let Some(file) = rest.first() else { return Err(Failure::Told("Require exported file name.".to_owned())) };
        let text = self.ask("POST", "/ruleset/export", "")?;
        self.write(file, &text)?;
        let set: Value = serde_json::from_str(&text).unwrap_or_default();
        let count = |section: &str| set.get(section).and_then(Value::as_object).map_or(0, serde_json::Map::len);
        Ok(line(format!("exported {} streams, {} tables and {} rules", count("streams"), count("tables"), count("rules"))))
    }

    fn import_data(&mut self, rest: &[String]) -> Done {
        let words = Words::of(rest, &[FILE, ("s", "stop"), ("p", "partial")])?;
        if words.flag("f").is_none() {
            return Err(Failure::Told("Required configuration json file to import".to_owned()));
        }
        for flag in ["s", "p"] {
            if !matches!(words.flag(flag), Some("true" | "false")) {
                return Err(Failure::Told(format!("Expect {flag} flag to be a boolean value.")));
            }
        }
        let content = self.import_file(&words, "configuration")?;
        let number = |flag: &str| u8::from(words.flag(flag) == Some("true"));
        let target = format!("/data/import?partial={}&stop={}", number("p"), number("s"));
        match self.ask("POST", &target, &json!({ "content": content }).to_string()) {
            Ok(text) => Ok(line(indent(&text, "  "))),
            // What could not be taken comes as the text of the error.
            Err(Failure::Told(message)) if message.starts_with('{') => {
                Err(Failure::Told(indent(&format!("{{\"ErrorMsg\":\"process error\",\"ConfigResponse\":{message}}}"), "  ")))
            }
            Err(failure) => Err(failure),
        }
    }

    fn export_data(&mut self, rest: &[String]) -> Done {
        let words = Words::of(rest, &[("r", "rules")])?;
        let rules = words.flag("r").unwrap_or("");
        if !rules.is_empty() && serde_json::from_str::<Vec<String>>(rules).is_err() {
            let why = complaint(rules, false).unwrap_or_else(|| "expected a JSON array of rule ids".to_owned());
            return Err(Failure::Told(format!("rules {rules} unmarshal error {why}")));
        }
        let [file] = words.plain.as_slice() else { return Err(Failure::Told("Expect configuration file.".to_owned())) };
        let some = !rules.is_empty() && rules.trim() != "[]";
        let text = if some { self.ask("POST", "/data/export", rules)? } else { self.get("/data/export")? };
        self.write(file, &text)?;
        Ok(line("export configuration success".to_owned()))
    }

    fn write(&mut self, file: &str, text: &str) -> Result<(), Failure> {
        self.outside.write_file(file, text).map_err(|why| Failure::Told(format!("fail to save to file {file}: {why}")))
    }

    fn get(&mut self, target: &str) -> Done {
        self.ask("GET", target, "")
    }

    /// The body of a success, or the message of a refusal.
    fn ask(&mut self, method: &str, target: &str, body: &str) -> Done {
        let ask = Ask { method, target, body: body.as_bytes() };
        let Reply { status, body } = self.server.ask(&ask).map_err(Failure::Unreachable)?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let error: Value = serde_json::from_str(&body).unwrap_or_default();
        let message = error.get("message").and_then(Value::as_str);
        let text = body.trim();
        Err(Failure::Told(match message {
            Some(message) => message.to_owned(),
            None if text.is_empty() => format!("the server answered {status}"),
            None => text.to_owned(),
        }))
    }
}

impl Failure {
    /// The server's message without `prefix`, in other words; one about a bad id stays as it is.
    fn reworded(self, prefix: &str, words: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Told(message) => {
                let bare = message.strip_prefix(prefix).unwrap_or(&message);
                Self::Told(if bare.starts_with("id '") { bare.to_owned() } else { words(bare) })
            }
            other => other,
        }
    }
}

/// The id of a verb that takes exactly one.
fn one_rule(rest: &[String]) -> Result<String, Failure> {
    let [id] = rest else { return Err(Failure::Told("Expect rule name.".to_owned())) };
    check_id(id).map_err(Failure::Told)?;
    Ok(id.clone())
}

fn line(mut text: String) -> String {
    text.push('\n');
    text
}

fn unknown(word: &str) -> Failure {
    Failure::Words(format!("pushgate: no command {word:?}\n\n{}", help::general()))
}

/// eKuiper's nouns for what is loaded into it.
fn is_extension(noun: &str) -> bool {
    let one = noun.strip_suffix('s').unwrap_or(noun);
    matches!(one, "plugin" | "service" | "service_func" | "schema" | "script" | "udf")
}

/// What eKuiper says of extensions when it has none; it never has one here.
fn extension(verb: &str, noun: &str, rest: &[String]) -> Done {
    let first = rest.first().map_or("", String::as_str);
    let second = rest.get(1).map_or("", String::as_str);
    let told = |text: String| Err(Failure::Told(text));
    match (verb, noun.strip_suffix('s').unwrap_or(noun)) {
        ("show", "plugin") => match first {
            "" => told("Expect plugin type.".to_owned()),
            "portable" => Ok(line("[]".to_owned())),
            "source" | "sink" | "function" | "wasm" => Ok(line("No plugin is found.".to_owned())),
            other => {
                told(format!("Invalid plugin type {other}, should be \"source\", \"sink\", \"function\" or \"portable\" or \"wasm\"."))
            }
        },
        ("show", "service" | "service_func") => Ok(line("No service definitions are found.".to_owned())),
        ("show", "schema") if first.is_empty() => told("Expect schema type.".to_owned()),
        ("show", "schema") => Ok(line("No schema definitions are found.".to_owned())),
        ("show", "udf") => Ok(line("No udf is found.".to_owned())),
        ("describe", "plugin") => told("Describe plugin error: not found".to_owned()),
        ("describe", "service") => told(format!("Desc service error : can't get the service {first}.")),
        ("describe", "service_func") => told(format!("Desc service func error : can't get the service function {first}.")),
        ("describe", "schema") => told(format!("Desc schema error : schema type {first} id {second} not found in registry.")),
        ("describe", "udf") => told("Describe udf error: not found".to_owned()),
        ("drop", "plugin") => told(format!("Drop plugin error: invalid name {second}: not exist")),
        ("drop", "service") => told(format!("Drop service error : {first} is not found.")),
        ("drop", "schema") => told(format!("Drop schema error : schema {first}.{second} not found.")),
        _ => told(format!("{noun}: not supported by pushgate, sources, sinks and functions are built in")),
    }
}

/// A description as JSON: names of options keep their colon, as eKuiper leaves it.
fn described_as_json(text: &str) -> String {
    let body = text.split_once('\n').map_or("", |(_, rest)| rest);
    let body = body.split_once('\n').map_or("", |(_, rest)| rest);
    let (fields, options) = body.split_once("\n\n").unwrap_or(("", body.trim_start_matches('\n')));
    let fields: Vec<Value> = fields
        .lines()
        .filter_map(|field| {
            let parts: Vec<&str> = field.split('\t').collect();
            let (name, typ) = (parts.first()?, parts.get(1)?);
            Some(match parts.get(3) {
                Some(default) => json!({"Name": name, "Type": typ, "DefaultClause": default}),
                None => json!({"Name": name, "Type": typ}),
            })
        })
        .collect();
    let options: serde_json::Map<String, Value> =
        options.lines().filter_map(|option| option.split_once(' ')).map(|(name, value)| (name.to_owned(), value.into())).collect();
    let fields = if fields.is_empty() { Value::Null } else { Value::Array(fields) };
    go_json_indented(&json!({"Fields": fields, "Options": options}), "\t")
}

/// Text as a query value.
fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
