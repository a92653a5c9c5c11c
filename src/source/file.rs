//! Files of the server as a source (eKuiper's `file`): which file, how it falls into records, how often it is read.
//!
//! In: the properties of a stream, pieces of the file. Out: [`FileFeed`], records one by one ([`Cutter`]), rows of CSV ([`Cutter::pack`]).
//! Limits: a record is at most what the reader's buffer takes (`limits.bodyBytes`), [`SKIP_LAST`] lines at the end. Only files below
//! two directories of the state directory are read ([`below`]): who manages rules must not see all that the process may read.
//! Who opens and reads is the shell; a reading happens on a thread of its own, where memory may be taken.

use core::time::Duration;
use std::collections::VecDeque;

use crate::config::{PropError, Props};
use crate::sink::TlsLoader;
use crate::sql::ddl::Create;
use crate::value::Value;
use crate::value::packed::Encoder;

/// Directories of the state directory whose files may be read; a symbolic link there lets others be.
pub const READABLE: [&str; 2] = ["data", "uploads"];
/// Bytes that are read at once.
pub const PIECE_BYTES: usize = 64 << 10;
/// Largest `ignoreEndLines`.
pub const SKIP_LAST: u64 = 10_000;
/// Rows that a scan table over a file keeps without RETAIN_SIZE, as in eKuiper.
pub const RETAIN_DEFAULT: usize = 9999;

/// How a file falls into messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// The whole file is one.
    Json,
    /// A line each.
    Lines,
    /// A CSV record each, a row of texts.
    Csv,
}

/// A file, as a stream or table reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFeed {
    /// Where it is.
    pub path: String,
    /// `fileType`.
    pub kind: FileType,
    /// `interval`: from one reading to the next; `None`: it is read once.
    pub interval: Option<Duration>,
    /// `sendInterval`: from message to message.
    pub send_interval: Option<Duration>,
    /// `hasHeader`: the first record of CSV names the columns.
    pub has_header: bool,
    /// `columns`: their names, without a header.
    pub columns: Vec<String>,
    /// Between the columns.
    pub delimiter: u8,
    /// `ignoreStartLines`.
    pub skip_first: u64,
    /// `ignoreEndLines`.
    pub skip_last: usize,
}

