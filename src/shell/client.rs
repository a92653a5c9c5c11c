//! The command line's way to the management port: which server is meant, then one request at a time over a blocking socket.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    path::{Path, PathBuf},
    time::Duration,
};

use super::settings;
use super::tls::{ClientOptions, ClientTls, Pem, Session};
use crate::cli::target::{self, Local, Target};
use crate::cli::{Ask, Client, Outside, Reply, Server};
use crate::config::paths;
use crate::wire::client::{Exchange, Request, Url};

/// How long connecting may take, and each read and write.
const PATIENCE: Duration = Duration::from_secs(30);
/// Room for an answer: the largest export that the client takes.
const ANSWER_BYTES: usize = 64 << 20;
/// Room that is taken at first.
const FIRST_BYTES: usize = 64 << 10;

/// Finds the server, runs the verb, and gives the exit code.
#[must_use]
pub fn run(mut client: Client) -> u8 {
    let mut pinned = false;
    if client.url.is_none() {
        match find(client.config.as_deref()) {
            Ok((target, local)) => {
                if let Some(note) = &target.note {
                    Terminal.complain(&format!("{note}\n"));
                }
                client.url = Some(target.url);
                pinned = local;
            }
            Err(error) => {
                Terminal.complain(&format!("error: {error}\n"));
                return EX_CONFIG;
            }
        }
    }
    let url = client.url.clone().unwrap_or_default();
    // Over loopback nobody stands between: who can take that port can read the gate's key as well.
    let trust = Trust { ca: client.ca.clone(), anyone: client.insecure || (pinned && client.ca.is_none()) };
    client.run(&mut Remote::new(&url, trust), &mut Terminal)
}

/// sysexits(3): the configuration is wrong.
const EX_CONFIG: u8 = 78;

/// The server that `client.yaml` names, beside the configuration file or in its place, else the configured one. True: it is the
/// configured one, on loopback.
fn find(config: Option<&Path>) -> Result<(Target, bool), String> {
    let given = config.filter(|path| path.file_name().is_some_and(|name| name == CLIENT_YAML));
    // A broken configuration must not keep the operator from asking a server that runs on the default address.
    let settings = settings::read(if given.is_some() { None } else { config }).ok();
    let local = settings.as_ref().map_or(Local::DEFAULT, |settings| {
        let addr = settings.config.rest_listen();
        Local { ip: addr.ip(), port: addr.port(), tls: settings.config.basic.rest_tls.is_some() }
    });
    let system = Path::new(paths::SYSTEM_FILE);
    let beside = config.unwrap_or(system).with_file_name(CLIENT_YAML);
    let file = given.unwrap_or(&beside);
    let name = file.display().to_string();
    match fs::read_to_string(file) {
        Ok(text) => {
            let target = target::client_yaml(&name, &text, &local, |name| std::env::var(name).ok())?;
            Ok((target, false))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound && given.is_none() => {
            Ok((target::configured(&local), local.ip.is_loopback() || local.ip.is_unspecified()))
        }
        Err(e) => Err(format!("{name}: {}", reason(&e))),
    }
}

const CLIENT_YAML: &str = "client.yaml";

/// Whom to believe over https.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Certificates to trust; `None`: the system's roots.
    pub ca: Option<PathBuf>,
    /// Any certificate will do.
    pub anyone: bool,
}

/// A server behind a URL.
#[derive(Debug, Clone)]
pub struct Remote {
    url: String,
    trust: Trust,
}

impl Remote {
    /// The server at `url`: `http://127.0.0.1:9081`.
    #[must_use]
    pub fn new(url: &str, trust: Trust) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), trust }
    }
}

impl Server for Remote {
    fn ask(&mut self, ask: &Ask<'_>) -> Result<Reply, String> {
        exchange(&self.url, &self.trust, ask).map_err(|e| format!("{}: {e}", self.url))
    }

    fn follow(&mut self, target: &str) -> Result<(), String> {
        let mut wire = ask_for(&self.url, &self.trust, target).map_err(|e| format!("{}: {e}", self.url))?;
        // It ends with the events, or with the process.
        std::thread::Builder::new().name("events".into()).spawn(move || print_events(&mut wire)).map(drop).map_err(|e| e.to_string())
    }
}

