//! What the process takes beside the engine's buffers, for the memory bill: sizes of the shell's own types, what TLS may take of a
//! connection, allowances for the runtime, and the program itself as it is mapped.

use std::fs;

use super::listen::slot_bytes;
use super::log::RING_BYTES;
use crate::bill::{Bill, Fixed};
use crate::config::Config;
use crate::engine::Ticket;
use crate::limits::Limits;

/// Bytes on their way to the writer thread.
pub const WRITER_BYTES: usize = 1 << 20;
/// Connections of the port for metrics.
pub const SCRAPE_COUNT: usize = 4;

/// A connection's task and its socket in the reactor. An allowance: both are on the heap.
const TASK_BYTES: usize = 1 << 10;
/// Threads at once: data, reactor, log and writer; and those of the blocking pool, one for each management connection and some for
/// name look-ups.
const THREAD_COUNT: u64 = 4 + 8;
/// What a thread touches of its stack.
const THREAD_BYTES: u64 = 64 << 10;
/// Configuration, definitions, tasks of sinks, and what the C library keeps of freed memory.
const HEAP_BYTES: u64 = 5 << 19;
/// A TLS connection at its worst: a handshake message of 64 KiB in pieces (rustls joins at most 65,535 bytes), or later a record each
/// way (18 KiB and 16 KiB), and 7 KiB of state. Most have 10 kB.
const TLS_CONN_BYTES: usize = 72 << 10;
/// Certificates, authorities and revocation lists of one port, and its configuration.
const TLS_BYTES: u64 = 1 << 20;

/// The bill of everything that is there whatever is defined.
#[must_use]
pub fn bill(limits: &Limits, config: &Config) -> Bill {
    let data = config.source.http_server_tls.is_some();
    let management = config.basic.rest_tls.is_some();
    let threads = THREAD_COUNT + limits.manage_conn_count as u64;
    let tls = |on: bool| if on { TLS_CONN_BYTES } else { 0 };
    let shell = Fixed {
        code_bytes: mapped_bytes(&fs::read_to_string("/proc/self/maps").unwrap_or_default()),
        runtime_bytes: threads * THREAD_BYTES + (WRITER_BYTES + RING_BYTES) as u64 + HEAP_BYTES,
        conn_bytes: slot_bytes::<Ticket>() + TASK_BYTES,
        tls_conn_bytes: tls(data),
        tls_manage_bytes: tls(management),
        tls_bytes: TLS_BYTES * (u64::from(data) + u64::from(management)),
        scrape_count: if config.basic.prometheus { SCRAPE_COUNT } else { 0 },
    };
    Bill::fixed(limits, &shell)
}

/// Bytes of files in the process's memory: the program and its libraries. 0 where the kernel does not tell.
fn mapped_bytes(maps: &str) -> u64 {
    let of_file = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (from, to) = words.next()?.split_once('-')?;
        let path = words.nth(4)?;
        let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        path.starts_with('/').then(|| to.saturating_sub(from))
    };
    maps.lines().filter_map(of_file).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_and_nothing_else() {
        let maps = "\
00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/dbus-daemon
00e03000-00e24000 rw-p 00000000 00:00 0           [heap]
35b1a21000-35b1a22000 rw-p 00021000 00:00 0
35b1800000-35b1820000 r-xp 00000000 08:02 135522  /usr/lib64/ld-2.15.so
";
        assert_eq!(mapped_bytes(maps), 0x52000 + 0x20000);
        assert!(cfg!(not(target_os = "linux")) || mapped_bytes(&fs::read_to_string("/proc/self/maps").expect("maps")) > 0);
    }

    #[test]
    fn tls_is_counted_where_it_is_spoken() {
        let plain = Config::default();
        let mut encrypted = plain.clone();
        encrypted.source.http_server_tls = Some(Default::default());
        let (a, b) = (bill(&plain.limits, &plain), bill(&plain.limits, &encrypted));
        assert!(b.total() >= a.total() + 512 * TLS_CONN_BYTES as u64);
        assert!(a.posts.iter().all(|post| !post.what.contains("TLS")));
    }
}
