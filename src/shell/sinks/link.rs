//! A connection that a sink keeps as long as its rule runs: made at the start, and again with growing pauses when it was lost.

use std::{future::poll_fn, io, task::Poll, time::Duration};

use super::{Port, Trouble};
use crate::shell::{
    net::{self, Deadline, Interest, Socket},
    tls::ClientTls,
};
use crate::sink::{TlsClient, peer::Peer};
use crate::time::Instant;

/// Time for connecting, TLS and what the protocol begins with.
pub(super) const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Time for an acknowledgement.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(5);

/// First pause after a connection that failed; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A socket and what came in through it.
pub(super) struct Link {
    pub(super) socket: Socket,
    /// What was read and not yet used.
    pub(super) got: Vec<u8>,
}

impl Link {
    /// Connects, TLS included.
    pub(super) async fn open(peer: &Peer, tls: Option<&TlsClient>, deadline: &mut Deadline) -> Result<Self, Trouble> {
        let client = tls.and_then(|tls| tls.downcast_ref::<ClientTls>());
        match net::connect(&peer.host, peer.port, client, deadline).await {
            Ok(socket) => {
                let mut link = Self { socket, got: Vec::new() };
                link.socket.handshake_by(None, deadline).await.map_err(broken)?;
                Ok(link)
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(Trouble::Broken("connect timed out".to_owned())),
            Err(error) => Err(broken(error)),
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8], deadline: &mut Deadline) -> Result<(), Trouble> {
        self.socket.write_by(bytes, deadline).await.map_err(broken)
    }

    /// Reads more into `got`.
    pub(super) async fn more(&mut self, deadline: &mut Deadline) -> Result<(), Trouble> {
        let mut piece = [0; 2048];
        let got = self.socket.read_by(&mut piece, deadline).await;
        self.keep(got, &piece)
    }

    /// Waits for work, for bytes, or for `until`, and reads what is there. True: something was.
    pub(super) async fn idle(&mut self, port: &impl Port, until: Option<Instant>) -> Result<bool, Trouble> {
        let mut deadline = until.map_or_else(Deadline::never, |at| port.clock().deadline(at));
        poll_fn(|cx| {
            let readable = self.socket.poll_ready(Interest::Read, cx).is_ready();
            let due = port.poll_work(cx).is_ready() || deadline.poll(cx).is_ready();
            if readable || due { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.socket.refreshed();
        // What the reactor reported may have been read long since: a wait for it would not hear of work.
        let mut piece = [0; 2048];
        let got = self.socket.read(&mut piece);
        match got {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            got => self.keep(got, &piece).map(|()| true),
        }
    }

    fn keep(&mut self, got: io::Result<usize>, piece: &[u8]) -> Result<(), Trouble> {
        match got {
            Ok(0) => Err(Trouble::Broken("closed by the other side".to_owned())),
            Ok(n) => {
                self.got.extend_from_slice(piece.get(..n).unwrap_or_default());
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(Trouble::Broken("no answer in time".to_owned())),
            Err(error) => Err(broken(error)),
        }
    }
}

/// What a sink does with its connection.
pub(super) trait Session {
    /// Connects, up to where payloads can be sent.
    async fn connect(&mut self, port: &impl Port) -> Result<Link, Trouble>;

    /// Sends what there is until the connection breaks, and says why; `None` once the rule has stopped.
    async fn serve(&mut self, port: &impl Port, link: &mut Link) -> Option<String>;
}

/// Keeps a connection until the rule stops.
pub(super) async fn keep(port: &impl Port, session: &mut impl Session) {
    let mut pauses = Pauses::default();
    loop {
        let why = match session.connect(port).await {
            Ok(mut link) => {
                pauses.reset();
                if port.with(|unit, now| unit.connected(now)).is_none() {
                    return;
                }
                match session.serve(port, &mut link).await {
                    None => return,
                    Some(why) => why,
                }
            }
            Err(Trouble::Broken(why) | Trouble::Failed(why)) => why,
        };
        if !pauses.after(port, &why).await {
            return;
        }
    }
}

/// Pauses between tries to connect.
#[derive(Default)]
struct Pauses {
    tries: u32,
}

impl Pauses {
    /// A connection stands: the next failure is the first again.
    const fn reset(&mut self) {
        self.tries = 0;
    }

    /// Tells the sink why it has no connection, and waits. False: the rule has stopped.
    async fn after(&mut self, port: &impl Port, why: &str) -> bool {
        if self.tries == 0 {
            log::warn!("sink: {why}");
        }
        let pause = PAUSE_FIRST.saturating_mul(1 << self.tries.min(8)).min(PAUSE_MAX);
        self.tries += 1;
        let until = port.clock().mono().after(pause);
        if port.with(|unit, now| unit.disconnected(why, now)).is_none() {
            return false;
        }
        while port.clock().mono() < until {
            super::wait(port, Some(until)).await;
            if port.with(|_, _| ()).is_none() {
                return false;
            }
        }
        true
    }
}

pub(super) fn broken(error: io::Error) -> Trouble {
    Trouble::Broken(net::reason(&error))
}
