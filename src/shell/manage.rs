//! The management port's HTTP: the wire's connections again, with answers that may take their time and buffers from the heap.
//!
//! At most `limits.manageConnCount` connections, one task each; one more is told 503 and closed. A body may have
//! `limits.manageBodyBytes`. What a [`Manage`] answers is its own affair.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    net::IpAddr,
    rc::Rc,
    time::Duration,
};

use smol::future;

use super::{
    net::{Clock, Deadline, Listener, Socket},
    poller::Tasks,
    tls::ServerTls,
    trials::{Watch, event},
};
use crate::{
    limits::{HEAD_BYTES, Limits},
    time::Instant,
    wire::{
        conn::{Conn, DeadlineKeys, Deadlines, Fault, HeadCache, SLACK_BYTES, Settings, Step},
        head::Head,
        reply::{Reply, Style},
        verdict::Peer,
    },
};

/// A request in full, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method as it was written.
    pub method: String,
    /// The path as it was written, percent-encoding and all.
    pub raw_path: String,
    /// The path with its percent-encoding resolved.
    pub path: String,
    /// What follows the `?`.
    pub query: Option<String>,
    /// `Host`, or the authority of an absolute target.
    pub host: String,
    /// All fields in order; values that are not UTF-8 have replacement characters.
    pub fields: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
    /// Who sent it.
    pub peer: IpAddr,
    /// The connection is encrypted.
    pub tls: bool,
}

impl Request {
    /// The value of the first field called `name` (any case).
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn of(head: &Head<'_>, body: &[u8], peer: &Peer) -> Self {
        let mut space = vec![0; head.raw_path().len()];
        Self {
            method: head.method_text().to_owned(),
            raw_path: head.raw_path().to_owned(),
            path: head.path(&mut space).to_owned(),
            query: head.query().map(str::to_owned),
            host: head.host().to_owned(),
            fields: head.fields().map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned())).collect(),
            body: body.to_vec(),
            peer: peer.addr,
            tls: peer.tls,
        }
    }
}

/// What stands behind the management port.
pub trait Manage: 'static {
    /// Refuses a request for what its head says, before the body is read; `None` takes it.
    fn refuse(&self, head: &Head<'_>, peer: &Peer) -> Option<Reply> {
        let _ = (head, peer);
        None
    }

    /// Answers a request.
    fn answer(&self, request: Request) -> impl Future<Output = Answer>;
}

