//! A tiny HTTP/1.1 client that sends exactly the bytes it is given, and a target for rest sinks.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use crate::gate::PATIENCE;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Status line and fields.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// A field's value.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// One connection, plain or encrypted.
pub(crate) struct Client<S = TcpStream> {
    stream: S,
    buf: Vec<u8>,
    /// The last request was a HEAD, whose answer has no content whatever its length says.
    head_only: bool,
}

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        Self::over(connect(addr))
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(std::time::Duration::ZERO)).expect("a socket option");
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).expect("a socket option");
    }
}

/// A socket that gives up instead of hanging.
pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&addr, PATIENCE).unwrap_or_else(|e| panic!("connect to {addr}: {e}"));
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
    stream.set_write_timeout(Some(PATIENCE)).expect("a socket option");
    stream
}

/// Whether nobody listens there.
pub(crate) fn is_refused(addr: SocketAddr) -> bool {
    matches!(TcpStream::connect_timeout(&addr, PATIENCE), Err(e) if e.kind() == ErrorKind::ConnectionRefused)
}

impl<S: Read + Write> Client<S> {
    pub(crate) const fn over(stream: S) -> Self {
        Self { stream, buf: Vec::new(), head_only: false }
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.head_only = bytes.starts_with(b"HEAD ");
        match self.stream.write_all(bytes).and_then(|()| self.stream.flush()) {
            // A refusal may come, and the connection end, before all is sent.
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {}
            sent => sent.expect("sent"),
        }
    }

    /// The next answer.
    pub(crate) fn reply(&mut self) -> Reply {
        self.try_reply().unwrap_or_else(|| panic!("the connection ended instead of an answer: {}", self.buf.escape_ascii()))
    }

    /// The next answer; `None` when the connection ends instead.
    pub(crate) fn try_reply(&mut self) -> Option<Reply> {
        let end = loop {
            if let Some(at) = self.buf.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more() {
                return None;
            }
        };
        let head = String::from_utf8(self.buf.drain(..end).collect()).expect("a head is text");
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{head}"));
        let mut reply = Reply { status, head, body: String::new() };
        let length = reply.field("content-length").map_or(0, |n| n.parse().expect("a length"));
        let length = if self.head_only { 0 } else { length };
        while self.buf.len() < length {
            assert!(self.more(), "the connection ended within an answer: {reply:?}");
        }
        reply.body = String::from_utf8_lossy(&self.buf.drain(..length).collect::<Vec<_>>()).into_owned();
        Some(reply)
    }

    /// All that comes until the connection ends.
    pub(crate) fn rest(&mut self) -> String {
        while self.more() {}
        String::from_utf8_lossy(&std::mem::take(&mut self.buf)).into_owned()
    }

    /// All that came up to and with `words`.
    pub(crate) fn read_until(&mut self, words: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.buf).into_owned();
            if text.contains(words) {
                return text;
            }
            assert!(self.more(), "the connection ended before `{words}`: {text}");
        }
    }

    /// Waits until the other side closes, whatever it says before.
    pub(crate) fn read_to_end(&mut self) {
        while self.more() {}
    }

    /// A whole request with a JSON body, and its answer.
    pub(crate) fn ask(&mut self, method: &str, target: &str, body: &str) -> Reply {
        self.send(request(method, target, "", body).as_bytes());
        self.reply()
    }

    /// The same, where the connection may end instead.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "asked over TLS only"))]
    pub(crate) fn try_ask(&mut self, method: &str, target: &str, body: &str) -> Option<Reply> {
        self.stream.write_all(request(method, target, "", body).as_bytes()).and_then(|()| self.stream.flush()).ok()?;
        self.try_reply()
    }

    /// Whether the other side closes now, with nothing more to say.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.buf.is_empty() && !self.more()
    }

    fn more(&mut self) -> bool {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(n) => {
                self.buf.extend_from_slice(&chunk[..n]);
                true
            }
            // A TLS connection that was refused ends in an alert.
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::InvalidData | ErrorKind::UnexpectedEof
                ) =>
            {
                false
            }
            Err(e) => panic!("read: {e}"),
        }
    }
}

/// A request with further `fields`, each ended by CRLF.
pub(crate) fn request(method: &str, target: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
    )
}

/// What a rest sink sends to: keeps bodies, answers 200 to all.
pub(crate) struct Target {
    got: Arc<(Mutex<VecDeque<String>>, Condvar)>,
}

impl Target {
    /// Listens at `addr`.
    pub(crate) fn listen(addr: SocketAddr) -> Self {
        let listener = TcpListener::bind(addr).unwrap_or_else(|e| panic!("listen {addr}: {e}"));
        let target = Self { got: Arc::default() };
        let got = Arc::clone(&target.got);
        // The thread ends with the process: the test binary.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let got = Arc::clone(&got);
                thread::spawn(move || serve(stream, &got));
            }
        });
        target
    }

    /// The next body.
    pub(crate) fn body(&self) -> String {
        let (queue, more) = &*self.got;
        let queue = queue.lock().expect("no panic holds it");
        let (mut queue, waited) = more.wait_timeout_while(queue, PATIENCE, |q| q.is_empty()).expect("no panic holds it");
        assert!(!waited.timed_out(), "the target got nothing more");
        queue.pop_front().expect("not empty")
    }
}

fn serve(mut stream: TcpStream, got: &(Mutex<VecDeque<String>>, Condvar)) {
    let mut buf = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(at) = buf.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buf[..at]).to_ascii_lowercase();
            let length: usize = head
                .split("content-length:")
                .nth(1)
                .map_or(0, |rest| rest.lines().next().and_then(|n| n.trim().parse().ok()).expect("a length"));
            if buf.len() >= at + 4 + length {
                let body: Vec<u8> = buf.drain(..at + 4 + length).skip(at + 4).collect();
                got.0.lock().expect("no panic holds it").push_back(String::from_utf8_lossy(&body).into_owned());
                got.1.notify_all();
                if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                    return;
                }
                continue;
            }
        }
        match stream.read(&mut chunk) {
            Ok(n) if n > 0 => buf.extend_from_slice(&chunk[..n]),
            _ => return,
        }
    }
}

/// An address where nobody listens and no other test will: loopback addresses besides 127.0.0.1 are nobody's source address.
pub(crate) fn dead_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.9.9.9", 0)).expect("loopback");
    listener.local_addr().expect("bound")
}
