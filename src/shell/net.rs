//! The two small types behind which async-io stands: a [`Socket`] and a [`Deadline`]; and the clock that both go by.
//!
//! Nothing else in the shell names async-io for TCP, so what waits behind these types can change without a caller noticing.
//! A socket is read and written first, and waited for only when the kernel has nothing; a read that came back short says
//! that the next one would come back empty, and is waited for at once. TLS, when there is any, is inside the socket.

use std::{
    future::{Future as _, poll_fn},
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV6, TcpListener, TcpStream, ToSocketAddrs as _},
    os::fd::OwnedFd,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant as StdInstant, SystemTime, UNIX_EPOCH},
};

use async_io::{Async, Timer};
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, sockopt},
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime},
};

use super::tls::{ClientTls, Session};
use crate::{
    time::{Instant, Now, Timestamp},
    wire::{
        Certificate,
        client::{EmitError, Exchange, Request, Response, ResponseError},
    },
};

/// Connections the kernel holds while none is accepted.
const BACKLOG: i32 = 1024;

/// Reads both clocks, for everything that takes time as an argument.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: StdInstant,
}

impl Clock {
    /// A clock whose monotonic reading begins at zero now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: StdInstant::now() }
    }

    /// Both readings.
    #[must_use]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: self.mono(), wall: Timestamp(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)) }
    }

    /// The monotonic reading alone.
    #[must_use]
    pub fn mono(&self) -> Instant {
        Instant(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// A deadline at `at`.
    #[must_use]
    pub fn deadline(&self, at: Instant) -> Deadline {
        if at == Instant(u64::MAX) { Deadline::never() } else { Deadline { at: Some(at), ..Deadline::after(at.since(self.mono())) } }
    }

    /// Moves `deadline` to `at`; costs nothing when it stands there already.
    pub fn rearm(&self, deadline: &mut Deadline, at: Instant) {
        if deadline.at == Some(at) && !deadline.passed {
            return;
        }
        match &deadline.wait {
            Wait::File(timer) if at < Instant(u64::MAX) && arm(timer.get_ref(), at.since(self.mono())).is_ok() => {
                deadline.at = Some(at);
                deadline.passed = false;
            }
            _ => *deadline = self.deadline(at),
        }
    }
}

/// A moment that can be waited for; once it has come, it stays.
///
/// It is a timer of the kernel's, watched like a socket: one of async-io's own timers, whoever waits for it, would cost every
/// turn of the reactor an allocation. Who waits again and again keeps one and moves it ([`Clock::rearm`]).
#[derive(Debug)]
pub struct Deadline {
    wait: Wait,
    at: Option<Instant>,
    passed: bool,
}

#[derive(Debug)]
enum Wait {
    Never,
    File(Async<OwnedFd>),
    /// Out of descriptors.
    Timer(Timer),
}

impl Deadline {
    /// One that never comes.
    #[must_use]
    pub const fn never() -> Self {
        Self { wait: Wait::Never, at: Some(Instant(u64::MAX)), passed: false }
    }

    /// One that comes after `time`.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        let file = || {
            let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            arm(&timer, time)?;
            Async::new_nonblocking(timer)
        };
        let wait = file().map_or_else(|_| Wait::Timer(Timer::after(time)), Wait::File);
        Self { wait, at: None, passed: false }
    }

    /// Ready once the moment has come.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.passed {
            match &mut self.wait {
                Wait::Never => return Poll::Pending,
                Wait::Timer(timer) => self.passed = Pin::new(timer).poll(cx).is_ready(),
                Wait::File(timer) if timer.poll_readable(cx).is_ready() => {
                    // Nothing to read: it was moved after it had come. An error that no timer reports must not be waited out.
                    self.passed = !matches!(rustix::io::read(timer.get_ref(), &mut [0; 8]), Err(Errno::AGAIN | Errno::INTR));
                    continue;
                }
                Wait::File(_) => {}
            }
            if !self.passed {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Waits for it.
    pub async fn wait(&mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}

/// Sets a kernel timer to go off once, after `time`.
fn arm(timer: &OwnedFd, time: Duration) -> io::Result<()> {
    // All zero would switch it off.
    let time = time.clamp(Duration::from_nanos(1), Duration::from_secs(1 << 30));
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    let it_value = Timespec::try_from(time).map_err(|_| io::ErrorKind::InvalidInput)?;
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: zero, it_value })?;
    Ok(())
}

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

    /// Takes the TLS handshake as far as it comes; `Ok` once it is done, at once where there is none.
    ///
    /// # Errors
    /// `WouldBlock` when the peer has to go on; `InvalidInput` when it speaks plain HTTP (see [`Socket::speak_plain`]); whatever else ends
    /// the connection.
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

    /// Takes the TLS handshake, if there is one, to its end, waiting at most until `deadline`.
    ///
    /// # Errors
    /// `TimedOut`, or as [`Socket::handshake`].
    pub async fn handshake_by(&mut self, deadline: &mut Deadline) -> io::Result<()> {
        loop {
            match self.handshake() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.ready_by(Interest::Read, deadline).await?,
                other => return other,
            }
        }
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

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    io: Async<TcpListener>,
}

