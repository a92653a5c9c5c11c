//! The words of `pushgate query`, sorted.

use core::time::Duration;
use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt as _};
use serde_json::{Map, Value};

use super::{Invocation, help, path, say, text};
use crate::encode::Format;
use crate::time::{duration_ms, parse_duration};

/// What `pushgate query` was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryArgs {
    /// `--config`: conf keys and limits.
    pub config: Option<PathBuf>,
    /// The statement, or where it is read from.
    pub sql: Statement,
    /// Files of events, each for the source named, or for the only one.
    pub inputs: Vec<(Option<String>, PathBuf)>,
    /// `--stream`: definitions.
    pub definitions: Vec<String>,
    /// `--event-time`: the field of an event's time.
    pub event_time: Option<String>,
    /// `--input-format`: FORMAT of sources without a definition.
    pub input_format: Option<Format>,
    /// Properties of the sink that prints; `--format` is one of them.
    pub props: Map<String, Value>,
    /// `--options`: options of the rule.
    pub options: Map<String, Value>,
    /// `--every`: time between two events.
    pub every: Duration,
    /// `--at`: the wall clock at the start, in ms since the epoch.
    pub at_ms: Option<i64>,
    /// `--explain`: print the plan and do not run it.
    pub explain: bool,
    /// `--json`: the plan as JSON.
    pub json: bool,
    /// `--keep-open`: what is open at the end of the input is not printed.
    pub keep_open: bool,
}

/// Where the statement stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// In the arguments.
    Text(String),
    /// In a file: `-f`.
    File(PathBuf),
}

impl Default for Statement {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// Sorts the words behind `query`.
pub(super) fn sort(mut parser: Parser, config: Option<PathBuf>) -> Result<Invocation, String> {
    let mut args = QueryArgs { config, ..QueryArgs::default() };
    args.props.insert("sendSingle".to_owned(), true.into());
    let (mut sql, mut format) = (None, None);
    while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
        match arg {
            Arg::Long("config") | Arg::Short('c') => args.config = Some(path(&mut parser)?),
            Arg::Short('f') | Arg::Long("file") => sql = Some(Statement::File(path(&mut parser)?)),
            Arg::Long("stream" | "table") => args.definitions.push(text(&mut parser)?),
            Arg::Long("input") | Arg::Short('i') => args.inputs.push(input(&parser.value().map_err(|e| e.to_string())?)?),
            Arg::Long("event-time") => args.event_time = Some(text(&mut parser)?),
            Arg::Long("format") => format = Some(format_of("--format", &text(&mut parser)?)?),
            Arg::Long("input-format") => args.input_format = Some(format_of("--input-format", &text(&mut parser)?)?),
            Arg::Long("props") => args.props.extend(object("--props", &text(&mut parser)?)?),
            Arg::Long("options") => args.options.extend(object("--options", &text(&mut parser)?)?),
            Arg::Long("every") => args.every = duration(&text(&mut parser)?)?,
            Arg::Long("at") => {
                let given = text(&mut parser)?;
                args.at_ms = Some(given.parse().map_err(|_| format!("--at: expected milliseconds since 1970, found {given:?}"))?);
            }
            Arg::Long("explain") => args.explain = true,
            Arg::Long("json") => args.json = true,
            Arg::Long("keep-open") => args.keep_open = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(say(help::of("query").unwrap_or_default())),
            Arg::Value(word) if sql.is_none() => sql = Some(Statement::Text(word.string().map_err(|e| e.to_string())?)),
            Arg::Value(word) => args.inputs.push((None, PathBuf::from(word))),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if let Some(format) = format {
        args.props.insert("format".to_owned(), format.name().into());
    }
    args.sql = sql.ok_or("query: expected a statement: pushgate query 'SELECT a FROM demo' events.jsonl")?;
    if args.inputs.iter().filter(|(name, _)| name.is_none()).count() > 1 {
        return Err("query: expected one file, or --input NAME=FILE for each source".to_owned());
    }
    Ok(Invocation::Query(Box::new(args)))
}

/// `NAME=FILE`, or a file.
fn input(word: &OsString) -> Result<(Option<String>, PathBuf), String> {
    let given = word.to_str().ok_or_else(|| format!("--input {}: expected UTF-8", word.display()))?;
    Ok(match given.split_once('=') {
        Some((name, file)) if !name.is_empty() && !name.contains('/') => (Some(name.to_owned()), PathBuf::from(file)),
        _ => (None, PathBuf::from(given)),
    })
}

fn format_of(flag: &str, name: &str) -> Result<Format, String> {
    Format::parse(name).ok_or_else(|| format!("{flag}: expected json, delimited, urlencoded or binary, found {name:?}"))
}

fn object(flag: &str, text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(format!("{flag}: expected a JSON object, found {text}")),
        Err(e) => Err(format!("{flag}: {e}")),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let ms = text.parse::<i64>().ok().map(duration_ms);
    ms.unwrap_or_else(|| parse_duration(text)).map_err(|e| format!("--every: {e}, found {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> Result<QueryArgs, String> {
        match sort(Parser::from_args(words), None)? {
            Invocation::Query(args) => Ok(*args),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn sorted() {
        let got = args(&[
            "--event-time",
            "ts",
            "SELECT 1 FROM demo",
            "events.jsonl",
            "--format=delimited",
            "--input",
            "t=t.csv",
            "--stream",
            "CREATE STREAM t () WITH ()",
            "--props",
            r#"{"hasHeader":true}"#,
            "--options",
            r#"{"lateTolerance":0}"#,
            "--every",
            "1m",
            "--at",
            "-5",
        ])
        .expect("fits");
        assert_eq!(got.sql, Statement::Text("SELECT 1 FROM demo".into()));
        assert_eq!(got.inputs, [(None, PathBuf::from("events.jsonl")), (Some("t".into()), PathBuf::from("t.csv"))]);
        assert_eq!((got.event_time.as_deref(), got.every, got.at_ms), (Some("ts"), Duration::from_secs(60), Some(-5)));
        assert_eq!(Value::Object(got.props).to_string(), r#"{"format":"delimited","hasHeader":true,"sendSingle":true}"#);
        assert_eq!(args(&["-f", "q.sql", "-"]).map(|a| (a.sql, a.inputs)), {
            Ok((Statement::File("q.sql".into()), vec![(None, PathBuf::from("-"))]))
        });
        assert_eq!(args(&["S", "--every", "250"]).map(|a| a.every), Ok(Duration::from_millis(250)));
        assert_eq!(input(&OsString::from("./a=b")), Ok((None, PathBuf::from("./a=b"))));
    }

    #[test]
    fn refused() {
        for (words, why) in [
            (&[][..], "expected a statement"),
            (&["S", "a", "b"], "expected one file"),
            (&["S", "--format", "xml"], "expected json, delimited"),
            (&["S", "--props", "[]"], "expected a JSON object"),
            (&["S", "--options", "{"], "--options: "),
            (&["S", "--every", "soon"], "--every: expected a duration"),
            (&["S", "--every", "-1s"], "--every: expected a duration that is not negative"),
            (&["S", "--at", "noon"], "--at: expected milliseconds"),
            (&["S", "--nope"], "--nope"),
        ] {
            let got = args(words).expect_err("refused");
            assert!(got.contains(why), "{words:?}: {got}");
        }
    }
}
