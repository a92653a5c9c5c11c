//! What a port counts: heads, answers, and a reason for each request and connection that was not served.
//!
//! Counting is all that a peer's mistakes cause; nothing of it is logged. The names are those under `port` of `GET /counters`.

use super::reply::Reply;

/// What the wire of one port counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    /// Heads that were readable.
    pub requests_total: u64,
    /// Requests that the gate took and answered with a success.
    pub taken_total: u64,
    /// Requests the wire itself refused, by [`REASONS`].
    pub refused_total: [u64; REASONS.len()],
}

/// Why the wire refuses: status and the counter's name.
pub const REASONS: [(u16, &str); 11] = [
    (400, "refused_bad_request_total"),
    (408, "refused_timeout_total"),
    (411, "refused_length_required_total"),
    (413, "refused_too_large_total"),
    (414, "refused_target_too_long_total"),
    (417, "refused_expectation_total"),
    (429, "refused_address_full_total"),
    (431, "refused_head_too_long_total"),
    (501, "refused_not_implemented_total"),
    (503, "refused_no_large_buffer_total"),
    (505, "refused_version_total"),
];

impl Counters {
    /// One refusal of the wire's own.
    pub fn refused(&mut self, reply: &Reply) {
        for ((status, _), count) in REASONS.iter().zip(&mut self.refused_total) {
            *count += u64::from(*status == reply.status);
        }
    }

    /// Name and value of every refusal counter.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        REASONS.iter().map(|(_, name)| *name).zip(self.refused_total)
    }

    /// Name and value of every counter.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [("requests_total", self.requests_total), ("taken_total", self.taken_total)].into_iter().chain(self.refusals())
    }
}

/// What becomes of the connections of one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnCounters {
    /// Connections taken from the kernel.
    pub accepted_total: u64,
    /// Idle connections that had to yield to a new one.
    pub yielded_total: u64,
    /// Slow connections that had to give way to a new one, because none was idle.
    pub overdue_total: u64,
    /// Times accepting paused because descriptors or memory had run out.
    pub paused_total: u64,
    /// Times a new connection had to wait, because all were at work.
    pub full_total: u64,
    /// Connections that ended in an error: a reset, an answer that nobody took in time.
    pub broken_total: u64,
    /// Turns: times that a connection had what it was waiting for.
    pub turns_total: u64,
    /// Times that a busy connection had to let the others have their turn.
    pub gave_way_total: u64,
    /// Large buffers that were lent.
    pub lent_total: u64,
    /// TLS handshakes that were completed.
    pub tls_handshakes_total: u64,
    /// TLS handshakes that failed: no common version, no certificate, one that is not trusted.
    pub tls_failed_total: u64,
    /// TLS handshakes that took too long.
    pub tls_timeout_total: u64,
    /// Peers that spoke plain HTTP to a TLS port.
    pub tls_plain_total: u64,
    /// Certificates that were read again.
    pub tls_reloads_total: u64,
    /// Certificates that could not be: the old one stays.
    pub tls_reloads_failed_total: u64,
}

impl ConnCounters {
    /// Name and value of every counter.
    #[must_use]
    pub const fn all(&self) -> [(&'static str, u64); 15] {
        [
            ("connections_accepted_total", self.accepted_total),
            ("connections_yielded_total", self.yielded_total),
            ("connections_overdue_total", self.overdue_total),
            ("connections_broken_total", self.broken_total),
            ("accept_paused_total", self.paused_total),
            ("accept_full_total", self.full_total),
            ("turns_total", self.turns_total),
            ("turns_gave_way_total", self.gave_way_total),
            ("large_buffers_lent_total", self.lent_total),
            ("tls_handshakes_total", self.tls_handshakes_total),
            ("tls_failed_total", self.tls_failed_total),
            ("tls_timeout_total", self.tls_timeout_total),
            ("tls_plain_total", self.tls_plain_total),
            ("tls_reloads_total", self.tls_reloads_total),
            ("tls_reloads_failed_total", self.tls_reloads_failed_total),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_one_counter() {
        let mut counters = Counters::default();
        for (status, name) in REASONS {
            counters.refused(&Reply::error(status, "no"));
            assert_eq!(counters.refusals().filter(|(n, count)| *n == name && *count == 1).count(), 1, "{name}");
        }
        assert_eq!(counters.refused_total.iter().sum::<u64>(), 11);
        let mut names: Vec<_> = counters.all().chain(ConnCounters::default().all()).map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 2 + REASONS.len() + 15);
    }
}
