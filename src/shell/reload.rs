//! Certificates of both ports kept current: read again on SIGHUP and when a file has changed, without touching a connection.
//!
//! Every [`LOOK`] the files are looked at; one that changed is read once it has stayed the same for as long, so that certificate and key
//! replaced one after the other are taken together. What cannot be read keeps the old one in force, and is said and counted. A
//! certificate that will expire within 30 days ([`certificate::SOON_S`]) is warned of when it is first seen and once a day.

use std::rc::Rc;
use std::time::Duration;

use smol::future::FutureExt as _;

use super::{
    bell::Bell,
    front::Front,
    listen::DataPort,
    manage::Certificates,
    net::{Clock, Deadline},
    tls::{ServerTls, Stamp},
};
use crate::{
    time::Timestamp,
    wire::{certificate, reply::http_date},
};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Which port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Data,
    Management,
}

impl Which {
    const fn name(self) -> &'static str {
        match self {
            Self::Data => "data port",
            Self::Management => "management port",
        }
    }
}

/// What is remembered of one port between two looks.
#[derive(Debug, Default)]
struct Seen {
    /// How the files looked last, when that was not how they looked when they were read.
    changed: Option<Stamp>,
    /// The files looked so when they could not be read.
    failed: Option<Stamp>,
    /// The end that was warned of, and on which day.
    warned: Option<(Timestamp, i64)>,
}

/// The certificates that are in use.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "lives in one task")]
pub struct InUse {
    /// The data port.
    pub data: DataPort<Front>,
    /// The management port.
    pub management: Certificates,
}

impl InUse {
    fn of(&self, which: Which) -> Option<ServerTls> {
        match which {
            Which::Data => self.data.tls(),
            Which::Management => self.management.borrow().clone(),
        }
    }

    fn set(&self, which: Which, tls: ServerTls) {
        match which {
            Which::Data => self.data.set_tls(Some(tls)),
            Which::Management => *self.management.borrow_mut() = Some(tls),
        }
    }

    /// Seconds until the certificates in use expire, below zero once they have, by the name of their counter.
    pub fn expiries(&self, now: Timestamp) -> impl Iterator<Item = (&'static str, i64)> {
        let of = |which, name| self.of(which).map(|tls| (name, left_s(&tls, now)));
        [of(Which::Data, "data_certificate_expires_in_s"), of(Which::Management, "management_certificate_expires_in_s")]
            .into_iter()
            .flatten()
    }
}

/// Keeps them current for as long as it is polled; `hup` rings when the operator asks for it.
pub async fn keep(used: InUse, hup: Rc<Bell>, clock: Clock) {
    let mut seen = [Seen::default(), Seen::default()];
    let mut forced = false;
    loop {
        for (which, seen) in [Which::Data, Which::Management].into_iter().zip(&mut seen) {
            look(&used, which, seen, forced, clock).await;
        }
        let rung = async {
            hup.heard().await;
            true
        };
        let passed = async {
            Deadline::after(LOOK).wait().await;
            false
        };
        forced = rung.or(passed).await;
    }
}

async fn look(used: &InUse, which: Which, seen: &mut Seen, forced: bool, clock: Clock) {
    let Some(tls) = used.of(which) else { return };
    warn_of_the_end(which, &tls, seen, clock.now().wall);
    let files = tls.files().clone();
    let stamp = smol::unblock(move || Stamp::of(&files)).await;
    if !forced {
        if stamp == *tls.stamp() || seen.failed.as_ref() == Some(&stamp) {
            seen.changed = None;
            return;
        }
        if seen.changed.as_ref() != Some(&stamp) {
            seen.changed = Some(stamp);
            return;
        }
    }
    seen.changed = None;
    let files = tls.files().clone();
    match smol::unblock(move || ServerTls::load(&files)).await {
        Ok(new) => {
            log::info!("{}: certificate read again, it holds until {}", which.name(), date(new.not_after()));
            seen.failed = None;
            seen.warned = None;
            warn_of_the_end(which, &new, seen, clock.now().wall);
            used.set(which, new);
            used.data.count_reload(true);
        }
        Err(error) => {
            log::error!("{}: the old certificate stays in use: {error}", which.name());
            seen.failed = Some(stamp);
            used.data.count_reload(false);
        }
    }
}

fn warn_of_the_end(which: Which, tls: &ServerTls, seen: &mut Seen, now: Timestamp) {
    let (end, today) = (tls.not_after(), now.0.div_euclid(86_400_000));
    if seen.warned == Some((end, today)) {
        return;
    }
    if let Some(text) = ending(which.name(), tls, now) {
        seen.warned = Some((end, today));
        log::log!(if end < now { log::Level::Error } else { log::Level::Warn }, "{text}");
    }
}

/// What is to be said of a certificate that has expired or soon will.
#[must_use]
pub fn ending(what: &str, tls: &ServerTls, now: Timestamp) -> Option<String> {
    certificate::ending(what, tls.not_after(), now)
}

/// Seconds until it expires, below zero once it has.
fn left_s(tls: &ServerTls, now: Timestamp) -> i64 {
    tls.not_after().0.saturating_sub(now.0).div_euclid(1000)
}

fn date(at: Timestamp) -> String {
    String::from_utf8_lossy(&http_date(at)).into_owned()
}