impl Listener {
    /// Listens at `addr`; port 0 is any free port, see [`Listener::addr`].
    ///
    /// # Errors
    /// The address is in use, or not ours; [`listen_error`] puts it in words.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&fd, true)?;
        rustix::net::bind(&fd, &addr)?;
        rustix::net::listen(&fd, BACKLOG)?;
        Ok(Self { io: Async::new_nonblocking(TcpListener::from(fd))? })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// Takes a connection that is waiting, and who it is from; answers are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    /// `WouldBlock` when none is; others as accept(2) says.
    pub fn accept(&self) -> io::Result<(TcpStream, IpAddr)> {
        let (fd, addr) = rustix::net::acceptfrom_with(self.io.get_ref(), SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        let addr = addr.and_then(|addr| SocketAddr::try_from(addr).ok());
        let ip = addr.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |addr| addr.ip().to_canonical());
        // A connection that is gone already has no options to set; its first read will tell.
        let _ = sockopt::set_tcp_nodelay(&fd, true);
        Ok((TcpStream::from(fd), ip))
    }

    /// Registers for a waiting connection; ready once the kernel has reported one.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.io.poll_readable(cx).map(drop)
    }
}

/// Why nothing listens at `addr`, in the operator's words: `listen 0.0.0.0:10081: address in use`.
#[must_use]
pub fn listen_error(addr: &str, error: &io::Error) -> String {
    format!("listen {addr}: {}", reason(error))
}

/// What an I/O error says, short and in lower case.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "address in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "address not available".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::ConnectionRefused => "connect refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::TimedOut => "timed out".to_owned(),
        _ => error.to_string(),
    }
}

/// Connects to `host` (a name or an address), trying its addresses in turn, all by `deadline`; then, with `tls`, prepares
/// the session (its handshake happens with the first write).
///
/// # Errors
/// The last address's error, `TimedOut`, or `NotFound` when the name has none.
pub async fn connect(host: &str, port: u16, tls: Option<&ClientTls>, deadline: &mut Deadline) -> io::Result<Socket> {
    connect_where(host, port, tls, deadline, |_| true).await
}

