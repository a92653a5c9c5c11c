//! The file sink (facts §8.2): names, when a file is rolled, what stands between messages and around them. The writer thread
//! only does what is decided here.
//!
//! * Files are appended to, never truncated; a `json` file that was ended is opened up again: its last `]` gives way.
//! * A file is rolled right after the message that reaches `rollingCount` or `rollingSize`, and at a tick of `checkInterval` once
//!   it is older than `rollingInterval` (0: at every tick). The next message opens the next file.
//! * No line end after the last line: each message but the first brings its separator.
//! * At most [`FILES_MAX`] files of one sink are open; the one that waited longest is closed for another.

use core::time::Duration;

use super::common::{Common, Compression};
use super::outbox::Texts;
use super::props::Props;
use super::words::{Dynamic, Place, Word};
use crate::encode::Format;
use crate::limits::TARGET_BYTES;
use crate::time::{Instant, Now};

/// Files that one sink holds open.
pub const FILES_MAX: usize = 16;
/// Bytes of a csv header.
const HEADER_BYTES: usize = 4096;

/// How messages stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// One a line.
    Lines,
    /// Elements of one JSON array.
    Json,
    /// Lines behind a line of column names.
    Csv,
}

/// What to do for one payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileWrite<'p> {
    /// The place among the sink's open files that the payload goes to.
    pub slot: u8,
    /// The file to open there first, in place of one that may be open.
    pub open: Option<FileOpen<'p>>,
    /// Whether it is closed behind this payload.
    pub close: bool,
}

/// A file to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileOpen<'p> {
    /// Its path.
    pub path: &'p str,
    /// How messages stand in it.
    pub kind: FileType,
    /// A csv file's column names; may be empty, and its line is there all the same, as eKuiper has it.
    pub header: &'p str,
    /// How it is compressed.
    pub packing: Packing,
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    /// Not at all.
    #[default]
    Plain,
    /// One gzip member for each time that it is open.
    Gzip,
    /// A zstd frame for each message.
    Zstd,
}

/// How a file goes on that holds something already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// Bytes to take off its end.
    pub cut: u64,
    /// What comes before the next message.
    pub lead: &'static str,
    /// Whether the header comes first, with its line end.
    pub header: bool,
}

/// How to go on with a file of `len` bytes of which `last` are the last two.
#[must_use]
pub fn resume(open: &FileOpen<'_>, len: u64, last: &[u8]) -> Resume {
    let fresh = len == 0;
    let plain = |lead| Resume { cut: 0, lead, header: false };
    match open.kind {
        FileType::Json if fresh => plain("["),
        // A compressed array cannot be opened up: another one follows it.
        FileType::Json if open.packing != Packing::Plain => plain("\n["),
        FileType::Json => match last {
            [.., b'[', b']'] => Resume { cut: 1, ..plain("") },
            [.., b']'] => Resume { cut: 1, ..plain(",") },
            [.., b'['] => plain(""),
            _ => plain(","),
        },
        FileType::Csv if fresh => Resume { header: true, ..plain("") },
        FileType::Lines if fresh => plain(""),
        _ if last.ends_with(b"\n") && open.packing == Packing::Plain => plain(""),
        _ => plain("\n"),
    }
}

/// What stands between two messages.
#[must_use]
pub const fn separator(kind: FileType) -> &'static str {
    match kind {
        FileType::Json => ",",
        FileType::Lines | FileType::Csv => "\n",
    }
}