/// Sends a request whose answer has no end.
fn ask_for(base: &str, trust: &Trust, target: &str) -> Result<Wire, String> {
    let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
    let url = Url::parse(&base).map_err(|e| e.to_string())?;
    let mut wire = connect(&url, trust)?;
    let mut out = Vec::new();
    let fields = [("Accept", "text/event-stream")];
    let request = Request { method: "GET", target, host: url.authority, fields: &fields, body: &[] };
    request.emit(&mut out).map_err(|e| e.to_string())?;
    wire.write_all(&out).map_err(|e| e.to_string())?;
    Ok(wire)
}

/// Prints the data of server-sent events, a line each, until they end.
fn print_events(wire: &mut Wire) {
    let (mut buf, mut chunk, mut in_head) = (Vec::new(), [0; 4096], true);
    while let Ok(got @ 1..) = wire.read(&mut chunk) {
        buf.extend_from_slice(&chunk[..got]);
        while let Some(end) = buf.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = buf.drain(..=end).collect();
            let line = line.trim_ascii_end();
            if in_head {
                in_head = !line.is_empty();
            } else if let Some(data) = line.strip_prefix(b"data: ") {
                Terminal.print(&format!("{}\n", String::from_utf8_lossy(data)));
            }
        }
        // A line that long is no event of ours.
        if buf.len() > ANSWER_BYTES {
            return;
        }
    }
}

/// A connection, plain or encrypted; both block.
struct Wire {
    stream: TcpStream,
    tls: Option<Session>,
}

impl Wire {
    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let Some(session) = &mut self.tls else { return self.stream.write_all(bytes) };
        while !bytes.is_empty() {
            match session.write(&self.stream, bytes)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => bytes = bytes.get(n..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.stream.read(buf),
            Some(session) => session.read(&self.stream, buf),
        }
    }
}

fn connect(url: &Url<'_>, trust: &Trust) -> Result<Wire, String> {
    let tls = if url.https {
        let options =
            ClientOptions { ca: trust.ca.as_deref().map(Pem::File), insecure_skip_verify: trust.anyone, ..ClientOptions::default() };
        let client = ClientTls::new(&options).map_err(|e| e.to_string())?;
        Some(client.session(url.host).map_err(|e| e.to_string())?)
    } else {
        None
    };
    let addrs = (url.host, url.port).to_socket_addrs().map_err(|e| e.to_string())?;
    let mut failed = "no address".to_owned();
    for addr in addrs {
        match TcpStream::connect_timeout(&addr, PATIENCE) {
            Ok(stream) => {
                stream
                    .set_read_timeout(Some(PATIENCE))
                    .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
                    .map_err(|e| e.to_string())?;
                return Ok(Wire { stream, tls });
            }
            Err(e) => failed = e.to_string(),
        }
    }
    Err(failed)
}

fn exchange(base: &str, trust: &Trust, ask: &Ask<'_>) -> Result<Reply, String> {
    let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
    let url = Url::parse(&base).map_err(|e| e.to_string())?;
    let mut wire = connect(&url, trust)?;
    let mut out = Vec::new();
    let mut fields = vec![("Content-Type", "application/json"), ("Accept", "*/*")];
    let token = std::env::var("PUSHGATE_TOKEN").unwrap_or_default();
    if !token.is_empty() {
        fields.push(("Authorization", &token));
    }
    Request { method: ask.method, target: ask.target, host: url.authority, fields: &fields, body: ask.body }
        .emit(&mut out)
        .map_err(|e| e.to_string())?;
    wire.write_all(&out).map_err(|e| e.to_string())?;
    let mut buf = vec![0; FIRST_BYTES];
    let mut exchange = Exchange::new(ask.method);
    loop {
        if exchange.space(&mut buf).len() < FIRST_BYTES / 2 && buf.len() < ANSWER_BYTES {
            buf.resize(buf.len() * 2, 0);
        }
        let got = wire.read(exchange.space(&mut buf)).map_err(|e| e.to_string())?;
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

/// Random bytes of the system's.
///
/// # Errors
/// It has none to give.
pub fn random(bytes: &mut [u8]) -> Result<(), String> {
    getrandom::fill(bytes).map_err(|e| format!("no random bytes: {e}"))
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

    fn read_line(&mut self) -> Option<String> {
        let mut line = String::new();
        let got = io::stdin().read_line(&mut line).ok()?;
        (got > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned())
    }

    fn print(&mut self, text: &str) {
        // A reader that has gone away is no reason to fail.
        let mut out = io::stdout();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
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
