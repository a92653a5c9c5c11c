//! `pushgate query`: reads events from files or standard input, hands them to [`crate::query`] and prints what comes out.
//!
//! Rows go to standard output, a line each; refusals and errors to standard error, with file and line. Exit codes: 0, 1 when an event
//! was refused or a row failed, 65 for a statement that cannot be run (sysexits(3) EX_DATAERR), 66 for an input that cannot be read
//! (EX_NOINPUT), 78 for a configuration that would not start (EX_CONFIG).

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::client::Terminal;
use super::net::Clock;
use super::{settings, zone};
use crate::check;
use crate::cli::{Outside as _, QueryArgs, Statement};
use crate::encode::Format;
use crate::limits::SQL_BYTES;
use crate::query::{Ask, Bodies, Printer, Query};
use crate::time::Timestamp;

/// sysexits(3): the statement, or what belongs to it, is wrong.
const EX_DATAERR: u8 = 65;
/// sysexits(3): an input cannot be read.
const EX_NOINPUT: u8 = 66;
/// Bytes of one line; what is longer is cut, and refused by the gate for its length.
const LINE_BYTES: usize = 2 << 20;

/// Runs the command.
#[must_use]
pub fn run(args: &QueryArgs) -> ExitCode {
    let settings = match settings::read(args.config.as_deref()) {
        Ok(settings) => settings,
        Err(faults) => {
            let report = check::refused(&faults);
            Terminal.complain(&report.text);
            return ExitCode::from(report.code);
        }
    };
    match query(args, &settings.config) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err((code, text)) => {
            Terminal.complain(&format!("error: {}\n", text.trim_end()));
            ExitCode::from(code)
        }
    }
}

/// True if every event was taken and every row came through.
fn query(args: &QueryArgs, config: &crate::config::Config) -> Result<bool, (u8, String)> {
    let sql = match &args.sql {
        Statement::Text(text) => text.clone(),
        Statement::File(path) => statement(path)?,
    };
    let zone = zone::load(&config.basic.timezone)
        .ok_or_else(|| (EX_DATAERR, format!("basic.timezone: no time zone {}", config.basic.timezone)))?;
    let ask = Ask {
        sql: &sql,
        definitions: &args.definitions,
        event_time: args.event_time.as_deref(),
        input_format: args.input_format.map(Format::name),
        props: args.props.clone(),
        options: args.options.clone(),
        every: args.every,
    };
    if args.explain {
        let explained = Query::explain(&ask, config, &zone, &zone::load).map_err(|text| (EX_DATAERR, text))?;
        let text = if args.json { format!("{}\n", explained.json()) } else { explained.text() };
        Terminal.print(&text);
        return Ok(true);
    }
    let mut now = Clock::start().now();
    if let Some(ms) = args.at_ms {
        now.wall = Timestamp(ms);
    }
    let mut query = Query::new(&ask, config, &zone, &zone::load, now).map_err(|text| (EX_DATAERR, text))?;
    let mut inputs = open(args, &query)?;
    let mut screen = Screen { out: BufWriter::new(io::stdout().lock()), place: String::new(), faults: 0, gone: false };
    // Tables first: events meet the rows that are there.
    for input in inputs.iter_mut().filter(|input| input.table) {
        while input.next(&mut query, &mut screen)? && !screen.gone {}
    }
    // Then a body of each stream in turn.
    loop {
        let mut more = false;
        for input in inputs.iter_mut().filter(|input| !input.table) {
            more |= input.next(&mut query, &mut screen)?;
        }
        if !more || screen.gone {
            break;
        }
    }
    screen.place.clear();
    if !args.keep_open && !screen.gone {
        query.finish(&mut screen);
    }
    let _ = screen.out.flush();
    Ok(screen.faults == 0)
}

/// The statement in a file.
fn statement(path: &Path) -> Result<String, (u8, String)> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(SQL_BYTES as u64 + 1).read_to_string(&mut text));
    read.map(|_| text).map_err(|e| (EX_NOINPUT, format!("{}: {e}", path.display())))
}

/// One file of events.
struct Input {
    source: usize,
    table: bool,
    name: String,
    reader: Box<dyn io::BufRead>,
    bodies: Bodies,
    /// The file is one body.
    whole: bool,
    line: Vec<u8>,
    ended: bool,
}

