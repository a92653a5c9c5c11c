//! Gives back what only the start needed, so that the resident memory of an idle gate is what serving takes.
//!
//! The kernel maps 64 KiB of a program around every page that is touched: a start that walks through configuration, parsers and planner
//! leaves most of the program and its libraries mapped for good. And the C library keeps what the start freed. Once everything runs,
//! code is unmapped (what serving needs comes back from the page cache, a microsecond a page; the rest is the first thing the kernel
//! may reuse) and free heap pages are returned. In: `/proc/self/smaps` when the process starts. Sources: madvise(2), malloc_trim(3).
//!
//! One of the two modules with unsafe code: neither call has a safe interface. benches/README.md has what it brings.

use std::fs;

use rustix::mm::{Advice, madvise};

/// Where the code of the program and of its libraries lies.
#[derive(Debug)]
pub struct StartPages(Vec<(usize, usize)>);

impl StartPages {
    /// Looks, before the first thread is started and before anything could load a further library; empty where the kernel does not tell.
    #[must_use]
    pub fn list() -> Self {
        Self(code_mappings(&fs::read_to_string("/proc/self/smaps").unwrap_or_default()).collect())
    }

    /// Unmaps the code, and returns the heap's free pages.
    pub fn drop_resident(&self) {
        for &(from, to) in &self.0 {
            drop_pages(from, to);
        }
        trim_heap();
    }
}

/// Address ranges of private mappings of code from files, without a page of their own (`Anonymous: 0 kB`).
fn code_mappings(smaps: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut current = None;
    smaps.lines().filter_map(move |line| {
        if let Some(mapping) = parse_mapping(line) {
            current = mapping;
            return None;
        }
        let anonymous = line.strip_prefix("Anonymous:")?;
        current.take().filter(|_| anonymous.trim() == "0 kB")
    })
}

/// The first line of a mapping: `Some(None)` when it is not one of code, `None` for any other line.
fn parse_mapping(line: &str) -> Option<Option<(usize, usize)>> {
    let mut words = line.split_ascii_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let (from, to) = (usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?);
    let permissions = words.next()?;
    let path = words.nth(3).unwrap_or("");
    let is_code = permissions == "r-xp" && path.starts_with('/') && from < to;
    Some(is_code.then_some((from, to)))
}

#[expect(unsafe_code, reason = "madvise has no safe interface")]
fn drop_pages(from: usize, to: usize) {
    // SAFETY: [from, to) was mapped, privately and without write permission, from the file of the program or of a library loaded with
    // it, and had no page of its own: every page equals the file's and is read from it again when next touched, so no value that Rust
    // can see changes. These mappings are made at exec and stay for life: `list` runs before anything can load or unload more. Files
    // that are being executed cannot be written (ETXTBSY) or are replaced rather than written into; all demand paging rests on that.
    // Where it fails the pages merely stay.
    let _ = unsafe { madvise(std::ptr::without_provenance_mut(from), to - from, Advice::LinuxDontNeed) };
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a C function")]
fn trim_heap() {
    // SAFETY: may be called at any time from any thread (malloc_trim(3): MT-Safe); only pages without live allocations are returned.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim_heap() {}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
c0000000-c0010000 r--p 00000000 fe:00 1 /usr/bin/pushgate
Rss: 64 kB
Anonymous:             0 kB
c0010000-c0018000 r-xp 00010000 fe:00 1 /usr/bin/pushgate
Anonymous:             0 kB
VmFlags: rd ex mr mw me
c0018000-c0020000 r-xp 00018000 fe:00 1 /usr/bin/pushgate
Anonymous:             4 kB
c0030000-c0040000 rw-p 00030000 fe:00 1 /usr/bin/pushgate
Anonymous:             0 kB
c0040000-c0050000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
c0050000-c0060000 r-xs 00000000 fe:00 2 /run/shared
Anonymous:             0 kB
c0070000-c0080000 r-xp 00000000 fe:00 3 /usr/lib/libc.so.6
Anonymous:             0 kB
7f0000000000-7f0000010000 r-xp 00000000 00:00 0
Anonymous:             0 kB
";

    #[test]
    fn only_clean_private_code_from_files_is_dropped() {
        let ranges: Vec<_> = code_mappings(SMAPS).collect();
        assert_eq!(ranges, [(0xc001_0000, 0xc001_8000), (0xc007_0000, 0xc008_0000)]);
    }

    #[test]
    fn code_runs_on_and_allocations_keep_their_bytes_afterwards() {
        let pages = StartPages::list();
        // Under an emulator the list is that of the emulator, whose addresses may not even fit.
        assert!(cfg!(not(target_arch = "x86_64")) || !pages.0.is_empty());
        let kept: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        pages.drop_resident();
        assert!(kept.iter().enumerate().all(|(n, text)| *text == n.to_string()));
    }
}
