//! The command line's way to the management port: one request at a time over a blocking socket.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use crate::cli::{Ask, Outside, Reply, Server};
use crate::wire::client::{Exchange, Request, Url};

/// How long connecting may take, and each read and write.
const PATIENCE: Duration = Duration::from_secs(30);
/// Room for an answer: the largest export that the client takes.
const ANSWER_BYTES: usize = 64 << 20;
/// Room that is taken at first.
const FIRST_BYTES: usize = 64 << 10;

/// A server behind a URL.
#[derive(Debug, Clone)]
pub struct Remote {
    url: String,
}

impl Remote {
    /// The server at `url`: `http://127.0.0.1:9081`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned() }
    }
}

impl Server for Remote {
    fn ask(&mut self, ask: &Ask<'_>) -> Result<Reply, String> {
        exchange(&self.url, ask).map_err(|e| format!("{}: {e}", self.url))
    }
}

fn exchange(base: &str, ask: &Ask<'_>) -> Result<Reply, String> {
    let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
    let url = Url::parse(&base).map_err(|e| e.to_string())?;
    if url.https {
        return Err("https is not supported by the command line yet: use http on loopback".to_owned());
    }
    let addrs = (url.host, url.port).to_socket_addrs().map_err(|e| e.to_string())?;
    let mut failed = "no address".to_owned();
    let mut connected = None;
    for addr in addrs {
        match TcpStream::connect_timeout(&addr, PATIENCE) {
            Ok(stream) => {
                connected = Some(stream);
                break;
            }
            Err(e) => failed = e.to_string(),
        }
    }
    let Some(mut stream) = connected else { return Err(failed) };
    stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE))).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    let fields = [("Content-Type", "application/json"), ("Accept", "*/*")];
    Request { method: ask.method, target: ask.target, host: url.authority, fields: &fields, body: ask.body }
        .emit(&mut out)
        .map_err(|e| e.to_string())?;
    stream.write_all(&out).map_err(|e| e.to_string())?;
    let mut buf = vec![0; FIRST_BYTES];
    let mut exchange = Exchange::new(ask.method);
    loop {
        if exchange.space(&mut buf).len() < FIRST_BYTES / 2 && buf.len() < ANSWER_BYTES {
            buf.resize(buf.len() * 2, 0);
        }
        let got = stream.read(exchange.space(&mut buf)).map_err(|e| e.to_string())?;
        if exchange.filled(&mut buf, got).map_err(|e| e.to_string())? {
            break;
        }
    }
    let response = exchange.response(&buf);
    if response.cut {
        return Err(format!("the answer is longer than {ANSWER_BYTES} bytes"));
    }
    Ok(Reply { status: response.status, body: String::from_utf8_lossy(response.body).into_owned() })
}

/// Files and standard streams of this process.
#[derive(Debug, Default)]
pub struct Terminal;

impl Outside for Terminal {
    fn read_file(&mut self, path: &str) -> Result<String, String> {
        let read = if path == "-" { io::read_to_string(io::stdin()) } else { fs::read_to_string(path) };
        read.map_err(|e| reason(&e))
    }

    fn write_file(&mut self, path: &str, text: &str) -> Result<(), String> {
        fs::write(path, text).map_err(|e| reason(&e))
    }

    fn print(&mut self, text: &str) {
        // A reader that has gone away is no reason to fail.
        let _ = io::stdout().write_all(text.as_bytes());
    }

    fn complain(&mut self, text: &str) {
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// The system's text in lower case, without Rust's number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
