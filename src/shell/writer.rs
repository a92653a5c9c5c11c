//! The writer thread: everything that files of sinks are made to do, so that a slow disk never holds the data thread.
//!
//! In: commands through a bounded ring of bytes ([`Handle::write`], [`Handle::close`]; a full ring is an answer). Out: how many
//! payloads of each sink are written, and why some are not ([`Handle::poll_progress`]). What to write and where is decided in
//! [`sink::file`](crate::sink::file).
//!
//! Payloads reach the file at once, compressed ones within [`SETTLE`]; a file is synced to the disk when it is closed. A payload that cannot be
//! written whole leaves no part behind and is reported; the next one tries to open the file anew.

use std::{
    fs,
    io::{self, Seek as _, SeekFrom, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress};

use super::net::reason;
use crate::pages::Pages;
use crate::ring::{Overflow, Parts, ReaderId, Refused, Ring};
use crate::sink::file::{FILES_MAX, FileOpen, FileType, FileWrite, Packing, footer, resume, separator};
use crate::sink::squeeze::{GZIP_HEAD, compressor, gzip_tail};
use crate::zstd;

/// Longest time that compressed payloads wait for more before they can be read back.
pub const SETTLE: Duration = Duration::from_millis(500);
/// Payloads written before their sink is told, while more wait.
const REPORT_COUNT: u64 = 64;
/// Bytes of compressed output written at once.
const OUT_BYTES: usize = 16 * 1024;

/// The writer thread, as its users see it.
#[derive(Debug, Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

/// One sink's access to the writer thread. Dropped, its files are closed once all it gave has been written.
#[derive(Debug)]
pub struct Handle {
    shared: Arc<Shared>,
    user: usize,
}

/// What has been written since it was last asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last payload among them.
    pub seq: u64,
    /// How many.
    pub count: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Why the last of those did.
    pub text: String,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    idle: Condvar,
}

#[derive(Debug)]
struct State {
    ring: Ring<Pages>,
    reader: ReaderId,
    users: Vec<Option<User>>,
    /// Who waits for room in the ring.
    room: Vec<Waker>,
    /// The thread has nothing in hand.
    is_idle: bool,
}

#[derive(Debug, Default)]
struct User {
    progress: Progress,
    waker: Option<Waker>,
    /// Dropped: it goes once the command of this number is done.
    end: Option<u64>,
}

const WRITE: u16 = 0;
const CLOSE: u16 = 1;

