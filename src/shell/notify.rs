//! What the service manager is told: READY, STOPPING, STATUS, WATCHDOG (sd_notify(3)); nothing when `NOTIFY_SOCKET` is not set.
//!
//! A manager that does not listen is no reason to stop: failures are logged once.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sd_notify::NotifyState;

/// Management listens and every stored rule has started or failed. `status` is the line `systemctl status` shows.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// The gate no longer accepts and drains what it holds.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))]);
}

/// Changes the line that `systemctl status` shows.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(&one_line(status))]);
}

/// The data thread is alive; to be told at least every [`watchdog_interval`].
pub fn watchdog() {
    tell(&[NotifyState::Watchdog]);
}

/// How often to tell [`watchdog`]: half of what the unit asks for (`WatchdogSec=`), `None` when it asks for nothing.
#[must_use]
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|every| every / 2).filter(|every| !every.is_zero())
}

fn tell(states: &[NotifyState<'_>]) {
    static FAILED: AtomicBool = AtomicBool::new(false);
    if let Err(error) = sd_notify::notify(states)
        && !FAILED.swap(true, Ordering::Relaxed)
    {
        log::warn!("service manager: {}", reason(&error));
    }
}

fn reason(error: &io::Error) -> String {
    format!("NOTIFY_SOCKET cannot be told: {error}")
}

/// A newline would start another assignment of the protocol.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_stays_one_assignment() {
        assert_eq!(one_line("2 rules\nREADY=1"), "2 rules READY=1");
    }
}
