//! Every capacity: one name, one unit, one default, one home (the table in `build.rs`).
//!
//! Constants are the defaults of this build. [`Limits`] holds the values in force: a key `limits.connCount` in the
//! configuration moves `CONN_COUNT` up to its ceiling, so a packaged binary is raised by configuration, not by a compiler.

include!(concat!(env!("OUT_DIR"), "/limits.rs"));

const _: () = assert!(HEAD_BYTES >= 256, "a plain sensor POST must fit");
const _: () = assert!(CONN_BYTES >= 512, "a small head and body must fit without a loan");
const _: () = assert!(QUEUE_BYTES >= 4 * BODY_BYTES, "a queue holds at least four of the largest bodies");
const _: () = assert!(PAYLOAD_BYTES >= 2 * BODY_BYTES, "the largest body must fit a payload once it is encoded");
const _: () = assert!(OUTBOX_BYTES >= 2 * PAYLOAD_BYTES, "an outbox holds at least two of the largest payloads");

macro_rules! limits {
    ($($field:ident = $name:ident,)*) => {
        /// The capacities in force, each named after its constant (`conn_count` is `CONN_COUNT`, key `limits.connCount`).
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] pub $field: usize,)*
            /// `limits.memoryBudget` in bytes: the memory bill must not exceed it. `None`: no bound.
            pub memory_budget: Option<u64>,
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $name,)* memory_budget: None }
            }
        }

        impl Limits {
            /// Sets the capacity whose constant is `name`.
            ///
            /// # Errors
            /// [`LimitError`] when no such run-time limit exists, the value is zero, or it is above the ceiling.
            pub fn set(&mut self, name: &str, value: u64) -> Result<(), LimitError> {
                let Some((_, _, ceiling)) = TABLE.iter().find(|(n, ..)| *n == name) else { return Err(LimitError::Unknown) };
                match name {
                    $(stringify!($name) => {
                        if *ceiling == 0 {
                            return Err(LimitError::Fixed);
                        }
                        if value == 0 || value > *ceiling {
                            return Err(LimitError::Range { ceiling: *ceiling });
                        }
                        self.$field = usize::try_from(value).map_err(|_| LimitError::Range { ceiling: *ceiling })?;
                        Ok(())
                    })*
                    _ => Err(LimitError::Fixed),
                }
            }

            /// Every run-time capacity: the name of its constant and the value in force.
            pub fn values(&self) -> impl Iterator<Item = (&'static str, usize)> {
                [$((stringify!($name), self.$field)),*].into_iter()
            }
        }
    };
}

limits! {
    conn_count = CONN_COUNT,
    tls_conn_count = TLS_CONN_COUNT,
    loan_count = LOAN_COUNT,
    body_bytes = BODY_BYTES,
    stream_count = STREAM_COUNT,
    queue_bytes = QUEUE_BYTES,
    rule_count = RULE_COUNT,
    scratch_bytes = SCRATCH_BYTES,
    state_bytes = STATE_BYTES,
    group_count = GROUP_COUNT,
    outbox_bytes = OUTBOX_BYTES,
    payload_bytes = PAYLOAD_BYTES,
    sender_count = SENDER_COUNT,
    replay_count = REPLAY_COUNT,
    manage_conn_count = MANAGE_CONN_COUNT,
    manage_body_bytes = MANAGE_BODY_BYTES,
}

/// Why a limit cannot take a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitError {
    /// No capacity has that name.
    Unknown,
    /// The capacity is fixed when pushgate is built.
    Fixed,
    /// Outside `1..=ceiling`.
    Range {
        /// Largest value that this build takes.
        ceiling: u64,
    },
}

impl Limits {
    /// The relations between limits that must hold whatever the configuration says, as the sentence to show, or `None`.
    #[must_use]
    pub const fn broken_relation(&self) -> Option<&'static str> {
        if self.queue_bytes < 4 * self.body_bytes {
            return Some("limits.queueBytes must be at least 4 x limits.bodyBytes");
        }
        if self.payload_bytes < 2 * self.body_bytes {
            return Some("limits.payloadBytes must be at least 2 x limits.bodyBytes");
        }
        if self.outbox_bytes < 2 * self.payload_bytes {
            return Some("limits.outboxBytes must be at least 2 x limits.payloadBytes");
        }
        None
    }
}

/// The run-time key of a capacity: `CONN_COUNT` is `connCount` below `limits`.
#[must_use]
pub fn key_of(name: &str) -> String {
    let mut key = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                key.push(c);
                upper = false;
            }
            c => key.extend(c.to_lowercase()),
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_hold_the_relations() {
        assert_eq!(Limits::default().broken_relation(), None);
        let wide = Limits { body_bytes: 1 << 20, ..Limits::default() };
        assert!(wide.broken_relation().is_some_and(|t| t.contains("queueBytes")));
    }

    #[test]
    fn set_at_one_past_and_unknown() {
        let mut limits = Limits::default();
        assert_eq!(limits.set("CONN_COUNT", 4096), Ok(()));
        assert_eq!(limits.set("CONN_COUNT", 4097), Err(LimitError::Range { ceiling: 4096 }));
        assert_eq!(limits.set("CONN_COUNT", 0), Err(LimitError::Range { ceiling: 4096 }));
        assert_eq!(limits.set("HEAD_BYTES", 1), Err(LimitError::Fixed));
        assert_eq!(limits.set("NOPE", 1), Err(LimitError::Unknown));
        assert_eq!(limits.conn_count, 4096);
    }

    #[test]
    fn keys() {
        assert_eq!(key_of("CONN_COUNT"), "connCount");
        assert_eq!(key_of("JSON_DEPTH"), "jsonDepth");
    }
}
