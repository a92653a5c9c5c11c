//! How the process fares, from `/proc`: for `GET /` of the management API.

use std::{fs, time::Instant};

use crate::catalog::System;

/// Remembers the start, and what was read last, so that CPU is a share of the time between two looks.
#[derive(Debug)]
pub struct Vitals {
    start: Instant,
    last: (Instant, u64),
}

impl Default for Vitals {
    fn default() -> Self {
        let start = Instant::now();
        Self { start, last: (start, 0) }
    }
}

impl Vitals {
    /// Looks once.
    pub fn read(&mut self) -> System {
        let now = Instant::now();
        let ticks = cpu_ticks();
        let (since, before) = self.last;
        let passed_ms = now.duration_since(since).as_millis().max(1);
        // Linux counts CPU in hundredths of a second wherever user space can see it.
        let hundredths = u128::from(ticks.saturating_sub(before)) * 10 * 10_000 / passed_ms;
        self.last = (now, ticks);
        System {
            up_time_s: now.duration_since(self.start).as_secs(),
            cpu_usage: format!("{}.{:02}%", hundredths / 100, hundredths % 100),
            memory_used: resident_bytes().to_string(),
            memory_total: total_bytes().to_string(),
        }
    }
}

/// User and system time of this process, in ticks.
fn cpu_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or("");
    after_name.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum()
}

fn resident_bytes() -> u64 {
    kib_of("/proc/self/status", "VmRSS:") * 1024
}

fn total_bytes() -> u64 {
    kib_of("/proc/meminfo", "MemTotal:") * 1024
}

fn kib_of(file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("");
    line.split_ascii_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_text() {
        let system = Vitals::default().read();
        assert!(system.memory_total.parse::<u64>().is_ok_and(|n| n > 0), "{system:?}");
        assert!(system.cpu_usage.trim_end_matches('%').parse::<f64>().is_ok(), "{system:?}");
    }
}