impl FileFeed {
    /// Reads the properties of a stream; `files` knows where its file is, and whether it is there.
    ///
    /// # Errors
    /// A sentence for the rule's creation.
    pub fn read(create: &Create, props: &Props, files: &dyn TlsLoader) -> Result<Self, String> {
        let error = |e: PropError| e.to_string();
        let kind = match props.text("fileType").map_err(error)?.as_deref() {
            None | Some("json") => FileType::Json,
            Some("lines") => FileType::Lines,
            Some("csv") => FileType::Csv,
            Some(other) => return Err(format!("property fileType: expected json, lines or csv, found {other}")),
        };
        if props.text("decompression").map_err(error)?.is_some_and(|text| !text.is_empty()) {
            return Err("decompression is not supported for files".into());
        }
        let action = match props.get("actionAfterRead").map(|p| &p.value).filter(|value| !value.is_null()) {
            None => 0,
            Some(value) => value
                .as_i64()
                .or_else(|| value.as_str()?.parse().ok())
                .ok_or_else(|| format!("property actionAfterRead: expected 0, found {value}"))?,
        };
        match action {
            0 => {}
            1 | 2 => return Err("actionAfterRead: files are only read here, 1 (delete) and 2 (move) are not supported".into()),
            other => return Err(format!("invalid actionAfterRead: {other}")),
        }
        let is_empty = |name: &str| props.get(name).is_some_and(|p| p.value.as_str() == Some(""));
        if is_empty("fileType") {
            return Err("missing or invalid property fileType, must be 'json'".into());
        }
        if is_empty("path") {
            return Err("missing property Path".into());
        }
        let directory = props.text("path").map_err(error)?.unwrap_or_else(|| "data".into());
        if create.options.datasource.is_empty() {
            return Err("the stream has no DATASOURCE: it names the file (directories are not supported)".into());
        }
        let path = files.source_file(&format!("{}/{}", directory.trim_end_matches('/'), create.options.datasource))?;
        let delimiter = match create.options.delimiter.as_bytes() {
            [] => props.text("delimiter").map_err(error)?.and_then(|text| text.bytes().next()).unwrap_or(b','),
            [first, ..] => *first,
        };
        if kind == FileType::Csv && (matches!(delimiter, b'"' | b'\r' | b'\n') || !delimiter.is_ascii()) {
            return Err("delimiter: expected an ASCII character that is neither a quote nor a line end".into());
        }
        let lines = |name: &str| match props.get(name).map(|p| &p.value) {
            // A negative number is none, as in eKuiper.
            Some(value) if value.as_i64().is_some_and(|n| n < 0) => Ok(0),
            _ => props.count(name).map(Option::unwrap_or_default).map_err(|e| e.to_string()),
        };
        let skip_last = lines("ignoreEndLines")?;
        if skip_last > SKIP_LAST {
            return Err(format!("property ignoreEndLines: expected at most {SKIP_LAST}, found {skip_last}"));
        }
        Ok(Self {
            path,
            kind,
            interval: props.duration("interval").map_err(error)?.filter(|d| !d.is_zero()).map(|d| d.max(Duration::from_millis(1))),
            send_interval: props.duration("sendInterval").map_err(error)?.filter(|d| !d.is_zero()),
            has_header: props.boolean("hasHeader").map_err(error)?.unwrap_or(false),
            columns: props.texts("columns").map_err(error)?.unwrap_or_default(),
            delimiter,
            skip_first: lines("ignoreStartLines")?,
            skip_last: usize::try_from(skip_last).unwrap_or(0),
        })
    }
}

/// The path of a file below `state`, if it is one that may be read: in [`READABLE`], reached without `..`. `path` is relative to
/// `state`, or absolute.
///
/// # Errors
/// A sentence that names what may be read.
pub fn below(state: &str, path: &str) -> Result<String, String> {
    let refused = || {
        let [one, other] = READABLE;
        format!("file {path}: only files below {state}/{one} and {state}/{other} are read; a symbolic link there lets others be")
    };
    let inner = match path.strip_prefix('/') {
        None => path,
        Some(_) => path.strip_prefix(state).and_then(|rest| rest.strip_prefix('/')).ok_or_else(refused)?,
    };
    let mut parts = inner.split('/').filter(|part| !part.is_empty() && *part != ".");
    if inner.contains('\0') || inner.split('/').any(|part| part == "..") || !parts.next().is_some_and(|first| READABLE.contains(&first)) {
        return Err(refused());
    }
    Ok(format!("{state}/{inner}"))
}

/// What stands at the beginning of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut<'b> {
    /// Too little to say.
    More,
    /// Nothing for the stream: a line that is left out, a header.
    Skipped,
    /// A message; of CSV, a record for [`Cutter::pack`].
    Record(&'b [u8]),
    /// Something that is no record.
    Bad(&'static str),
}

/// Cuts one reading of a file into records.
#[derive(Debug)]
pub struct Cutter<'f> {
    feed: &'f FileFeed,
    skip: u64,
    header: bool,
    /// The header is none: what follows has no names.
    broken: bool,
    columns: Vec<String>,
    /// Lines behind us, for messages.
    pub line: u64,
}

impl<'f> Cutter<'f> {
    /// At the beginning of the file.
    #[must_use]
    pub fn new(feed: &'f FileFeed) -> Self {
        let skip = if feed.kind == FileType::Json { 0 } else { feed.skip_first };
        Self { feed, skip, header: feed.has_header && feed.kind == FileType::Csv, broken: false, columns: feed.columns.clone(), line: 0 }
    }