/// What ends a file.
#[must_use]
pub const fn footer(kind: FileType) -> &'static str {
    match kind {
        FileType::Json => "]",
        FileType::Lines | FileType::Csv => "",
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pattern {
    None,
    Prefix,
    Suffix,
}

/// One open file.
#[derive(Debug, Default)]
struct Slot {
    is_open: bool,
    /// The path before the pattern: what templates gave.
    key: String,
    /// The path after it.
    path: String,
    start: Instant,
    count: u64,
    size: u64,
    used: u64,
}

/// What was decided for the payload in hand.
#[derive(Debug, Clone, Copy)]
struct Plan {
    seq: u64,
    slot: usize,
    opens: bool,
    closes: bool,
}

/// The file sink's own properties and its open files.
#[derive(Debug)]
pub(super) struct File {
    path: Word,
    kind: FileType,
    packing: Packing,
    interval: Duration,
    count: u64,
    size: u64,
    check: Duration,
    pattern: Pattern,
    header: String,
    /// The header is the columns of the first message, and was not seen yet.
    awaits_header: bool,
    slots: Vec<Slot>,
    plan: Option<Plan>,
    closing: Option<usize>,
    next_check: Option<Instant>,
    last_stamp: i64,
    uses: u64,
}

impl File {
    /// # Errors
    /// A sentence that names the property.
    pub(super) fn read(props: &mut Props<'_>, dynamics: &mut Vec<Dynamic>) -> Result<Self, String> {
        let interval = props.duration("rollingInterval")?.unwrap_or_default();
        let count = props.count("rollingCount")?.unwrap_or(1_000_000);
        let size = props.count("rollingSize")?.unwrap_or(0);
        let mut check = props.duration("checkInterval")?.unwrap_or(Duration::from_secs(300));
        if interval.is_zero() && count == 0 && size == 0 {
            return Err("one of rollingInterval, rollingCount, or rollingSize must be set".into());
        }
        if !interval.is_zero() && interval < check {
            check = interval;
        }
        let pattern = match props.text("rollingNamePattern")?.unwrap_or("") {
            "" | "none" => Pattern::None,
            "prefix" => Pattern::Prefix,
            "suffix" => Pattern::Suffix,
            other => return Err(format!("rollingNamePattern must be one of prefix, suffix or none, not {other}")),
        };
        let path = props.text("path")?.unwrap_or("cache");
        if path.is_empty() {
            return Err("path must be set".into());
        }
        if path.len() > TARGET_BYTES || path.contains('\0') {
            return Err(format!("path must be at most {TARGET_BYTES} bytes and hold no NUL"));
        }
        let kind = match props.text("fileType")?.unwrap_or("lines") {
            "lines" => FileType::Lines,
            "json" => FileType::Json,
            "csv" => FileType::Csv,
            other => return Err(format!("fileType must be one of json, csv or lines, not {other}")),
        };
        if kind == FileType::Csv && props.text("format")?.and_then(Format::parse) != Some(Format::Delimited) {
            return Err("format must be delimited when fileType is csv".into());
        }
        let packing = match Compression::parse(props.text("compression")?.unwrap_or(""))? {
            None => Packing::Plain,
            Some(Compression::Gzip) => Packing::Gzip,
            Some(Compression::Zstd) => Packing::Zstd,
            Some(_) => return Err("compression must be gzip or zstd for a file".into()),
        };
        if let Some(hook) = props.text("rollingHook")?.filter(|hook| !hook.is_empty()) {
            return Err(format!("rolling hook {hook} is not registered"));
        }
        props.object("rollingHookProps")?;
        let path = Word::new(path, Place::Path, dynamics)?;
        let slots = if path.is_template() { FILES_MAX } else { 1 };
        let slot = || Slot { key: String::with_capacity(TARGET_BYTES), path: String::with_capacity(TARGET_BYTES + 16), ..Slot::default() };
        Ok(Self {
            path,
            kind,
            packing,
            interval,
            count,
            size,
            check,
            pattern,
            header: String::with_capacity(HEADER_BYTES),
            awaits_header: false,
            slots: core::iter::repeat_with(slot).take(slots).collect(),
            plan: None,
            closing: None,
            next_check: None,
            last_stamp: 0,
            uses: 0,
        })
    }

    /// Takes what the common properties say about the header.
    pub(super) fn set_header(&mut self, common: &Common) {
        if self.kind == FileType::Csv && common.has_header {
            let delimiter = if common.delimiter.is_empty() { "," } else { &common.delimiter };
            self.header = common.fields.join(delimiter);
            self.awaits_header = common.fields.is_empty() && common.send_single && !common.batches();
        }
    }

    /// True until the columns of the first message are known, where they are the header.
    pub(super) const fn awaits_header(&self) -> bool {
        self.awaits_header
    }

    /// The columns of the first message.
    pub(super) fn take_header(&mut self, header: &str) {
        if !header.is_empty() && header.len() <= HEADER_BYTES {
            self.header.push_str(header);
            self.awaits_header = false;
        }
    }

    /// Memory it holds.
    pub(super) fn bytes(&self) -> usize {
        // The writer thread has a compressor for each open file.
        let packed = if self.packing == Packing::Plain { 0 } else { super::squeeze::STATE_BYTES };
        HEADER_BYTES + self.slots.len() * (size_of::<Slot>() + 2 * TARGET_BYTES + packed)
    }

    pub(super) fn start(&mut self, now: Now) {
        self.next_check = (!self.check.is_zero()).then(|| now.mono.after(self.check));
    }

    /// When files have to be looked at.
    pub(super) fn until(&self) -> Option<Instant> {
        self.next_check.filter(|_| self.slots.iter().any(|s| s.is_open))
    }

    /// A file to close now; the same one until [`File::closed`].
    pub(super) fn close_due(&mut self, now: Now) -> Option<u8> {
        if self.plan.is_some() {
            return None;
        }
        if self.closing.is_none() {
            let due = self.next_check.is_some_and(|at| at <= now.mono);
            let aged = |s: &Slot| s.is_open && now.mono.since(s.start) > self.interval;
            self.closing = due.then(|| self.slots.iter().position(aged)).flatten();
            if due && self.closing.is_none() {
                self.next_check = Some(now.mono.after(self.check));
            }
        }
        self.closing.and_then(|slot| u8::try_from(slot).ok())
    }

    /// The file of [`File::close_due`] is being closed. False: it was none.
    pub(super) fn closed(&mut self) -> bool {
        let Some(slot) = self.closing.take() else { return false };
        self.slots[slot].is_open = false;
        true
    }

    /// What to do for payload `seq`; the same answer until [`File::written`].
    pub(super) fn plan(&mut self, seq: u64, texts: Texts<'_>, len: usize, now: Now) -> FileWrite<'_> {
        let plan = match self.plan {
            Some(plan) if plan.seq == seq => plan,
            _ => self.decide(seq, texts, len, now),
        };
        self.plan = Some(plan);
        let open = FileOpen { path: &self.slots[plan.slot].path, kind: self.kind, header: &self.header, packing: self.packing };
        #[expect(clippy::cast_possible_truncation, reason = "there are FILES_MAX slots at most")]
        let slot = plan.slot as u8;
        FileWrite { slot, open: plan.opens.then_some(open), close: plan.closes }
    }

    /// The payload of the plan is on its way.
    pub(super) fn written(&mut self) {
        if let Some(plan) = self.plan.take()
            && plan.closes
        {
            self.slots[plan.slot].is_open = false;
        }
    }

    fn decide(&mut self, seq: u64, texts: Texts<'_>, len: usize, now: Now) -> Plan {
        let key = self.path.get(texts);
        let found = self.slots.iter().position(|s| s.is_open && s.key == key);
        let opens = found.is_none();
        let slot = found.unwrap_or_else(|| {
            let oldest = |s: &(usize, &Slot)| (s.1.is_open, s.1.used);
            self.slots.iter().enumerate().min_by_key(oldest).map_or(0, |(i, _)| i)
        });
        self.uses += 1;
        let file = &mut self.slots[slot];
        file.used = self.uses;
        if opens {
            file.is_open = true;
            file.key.clear();
            file.key.push_str(key);
            file.start = now.mono;
            file.count = 0;
            file.size = if self.kind == FileType::Csv { self.header.len() as u64 + 1 } else { u64::from(self.kind == FileType::Json) };
            // Two files of one millisecond would be one.
            self.last_stamp = now.wall.0.max(self.last_stamp + 1);
            name(&mut file.path, key, self.pattern, self.last_stamp);
        } else {
            file.size += 1;
        }
        file.count += 1;
        file.size += len as u64;
        let closes = (self.count > 0 && file.count >= self.count) || (self.size > 0 && file.size >= self.size);
        Plan { seq, slot, opens, closes }
    }
}

/// Writes the name of a file that is opened at `ms`: `ms-name.ext` or `name-ms.ext`, or as it is.
fn name(out: &mut String, key: &str, pattern: Pattern, ms: i64) {
    let (dir, file) = key.split_at(key.rfind('/').map_or(0, |at| at + 1));
    out.clear();
    out.push_str(dir);
    let mut digits = itoa::Buffer::new();
    let stamp = digits.format(ms);
    match pattern {
        Pattern::None => out.push_str(file),
        Pattern::Prefix => {
            for part in [stamp, "-", file] {
                out.push_str(part);
            }
        }
        Pattern::Suffix => {
            let (stem, ext) = file.split_at(file.rfind('.').unwrap_or(file.len()));
            for part in [stem, "-", stamp, ext] {
                out.push_str(part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn file(text: &str) -> Result<File, String> {
        let map = serde_json::from_str(text).expect("an object");
        File::read(&mut Props::new(&map), &mut Vec::new())
    }

    fn at(ms: u64) -> Now {
        Now { mono: Instant(ms * 1_000_000), wall: Timestamp(1_700_000_000_000 + i64::try_from(ms).expect("small")) }
    }

    #[test]
    fn properties() {
        for (text, why) in [
            (r#"{"rollingCount":0}"#, "must be set"),
            (r#"{"rollingCount":-1}"#, "rollingCount must be positive"),
            (r#"{"rollingInterval":-1}"#, "rollingInterval must be positive"),
            (r#"{"rollingSize":-1}"#, "rollingSize must be positive"),
            (r#"{"checkInterval":-1}"#, "checkInterval must be positive"),
            (r#"{"rollingNamePattern":"middle"}"#, "rollingNamePattern"),
            (r#"{"path":""}"#, "path must be set"),
            (r#"{"fileType":"parquet"}"#, "fileType"),
            (r#"{"fileType":"csv"}"#, "format must be delimited"),
            (r#"{"compression":"lz4"}"#, "lz4"),
            (r#"{"compression":"zlib"}"#, "gzip"),
            (r#"{"rollingHook":"x"}"#, "rolling hook x"),
        ] {
            assert!(file(text).as_ref().is_err_and(|e| e.contains(why)), "{text}: {:?}", file(text).err());
        }
        for text in [
            "{}",
            r#"{"rollingCount":0,"rollingSize":1}"#,
            r#"{"rollingCount":0,"rollingInterval":"1h"}"#,
            r#"{"fileType":"csv","format":"DELIMITED"}"#,
            r#"{"rollingNamePattern":"none","compression":"gzip"}"#,
        ] {
            assert!(file(text).is_ok(), "{text}: {:?}", file(text).err());
        }
        let long = format!(r#"{{"path":"{}"}}"#, "x".repeat(TARGET_BYTES + 1));
        assert!(file(&long).is_err());
    }

    /// Opens and closes of one payload after the other: `open path`, `.`, `close`.
    fn run(text: &str, lens: &[usize]) -> Vec<String> {
        let mut f = file(text).expect("sound");
        f.start(at(0));
        let mut told = Vec::new();
        for (i, len) in lens.iter().enumerate() {
            let now = at(i as u64);
            let again = f.plan(i as u64, Texts::default(), *len, now).slot;
            let w = f.plan(i as u64, Texts::default(), *len, at(i as u64 + 500));
            assert_eq!(again, w.slot, "the plan stays until it is done");
            told.push(format!("{}{}", w.open.map_or(String::new(), |o| o.path.to_owned()), if w.close { "|" } else { "" }));
            f.written();
        }
        told
    }

    #[test]
    fn rolls_by_count_and_by_size() {
        let suffix = r#"{"path":"d/o.txt","rollingCount":2,"rollingNamePattern":"suffix"}"#;
        assert_eq!(run(suffix, &[1; 4]), ["d/o-1700000000000.txt", "|", "d/o-1700000000002.txt", "|"]);
        let size = r#"{"path":"o.b.txt","rollingCount":0,"rollingSize":50,"rollingNamePattern":"prefix"}"#;
        assert_eq!(run(size, &[24; 5]), ["1700000000000-o.b.txt", "", "|", "1700000000003-o.b.txt", ""]);
        assert_eq!(
            run(r#"{"path":"o","rollingCount":1,"rollingNamePattern":"suffix"}"#, &[1; 2]),
            ["o-1700000000000|", "o-1700000000001|"]
        );
        assert_eq!(run(r#"{"path":"o","rollingCount":1}"#, &[1; 2]), ["o|", "o|"]);
        let exact = r#"{"path":"o","rollingCount":0,"rollingSize":10}"#;
        assert_eq!(run(exact, &[10]), ["o|"]);
        assert_eq!(run(exact, &[9]), ["o"]);
    }

    #[test]
    fn two_files_of_one_millisecond_differ() {
        let mut f = file(r#"{"path":"o","rollingCount":1,"rollingNamePattern":"suffix"}"#).expect("sound");
        for (seq, want) in [(1, "o-1700000000000"), (2, "o-1700000000001")] {
            assert_eq!(f.plan(seq, Texts::default(), 1, at(0)).open.map(|o| o.path), Some(want));
            f.written();
        }
    }

    #[test]
    fn ticks_close_what_is_old_enough() {
        // With rollingInterval, the tick after it; without, every tick of checkInterval.
        for (text, until, closes) in [
            (r#"{"path":"o","rollingInterval":100}"#, 100, [(99, false), (100, false), (200, true)]),
            (r#"{"path":"o","checkInterval":50}"#, 50, [(49, false), (50, true), (51, false)]),
        ] {
            let mut f = file(text).expect("sound");
            f.start(at(0));
            assert_eq!(f.until(), None, "nothing is open");
            f.plan(1, Texts::default(), 1, at(10));
            assert_eq!(f.close_due(at(1000)), None, "not while a payload is being written");
            f.written();
            assert_eq!(f.until(), Some(at(until).mono));
            for (ms, close) in closes {
                let due = f.close_due(at(ms));
                assert_eq!(due, close.then_some(0), "{text} at {ms}");
                if close {
                    assert_eq!(f.close_due(at(ms)), Some(0), "the same until it is closed");
                    assert!(f.closed() && !f.closed());
                }
            }
        }
    }

    #[test]
    fn files_go_on_where_they_ended() {
        let open = |kind, gzip| FileOpen { path: "", kind, header: "a,b", packing: if gzip { Packing::Gzip } else { Packing::Plain } };
        for (kind, gzip, len, last, want) in [
            (FileType::Lines, false, 0, "", (0, "", false)),
            (FileType::Lines, false, 5, "}", (0, "\n", false)),
            (FileType::Lines, false, 5, "}\n", (0, "", false)),
            (FileType::Lines, true, 5, "\n", (0, "\n", false)),
            (FileType::Csv, false, 0, "", (0, "", true)),
            (FileType::Csv, false, 5, "1", (0, "\n", false)),
            (FileType::Json, false, 0, "", (0, "[", false)),
            (FileType::Json, false, 1, "[", (0, "", false)),
            (FileType::Json, false, 2, "[]", (1, "", false)),
            (FileType::Json, false, 9, "}]", (1, ",", false)),
            (FileType::Json, false, 9, "1}", (0, ",", false)),
            (FileType::Json, true, 9, "", (0, "\n[", false)),
        ] {
            let r = resume(&open(kind, gzip), len, last.as_bytes());
            assert_eq!((r.cut, r.lead, r.header), want, "{kind:?} {len} {last:?}");
        }
    }
}
