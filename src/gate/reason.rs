//! Why requests are not taken: one counter for each reason, for the port and for every endpoint. Names are those of REST.

/// A reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "see NAMES")]
pub enum Reason {
    NoRoute,
    Method,
    Credential,
    Forbidden,
    Signature,
    Stale,
    Replayed,
    Guesses,
    ConfKey,
    Rate,
    Connections,
    Share,
    TooLarge,
    Coding,
    Type,
    Malformed,
    Corrupt,
    Meta,
    QueueFull,
    Unfinished,
}

const ALL: [Reason; NAMES.len()] = [
    Reason::NoRoute,
    Reason::Method,
    Reason::Credential,
    Reason::Forbidden,
    Reason::Signature,
    Reason::Stale,
    Reason::Replayed,
    Reason::Guesses,
    Reason::ConfKey,
    Reason::Rate,
    Reason::Connections,
    Reason::Share,
    Reason::TooLarge,
    Reason::Coding,
    Reason::Type,
    Reason::Malformed,
    Reason::Corrupt,
    Reason::Meta,
    Reason::QueueFull,
    Reason::Unfinished,
];

/// The counters in their order.
const NAMES: [&str; 20] = [
    "refused_no_route_total",
    "refused_method_total",
    "refused_credential_total",
    "refused_forbidden_total",
    "refused_signature_total",
    "refused_stale_total",
    "refused_replayed_total",
    "refused_guesses_total",
    "refused_conf_key_total",
    "refused_rate_total",
    "refused_connections_total",
    "refused_share_total",
    "refused_too_large_total",
    "refused_coding_total",
    "refused_type_total",
    "refused_malformed_total",
    "refused_corrupt_total",
    "refused_meta_total",
    "refused_queue_full_total",
    "refused_unfinished_total",
];

/// How often each reason was the one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasons([u64; NAMES.len()]);

impl Reasons {
    /// One more.
    pub const fn count(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }

    /// How many of one reason.
    #[must_use]
    pub const fn of(&self, reason: Reason) -> u64 {
        self.0[reason as usize]
    }

    /// Name and count of all that an endpoint can have (`port`: and those that belong to none).
    pub fn all(&self, port: bool) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES.into_iter().zip(self.0).skip(if port { 0 } else { 2 })
    }

    /// The reason that was counted since `before`, the first if there are more.
    #[must_use]
    pub fn newer_than(&self, before: &Self) -> Option<Reason> {
        ALL.into_iter().find(|reason| self.of(*reason) > before.of(*reason))
    }

    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_found() {
        let mut reasons = Reasons::default();
        let before = reasons.clone();
        assert_eq!(reasons.newer_than(&before), None);
        for reason in ALL {
            let before = reasons.clone();
            reasons.count(reason);
            assert_eq!(reasons.newer_than(&before), Some(reason));
        }
    }

    #[test]
    fn names_stand_in_order() {
        let mut reasons = Reasons::default();
        reasons.count(Reason::Credential);
        reasons.count(Reason::Unfinished);
        let seen: Vec<_> = reasons.all(false).filter(|(_, n)| *n > 0).collect();
        assert_eq!(seen, [("refused_credential_total", 1), ("refused_unfinished_total", 1)]);
        assert_eq!((reasons.all(true).count(), reasons.all(false).count(), reasons.total()), (20, 18, 2));
    }
}