    /// What stands at the beginning of `buf`, and how much of it that is. `last`: nothing comes behind `buf`.
    pub fn next<'b>(&mut self, buf: &'b [u8], last: bool) -> (Cut<'b>, usize) {
        if buf.is_empty() || self.feed.kind == FileType::Json && !last {
            return (Cut::More, 0);
        }
        if self.broken {
            return (Cut::Skipped, buf.len());
        }
        if self.feed.kind == FileType::Json {
            return (Cut::Record(buf), buf.len());
        }
        let quoted = self.feed.kind == FileType::Csv && self.skip == 0;
        let end = if quoted { record_end(buf, self.feed.delimiter) } else { buf.iter().position(|b| *b == b'\n') };
        let (record, used) = match end {
            Some(at) => (&buf[..at], at + 1),
            None if last => (buf, buf.len()),
            None => return (Cut::More, 0),
        };
        self.line += record.iter().filter(|b| **b == b'\n').count() as u64 + 1;
        if self.skip > 0 {
            self.skip -= 1;
            return (Cut::Skipped, used);
        }
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        if self.feed.kind == FileType::Csv && record.is_empty() {
            return (Cut::Skipped, used);
        }
        if core::mem::take(&mut self.header) {
            self.columns.clear();
            let Self { columns, feed, .. } = self;
            let named = fields(record, feed.delimiter, |name| {
                columns.push(name.to_owned());
                Ok(())
            });
            self.broken = named.is_err();
            return (named.map_or_else(Cut::Bad, |()| Cut::Skipped), used);
        }
        (Cut::Record(record), used)
    }

    /// Writes a CSV record as a list of one row of texts; gives its bytes. Without names the columns are `cols0`, `cols1` and so on;
    /// fields that have no name are left out, as are names that have no field.
    ///
    /// # Errors
    /// Why it is no record, or that `out` is too small.
    pub fn pack(&self, record: &[u8], out: &mut [u8]) -> Result<usize, &'static str> {
        const FULL: &str = "the row is too large";
        let mut row = Encoder::new(out);
        row.begin_list().and_then(|()| row.begin_object()).map_err(|_| FULL)?;
        let unnamed = self.columns.is_empty();
        let mut index = 0;
        fields(record, self.feed.delimiter, |text| {
            let value = Value::Str(text);
            let put = match self.columns.get(index) {
                Some(name) => row.entry(name, value),
                None if unnamed => row.entry(&format!("cols{index}"), value),
                None => Ok(()),
            };
            index += 1;
            put.map_err(|_| FULL)
        })?;
        row.end().and_then(|()| row.end()).map_err(|_| FULL)?;
        Ok(row.len())
    }
}

/// Where the first record of CSV ends: at a line end outside of quotes.
fn record_end(buf: &[u8], delimiter: u8) -> Option<usize> {
    #[derive(Clone, Copy)]
    enum At {
        Start,
        Plain,
        Quoted,
        Closed,
    }
    let mut at = At::Start;
    for (i, byte) in buf.iter().enumerate() {
        at = match (at, *byte) {
            (At::Quoted, b'"') => At::Closed,
            (At::Quoted, _) | (At::Closed | At::Start, b'"') => At::Quoted,
            (_, b'\n') => return Some(i),
            (_, byte) if byte == delimiter => At::Start,
            (At::Start, b' ' | b'\t') => At::Start,
            _ => At::Plain,
        };
    }
    None
}

