//! The backend of the `log` facade: lines into a fixed ring of [`RING_BYTES`], a thread of its own writes them to stderr.
//!
//! A line costs no allocation and never waits: when the ring is full, or stderr is closed, the line is lost and counted
//! ([`lost_total`]), and the next line that gets through says how many. A blocked stderr stops that thread only.
//!
//! | stderr | looks like |
//! |---|---|
//! | a terminal | simple_logger |
//! | the journal (`JOURNAL_STREAM` names it by device and inode, systemd.exec(5)) | `<6>text`, priorities of sd-daemon(3) |
//! | anything else | `time="2026-11-24T07:00:00.000Z" level=info msg="text"`, as eKuiper's log reads |
//!
//! Control characters are escaped everywhere, so that a text from outside can neither fake a line nor steer a terminal.

use std::{
    fmt::{self, Write as _},
    io::{self, IsTerminal as _},
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use log::{Level, LevelFilter, Log, Metadata, Record};
use rustix::io::Errno;

/// Bytes of lines that wait for stderr.
pub const RING_BYTES: usize = 64 * 1024;
/// Longest line; the rest is cut.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// Starts logging at `level`. `timestamps` is false for `basic.logDisableTimestamp`.
///
/// # Errors
/// The writer thread cannot be started, or a logger is already set.
pub fn start(level: LevelFilter, timestamps: bool) -> io::Result<()> {
    let style = Style::of_stderr(std::env::var("JOURNAL_STREAM").ok().as_deref(), timestamps);
    log::set_logger(&Backend).map_err(io::Error::other)?;
    log::set_max_level(level);
    thread::Builder::new().name("log".into()).stack_size(128 * 1024).spawn(move || write_lines(style)).map(drop)
}

/// Waits until every line is written, at most `limit`. Says whether it was.
pub fn flush(limit: Duration) -> bool {
    let end = Instant::now() + limit;
    let mut ring = lock();
    while ring.len > 0 || WRITING.load(Ordering::Relaxed) {
        let Some(left) = end.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) else { return false };
        ring = DRAINED.wait_timeout(ring, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    true
}

/// Lines lost since the start: the ring was full or stderr took nothing.
#[must_use]
pub fn lost_total() -> usize {
    LOST.load(Ordering::Relaxed)
}

static RING: Mutex<Ring<RING_BYTES>> = Mutex::new(Ring::new());
static FILLED: Condvar = Condvar::new();
static DRAINED: Condvar = Condvar::new();
static WRITING: AtomicBool = AtomicBool::new(false);
static LOST: AtomicUsize = AtomicUsize::new(0);

fn lock() -> MutexGuard<'static, Ring<RING_BYTES>> {
    RING.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Backend;

impl Log for Backend {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Below warnings, only our own lines: what a dependency tells a debugger is not for operators.
        metadata.level() <= Level::Warn || metadata.target().starts_with("pushgate")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        let pushed = lock().push(record.level(), wall, *record.args());
        if pushed {
            FILLED.notify_one();
        } else {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

/// Lines waiting to be written: level, wall-clock milliseconds, length, text.
struct Ring<const N: usize> {
    bytes: [u8; N],
    head: usize,
    len: usize,
}

/// Level, time and length in front of each text.
const HEADER_BYTES: usize = 1 + 8 + 2;
const _: () = assert!(LINE_BYTES_MAX + HEADER_BYTES <= RING_BYTES && LINE_BYTES_MAX <= u16::MAX as usize);

/// A line taken out of the ring.
struct Line<'b> {
    level: Level,
    wall_ms: u64,
    text: &'b str,
}

impl<const N: usize> Ring<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], head: 0, len: 0 }
    }

    /// Puts one line in, formatted in place; false when it does not fit, and then nothing of it stays.
    fn push(&mut self, level: Level, wall_ms: u64, args: fmt::Arguments<'_>) -> bool {
        let start = self.len;
        let mut fits = self.append(&[0; HEADER_BYTES]);
        if fits {
            let mut text = Text { ring: self, len: 0, full: false };
            let _ = text.write_fmt(args);
            let (len, full) = (text.len, text.full);
            fits = !full;
            let mut header = [0; HEADER_BYTES];
            header[0] = level as u8;
            header[1..9].copy_from_slice(&wall_ms.to_le_bytes());
            header[9..].copy_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes());
            for (i, byte) in header.iter().enumerate() {
                self.bytes[(self.head + start + i) % N] = *byte;
            }
        }
        if !fits {
            self.len = start;
        }
        fits
    }

    fn append(&mut self, bytes: &[u8]) -> bool {
        if N - self.len < bytes.len() {
            return false;
        }
        let at = (self.head + self.len) % N;
        let first = bytes.len().min(N - at);
        self.bytes[at..at + first].copy_from_slice(&bytes[..first]);
        self.bytes[..bytes.len() - first].copy_from_slice(&bytes[first..]);
        self.len += bytes.len();
        true
    }

    fn take(&mut self, out: &mut [u8]) {
        for byte in out.iter_mut() {
            *byte = self.bytes[self.head];
            self.head = (self.head + 1) % N;
        }
        self.len -= out.len();
    }

    /// Takes the oldest line; its text goes to `buf`.
    fn pop<'b>(&mut self, buf: &'b mut [u8; LINE_BYTES_MAX]) -> Option<Line<'b>> {
        if self.len == 0 {
            return None;
        }
        let mut header = [0; HEADER_BYTES];
        self.take(&mut header);
        let [level, wall @ .., low, high] = header;
        let text = &mut buf[..usize::from(u16::from_le_bytes([low, high]))];
        self.take(text);
        let level = Level::iter().find(|l| *l as u8 == level).unwrap_or(Level::Error);
        Some(Line { level, wall_ms: u64::from_le_bytes(wall), text: str::from_utf8(text).unwrap_or_default() })
    }
}