impl Input {
    /// Reads until an event has gone to the rule; false at the end.
    fn next(&mut self, query: &mut Query, screen: &mut Screen<'_>) -> Result<bool, (u8, String)> {
        let Self { source, name, bodies, .. } = self;
        let mut given = false;
        while !given {
            if self.ended {
                return Ok(false);
            }
            self.line.clear();
            // Who waits for more input should see what came of the last.
            screen.flush();
            let mut some = self.reader.by_ref().take(LINE_BYTES as u64);
            let got = if self.whole { some.read_to_end(&mut self.line) } else { some.read_until(b'\n', &mut self.line) };
            let got = got.map_err(|e| (EX_NOINPUT, format!("{name}: {e}")))?;
            let mut each = |line: u64, body: &[u8]| {
                given = true;
                screen.place = format!("{name}:{line}: ");
                if let Err(refused) = query.event(*source, body, screen) {
                    screen.complain(&refused);
                }
            };
            if got == 0 {
                self.ended = true;
                bodies.end(&mut each);
            } else if self.whole {
                each(1, &self.line);
            } else {
                let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
                bodies.line(line.strip_suffix(b"\r").unwrap_or(line), &mut each);
            }
        }
        Ok(true)
    }
}

/// Opens the inputs of all sources; standard input serves one that has none.
fn open(args: &QueryArgs, query: &Query) -> Result<Vec<Input>, (u8, String)> {
    let sources: Vec<(String, bool, Format)> = query.sources().map(|(name, table, format)| (name.to_owned(), table, format)).collect();
    let mut files: Vec<(usize, PathBuf)> = Vec::new();
    for (name, path) in args.inputs.iter().filter_map(|(name, path)| Some((name.as_ref()?, path))) {
        let Some(source) = sources.iter().position(|(n, ..)| n == name) else {
            return Err((EX_DATAERR, format!("--input {name}={}: the statement does not read {name}", path.display())));
        };
        files.push((source, path.clone()));
    }
    let unnamed = args.inputs.iter().find(|(name, _)| name.is_none()).map(|(_, path)| path.clone());
    let rest: Vec<usize> = (0..sources.len()).filter(|i| files.iter().all(|(source, _)| source != i)).collect();
    match (rest.as_slice(), unnamed) {
        ([], None) => {}
        ([source], path) => files.push((*source, path.unwrap_or_else(|| PathBuf::from("-")))),
        (several, path) => {
            let names: Vec<&str> = several.iter().filter_map(|i| sources.get(*i)).map(|(name, ..)| name.as_str()).collect();
            let words = match (path, names.as_slice()) {
                (Some(path), []) => format!("{}: every source has its input already", path.display()),
                _ => format!("events for {}: give each its own --input NAME=FILE", names.join(" and ")),
            };
            return Err((EX_DATAERR, words));
        }
    }
    let mut inputs = Vec::new();
    for (source, path) in files {
        let (name, reader): (String, Box<dyn io::BufRead>) = if path.as_os_str() == "-" {
            ("stdin".to_owned(), Box::new(BufReader::new(io::stdin())))
        } else {
            let file = File::open(&path).map_err(|e| (EX_NOINPUT, format!("{}: {e}", path.display())))?;
            (path.display().to_string(), Box::new(BufReader::new(file)))
        };
        let (table, format) = sources.get(source).map_or((false, Format::Json), |(_, table, format)| (*table, *format));
        let (bodies, whole) = (Bodies::new(format == Format::Json), format == Format::Binary);
        inputs.push(Input { source, table, name, reader, bodies, whole, line: Vec::new(), ended: false });
    }
    Ok(inputs)
}

/// Standard output and standard error.
struct Screen<'o> {
    out: BufWriter<io::StdoutLock<'o>>,
    /// File and line of the event at hand.
    place: String,
    faults: u64,
    /// Nobody reads any more.
    gone: bool,
}

impl Screen<'_> {
    fn flush(&mut self) {
        self.gone |= self.out.flush().is_err();
    }

    fn complain(&mut self, text: &str) {
        self.faults += 1;
        Terminal.complain(&format!("{}{text}\n", self.place));
    }
}

impl Printer for Screen<'_> {
    fn row(&mut self, payload: &[u8]) {
        let written = self.out.write_all(payload).and_then(|()| self.out.write_all(b"\n"));
        self.gone |= written.is_err();
    }

    fn fault(&mut self, step: &str, text: &str) {
        self.flush();
        self.complain(&format!("{step}: {text}"));
    }
}
