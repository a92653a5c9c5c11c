//! Real sockets against a trivial gate: what a client sees, whatever it does.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant as StdInstant},
};

use super::*;
use crate::{
    limits::{HEAD_BYTES, Limits, PIPELINE_COUNT},
    shell::{
        listen::{CLOSE_GRACE, DataPort, settings},
        net::Clock,
        poller::Tasks,
        tls::ServerTls,
    },
    wire::{
        conn::Deadlines,
        counters::{ConnCounters, Counters},
        head::Head,
        reply::Reply,
        verdict::{Answer, Peer, Verdict},
    },
};

/// Takes everything below `/a`, says how many bytes it got; `/slow` is refused.
struct Count {
    bodies: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
    seen: Seen,
}

/// Bodies, and connections that ended, in their order.
type Seen = Arc<Mutex<Vec<&'static str>>>;

impl Count {
    fn saw(&self, what: &'static str) {
        assert!(self.seen.lock().map(|mut seen| seen.push(what)).is_ok());
    }
}

impl Gate for Count {
    type Ticket = u32;

    fn head(&mut self, head: &Head<'_>, _: &Peer, _: Now) -> Verdict<u32> {
        if head.raw_path().starts_with("/a") { Verdict::Take(1) } else { Verdict::Refuse(Reply::error(404, "no such path")) }
    }

    fn body(&mut self, _: u32, _: &Head<'_>, _: &Peer, body: &[u8], _: Now) -> Answer {
        self.bodies.fetch_add(1, Ordering::Relaxed);
        self.saw("body");
        Answer::Now(Reply::error_fmt(200, format_args!("{}", body.len())))
    }

    fn dropped(&mut self, _: u32, _: Option<u16>) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn closed(&mut self, _: &Peer) {
        self.saw("closed");
    }
}

type Job = Box<dyn FnOnce(&DataPort<Count>) + Send>;

/// A port on a thread of its own, closed when this is dropped.
struct Server {
    addr: SocketAddr,
    bodies: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
    seen: Seen,
    jobs: Option<smol::channel::Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    fn start(limits: Limits, deadlines: Deadlines) -> Self {
        Self::start_with(limits, deadlines, None)
    }

    fn start_with(limits: Limits, deadlines: Deadlines, tls: Option<ServerTls>) -> Self {
        let (bodies, dropped, seen) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default(), Seen::default());
        let gate = Count { bodies: Arc::clone(&bodies), dropped: Arc::clone(&dropped), seen: Arc::clone(&seen) };
        let (jobs, todo) = smol::channel::unbounded::<Job>();
        let (tell, addr) = mpsc::channel();
        let thread = thread::spawn(move || {
            let settings = settings(&limits, deadlines);
            let tasks = Rc::new(Tasks::default());
            let port = DataPort::start(gate, settings, &limits, Clock::start(), &tasks);
            let addr = port.listen(SocketAddr::from(([127, 0, 0, 1], 0)), tls);
            assert!(addr.is_ok() && tell.send(addr.ok()).is_ok());
            tasks.run(async {
                while let Ok(job) = todo.recv().await {
                    job(&port);
                }
            });
        });
        let addr = addr.recv().ok().flatten();
        Self { addr: addr.unwrap_or_else(|| panic!("no address")), bodies, dropped, seen, jobs: Some(jobs), thread: Some(thread) }
    }

    fn ask<R: Send + 'static>(&self, f: impl FnOnce(&DataPort<Count>) -> R + Send + 'static) -> R {
        let (tell, answer) = mpsc::channel();
        let job: Job = Box::new(move |port| drop(tell.send(f(port))));
        assert!(self.jobs.as_ref().is_some_and(|jobs| jobs.send_blocking(job).is_ok()));
        answer.recv().unwrap_or_else(|error| panic!("{error}"))
    }

    fn counters(&self) -> (Counters, ConnCounters) {
        self.ask(DataPort::counters)
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.addr).unwrap_or_else(|error| panic!("{error}"));
        assert!(stream.set_read_timeout(Some(Duration::from_secs(10))).is_ok() && stream.set_nodelay(true).is_ok());
        Client(stream)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || thread::panicking());
        }
    }
}