/// As [`connect`], to addresses that `allows` names alone.
///
/// # Errors
/// As [`connect`]; `PermissionDenied` with the address when none is allowed.
pub async fn connect_where(
    host: &str,
    port: u16,
    tls: Option<&ClientTls>,
    deadline: &mut Deadline,
    allows: impl Fn(IpAddr) -> bool,
) -> io::Result<Socket> {
    let addrs = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => {
            let name = (host.to_owned(), port);
            let mut lookup = smol::unblock(move || name.to_socket_addrs().map(Iterator::collect::<Vec<_>>));
            poll_fn(|cx| match Pin::new(&mut lookup).poll(cx) {
                Poll::Ready(found) => Poll::Ready(found),
                Poll::Pending => deadline.poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
            })
            .await?
        }
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for addr in addrs {
        if !allows(addr.ip()) {
            last = io::Error::new(io::ErrorKind::PermissionDenied, format!("ip {} is in internal network", addr.ip()));
            continue;
        }
        match connect_to(addr, deadline).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                let session = tls.map(|tls| tls.session(host)).transpose()?;
                return Socket::new(stream, session);
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn connect_to(addr: SocketAddr, deadline: &mut Deadline) -> io::Result<TcpStream> {
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    match rustix::net::connect(&fd, &addr) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let stream = Async::new_nonblocking(TcpStream::from(fd))?;
    poll_fn(|cx| match stream.poll_writable(cx) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => deadline.poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
    })
    .await?;
    match stream.get_ref().take_error()? {
        Some(error) => Err(error),
        None => stream.into_inner(),
    }
}

/// Why an exchange gave no response.
#[derive(Debug)]
pub enum ExchangeError {
    /// The request cannot be written as it is.
    Request(EmitError),
    /// The socket.
    Io(io::Error),
    /// What came back is no response. [`ResponseError::Closed`] on a connection that was kept from an earlier exchange only
    /// says that it had grown old.
    Response(ResponseError),
}

impl std::fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::Io(error) => f.write_str(&reason(error)),
            Self::Response(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ExchangeError {}

/// Sends `request` and reads the response into `buf` (head and as much of the body as fits). `scratch` takes the head that
/// is sent.
///
/// # Errors
/// [`ExchangeError`]; the connection is of no further use then.
pub async fn exchange<'b>(
    socket: &mut Socket,
    request: &Request<'_>,
    scratch: &mut Vec<u8>,
    buf: &'b mut [u8],
    deadline: &mut Deadline,
) -> Result<Response<'b>, ExchangeError> {
    scratch.clear();
    let small = request.body.len() <= 4096;
    if small { request.emit(scratch) } else { request.emit_head(scratch) }.map_err(ExchangeError::Request)?;
    let mut sent = socket.write_by(scratch, deadline).await;
    if sent.is_ok() && !small {
        sent = socket.write_by(request.body, deadline).await;
    }
    // A server may refuse before it has read everything and close: its answer is worth more than our write error.
    let mut exchange = Exchange::new(request.method);
    loop {
        let n = match socket.read_by(exchange.space(buf), deadline).await {
            Ok(n) => n,
            // A server that drops TLS without a farewell, or resets, before its first byte has closed like any other.
            Err(error) if exchange.is_untouched() && sent.is_ok() && is_closed(&error) => {
                return Err(ExchangeError::Response(ResponseError::Closed));
            }
            Err(error) => return Err(ExchangeError::Io(sent.err().unwrap_or(error))),
        };
        match exchange.filled(buf, n) {
            Ok(true) => return Ok(exchange.response(buf)),
            Ok(false) => {}
            Err(error) => return Err(sent.err().map_or(ExchangeError::Response(error), ExchangeError::Io)),
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// An address from the configuration (`0.0.0.0`, `::1`, `[::1]`, `localhost`) and a port.
///
/// # Errors
/// A sentence that names what was expected.
pub fn socket_addr(ip: &str, port: u16) -> Result<SocketAddr, String> {
    let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
    if bare == "localhost" {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    match bare.parse() {
        Ok(IpAddr::V6(ip)) => Ok(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, 0))),
        Ok(ip) => Ok(SocketAddr::new(ip, port)),
        Err(_) => Err(format!("expected an IP address, found {ip}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_says_why_not() {
        let first = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)));
        let addr = first.as_ref().ok().and_then(|l| l.addr().ok());
        let Some(addr) = addr else { panic!("{first:?}") };
        let second = Listener::bind(addr);
        assert_eq!(second.err().map(|e| listen_error(&addr.to_string(), &e)), Some(format!("listen {addr}: address in use")));
        drop(first);
        assert!(Listener::bind(addr).is_ok());
    }

    #[test]
    fn addresses() {
        assert_eq!(socket_addr("0.0.0.0", 1).map(|a| a.to_string()), Ok("0.0.0.0:1".to_owned()));
        assert_eq!(socket_addr("[::1]", 2).map(|a| a.to_string()), Ok("[::1]:2".to_owned()));
        assert_eq!(socket_addr("::", 2).map(|a| a.to_string()), Ok("[::]:2".to_owned()));
        assert_eq!(socket_addr("localhost", 2).map(|a| a.to_string()), Ok("127.0.0.1:2".to_owned()));
        assert_eq!(socket_addr("gw.local", 2), Err("expected an IP address, found gw.local".to_owned()));
    }

    #[test]
    fn connect_and_read_end_at_the_deadline() {
        smol::block_on(async {
            let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
            let addr = listener.addr()?;
            let mut socket = connect("localhost", addr.port(), None, &mut Deadline::after(Duration::from_secs(5))).await?;
            let read = socket.read_by(&mut [0; 8], &mut Deadline::after(Duration::from_millis(30))).await;
            assert_eq!(read.err().map(|e| e.kind()), Some(io::ErrorKind::TimedOut));
            drop(listener);
            let refused = connect("127.0.0.1", addr.port(), None, &mut Deadline::after(Duration::from_secs(5))).await;
            assert_eq!(refused.err().map(|e| reason(&e)), Some("connect refused".to_owned()));
            io::Result::Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn clocks() {
        let clock = Clock::start();
        let first = clock.now();
        assert!(clock.mono() >= first.mono && first.wall.0 > 1_700_000_000_000);
        smol::block_on(clock.deadline(clock.mono().after(Duration::from_millis(5))).wait());
        assert!(clock.mono().since(first.mono) >= Duration::from_millis(5));
        // One that has passed comes at once; rearmed, it comes again, or never.
        let mut deadline = clock.deadline(first.mono);
        smol::block_on(deadline.wait());
        smol::block_on(deadline.wait());
        clock.rearm(&mut deadline, clock.mono().after(Duration::from_millis(5)));
        smol::block_on(deadline.wait());
        assert!(clock.mono().since(first.mono) >= Duration::from_millis(10));
        clock.rearm(&mut deadline, Instant(u64::MAX));
        let polled = smol::block_on(poll_fn(|cx| Poll::Ready(deadline.poll(cx))));
        assert_eq!(polled, Poll::Pending);
        clock.rearm(&mut deadline, clock.mono());
        smol::block_on(deadline.wait());
    }
}
