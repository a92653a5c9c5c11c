//! What `--help` and `--version` print.

use core::fmt::Write as _;

/// One command: its words, what it does, an example.
struct Command {
    words: &'static str,
    does: &'static str,
    example: &'static str,
}

const fn command(words: &'static str, does: &'static str, example: &'static str) -> Command {
    Command { words, does, example }
}

const COMMANDS: &[Command] = &[
    command("run [--config FILE] [--state DIR]", "run the gateway", "pushgate run --state ./state"),
    command("check [--config FILE] [--state DIR] [--show]", "validate configuration and stored definitions", "pushgate check --show"),
    command("check --ruleset FILE", "say what of an eKuiper export works here", "pushgate check --ruleset ekuiper_export.json"),
    command("query", "a prompt: statements over a server's streams, rows as they come", "pushgate query"),
    command(
        "query SQL [FILE] | query -f SQLFILE [FILE]",
        "run a statement over events from a file or standard input, without a server",
        "pushgate query 'SELECT device, avg(t) AS t FROM demo GROUP BY device, TUMBLINGWINDOW(mi, 1)' --event-time ts events.jsonl\n\n    \
         Rows go to standard output, a line each; what is refused or fails to standard error.\n    \
         --event-time FIELD     time comes from the events: this field holds it\n    \
         --every DURATION       without it: time between two events (default 0: all at one moment)\n    \
         --format FORMAT        of the rows: json (default), delimited, urlencoded, binary\n    \
         --input-format FORMAT  of the events, for sources without a definition (default json)\n    \
         --stream DDL           CREATE STREAM or CREATE TABLE; a source without one is JSON without columns\n    \
         --input NAME=FILE      events of one source, when the statement has several\n    \
         --props JSON           properties of the sink that prints: {\"dataTemplate\": ..}\n    \
         --options JSON         options of the rule: {\"lateTolerance\": \"5s\"}\n    \
         --at MS                the wall clock at the start\n    \
         --keep-open            do not let time run on at the end of the input to close what is open\n    \
         --explain [--json]     print the plan and what each step may hold in memory, and do not run it",
    ),
    command(
        "explain FILE|- [--from ADDR] [--certificate FILE] [--config FILE] [--state DIR]",
        "say what would become of a request, decision by decision, without a server",
        "pushgate explain request.http --state ./state",
    ),
    command(
        "credential new [--name NAME] [--password|--hmac]",
        "make a token, a password's hash (from standard input) or an HMAC key",
        "pushgate credential new --name press-7",
    ),
    command(
        "create stream DDL | -f FILE",
        "define what sensors push and where",
        r#"pushgate create stream 'demo () WITH (DATASOURCE="/api/data", FORMAT="json", TYPE="httppush")'"#,
    ),
    command(
        "create table DDL | -f FILE",
        "define a table of last readings",
        r#"pushgate create table 'devices (id STRING) WITH (DATASOURCE="/devices", TYPE="httppush", RETAIN_SIZE="100")'"#,
    ),
    command(
        "create rule ID JSON | ID -f FILE",
        "run SQL over streams and send the rows on",
        r#"pushgate create rule hot '{"sql": "SELECT * FROM demo WHERE temperature > 50", "actions": [{"log": {}}]}'"#,
    ),
    command("show streams|tables|rules", "list what is defined", "pushgate show rules"),
    command("describe stream|table NAME [--json]", "columns and options", "pushgate describe stream demo"),
    command("describe rule ID", "a rule with its options filled in", "pushgate describe rule hot"),
    command("drop stream|table|rule NAME", "remove a definition", "pushgate drop rule hot"),
    command("start|stop|restart rule ID", "change what runs", "pushgate stop rule hot"),
    command("validate rule ID JSON | ID -f FILE", "check a rule without creating it", "pushgate validate rule hot -f hot.json"),
    command("getstatus rule ID", "state and counters of a rule", "pushgate getstatus rule hot"),
    command("gettopo rule ID", "the operators of a rule", "pushgate gettopo rule hot"),
    command("import ruleset -f FILE", "take streams, tables and rules from a file", "pushgate import ruleset -f ruleset.json"),
    command("export ruleset FILE", "write them to a file", "pushgate export ruleset ruleset.json"),
    command(
        "import data -f FILE -s false -p true|false",
        "take a whole export (-p true: over what is there)",
        "pushgate import data -f all.json -s false -p true",
    ),
    command("export data FILE [-r '[\"ID\"]']", "write everything, or what some rules need", "pushgate export data all.json"),
    command("getstatus import", "what the last import could not take", "pushgate getstatus import"),
];

/// `pushgate --help`.
#[must_use]
pub fn general() -> String {
    let mut out = String::from(
        "pushgate: an HTTP push gateway. Sensors POST readings, SQL rules pick and shape them, sinks send them on.\n\n\
         Start it, define a stream and a rule, push, and see the row in the log:\n\n  \
         pushgate run\n  \
         pushgate create stream 'demo () WITH (DATASOURCE=\"/api/data\", FORMAT=\"json\", TYPE=\"httppush\")'\n  \
         pushgate create rule hot '{\"sql\": \"SELECT * FROM demo WHERE temperature > 50\", \"actions\": [{\"log\": {}}]}'\n  \
         curl -d '{\"temperature\": 80}' http://127.0.0.1:10081/api/data\n\n\
         Without a command pushgate runs with a starter stream and rule, when nothing is defined yet.\n\nCommands:\n",
    );
    for c in COMMANDS {
        let _ = writeln!(out, "  {:<46} {}", c.words, c.does);
    }
    out.push_str(
        "\nOptions:\n  \
         --url URL      management port to talk to (else PUSHGATE_URL, else client.yaml, else the configured address)\n  \
         --cacert FILE  certificates to trust when it speaks https; --insecure: any will do\n  \
         --json         answers as JSON\n  \
         --config FILE  configuration (else /etc/pushgate/pushgate.yaml, else what is built in)\n  \
         --state DIR    where definitions are kept\n  \
         PUSHGATE_TOKEN (a variable) holds the token, where the server asks for one\n  \
         -V, --version\n  \
         -h, --help     also behind a command: pushgate create --help\n\n\
         Command words may be written in any letter case. The exit code is 0 only on success.\n",
    );
    out
}

/// The help of one verb; `None` for a word that is none.
#[must_use]
pub fn of(verb: &str) -> Option<String> {
    let verb = verb.to_ascii_lowercase();
    let verb = if verb == "help" { return Some(general()) } else { verb };
    let of_verb: Vec<&Command> = COMMANDS.iter().filter(|c| first_words(c).any(|word| word == verb)).collect();
    if of_verb.is_empty() {
        return None;
    }
    let mut out = String::new();
    for c in of_verb {
        let _ = writeln!(out, "pushgate {}\n    {}\n    e.g. {}\n", c.words, c.does, c.example);
    }
    Some(out)
}

/// The verbs of a command (`start|stop|restart rule ID` has three).
fn first_words(command: &Command) -> impl Iterator<Item = &'static str> {
    command.words.split(' ').next().unwrap_or("").split('|')
}

/// `pushgate --version`.
#[must_use]
pub fn version() -> String {
    format!("pushgate {}\n", env!("CARGO_PKG_VERSION"))
}
