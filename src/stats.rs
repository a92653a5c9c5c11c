//! Counters. Names end in `_total` and match the REST and metrics names exactly; texts are kept in fixed buffers.

use heapless::String;

use crate::time::Timestamp;

/// Bytes kept of an operator's last exception.
pub const EXCEPTION_BYTES: usize = 256;

/// Cuts `text` to what fits, at a character's edge.
#[must_use]
pub fn fit<const N: usize>(text: &str) -> String<N> {
    let mut out = String::new();
    for c in text.chars() {
        if out.push(c).is_err() {
            break;
        }
    }
    out
}

/// What one operator of a rule (source, op or sink) counts: eKuiper's metrics of facts §4.4, in their order.
#[derive(Debug, Clone, Default)]
pub struct OpStats {
    /// Messages that came in.
    pub records_in_total: u64,
    /// Messages that went out.
    pub records_out_total: u64,
    /// Messages done with, whatever became of them.
    pub messages_processed_total: u64,
    /// Latency of the last slice's message, in microseconds.
    pub process_latency_us: u64,
    /// Messages waiting in front of it.
    pub buffer_length: u64,
    /// When it last took a message; 0 before the first.
    pub last_invocation: Timestamp,
    /// Errors.
    pub exceptions_total: u64,
    /// The last error.
    pub last_exception: String<EXCEPTION_BYTES>,
    /// When that was; 0 before the first.
    pub last_exception_time: Timestamp,
}

impl OpStats {
    /// One message in.
    pub const fn take(&mut self, now: Timestamp) {
        self.records_in_total += 1;
        self.last_invocation = now;
    }

    /// `count` messages out.
    pub const fn give(&mut self, count: u64) {
        self.records_out_total += count;
    }

    /// One message went through: in, out and processed.
    pub const fn pass(&mut self, now: Timestamp) {
        self.take(now);
        self.records_out_total += 1;
        self.messages_processed_total += 1;
    }

    /// An error ended a message here.
    pub fn fail(&mut self, text: &str, now: Timestamp) {
        self.exceptions_total += 1;
        self.last_exception = fit(text);
        self.last_exception_time = now;
    }
}

/// A source's or sink's connection, as eKuiper shows it.
#[derive(Debug, Clone, Default)]
pub struct ConnStats {
    /// 1 connected, 0 connecting or without a connection, -1 down.
    pub status: i8,
    /// When it last stood; 0 never.
    pub last_connected: Timestamp,
    /// When it last broke; 0 never.
    pub last_disconnected: Timestamp,
    /// Why it last broke.
    pub last_disconnected_message: String<EXCEPTION_BYTES>,
    /// When it was last tried; 0 never.
    pub last_try: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character() {
        let text = "é".repeat(EXCEPTION_BYTES);
        assert_eq!(fit::<EXCEPTION_BYTES>(&text).len(), EXCEPTION_BYTES);
        assert_eq!(fit::<3>("éé").as_str(), "é");
    }
}