struct Client(TcpStream);

impl Client {
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        assert!(self.0.write_all(bytes.as_ref()).is_ok());
    }

    /// One answer as `status body`, `!` when it says that the connection ends; empty at the end.
    fn answer(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match self.0.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                Ok(_) => return String::from_utf8_lossy(&head).into_owned(),
                Err(error) => return format!("{error}: {}", head.escape_ascii()),
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = head.split("Content-Length: ").nth(1).map_or(0, |t| t.split('\r').next().unwrap_or_default().parse().unwrap_or(0));
        let mut body = vec![0; length];
        assert!(self.0.read_exact(&mut body).is_ok());
        let body = String::from_utf8_lossy(&body).into_owned();
        let message = body.split("\"message\":\"").nth(1).map_or(body.as_str(), |m| m.trim_end_matches("\"}"));
        let retry = if head.contains("Retry-After: 1\r\n") { " retry 1" } else { "" };
        let end = if head.contains("Connection: close") { "!" } else { "" };
        format!("{}{end}{retry} {message}", head.split(' ').nth(1).unwrap_or_default())
    }
}

fn post(path: &str, body: &[u8]) -> Vec<u8> {
    [format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn few(conn_count: usize) -> Limits {
    Limits { conn_count, loan_count: 2, ..Limits::default() }
}

const TOO_LONG: &str = "413! the body is longer than limits.bodyBytes (65536 bytes)";

#[test]
fn keep_alive_pipelining_chunked_expect() {
    let server = Server::start(few(8), Deadlines::default());
    let mut client = server.connect();
    for n in [0, 1, 100, 3000, 65_536, 5] {
        client.send(post("/a", &vec![b'x'; n]));
        assert_eq!(client.answer(), format!("200 {n}"));
    }
    let count = 3 * PIPELINE_COUNT + 1;
    client.send(post("/a", b"xyz").repeat(count));
    for _ in 0..count {
        assert_eq!(client.answer(), "200 3");
    }
    client.send("PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    client.send("2\r\nde\r\n0\r\n\r\n");
    assert_eq!(client.answer(), "200 5");
    client.send("PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.answer(), "100 ");
    client.send("body");
    assert_eq!(client.answer(), "200 4");
    client.send(post("/b", b"refused"));
    assert_eq!(client.answer(), "404 no such path");
    client.send("POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!((client.answer(), client.answer()), ("200! 1".to_owned(), String::new()));
    assert_eq!(server.bodies.load(Ordering::Relaxed), 6 + count + 3);
    let seen = server.seen.lock().map(|seen| seen.clone()).unwrap_or_default();
    assert_eq!((seen.len(), seen.last()), (6 + count + 4, Some(&"closed")));
    let (counted, accepts) = server.counters();
    assert_eq!((counted.taken_total, accepts.accepted_total), ((6 + count + 3) as u64, 1));
}

#[test]
fn the_client_sees_the_refusal_of_a_body_it_is_still_sending() {
    let server = Server::start(few(8), Deadlines::default());
    let body = vec![b'x'; 8 << 20];
    for (head, want) in [
        (format!("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()), TOO_LONG),
        ("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n".to_owned(), TOO_LONG),
        (format!("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()), "404! no such path"),
        ("GET /a\n".to_owned(), "400! a line of the head does not end in CR LF (RFC 9112 section 2.2)"),
        (format!("GET /{} HTTP/1.1\r\n", "a".repeat(9000)), "414! the request target is longer than TARGET_BYTES"),
        (format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(HEAD_BYTES)), "431! the request head is longer than HEAD_BYTES"),
    ] {
        let mut client = server.connect();
        client.send(head);
        client.send(&body);
        assert_eq!((client.answer().as_str(), client.answer().as_str()), (want, ""));
    }
    let mut client = server.connect();
    client.send("POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n\r\n");
    assert_eq!((client.answer().as_str(), client.answer().as_str()), (TOO_LONG, ""));
    assert_eq!(server.bodies.load(Ordering::Relaxed), 0);
}

#[test]
fn cut_at_every_byte() {
    let server = Server::start(few(8), Deadlines::default());
    let raw = [&post("/a", b"xy")[..], b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"].concat();
    let mut client = server.connect();
    for at in 1..raw.len() {
        client.send(&raw[..at]);
        client.send(&raw[at..]);
        assert_eq!((client.answer().as_str(), client.answer().as_str()), ("200 2", "200 3"), "cut at {at}");
    }
    for byte in &raw {
        client.send([*byte]);
    }
    assert_eq!((client.answer().as_str(), client.answer().as_str()), ("200 2", "200 3"));
}

#[test]
fn deadlines() {
    let ms = Duration::from_millis;
    let deadlines = Deadlines {
        first_byte: ms(150),
        head: ms(200),
        body: ms(400),
        idle: ms(300),
        rate_after: ms(200),
        body_rate: 1000,
        linger: ms(200),
        ..Deadlines::default()
    };
    let server = Server::start(few(8), deadlines);
    let timed = |bytes: &str| {
        let mut client = server.connect();
        let start = StdInstant::now();
        client.send(bytes);
        let answer = client.answer();
        (answer, start.elapsed())
    };
    for (bytes, want, at_least) in [
        ("", "", ms(150)),
        ("POST /a HT", "408! the request head took longer than source.headTimeout (200ms)", ms(200)),
        (
            "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
            "408! the request body came slower than source.minBodyRate (1000 bytes per second)",
            ms(200),
        ),
    ] {
        let (answer, took) = timed(bytes);
        assert_eq!(answer, want);
        assert!(took >= at_least && took < ms(2000), "{bytes}: {took:?}");
    }
    let mut client = server.connect();
    client.send(post("/a", b"x"));
    assert_eq!(client.answer(), "200 1");
    let start = StdInstant::now();
    assert_eq!(client.answer(), "");
    assert!(start.elapsed() >= ms(280), "{:?}", start.elapsed());
    assert_eq!(server.dropped.load(Ordering::Relaxed), 1);
    assert_eq!(server.ask(DataPort::open_count), 0);
}

#[test]
fn the_oldest_idle_connection_yields() {
    let server = Server::start(few(3), Deadlines::default());
    let mut clients = (0..3).map(|_| server.connect()).collect::<Vec<_>>();
    for client in &mut clients[1..] {
        client.send(post("/a", b"x"));
        assert_eq!(client.answer(), "200 1");
    }
    // The first never sent a byte and has waited longest.
    let mut fourth = server.connect();
    fourth.send(post("/a", b"xy"));
    assert_eq!(fourth.answer(), "200 2");
    assert_eq!(clients[0].answer(), "");
    clients[2].send(post("/a", b"xyz"));
    assert_eq!(clients[2].answer(), "200 3");
    assert_eq!(server.counters().1.yielded_total, 1);
    // Connections at work do not yield: the next one waits until a slot is free.
    for client in clients.iter_mut().skip(1).chain([&mut fourth]) {
        client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
    }
    while server.ask(|port| port.with_gate(|gate| gate.bodies.load(Ordering::Relaxed))) < 4 {}
    thread::sleep(Duration::from_millis(50));
    let mut waiting = server.connect();
    waiting.send(post("/a", b"12345"));
    assert!(waiting.0.set_read_timeout(Some(Duration::from_millis(100))).is_ok());
    assert!(waiting.0.read(&mut [0]).is_err());
    assert!(waiting.0.set_read_timeout(Some(Duration::from_secs(10))).is_ok());
    fourth.send("body");
    assert_eq!(fourth.answer(), "200 4");
    assert_eq!(waiting.answer(), "200 5");
    assert_eq!(fourth.answer(), "");
}

#[test]
fn no_large_buffer_left() {
    let server = Server::start(Limits { loan_count: 1, ..few(4) }, Deadlines::default());
    let (mut holder, mut other) = (server.connect(), server.connect());
    let large = post("/a", &[b'x'; 5000]);
    holder.send(&large[..4000]);
    while server.counters().0.requests_total < 1 {}
    thread::sleep(Duration::from_millis(20));
    other.send(&large);
    assert_eq!((other.answer().as_str(), other.answer().as_str()), ("503! retry 1 all large buffers are in use (limits.loanCount)", ""));
    let mut small = server.connect();
    small.send(post("/a", b"x"));
    assert_eq!(small.answer(), "200 1");
    holder.send(&large[4000..]);
    assert_eq!(holder.answer(), "200 5000");
    small.send(&large);
    assert_eq!(small.answer(), "200 5000");
    // A holder that goes away gives its loan back.
    holder.send(&large[..4000]);
    while server.counters().0.requests_total < 5 {}
    drop(holder);
    while server.dropped.load(Ordering::Relaxed) < 2 {}
    small.send(&large);
    assert_eq!(small.answer(), "200 5000");
}

#[test]
fn a_client_that_does_not_read_waits_and_loses_nothing() {
    let server = Server::start(few(4), Deadlines::default());
    let client = server.connect();
    let count = 60_000;
    let mut sender = Client(client.0.try_clone().unwrap_or_else(|error| panic!("{error}")));
    let sending = thread::spawn(move || {
        let batch = post("/a", b"xyz").repeat(100);
        for _ in 0..count / 100 {
            sender.send(&batch);
        }
    });
    // The answers fill every buffer between us, so at some point the port has to hold its own back and stop reading.
    thread::sleep(Duration::from_millis(300));
    let mut honest = server.connect();
    honest.send(post("/a", b"x"));
    assert_eq!(honest.answer(), "200 1");
    let mut reader = std::io::BufReader::new(client.0);
    let mut seen = 0;
    let mut line = String::new();
    while seen < count {
        line.clear();
        if std::io::BufRead::read_line(&mut reader, &mut line).unwrap_or(0) == 0 {
            break;
        }
        seen += usize::from(line.starts_with("HTTP/1.1 200") || line.contains("}HTTP/1.1 200"));
    }
    assert_eq!(seen, count);
    assert!(sending.join().is_ok());
    assert_eq!(server.bodies.load(Ordering::Relaxed), count + 1);
}

#[test]
fn the_write_deadline() {
    let server = Server::start(few(4), Deadlines { write: Duration::from_millis(200), ..Deadlines::default() });
    let mut client = server.connect();
    assert!(client.0.set_write_timeout(Some(Duration::from_millis(100))).is_ok());
    let batch = post("/a", b"xyz").repeat(1000);
    let start = StdInstant::now();
    while client.0.write_all(&batch).is_ok() {}
    while server.ask(DataPort::open_count) > 0 {
        assert!(start.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn close_and_open_again() {
    let server = Server::start(few(4), Deadlines::default());
    let (mut idle, mut busy, mut stuck) = (server.connect(), server.connect(), server.connect());
    for client in [&mut idle, &mut busy, &mut stuck] {
        client.send(post("/a", b"x"));
        assert_eq!(client.answer(), "200 1");
    }
    let part = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab";
    busy.send(part);
    stuck.send(part);
    while server.counters().0.requests_total < 5 {}
    let start = StdInstant::now();
    server.ask(|port| port.close(CLOSE_GRACE));
    assert!(TcpStream::connect(server.addr).is_err());
    assert_eq!(idle.answer(), "");
    busy.send("cd");
    assert_eq!((busy.answer().as_str(), busy.answer().as_str()), ("200! 4", ""));
    assert_eq!(stuck.answer(), "");
    assert!(start.elapsed() >= Duration::from_millis(450) && start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(server.ask(|port| (port.open_count(), port.addr())), (0, None));
    let addr = server.addr;
    assert_eq!(server.ask(move |port| port.listen(addr, None).ok()), Some(addr));
    let mut client = server.connect();
    client.send(post("/a", b"x"));
    assert_eq!(client.answer(), "200 1");
    let taken = server.ask(move |port| port.listen(addr, None).is_err());
    assert!(taken, "what is open stays open");
    client.send(post("/a", b"xy"));
    assert_eq!(client.answer(), "200 2");
}

#[test]
fn a_task_keeps_nothing_but_its_place() {
    let limits = few(1);
    let settings = settings(&limits, Deadlines::default());
    let gate = Count { bodies: Arc::default(), dropped: Arc::default(), seen: Arc::default() };
    let port = DataPort::start(gate, settings, &limits, Clock::start(), &Rc::new(Tasks::default()));
    let task = attend(port.shared(), 0);
    assert!(size_of_val(&task) <= 256, "{}", size_of_val(&task));
    assert!(size_of::<Slot<[u32; 4]>>() <= 320, "{}", size_of::<Slot<[u32; 4]>>());
}

/// Handshakes that come at once are done one a round: who has a connection already waits for one of them, not for the crowd.
#[test]
#[cfg(feature = "tls")]
fn a_crowd_of_handshakes_lets_readings_through() {
    use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

    const CROWD: usize = 100;
    let dir = std::env::temp_dir().join(format!("pushgate-crowd-{}", std::process::id()));
    assert!(std::fs::create_dir_all(&dir).is_ok());
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap_or_else(|error| panic!("{error}"));
    let write = |name: &str, text: &str| {
        let path = dir.join(name).display().to_string();
        assert!(std::fs::write(&path, text).is_ok());
        path
    };
    let (certfile, keyfile) = (write("a.pem", &made.cert.pem()), write("a.key", &made.signing_key.serialize_pem()));
    let tls = ServerTls::load(&crate::config::TlsFiles { certfile, keyfile, ..Default::default() });
    let server = Server::start_with(few(2 * CROWD), Deadlines::default(), tls.ok());
    let mut roots = RootCertStore::empty();
    assert!(roots.add(made.cert.der().clone()).is_ok());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(roots));
    let config = config.unwrap_or_else(|error| panic!("{error}")).with_no_client_auth();
    let name = "localhost".try_into().unwrap_or_else(|error| panic!("{error}"));
    let session = ClientConnection::new(Arc::new(config), name).unwrap_or_else(|error| panic!("{error}"));
    let mut honest = StreamOwned::new(session, server.connect().0);
    let send = |honest: &mut StreamOwned<_, TcpStream>| assert!(honest.write_all(&post("/a", b"x")).is_ok());
    let answered = |honest: &mut StreamOwned<_, _>| {
        let mut answer = [0; 1024];
        assert!(honest.read(&mut answer).is_ok_and(|n| answer[..n].starts_with(b"HTTP/1.1 200 ")));
    };
    send(&mut honest);
    answered(&mut honest);
    let mut crowd: Vec<_> = (0..CROWD).map(|_| server.connect()).collect();
    while server.counters().1.accepted_total <= CROWD as u64 {
        thread::yield_now();
    }
    // The server stands still until all have spoken: the crowd, whose first flights are no good and end their connections, then the
    // honest client.
    let (hold, held) = mpsc::channel::<()>();
    let (stand, stands) = mpsc::channel::<()>();
    let wait = Box::new(move |_: &_| {
        drop(stand);
        assert!(held.recv().is_err());
    });
    assert!(server.jobs.as_ref().is_some_and(|jobs| jobs.send_blocking(wait).is_ok()));
    assert!(stands.recv().is_err());
    for client in &mut crowd {
        client.send(b"\x16\x03\x01\xff\xff\0\0\0\0\0\0");
    }
    send(&mut honest);
    drop(hold);
    answered(&mut honest);
    while server.counters().1.tls_failed_total < CROWD as u64 {
        thread::yield_now();
    }
    let seen = server.seen.lock().map(|seen| seen.clone()).unwrap_or_default();
    let at = seen.iter().rposition(|what| *what == "body");
    assert!(at.is_some_and(|at| at < 10) && seen.len() == CROWD + 2, "{seen:?}");
    drop(server);
    assert!(std::fs::remove_dir_all(&dir).is_ok());
}

#[test]
#[cfg(feature = "tls")]
fn tls_and_what_is_not_tls() {
    use crate::{
        shell::{
            net::{Deadline, connect, exchange},
            tls::{ClientOptions, ClientTls, Pem},
        },
        wire::client::Request,
    };

    let dir = std::env::temp_dir().join(format!("pushgate-tls-{}", std::process::id()));
    assert!(std::fs::create_dir_all(&dir).is_ok());
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        assert!(std::fs::write(&path, text).is_ok());
        path
    };
    let make = |name: &str| {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap_or_else(|error| panic!("{error}"));
        (write(&format!("{name}.pem"), &made.cert.pem()), write(&format!("{name}.key"), &made.signing_key.serialize_pem()))
    };
    let ((cert, key), (other_cert, other_key)) = (make("a"), make("b"));
    let text = |result: Result<ServerTls, _>| match result {
        Ok(_) => String::new(),
        Err(error) => format!("{error}").replace(&format!("{}/", dir.display()), ""),
    };
    let load = |cert: &std::path::Path, key: &std::path::Path| {
        let text = |path: &std::path::Path| path.display().to_string();
        ServerTls::load(&crate::config::TlsFiles { certfile: text(cert), keyfile: text(key), ..Default::default() })
    };
    let empty = write("empty.pem", "no PEM here\n");
    assert_eq!(text(load(&dir.join("no.pem"), &key)), "certificate no.pem: no such file");
    assert_eq!(text(load(&empty, &key)), "certificate empty.pem: no certificate in it (expected PEM)");
    assert_eq!(text(load(&cert, &dir.join("no.key"))), "key no.key: no such file");
    assert_eq!(text(load(&cert, &cert)), "key a.pem: no private key in it (expected PEM)");
    assert_eq!(text(load(&cert, &other_key)), "certificate a.pem: does not match the key b.key");

    let server = Server::start_with(few(4), Deadlines::default(), load(&cert, &key).ok());
    let mut plain = server.connect();
    plain.send(post("/a", b"x"));
    assert_eq!((plain.answer().as_str(), plain.answer().as_str()), ("400! this port speaks HTTPS, the request was plain HTTP", ""));

    let talk = |options: ClientOptions<'_>, host: &str| {
        let tls = ClientTls::new(&options).map_err(|error| error.to_string())?;
        smol::block_on(async {
            let mut deadline = Deadline::after(Duration::from_secs(10));
            let mut socket = connect(host, server.addr.port(), Some(&tls), &mut deadline).await.map_err(|error| error.to_string())?;
            let (mut scratch, mut buf) = (Vec::new(), vec![0; 4096]);
            let mut found = Vec::new();
            for body in [&b"abc"[..], &[b'x'; 60_000], b""] {
                let request = Request { method: "POST", target: "/a", host, fields: &[], body };
                let response =
                    exchange(&mut socket, &request, &mut scratch, &mut buf, &mut deadline).await.map_err(|error| error.to_string())?;
                found.push((response.status, String::from_utf8_lossy(response.body).into_owned(), response.keep_alive));
            }
            Ok::<_, String>(found)
        })
    };
    let message = |n: usize| (200, format!("{{\"error\":200,\"message\":\"{n}\"}}"), true);
    let all = Ok(vec![message(3), message(60_000), message(0)]);
    assert_eq!(talk(ClientOptions { ca: Some(Pem::File(&cert)), ..ClientOptions::default() }, "localhost"), all);
    assert_eq!(talk(ClientOptions { insecure_skip_verify: true, ..ClientOptions::default() }, "127.0.0.1"), all);
    let wrong = talk(ClientOptions { ca: Some(Pem::File(&other_cert)), ..ClientOptions::default() }, "localhost");
    assert!(wrong.as_ref().is_err_and(|text| text.contains("certificate")), "{wrong:?}");
    let wrong = talk(ClientOptions { ca: Some(Pem::File(&cert)), ..ClientOptions::default() }, "127.0.0.1");
    assert!(wrong.as_ref().is_err_and(|text| text.contains("certificate")), "{wrong:?}");
    assert!(server.counters().1.tls_failed_total >= 1);
    drop(server);
    assert!(std::fs::remove_dir_all(&dir).is_ok());
}
