//! A connected TCP socket: read and written first, and waited for only when the kernel has nothing; a read that came back short says that
//! the next one would come back empty, and is waited for at once. TLS, when there is any, is inside.

use std::{
    future::poll_fn,
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::Arc,
    task::{Context, Poll},
};

use async_io::Async;

use super::Deadline;
use crate::{
    shell::{poller::Tasks, tls::Session},
    wire::Certificate,
};

/// What a socket is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Interest {
    Read,
    Write,
}

/// A connected TCP socket, encrypted or not.
#[derive(Debug)]
pub struct Socket {
    io: Async<TcpStream>,
    tls: Option<Box<Session>>,
    drained: bool,
}

impl Socket {
    /// Takes a socket that is in non-blocking mode already.
    ///
    /// # Errors
    /// The reactor cannot watch it.
    pub fn new(io: TcpStream, tls: Option<Session>) -> io::Result<Self> {
        Ok(Self { io: Async::new_nonblocking(io)?, tls: tls.map(Box::new), drained: false })
    }

    /// True when the last read took all there was: the next one would only find out the same.
    #[must_use]
    pub const fn is_drained(&self) -> bool {
        self.drained
    }

    /// The TLS handshake is not done yet: [`Socket::handshake`] before anything else.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|session| session.is_handshaking())
    }

    /// Looks whether the peer has begun, and with TLS; this costs next to nothing.
    ///
    /// # Errors
    /// `WouldBlock` before its first byte; `InvalidInput` when it speaks plain HTTP (see [`Socket::speak_plain`]); whatever else ends the
    /// connection.
    pub fn begun(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(session) => session.begun(self.io.get_ref()),
        }
    }

    /// Takes the TLS handshake as far as it comes, once [`Socket::begun`]; `Ok` when it is done, at once where there is none. It may cost
    /// as much as many requests.
    ///
    /// # Errors
    /// `WouldBlock` when the peer has to go on; whatever else ends the connection.
    pub fn handshake(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(session) => session.handshake(self.io.get_ref()),
        }
    }

    /// The certificate that the peer showed in the handshake.
    #[must_use]
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.tls.as_ref()?.certificate()
    }

    /// Goes on without TLS, with a peer that never began it.
    pub fn speak_plain(&mut self) {
        self.tls = None;
    }

    /// Reads what is there. 0: the peer has closed.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; whatever else ends the connection.
    pub fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let io = self.io.get_ref();
        loop {
            let (result, whole) = match &mut self.tls {
                None => ((&mut &*io).read(buf), true),
                Some(session) => (session.read(io, buf), false),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.drained = error.kind() == io::ErrorKind::WouldBlock;
                    return Err(error);
                }
                Ok(n) => {
                    self.drained = whole && n > 0 && n < buf.len();
                    return Ok(n);
                }
            }
        }
    }

    /// Writes what the kernel (or the session's buffer) takes.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing, or whatever ends the connection.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let io = self.io.get_ref();
        loop {
            let result = match &mut self.tls {
                // MSG_NOSIGNAL is what std itself sends with.
                None => (&mut &*io).write(bytes),
                Some(session) => session.write(io, bytes),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) if !bytes.is_empty() => return Err(io::ErrorKind::WouldBlock.into()),
                other => return other,
            }
        }
    }

    /// Sends what the session holds back; without TLS nothing ever is.
    ///
    /// # Errors
    /// `WouldBlock` while some of it is left.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(session) => session.flush(self.io.get_ref()),
        }
    }

    /// Says that nothing more will be sent.
    pub fn shutdown_write(&mut self) {
        if let Some(session) = &mut self.tls {
            session.close_notify();
            // Best effort: a full send buffer costs the peer only the polite ending.
            let _ = session.flush(self.io.get_ref());
        }
        let _ = self.io.get_ref().shutdown(Shutdown::Write);
    }

    /// Registers for `interest`; ready once the kernel has reported it.
    pub fn poll_ready(&self, interest: Interest, cx: &mut Context<'_>) -> Poll<()> {
        let unsent = self.tls.as_ref().is_some_and(|session| session.wants_write());
        let read = if interest == Interest::Read { self.io.poll_readable(cx) } else { Poll::Pending };
        let write = if interest == Interest::Write || unsent { self.io.poll_writable(cx) } else { Poll::Pending };
        // An error of the reactor's ends the wait too: the next read or write shows what it is.
        if read.is_ready() || write.is_ready() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The kernel reported something: the next read is worth its call.
    pub const fn refreshed(&mut self) {
        self.drained = false;
    }

    /// Takes the TLS handshake, if there is one, to its end, waiting at most until `deadline`; with `line`, a step a round of it.
    ///
    /// # Errors
    /// `TimedOut`, or as [`Socket::begun`] and [`Socket::handshake`].
    pub async fn handshake_by(&mut self, line: Option<&Tasks>, deadline: &mut Deadline) -> io::Result<()> {
        while self.is_handshaking() {
            let step = match self.begun() {
                Ok(()) => {
                    if let Some(line) = line {
                        line.turn().await;
                    }
                    self.handshake()
                }
                Err(error) => Err(error),
            };
            match step {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.ready_by(Interest::Read, deadline).await?,
                other => return other,
            }
        }
        Ok(())
    }

    /// Reads, waiting at most until `deadline`.
    ///
    /// # Errors
    /// `TimedOut`, or as [`Socket::read`].
    pub async fn read_by(&mut self, buf: &mut [u8], deadline: &mut Deadline) -> io::Result<usize> {
        loop {
            match self.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.ready_by(Interest::Read, deadline).await?,
                other => return other,
            }
        }
    }

    /// Writes all of `bytes`, waiting at most until `deadline`.
    ///
    /// # Errors
    /// `TimedOut`, or as [`Socket::write`].
    pub async fn write_by(&mut self, mut bytes: &[u8], deadline: &mut Deadline) -> io::Result<()> {
        loop {
            let result =
                if bytes.is_empty() { self.flush() } else { self.write(bytes).map(|n| bytes = bytes.get(n..).unwrap_or_default()) };
            match result {
                Ok(()) if bytes.is_empty() && self.flush().is_ok() => return Ok(()),
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.ready_by(Interest::Write, deadline).await?,
                Err(error) => return Err(error),
            }
        }
    }

    async fn ready_by(&mut self, interest: Interest, deadline: &mut Deadline) -> io::Result<()> {
        poll_fn(|cx| {
            if self.poll_ready(interest, cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            deadline.poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
        })
        .await
    }
}