/// The fields of a CSV record (RFC 4180), blanks before each left out.
fn fields(record: &[u8], delimiter: u8, mut each: impl FnMut(&str) -> Result<(), &'static str>) -> Result<(), &'static str> {
    let mut rest = core::str::from_utf8(record).map_err(|_| "it is no UTF-8")?;
    let delimiter = char::from(delimiter);
    let mut plain = String::new();
    loop {
        // A delimiter may be a blank itself.
        rest = rest.trim_start_matches(|c: char| c != delimiter && matches!(c, ' ' | '\t'));
        let Some(mut quoted) = rest.strip_prefix('"') else {
            let (field, behind) = rest.split_once(delimiter).map_or((rest, None), |(field, behind)| (field, Some(behind)));
            if field.contains('"') {
                return Err("a quote in a field without quotes");
            }
            each(field)?;
            match behind {
                Some(behind) => rest = behind,
                None => return Ok(()),
            }
            continue;
        };
        plain.clear();
        let behind = loop {
            let (text, behind) = quoted.split_once('"').ok_or("a quote is not closed")?;
            plain.push_str(text);
            match behind.strip_prefix('"') {
                Some(more) => {
                    plain.push('"');
                    quoted = more;
                }
                None => break behind,
            }
        };
        each(&plain)?;
        match behind.strip_prefix(delimiter) {
            Some(behind) => rest = behind,
            None if behind.is_empty() => return Ok(()),
            None => return Err("text behind a closing quote"),
        }
    }
}

/// Finds where the last lines of a file begin, for `ignoreEndLines`.
#[derive(Debug)]
pub struct Tail {
    starts: VecDeque<u64>,
    keep: usize,
    at: u64,
    fresh: bool,
}

impl Tail {
    /// Looks for the last `keep` lines.
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self { starts: VecDeque::with_capacity(keep + 1), keep, at: 0, fresh: true }
    }

    /// Takes the next piece of the file.
    pub fn see(&mut self, piece: &[u8]) {
        for byte in piece {
            if core::mem::take(&mut self.fresh) {
                self.starts.push_back(self.at);
                if self.starts.len() > self.keep {
                    self.starts.pop_front();
                }
            }
            self.fresh = *byte == b'\n';
            self.at += 1;
        }
    }

    /// Bytes before the last lines.
    #[must_use]
    pub fn end(&self) -> u64 {
        if self.keep == 0 { self.at } else { self.starts.front().copied().unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Packed;

    fn feed(kind: FileType) -> FileFeed {
        FileFeed {
            path: String::new(),
            kind,
            interval: None,
            send_interval: None,
            has_header: false,
            columns: Vec::new(),
            delimiter: b',',
            skip_first: 0,
            skip_last: 0,
        }
    }

    /// Records of a text that comes in pieces of `step` bytes; of CSV as JSON-like text, errors in brackets.
    fn cut(feed: &FileFeed, text: &str, step: usize) -> Vec<String> {
        let mut cutter = Cutter::new(feed);
        let (mut out, mut at, mut seen) = (Vec::new(), 0, 0);
        loop {
            let last = seen >= text.len();
            let (cut, used) = cutter.next(&text.as_bytes()[at..seen.min(text.len())], last);
            at += used;
            match cut {
                Cut::More if last => return out,
                Cut::More => seen += step,
                Cut::Skipped => {}
                Cut::Bad(why) => out.push(format!("[{why}]")),
                Cut::Record(record) if feed.kind == FileType::Csv => {
                    let mut buf = [0; 256];
                    out.push(match cutter.pack(record, &mut buf) {
                        Err(why) => format!("[{why}]"),
                        Ok(len) => {
                            let rows = Packed::from_bytes(&buf[..len]).expect("a list");
                            let Some(Value::Packed(row)) = rows.elements().next() else { panic!("one row") };
                            let pairs = row.object().expect("an object");
                            pairs.entries().map(|(k, v)| format!("{k}={v:?} ")).collect::<String>().replace("Str", "")
                        }
                    });
                }
                Cut::Record(record) => out.push(String::from_utf8_lossy(record).into_owned()),
            }
        }
    }

    #[test]
    fn records() {
        use FileType::{Csv, Json, Lines};
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let header = FileFeed { has_header: true, ..feed(Csv) };
        let cases: &[(FileFeed, &str, &[&str])] = &[
            (feed(Json), "[{\"a\":1},\n{}]\n", &["[{\"a\":1},\n{}]\n"]),
            (FileFeed { skip_first: 1, ..feed(Json) }, "{}", &["{}"]),
            (feed(Lines), "a\r\n\nb", &["a", "", "b"]),
            (feed(Lines), "", &[]),
            (FileFeed { skip_first: 2, ..feed(Lines) }, "a\nb\nc\n", &["c"]),
            (FileFeed { skip_first: 9, ..feed(Lines) }, "a\nb\nc\n", &[]),
            (
                header.clone(),
                "id,name\n1,A\n2,\"a, b\"\n\n3,\"c\"\"d\",zz\n4\n",
                &["id=(\"1\") name=(\"A\") ", "id=(\"2\") name=(\"a, b\") ", "id=(\"3\") name=(\"c\\\"d\") ", "id=(\"4\") "],
            ),
            (feed(Csv), "1, x\n", &["cols0=(\"1\") cols1=(\"x\") "]),
            (FileFeed { columns: names(&["a"]), delimiter: b';', ..feed(Csv) }, "\"l1\nl2\";2\r\n3;4", &["a=(\"l1\\nl2\") ", "a=(\"3\") "]),
            (FileFeed { delimiter: b'\t', ..feed(Csv) }, "1\t\t3", &["cols0=(\"1\") cols1=(\"\") cols2=(\"3\") "]),
            (FileFeed { skip_first: 1, ..header.clone() }, "x \"y\nid\n7\n", &["id=(\"7\") "]),
            (feed(Csv), "1,D\"x\n2\n", &["[a quote in a field without quotes]", "cols0=(\"2\") "]),
            (feed(Csv), "\"a\"b\n", &["[text behind a closing quote]"]),
            (feed(Csv), "\"a\nb", &["[a quote is not closed]"]),
            (header, "\"a\"b\n1\n", &["[text behind a closing quote]"]),
        ];
        for (feed, text, want) in cases {
            for step in [1, 2, 3, 1000] {
                assert_eq!(cut(feed, text, step), *want, "{text:?} in pieces of {step}");
            }
        }
    }

    #[test]
    fn a_row_that_does_not_fit() {
        let feed = feed(FileType::Csv);
        assert_eq!(Cutter::new(&feed).pack(b"abcdefgh", &mut [0; 16]), Err("the row is too large"));
    }

    #[test]
    fn last_lines() {
        for (text, keep, want) in [
            ("a\nb\nc\n", 1, "a\nb\n"),
            ("a\nb\nc", 1, "a\nb\n"),
            ("a\nb\nc", 2, "a\n"),
            ("a\nb\nc", 3, ""),
            ("a\nb\nc", 4, ""),
            ("a\n", 0, "a\n"),
            ("", 2, ""),
        ] {
            let mut tail = Tail::new(keep);
            text.as_bytes().chunks(2).for_each(|piece| tail.see(piece));
            let end = usize::try_from(tail.end()).expect("short");
            assert_eq!(&text[..end], want, "{text:?} without {keep}");
        }
    }

    #[test]
    fn only_what_may_be_read() {
        for (path, want) in [
            ("data/a.json", Some("/s/data/a.json")),
            ("uploads/x/a.json", Some("/s/uploads/x/a.json")),
            ("./data/a", Some("/s/./data/a")),
            ("/s/data/a", Some("/s/data/a")),
            ("confkeys/a", None),
            ("datax/a", None),
            ("data/../confkeys/a", None),
            ("/etc/passwd", None),
            ("/sx/data/a", None),
            ("/s/../s/data/a", None),
            ("/s", None),
            ("", None),
            ("data/a\0", None),
        ] {
            let found = below("/s", path);
            assert_eq!(found.as_deref().ok(), want, "{path}");
            assert!(found.is_ok() || found.is_err_and(|e| e.contains("/s/data and /s/uploads")), "{path}");
        }
    }
}