/// Writes a text behind its header; cuts it at [`LINE_BYTES_MAX`].
struct Text<'r, const N: usize> {
    ring: &'r mut Ring<N>,
    len: usize,
    full: bool,
}

impl<const N: usize> fmt::Write for Text<'_, N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let cut = text.floor_char_boundary(LINE_BYTES_MAX - self.len);
        if !self.ring.append(&text.as_bytes()[..cut]) {
            self.full = true;
            return Err(fmt::Error);
        }
        self.len += cut;
        // An error ends formatting: the rest would be cut anyway.
        if cut < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Terminal { timestamps: bool },
    Journal,
    Plain { timestamps: bool },
}

impl Style {
    fn of_stderr(journal: Option<&str>, timestamps: bool) -> Self {
        let stderr = io::stderr();
        if stderr.is_terminal() {
            return Self::Terminal { timestamps };
        }
        let named = rustix::fs::fstat(stderr.as_fd()).is_ok_and(|s| journal == Some(&format!("{}:{}", s.st_dev, s.st_ino)));
        if named { Self::Journal } else { Self::Plain { timestamps } }
    }

    /// One line, with its end.
    fn emit(self, line: &Line<'_>, out: &mut String) {
        let quoted = matches!(self, Self::Plain { .. });
        match self {
            Self::Journal | Self::Terminal { .. } => {
                let priority = match line.level {
                    Level::Error => '3',
                    Level::Warn => '4',
                    Level::Info => '6',
                    Level::Debug | Level::Trace => '7',
                };
                let _ = write!(out, "<{priority}>");
            }
            Self::Plain { timestamps } => {
                if timestamps {
                    out.push_str("time=\"");
                    stamp(line.wall_ms, out);
                    out.push_str("\" ");
                }
                let level = match line.level {
                    Level::Error => "error",
                    Level::Warn => "warning",
                    Level::Info => "info",
                    Level::Debug | Level::Trace => "debug",
                };
                let _ = write!(out, "level={level} msg=\"");
            }
        }
        let _ = write!(out, "{}", Escaped { text: line.text, quoted });
        out.push_str(if quoted { "\"\n" } else { "\n" });
    }
}

/// A text without control characters; `quoted` escapes what would end a quoted text too, as Go quotes.
struct Escaped<'a> {
    text: &'a str,
    quoted: bool,
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.text;
        let stops = |c: char| c.is_control() || (self.quoted && matches!(c, '"' | '\\'));
        while let Some(at) = rest.find(stops) {
            f.write_str(&rest[..at])?;
            let Some(c) = rest[at..].chars().next() else { break };
            match c {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_ascii() => write!(f, "\\x{:02x}", u32::from(c))?,
                c => write!(f, "\\u{:04x}", u32::from(c))?,
            }
            rest = &rest[at + c.len_utf8()..];
        }
        f.write_str(rest)
    }
}