/// How a request is answered.
#[derive(Debug)]
pub enum Answer {
    /// At once.
    Reply(Reply),
    /// By the results of a rule trial as they come, with these fields in the head. The connection is theirs from now on.
    Events(Watch, Vec<(&'static str, String)>),
}

/// How long one connection watches a trial.
const WATCH_TIME: Duration = Duration::from_secs(600);
/// Something is sent this often, so that a peer that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What the management port allows its connections.
#[must_use]
pub fn settings(limits: &Limits, deadlines: Deadlines) -> Settings {
    Settings {
        body_bytes: limits.manage_body_bytes,
        body_key: "limits.manageBodyBytes",
        require_length: false,
        refuse_dots: false,
        deadlines,
        keys: DeadlineKeys::FIXED,
    }
}

/// The port's certificate, for connections from now on; `None`: plain HTTP.
pub type Certificates = Rc<RefCell<Option<ServerTls>>>;

/// Serves `listener` for as long as the future is polled. Connections are `tasks`.
pub async fn serve<M: Manage>(
    listener: Listener,
    tls: Certificates,
    manage: Rc<M>,
    settings: Settings,
    conn_count: usize,
    clock: Clock,
    tasks: Rc<Tasks>,
) {
    let settings = Rc::new(settings);
    let open = Rc::new(Cell::new(0));
    loop {
        std::future::poll_fn(|cx| listener.poll_accept(cx)).await;
        loop {
            let (stream, addr) = match listener.accept() {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(_) => {
                    Deadline::after(std::time::Duration::from_millis(100)).wait().await;
                    break;
                }
            };
            let session = tls.borrow().as_ref().map(ServerTls::session).transpose();
            let Ok(Ok(socket)) = session.map(|session| Socket::new(stream, session)) else { continue };
            let seat = (open.get() < conn_count).then(|| Seat::take(&open));
            let peer = Peer::new(addr, tls.borrow().is_some());
            let (manage, settings) = (Rc::clone(&manage), Rc::clone(&settings));
            let own = Rc::clone(&tasks);
            tasks
                .spawn(async move {
                    match seat {
                        // How a connection ends is the peer's affair; nothing is left to do about it.
                        Some(seat) => {
                            if let Ok(Some((socket, watch, fields))) = attend(socket, peer, &*manage, &settings, clock, &own).await {
                                drop(seat);
                                drop(events(socket, watch, &fields, &settings, clock).await);
                            }
                        }
                        None => drop(turn_away(socket, clock).await),
                    }
                })
                .detach();
        }
    }
}

/// One of the connections allowed, for as long as it lives.
struct Seat(Rc<Cell<usize>>);

impl Seat {
    fn take(open: &Rc<Cell<usize>>) -> Self {
        open.set(open.get() + 1);
        Self(Rc::clone(open))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

async fn turn_away(mut socket: Socket, clock: Clock) -> io::Result<()> {
    let reply = Reply::error(503, "all management connections are in use (limits.manageConnCount)").retry_after(1).closing();
    let mut out = Vec::new();
    // A Vec is never full.
    let _ = reply.emit(&mut out, &Style { date: clock.now().wall, ..Style::default() });
    let mut deadline = Deadline::after(std::time::Duration::from_secs(1));
    socket.write_by(&out, &mut deadline).await?;
    socket.shutdown_write();
    while socket.read_by(&mut [0; 1024], &mut deadline).await? > 0 {}
    Ok(())
}

/// A connection that has become a watcher's, what it watches, and the fields of its head.
type Watcher = (Socket, Watch, Vec<(&'static str, String)>);

async fn attend<M: Manage>(
    mut socket: Socket,
    mut peer: Peer,
    manage: &M,
    settings: &Settings,
    clock: Clock,
    tasks: &Tasks,
) -> io::Result<Option<Watcher>> {
    let mut conn: Conn<()> = Conn::new(clock.mono());
    let mut cache = Box::<HeadCache>::default();
    let mut buf = vec![0; HEAD_BYTES + SLACK_BYTES];
    let mut out = Vec::new();
    let mut shut = false;
    match socket.handshake_by(Some(tasks), &mut clock.deadline(clock.mono().after(settings.deadlines.handshake))).await {
        Ok(()) => {
            peer.certificate = socket.certificate();
            conn.begin(clock.mono());
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            socket.speak_plain();
            peer.tls = false;
            conn.fail(Fault::Plain, settings, clock.now(), &mut out);
            send(&mut socket, &mut out, settings, clock).await?;
        }
        Err(error) => return Err(error),
    }
    loop {
        let now = clock.now();
        let mut pending = None;
        let mut wait = None;
        match conn.receive(&mut buf, &mut cache, settings, now.mono) {
            Step::Wait { until } => wait = Some(until),
            Step::Grow => {
                let mut larger = vec![0; HEAD_BYTES + settings.body_bytes + SLACK_BYTES];
                if buf.len() < larger.len() {
                    conn.relocate(&buf, &mut larger);
                    buf = larger;
                } else {
                    conn.fail(Fault::NoRoom, settings, now, &mut out);
                }
            }
            Step::Head(head) => match manage.refuse(&head, &peer) {
                Some(reply) => conn.refuse(&reply, now, &mut out),
                None => {
                    if let Err(fault) = conn.take((), settings, now, &mut out) {
                        conn.fail(fault, settings, now, &mut out);
                    }
                }
            },
            Step::Body(head, body) => pending = Some(Request::of(&head, body, &peer)),
            Step::Fault(fault) => conn.fail(fault, settings, now, &mut out),
            Step::Close => {
                send(&mut socket, &mut out, settings, clock).await?;
                socket.shutdown_write();
                return Ok(None);
            }
        }
        if let Some(request) = pending {
            let reply = match manage.answer(request).await {
                Answer::Reply(reply) => reply,
                Answer::Events(watch, fields) => {
                    send(&mut socket, &mut out, settings, clock).await?;
                    return Ok(Some((socket, watch, fields)));
                }
            };
            conn.answer(&reply, clock.now(), &mut out);
            shrink(&mut conn, &mut buf);
        }
        send(&mut socket, &mut out, settings, clock).await?;
        if let Some(until) = wait {
            if conn.is_lingering() && !shut {
                socket.shutdown_write();
                shut = true;
            }
            read(&mut socket, &mut conn, &mut buf, until, clock).await?;
        }
    }
}

/// Sends results as server-sent events until the trial is over, the peer is gone, or [`WATCH_TIME`] has passed.
async fn events(
    mut socket: Socket,
    mut watch: Watch,
    fields: &[(&'static str, String)],
    settings: &Settings,
    clock: Clock,
) -> io::Result<()> {
    let mut head = String::from("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n");
    fields.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str("\r\n");
    let mut out = head.into_bytes();
    let end = clock.mono().after(WATCH_TIME);
    loop {
        send(&mut socket, &mut out, settings, clock).await?;
        let mut rest = [0; 256];
        let result = async { watch.next().await.map(Some).ok_or(io::ErrorKind::UnexpectedEof) };
        let gone = async {
            let until = clock.mono().after(KEEP_ALIVE).min(end);
            loop {
                match socket.read_by(&mut rest, &mut clock.deadline(until)).await {
                    // What a peer still says is not listened to.
                    Ok(1..) => {}
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof),
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(None),
                    Err(error) => return Err(error.kind()),
                }
            }
        };
        match future::or(result, gone).await {
            Ok(Some(result)) => out = event(&result),
            Ok(None) if clock.mono() < end => out = b":\n\n".to_vec(),
            Ok(None) | Err(_) => break,
        }
    }
    socket.shutdown_write();
    Ok(())
}

/// A large body's buffer is not kept for the next request.
fn shrink(conn: &mut Conn<()>, buf: &mut Vec<u8>) {
    let small = HEAD_BYTES + SLACK_BYTES;
    if buf.len() > small && conn.between_messages().is_some_and(|left| left <= small) {
        let mut smaller = vec![0; small];
        conn.relocate(buf, &mut smaller);
        *buf = smaller;
    }
}

async fn send(socket: &mut Socket, out: &mut Vec<u8>, settings: &Settings, clock: Clock) -> io::Result<()> {
    if !out.is_empty() {
        let mut deadline = clock.deadline(clock.mono().after(settings.deadlines.write));
        socket.write_by(out, &mut deadline).await?;
        out.clear();
    }
    Ok(())
}

async fn read(socket: &mut Socket, conn: &mut Conn<()>, buf: &mut [u8], until: Instant, clock: Clock) -> io::Result<()> {
    let read = socket.read_by(conn.space(buf), &mut clock.deadline(until)).await;
    match read {
        Ok(0) => conn.eof(),
        Ok(n) => conn.filled(n, clock.mono()),
        // The connection itself says what a deadline means to it.
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{SocketAddr, TcpStream},
        sync::mpsc,
        thread,
        time::Duration,
    };

    use super::*;
    use crate::wire::head::Method;

    /// Says what it was asked; `/wait` takes its time; DELETE is refused from the head.
    struct Echo;

    impl Manage for Echo {
        fn refuse(&self, head: &Head<'_>, _: &Peer) -> Option<Reply> {
            (head.method() == Method::Delete).then(|| Reply::error(403, "not allowed"))
        }

        async fn answer(&self, request: Request) -> Answer {
            if request.path == "/wait" {
                Deadline::after(Duration::from_millis(50)).wait().await;
            }
            let host = request.field("host").unwrap_or_default();
            let text = format!("{} {} {:?} {host} {}", request.method, request.path, request.query, request.body.len());
            Answer::Reply(Reply::owned(201, "text/plain", text).with("Location", "/there"))
        }
    }

    /// A management port on a thread that lives as long as the test program.
    fn start(limits: &Limits) -> SocketAddr {
        let (tell, addr) = mpsc::channel();
        let limits = limits.clone();
        thread::spawn(move || {
            let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap_or_else(|error| panic!("{error}"));
            assert!(tell.send(listener.addr()).is_ok());
            let tasks = Rc::new(Tasks::default());
            let settings = settings(&limits, Deadlines { linger: Duration::from_millis(200), ..Deadlines::default() });
            let served = serve(
                listener,
                Certificates::default(),
                Rc::new(Echo),
                settings,
                limits.manage_conn_count,
                Clock::start(),
                Rc::clone(&tasks),
            );
            tasks.run(served);
        });
        addr.recv().ok().and_then(Result::ok).unwrap_or_else(|| panic!("no address"))
    }

    /// Sends `bytes` and reads until the port closes, or `answers` have come; without the dates.
    fn talk(addr: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(addr).unwrap_or_else(|error| panic!("{error}"));
        assert!(stream.set_read_timeout(Some(Duration::from_secs(10))).is_ok());
        assert!(stream.write_all(bytes).is_ok());
        assert!(stream.shutdown(std::net::Shutdown::Write).is_ok());
        let mut text = String::new();
        assert!(stream.read_to_string(&mut text).is_ok(), "{text}");
        let lines = text.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: "));
        lines.collect()
    }

    #[test]
    fn requests_in_a_row_and_refusals() {
        let addr = start(&Limits::default());
        let get = "GET /wait?x HTTP/1.1\r\nHost: h\r\n\r\n";
        let one =
            "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: 26\r\nLocation: /there\r\n\r\nGET /wait Some(\"x\") h 0";
        let sent =
            talk(addr, [get, "POST //a/../b HTTP/1.1\r\nHost: h\r\n\r\n", "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", get].concat().as_bytes());
        let one = one.replace("26", &"GET /wait Some(\"x\") h 0".len().to_string());
        assert_eq!(sent.matches(&one).count(), 2, "{sent}");
        assert!(sent.contains("POST //a/../b None h 0"), "{sent}");
        assert!(sent.contains("HTTP/1.1 403 Forbidden\r\n"), "{sent}");

        let post = |n: usize| [format!("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: {n}\r\n\r\n").into_bytes(), vec![b'x'; n]].concat();
        let most = Limits::default().manage_body_bytes;
        let sent = talk(addr, &[post(most), post(3)].concat());
        assert!(sent.contains(&format!("POST /a None h {most}")) && sent.contains("POST /a None h 3"), "{sent}");
        let sent = talk(addr, &post(most + 1));
        assert!(sent.contains("413 ") && sent.contains("limits.manageBodyBytes (1048576 bytes)"), "{sent}");
        assert!(talk(addr, b"GET / HTTP/1.1\r\n\r\n").contains("Host is missing"));
    }

    #[test]
    fn one_connection_too_many() {
        let addr = start(&Limits { manage_conn_count: 1, ..Limits::default() });
        let mut holder = TcpStream::connect(addr).unwrap_or_else(|error| panic!("{error}"));
        assert!(holder.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").is_ok() && holder.read(&mut [0; 1024]).is_ok_and(|n| n > 0));
        let sent = talk(addr, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(
            sent.starts_with("HTTP/1.1 503 ") && sent.contains("\r\nRetry-After: 1\r\n") && sent.contains("limits.manageConnCount"),
            "{sent}"
        );
        drop(holder);
        let start = std::time::Instant::now();
        while !talk(addr, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.1 201 ") {
            assert!(start.elapsed() < Duration::from_secs(5));
        }
    }
}
