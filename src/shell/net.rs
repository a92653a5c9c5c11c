//! The small types behind which async-io stands: a [`Socket`], a [`Deadline`], a [`Listener`]; and the clock that all go by.
//!
//! Nothing else in the shell names async-io for TCP, so what waits behind these types can change without a caller noticing.

use std::{
    future::{Future as _, poll_fn},
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, ToSocketAddrs as _},
    pin::Pin,
    task::{Context, Poll},
};

use async_io::Async;
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, sockopt},
};

use super::tls::ClientTls;
use crate::wire::client::{EmitError, Exchange, Request, Response, ResponseError};

mod socket;
mod time;

pub use socket::{Interest, Socket};
pub use time::{Clock, Deadline};

/// Connections the kernel holds while none is accepted.
const BACKLOG: i32 = 1024;

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
    use std::time::Duration;

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
}