/// UTC, RFC 3339 with milliseconds.
fn stamp(wall_ms: u64, out: &mut String) {
    let at = time::OffsetDateTime::UNIX_EPOCH + Duration::from_millis(wall_ms.min(253_402_300_799_999));
    let (date, clock) = (at.date(), at.time());
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        clock.millisecond()
    );
}

/// The writer thread.
fn write_lines(style: Style) {
    let mut writer = Writer { style, terminal: None, out: String::with_capacity(1024), told: 0 };
    let mut text = Box::new([0; LINE_BYTES_MAX]);
    loop {
        let mut ring = lock();
        while ring.len == 0 {
            WRITING.store(false, Ordering::Relaxed);
            DRAINED.notify_all();
            ring = FILLED.wait(ring).unwrap_or_else(PoisonError::into_inner);
        }
        WRITING.store(true, Ordering::Relaxed);
        let line = ring.pop(&mut text);
        drop(ring);
        if let Some(line) = line {
            writer.line(&line);
        }
    }
}

struct Writer {
    style: Style,
    terminal: Option<simple_logger::SimpleLogger>,
    out: String,
    /// Lost lines already spoken of.
    told: usize,
}

impl Writer {
    fn line(&mut self, line: &Line<'_>) {
        if !self.write(line) {
            LOST.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let lost = lost_total();
        if lost > self.told {
            self.out.clear();
            let _ = write!(self.out, "{} log lines were lost", lost - self.told);
            let text = core::mem::take(&mut self.out);
            if self.write(&Line { level: Level::Warn, wall_ms: line.wall_ms, text: &text }) {
                self.told = lost;
            }
        }
    }

    fn write(&mut self, line: &Line<'_>) -> bool {
        if let Style::Terminal { timestamps } = self.style {
            // simple_logger panics when it cannot write: it is asked only while the terminal answers.
            if io::stderr().is_terminal() {
                let logger = self.terminal.get_or_insert_with(|| {
                    let logger = simple_logger::SimpleLogger::new();
                    if timestamps { logger.with_utc_timestamps() } else { logger.without_timestamps() }
                });
                let text = Escaped { text: line.text, quoted: false };
                let args = format_args!("{text}");
                logger.log(&Record::builder().level(line.level).target("pushgate").args(args).build());
                return true;
            }
            self.style = Style::Plain { timestamps };
        }
        self.out.clear();
        self.style.emit(line, &mut self.out);
        write_all(io::stderr().as_fd(), self.out.as_bytes())
    }
}

/// Writes everything, or says that it could not; waits up to a second for a reader that is slow where the descriptor does not block.
fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(0) => return false,
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let mut fds = [rustix::event::PollFd::from_borrowed_fd(to, rustix::event::PollFlags::OUT)];
                let second = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
                if !matches!(rustix::event::poll(&mut fds, Some(&second)), Ok(1..)) {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<const N: usize>(ring: &mut Ring<N>) -> Vec<String> {
        let mut buf = Box::new([0; LINE_BYTES_MAX]);
        let mut out = Vec::new();
        while let Some(line) = ring.pop(&mut buf) {
            out.push(format!("{} {} {}", line.level, line.wall_ms, line.text));
        }
        out
    }

    #[test]
    fn lines_in_order_round_the_end() {
        let mut ring = Ring::<64>::new();
        for round in 0..50u64 {
            assert!(ring.push(Level::Info, round, format_args!("line {round}")));
            assert!(ring.push(Level::Error, round, format_args!("")));
            assert_eq!(texts(&mut ring), [format!("INFO {round} line {round}"), format!("ERROR {round} ")]);
        }
    }

    #[test]
    fn a_full_ring_refuses_and_keeps_what_it_has() {
        let mut ring = Ring::<64>::new();
        assert!(ring.push(Level::Info, 1, format_args!("{}", "a".repeat(42))));
        assert_eq!(ring.len, 53);
        assert!(!ring.push(Level::Info, 2, format_args!("b")), "header and text need 12 of 11 free bytes");
        assert!(!ring.push(Level::Info, 2, format_args!("{}{}", "b", "c")));
        assert!(ring.push(Level::Info, 2, format_args!("")), "exactly at the limit");
        assert_eq!(texts(&mut ring), [format!("INFO 1 {}", "a".repeat(42)), "INFO 2 ".into()]);
        assert_eq!(ring.len, 0);
    }

    #[test]
    fn long_lines_are_cut_at_a_character() {
        let mut ring = Box::new(Ring::<RING_BYTES>::new());
        assert!(ring.push(Level::Info, 0, format_args!("{}{}", "x".repeat(LINE_BYTES_MAX - 1), "é and more")));
        assert_eq!(texts(&mut ring)[0].len(), "INFO 0 ".len() + LINE_BYTES_MAX - 1);
    }

    #[test]
    fn styles() {
        let line = |text| Line { level: Level::Warn, wall_ms: 1_700_000_000_123, text };
        for (style, text, want) in [
            (Style::Journal, "a \"b\"\n\u{1b}[31m\\", "<4>a \"b\"\\n\\x1b[31m\\\n"),
            (Style::Journal, "", "<4>\n"),
            (
                Style::Plain { timestamps: true },
                "a \"b\"\n\\ \u{85}é",
                "time=\"2023-11-14T22:13:20.123Z\" level=warning msg=\"a \\\"b\\\"\\n\\\\ \\u0085é\"\n",
            ),
            (Style::Plain { timestamps: false }, "x", "level=warning msg=\"x\"\n"),
        ] {
            let mut out = String::new();
            style.emit(&line(text), &mut out);
            assert_eq!(out, want);
        }
        let mut out = String::new();
        stamp(u64::MAX, &mut out);
        assert_eq!(out, "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn the_journal_is_known_by_its_numbers() {
        let stderr = io::stderr();
        if stderr.is_terminal() {
            return;
        }
        let stat = rustix::fs::fstat(stderr.as_fd()).expect("stderr");
        let name = format!("{}:{}", stat.st_dev, stat.st_ino);
        assert_eq!(Style::of_stderr(Some(&name), true), Style::Journal);
        for other in [Some("1:2"), Some(""), None] {
            assert_eq!(Style::of_stderr(other, true), Style::Plain { timestamps: true });
        }
    }

    #[test]
    fn a_closed_reader_is_no_panic() {
        let (reader, writer) = io::pipe().expect("pipe");
        assert!(write_all(writer.as_fd(), b"x\n"));
        drop(reader);
        assert!(!write_all(writer.as_fd(), b"x\n"));
    }

    /// What the tests below run as a process of its own, with the standard error they choose.
    #[test]
    fn as_a_child() {
        match std::env::var("LOG_TEST_CHILD").as_deref() {
            Ok("few") => {
                start(LevelFilter::Info, true).expect("starts");
                log::info!("first \"line\"\nforged");
                log::debug!("not shown");
                log::error!("{}", 2);
                assert!(flush(Duration::from_secs(60)));
                assert_eq!(lost_total(), 0);
            }
            Ok("many") => {
                start(LevelFilter::Info, true).expect("starts");
                while lost_total() == 0 {
                    log::warn!("{}", "x".repeat(1000));
                }
            }
            _ => {}
        }
    }

    fn child(mode: &str) -> std::process::Command {
        let own = std::env::current_exe().expect("our own path").into_os_string();
        // An emulator stands before the program when the tests run for another CPU (cross/build.sh).
        let runner = std::env::var("TEST_RUNNER").unwrap_or_default();
        let mut words = runner.split_whitespace().map(Into::into).chain([own]);
        let mut command = std::process::Command::new(words.next().expect("at least our own path"));
        command
            .args(words)
            .args(["--exact", "shell::log::tests::as_a_child", "--nocapture"])
            .env("LOG_TEST_CHILD", mode)
            .env_remove("JOURNAL_STREAM");
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
        command
    }

    #[test]
    fn lines_reach_stderr_as_ekuiper_writes_them() {
        let out = child("few").output().expect("runs");
        let text = String::from_utf8(out.stderr).expect("text");
        let lines: Vec<_> = text.lines().filter_map(|l| l.split_once("Z\" ").map(|(_, rest)| rest)).collect();
        assert_eq!(lines, ["level=info msg=\"first \\\"line\\\"\\nforged\"", "level=error msg=\"2\""], "{text}");
        assert!(out.status.success());
    }

    #[test]
    fn a_closed_stderr_costs_lines_only() {
        let mut child = child("many").spawn().expect("runs");
        drop(child.stderr.take());
        assert!(child.wait().expect("ends").success());
    }

    #[test]
    fn a_blocked_stderr_costs_lines_only() {
        let mut child = child("many").spawn().expect("runs");
        let unread = child.stderr.take();
        assert!(child.wait().expect("ends").success());
        drop(unread);
    }
}