impl Writer {
    /// Starts the thread; `bytes` bound what waits for it.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(bytes: usize) -> io::Result<Self> {
        let mut ring = Ring::new(Pages::new(bytes), 1, Overflow::Reject, None);
        let reader = ring.add_reader().ok_or_else(|| io::Error::other("a ring without a reader"))?;
        let state = State { ring, reader, users: Vec::new(), room: Vec::new(), is_idle: true };
        let shared = Arc::new(Shared { state: Mutex::new(state), work: Condvar::new(), idle: Condvar::new() });
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("writer".into()).stack_size(256 * 1024).spawn(move || work(&theirs))?;
        Ok(Self { shared })
    }

    /// Access for one more sink.
    #[must_use]
    pub fn open(&self) -> Handle {
        let mut state = self.shared.lock();
        let user = state.users.iter().position(Option::is_none).unwrap_or_else(|| {
            state.users.push(None);
            state.users.len() - 1
        });
        state.users[user] = Some(User::default());
        drop(state);
        Handle { shared: Arc::clone(&self.shared), user }
    }

    /// The process ends: all that was given is written and every file is closed, at most within `limit`. Says whether it was.
    #[must_use]
    pub fn finish(&self, limit: Duration) -> bool {
        let mut state = self.shared.lock();
        let last = state.ring.last_seq();
        for user in state.users.iter_mut().flatten() {
            user.end.get_or_insert(last);
        }
        drop(state);
        self.shared.work.notify_one();
        self.drain(limit)
    }

    /// Waits until all that was given is written, at most `limit`. Says whether it was.
    #[must_use]
    pub fn drain(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.shared.lock();
        while !(state.is_idle && state.ring.is_empty() && state.users.iter().flatten().all(|u| u.end.is_none())) {
            let Some(left) = end.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) else { return false };
            state = self.shared.idle.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Handle {
    /// Gives one payload. False: no room, see [`Handle::poll_room`].
    #[must_use]
    pub fn write(&self, seq: u64, to: &FileWrite<'_>, body: &[u8]) -> bool {
        let (path, header) = to.open.as_ref().map_or(("", ""), |open| (open.path, open.header));
        let kind = match to.open.map(|open| open.kind) {
            None => 0,
            Some(FileType::Lines) => 1,
            Some(FileType::Json) => 2,
            Some(FileType::Csv) => 3,
        };
        let packing = match to.open.map(|open| open.packing) {
            None | Some(Packing::Plain) => 0,
            Some(Packing::Gzip) => 1,
            Some(Packing::Zstd) => 2,
        };
        let mut meta = [0; Meta::BYTES];
        meta[..8].copy_from_slice(&seq.to_le_bytes());
        meta[8..12].copy_from_slice(&number(self.user).to_le_bytes());
        meta[12..16].copy_from_slice(&number(path.len()).to_le_bytes());
        meta[16..20].copy_from_slice(&[to.slot, kind, packing, u8::from(to.close)]);
        // Head, path and header lie in one part, so they are put together here.
        self.push(WRITE, &meta, &[path.as_bytes(), header.as_bytes()], body)
    }

    /// Has the file in `slot` closed. False: no room.
    #[must_use]
    pub fn close(&self, slot: u8) -> bool {
        let mut meta = [0; Meta::BYTES];
        meta[8..12].copy_from_slice(&number(self.user).to_le_bytes());
        meta[16] = slot;
        self.push(CLOSE, &meta, &[], &[])
    }

    fn push(&self, flags: u16, meta: &[u8; Meta::BYTES], texts: &[&[u8]], body: &[u8]) -> bool {
        let mut state = self.shared.lock();
        let pushed = if texts.iter().all(|t| t.is_empty()) {
            state.ring.push(&Parts { flags, meta, body, ..Parts::default() })
        } else {
            let index = texts.concat();
            state.ring.push(&Parts { flags, meta, index: &index, body, ..Parts::default() })
        };
        let taken = match pushed {
            Ok(_) => true,
            Err(Refused::Full { .. }) => false,
            Err(Refused::TooLarge) => {
                if let Some(user) = state.users.get_mut(self.user).and_then(Option::as_mut) {
                    let seq = Meta(meta).seq();
                    user.report(seq, Some("the payload does not fit the writer's ring".to_owned()));
                    user.wake();
                }
                true
            }
        };
        drop(state);
        self.shared.work.notify_one();
        taken
    }

    /// Ready with what has been written, once there is anything new.
    pub fn poll_progress(&self, cx: &mut Context<'_>) -> Poll<Progress> {
        let mut state = self.shared.lock();
        let Some(user) = state.users.get_mut(self.user).and_then(Option::as_mut) else { return Poll::Pending };
        if user.progress.count > 0 {
            return Poll::Ready(std::mem::take(&mut user.progress));
        }
        user.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ready when the ring has taken nothing for a while and may do so now.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        if state.ring.used() * 2 <= state.ring.capacity() {
            return Poll::Ready(());
        }
        if !state.room.iter().any(|w| w.will_wake(cx.waker())) {
            state.room.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let last = state.ring.last_seq();
        if let Some(user) = state.users.get_mut(self.user).and_then(Option::as_mut) {
            user.end = Some(last);
        }
        drop(state);
        self.shared.work.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl User {
    fn report(&mut self, seq: u64, fault: Option<String>) {
        self.progress.seq = seq;
        self.progress.count += 1;
        if let Some(text) = fault {
            self.progress.failed += 1;
            self.progress.text = text;
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The fixed part of a command: seq u64, user u32, path length u32, slot, kind, packing, close.
struct Meta<'m>(&'m [u8]);

impl Meta<'_> {
    const BYTES: usize = 20;

    fn seq(&self) -> u64 {
        self.0.first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
    }

    fn u32_at(&self, at: usize) -> usize {
        self.0.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes) as usize
    }

    fn byte(&self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// One command, taken out of the ring.
#[derive(Default)]
struct Command {
    flags: u16,
    meta: Vec<u8>,
    texts: Vec<u8>,
    body: Vec<u8>,
}

/// What the thread does until the process ends.
fn work(shared: &Shared) {
    let mut users: Vec<Files> = Vec::new();
    let mut command = Command::default();
    let mut line = Vec::new();
    loop {
        match next(shared, &mut command, &mut users) {
            Next::Command => {}
            Next::Settle => {
                for file in users.iter_mut().flat_map(|files| files.slots.iter_mut()) {
                    file.settle();
                }
                continue;
            }
            Next::End(user) => {
                if let Some(files) = users.get_mut(user) {
                    *files = Files::default();
                }
                shared.lock().users[user] = None;
                continue;
            }
        }
        let meta = Meta(&command.meta);
        let (user, slot) = (meta.u32_at(8), usize::from(meta.byte(16)));
        if users.len() <= user {
            users.resize_with(user + 1, Files::default);
        }
        let Some(file) = users[user].slots.get_mut(slot) else { continue };
        if command.flags == CLOSE {
            file.close();
            continue;
        }
        let fault = file.write(&meta, &command.texts, &command.body, &mut line).err().map(|e| format!("file {}: {e}", file.path));
        if meta.byte(19) != 0 {
            file.close();
        }
        let mut state = shared.lock();
        let more = !state.ring.is_empty();
        if let Some(user) = state.users.get_mut(user).and_then(Option::as_mut) {
            user.report(meta.seq(), fault);
            if !more || user.progress.count >= REPORT_COUNT {
                user.wake();
            }
        }
    }
}

enum Next {
    Command,
    /// Nothing has come for a while: what is held back gets out.
    Settle,
    /// This user is gone, and all it gave is done.
    End(usize),
}

/// Waits for what to do next.
fn next(shared: &Shared, command: &mut Command, users: &mut [Files]) -> Next {
    let mut state = shared.lock();
    loop {
        let reader = state.reader;
        let ended = |state: &State| {
            let done = state.ring.peek(reader).map_or(u64::MAX, |record| record.seq - 1);
            state.users.iter().position(|u| u.as_ref().and_then(|u| u.end).is_some_and(|end| end <= done))
        };
        if let Some(user) = ended(&state) {
            state.is_idle = false;
            return Next::End(user);
        }
        if let Some(record) = state.ring.peek(reader) {
            command.flags = record.flags;
            for (part, bytes) in [(&mut command.meta, record.meta), (&mut command.texts, record.index), (&mut command.body, record.body)] {
                part.clear();
                part.extend_from_slice(bytes);
            }
            state.ring.take(reader);
            state.is_idle = false;
            if state.ring.used() * 2 <= state.ring.capacity() {
                state.room.drain(..).for_each(Waker::wake);
            }
            return Next::Command;
        }
        state.is_idle = true;
        state.room.drain(..).for_each(Waker::wake);
        for user in state.users.iter_mut().flatten().filter(|u| u.progress.count > 0) {
            user.wake();
        }
        shared.idle.notify_all();
        if users.iter().flat_map(|files| files.slots.iter()).any(Slot::holds_back) {
            let (again, timeout) = shared.work.wait_timeout(state, SETTLE).unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() && again.ring.is_empty() {
                return Next::Settle;
            }
            state = again;
        } else {
            state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The files of one sink.
#[derive(Default)]
struct Files {
    slots: [Slot; FILES_MAX],
}

/// A place for one open file. What it was told to open stays, so that a file that could not be opened is tried again.
#[derive(Default)]
struct Slot {
    path: String,
    header: String,
    kind: Option<FileType>,
    packing: Packing,
    open: Option<Open>,
}

struct Open {
    file: fs::File,
    gzip: Option<Gzip>,
    /// Every piece is a zstd frame of its own; and room for one.
    zstd: Option<(Box<zstd::Encoder>, Vec<u8>)>,
    /// What comes before the next payload.
    lead: &'static str,
    with_header: bool,
    len: u64,
}

impl Slot {
    /// Writes one payload, opening the file if need be.
    fn write(&mut self, meta: &Meta<'_>, texts: &[u8], body: &[u8], line: &mut Vec<u8>) -> Result<(), String> {
        let kind = match meta.byte(17) {
            0 => None,
            1 => Some(FileType::Lines),
            2 => Some(FileType::Json),
            _ => Some(FileType::Csv),
        };
        if let Some(kind) = kind {
            self.close();
            let (path, header) = texts.split_at_checked(meta.u32_at(12)).unwrap_or((texts, &[]));
            self.path = String::from_utf8_lossy(path).into_owned();
            self.header = String::from_utf8_lossy(header).into_owned();
            self.kind = Some(kind);
            self.packing = match meta.byte(18) {
                0 => Packing::Plain,
                1 => Packing::Gzip,
                _ => Packing::Zstd,
            };
        }
        let Some(kind) = self.kind else { return Err("no file was named".to_owned()) };
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let spec = FileOpen { path: &self.path, kind, header: &self.header, packing: self.packing };
                self.open.insert(Open::new(&spec).map_err(|e| reason(&e))?)
            }
        };
        line.clear();
        line.extend_from_slice(open.lead.as_bytes());
        if open.with_header {
            line.extend_from_slice(self.header.as_bytes());
            line.push(b'\n');
        }
        line.extend_from_slice(body);
        match open.put(line) {
            Ok(()) => {
                open.lead = separator(kind);
                open.with_header = false;
                Ok(())
            }
            Err(e) => {
                // No part of it stays; the next payload opens the file anew.
                let (file, len) = (&open.file, open.len);
                let _ = file.set_len(len);
                self.open = None;
                Err(reason(&e))
            }
        }
    }

    fn close(&mut self) {
        let (Some(mut open), Some(kind)) = (self.open.take(), self.kind) else { return };
        let ended = open.put(footer(kind).as_bytes()).and_then(|()| open.finish()).and_then(|()| open.file.sync_data());
        if let Err(e) = ended {
            log::warn!("file {}: closing: {}", self.path, reason(&e));
        }
    }

    fn settle(&mut self) {
        if let Some(open) = &mut self.open
            && let Err(e) = open.settle()
        {
            log::warn!("file {}: {}", self.path, reason(&e));
            self.open = None;
        }
    }

    fn holds_back(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.gzip.as_ref().is_some_and(|gzip| gzip.is_dirty))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.close();
    }
}

impl Open {
    fn new(spec: &FileOpen<'_>) -> io::Result<Self> {
        let open = || fs::OpenOptions::new().read(true).append(true).create(true).open(spec.path);
        let mut file = match open() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                if let Some(parent) = Path::new(spec.path).parent() {
                    fs::create_dir_all(parent)?;
                }
                open()?
            }
            other => other?,
        };
        let mut len = file.metadata()?.len();
        let mut last = [0; 2];
        let tail = usize::try_from(len.min(2)).unwrap_or(2);
        file.read_exact_at(&mut last[..tail], len - tail as u64)?;
        let on = resume(spec, len, &last[..tail]);
        if on.cut > 0 {
            len -= on.cut;
            file.set_len(len)?;
        }
        file.seek(SeekFrom::Start(len))?;
        let gzip = (spec.packing == Packing::Gzip).then(Gzip::new);
        let zstd = (spec.packing == Packing::Zstd).then(Default::default);
        Ok(Self { file, gzip, zstd, lead: on.lead, with_header: on.header, len })
    }

    /// Writes all of `bytes`, or fails.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some((encoder, frame)) = &mut self.zstd {
            if frame.len() < zstd::bound(bytes.len()) {
                frame.resize(zstd::bound(bytes.len()), 0);
            }
            let len = encoder.encode(bytes, frame).ok_or_else(|| io::Error::other("the compressor failed"))?;
            self.file.write_all(&frame[..len])?;
            self.len += len as u64;
            return Ok(());
        }
        match &mut self.gzip {
            None => {
                self.file.write_all(bytes)?;
                self.len += bytes.len() as u64;
                Ok(())
            }
            Some(gzip) => {
                self.len += gzip.put(bytes, TDEFLFlush::None, &mut self.file)?;
                Ok(())
            }
        }
    }

    fn settle(&mut self) -> io::Result<()> {
        match &mut self.gzip {
            Some(gzip) if gzip.is_dirty => {
                self.len += gzip.put(&[], TDEFLFlush::Sync, &mut self.file)?;
                gzip.is_dirty = false;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match &mut self.gzip {
            Some(gzip) => gzip.finish(&mut self.file),
            None => Ok(()),
        }
    }
}

/// One member of a gzip file, being written.
struct Gzip {
    state: Box<CompressorOxide>,
    crc: crc32fast::Hasher,
    len: usize,
    has_begun: bool,
    is_dirty: bool,
}

impl Gzip {
    fn new() -> Self {
        Self { state: compressor(false), crc: crc32fast::Hasher::new(), len: 0, has_begun: false, is_dirty: false }
    }

    /// Gives the bytes that went to the file.
    fn put(&mut self, mut bytes: &[u8], flush: TDEFLFlush, file: &mut fs::File) -> io::Result<u64> {
        let mut out = [0; OUT_BYTES];
        let mut total = 0;
        if !self.has_begun {
            file.write_all(&GZIP_HEAD)?;
            self.has_begun = true;
            total += GZIP_HEAD.len();
        }
        self.crc.update(bytes);
        self.len = self.len.wrapping_add(bytes.len());
        self.is_dirty = true;
        loop {
            let (status, read, written) = compress(&mut self.state, bytes, &mut out, flush);
            file.write_all(&out[..written])?;
            total += written;
            bytes = &bytes[read..];
            match status {
                TDEFLStatus::Done => break,
                // A full output means that more may follow.
                TDEFLStatus::Okay if bytes.is_empty() && written < out.len() => break,
                TDEFLStatus::Okay => {}
                TDEFLStatus::BadParam | TDEFLStatus::PutBufFailed => return Err(io::Error::other("the compressor failed")),
            }
        }
        Ok(total as u64)
    }

    fn finish(&mut self, file: &mut fs::File) -> io::Result<()> {
        self.put(&[], TDEFLFlush::Finish, file)?;
        file.write_all(&gzip_tail(self.crc.clone().finalize(), self.len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::inflate::decompress_to_vec;

    struct Dir(std::path::PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("pushgate-writer-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(&dir).expect("a scratch directory");
            Self(dir)
        }

        fn path(&self, name: &str) -> String {
            self.0.join(name).to_str().expect("utf-8").to_owned()
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn put(handle: &Handle, seq: u64, open: Option<FileOpen<'_>>, body: &str) {
        assert!(handle.write(seq, &FileWrite { slot: 0, open, close: false }, body.as_bytes()));
    }

    fn drained(writer: &Writer) {
        assert!(writer.drain(Duration::from_secs(10)));
    }

    fn progress(handle: &Handle) -> Progress {
        match handle.poll_progress(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(progress) => progress,
            Poll::Pending => Progress::default(),
        }
    }

    #[test]
    fn restarts_go_on_with_the_same_file() {
        for (kind, header, first, second, want) in [
            (FileType::Lines, "", ["a", "b"], "c", "a\nb\nc"),
            (FileType::Json, "", ["1", "2"], "3", "[1,2,3]"),
            (FileType::Csv, "x,y", ["1,2", "3,4"], "5,6", "x,y\n1,2\n3,4\n5,6"),
            (FileType::Csv, "", ["1,2", "3,4"], "5,6", "\n1,2\n3,4\n5,6"),
        ] {
            let dir = Dir::new(&format!("restart-{kind:?}-{header}"));
            let path = dir.path("deep/er/o.txt");
            let writer = Writer::start(1 << 16).expect("a thread");
            let open = Some(FileOpen { path: &path, kind, header, packing: Packing::Plain });
            let handle = writer.open();
            put(&handle, 1, open, first[0]);
            put(&handle, 2, None, first[1]);
            drop(handle);
            let handle = writer.open();
            put(&handle, 1, open, second);
            drop(handle);
            drained(&writer);
            assert_eq!(fs::read_to_string(&path).expect("written"), want);
        }
    }

    #[test]
    fn compressed_files_read_back_and_restart_as_another_member() {
        let dir = Dir::new("gzip");
        let path = dir.path("o.gz");
        let writer = Writer::start(1 << 16).expect("a thread");
        let open = Some(FileOpen { path: &path, kind: FileType::Lines, header: "", packing: Packing::Gzip });
        let long = "x".repeat(20_000);
        let handle = writer.open();
        put(&handle, 1, open, "a");
        put(&handle, 2, None, &long);
        assert!(handle.close(0));
        drained(&writer);
        let raw = fs::read(&path).expect("written");
        let want = format!("a\n{long}");
        assert_eq!(decompress_to_vec(&raw[10..raw.len() - 8]).expect("sound"), want.as_bytes());
        assert_eq!(raw[raw.len() - 8..], gzip_tail(crc32fast::hash(want.as_bytes()), want.len()));
        put(&handle, 3, open, "b");
        drop(handle);
        drained(&writer);
        let both = fs::read(&path).expect("written");
        assert_eq!(decompress_to_vec(&both[raw.len() + 10..both.len() - 8]).expect("sound"), b"\nb");
    }

    #[test]
    fn what_cannot_be_written_is_told_and_tried_anew() {
        let dir = Dir::new("fault");
        fs::write(dir.path("in"), "no directory").expect("written");
        let path = dir.path("in/o.txt");
        let writer = Writer::start(1 << 16).expect("a thread");
        let handle = writer.open();
        put(&handle, 1, Some(FileOpen { path: &path, kind: FileType::Lines, header: "", packing: Packing::Plain }), "a");
        drained(&writer);
        let told = progress(&handle);
        assert_eq!((told.seq, told.count, told.failed), (1, 1, 1));
        assert!(told.text.contains("in/o.txt"), "{}", told.text);
        fs::remove_file(dir.path("in")).expect("removed");
        put(&handle, 2, None, "b");
        drained(&writer);
        assert_eq!(progress(&handle), Progress { seq: 2, count: 1, failed: 0, text: String::new() });
        assert_eq!(fs::read_to_string(&path).expect("written"), "b");
    }

    #[test]
    fn a_full_ring_is_an_answer() {
        let dir = Dir::new("full");
        let path = dir.path("o.txt");
        let writer = Writer::start(1024).expect("a thread");
        let handle = writer.open();
        let body = "y".repeat(300);
        put(&handle, 1, Some(FileOpen { path: &path, kind: FileType::Lines, header: "", packing: Packing::Plain }), "a");
        let mut written = 1;
        for seq in 2..200 {
            while !handle.write(seq, &FileWrite { slot: 0, open: None, close: false }, body.as_bytes()) {
                drained(&writer);
            }
            written += 1;
        }
        // One that never fits is taken and reported.
        assert!(handle.write(200, &FileWrite { slot: 0, open: None, close: false }, "z".repeat(2000).as_bytes()));
        drained(&writer);
        let told = progress(&handle);
        assert_eq!((told.count, told.failed), (written + 1, 1));
        assert_eq!(fs::read_to_string(&path).expect("written").lines().count(), 199);
    }
}
