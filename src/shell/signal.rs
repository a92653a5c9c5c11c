//! Signals as a stream of events: SIGTERM and SIGINT stop, SIGHUP reloads.

use std::io;

use async_signal::Signal;
use smol::stream::StreamExt as _;

/// What the operator asks for by signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// SIGTERM or SIGINT: drain and end.
    Stop,
    /// SIGHUP: read certificates and keys again.
    Reload,
}

/// The signals of this process. From its creation on they no longer end the process by themselves.
#[derive(Debug)]
pub struct Signals {
    inner: async_signal::Signals,
}

impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn new() -> io::Result<Self> {
        Ok(Self { inner: async_signal::Signals::new([Signal::Term, Signal::Int, Signal::Hup])? })
    }

    /// Waits for the next event.
    ///
    /// # Errors
    /// The pipe behind the signals failed.
    pub async fn next(&mut self) -> io::Result<Event> {
        match self.inner.next().await {
            Some(Ok(Signal::Hup)) => Ok(Event::Reload),
            Some(Ok(_)) => Ok(Event::Stop),
            Some(Err(error)) => Err(error),
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal as Raw, getpid, kill_process};

    #[test]
    fn hup_reloads_and_term_stops() {
        smol::block_on(async {
            let mut signals = Signals::new().expect("signals");
            for (raw, event) in [(Raw::HUP, Event::Reload), (Raw::TERM, Event::Stop), (Raw::INT, Event::Stop)] {
                kill_process(getpid(), raw).expect("kill");
                assert_eq!(signals.next().await.expect("a signal"), event);
            }
        });
    }
}
