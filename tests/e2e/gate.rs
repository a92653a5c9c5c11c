//! The program under test: started in a scratch folder on free ports, asked over HTTP, told verbs, killed when it goes out of scope.
//!
//! Nothing sleeps: the log is read by a thread that wakes whoever waits for a line, and what has no line is asked for again,
//! a bounded number of times. `PUSHGATE_TEST_RUNNER` holds the words to start the program with, such as
//! `qemu-aarch64-static -L /usr/aarch64-linux-gnu`.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::http::{Client, Reply};

/// The longest that anything is waited for. Reached only when a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A folder of its own, gone with the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("pushgate-e2e-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a scratch folder");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The path as text, for a rule's JSON.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Writes a file and gives its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    }

    /// A file's text; empty while it is not there.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        self.read(name).lines().map(str::to_owned).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The program with free ports and nothing from this process's environment that would configure it.
pub(crate) fn program() -> Command {
    let binary = env!("CARGO_BIN_EXE_pushgate");
    let runner = std::env::var("PUSHGATE_TEST_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let mut command = match words.next() {
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if ["PUSHGATE_", "KUIPER_", "HTTPPUSH_", "STATE_DIRECTORY", "JOURNAL_STREAM", "NOTIFY_SOCKET"].iter().any(|p| name.starts_with(p)) {
            command.env_remove(name);
        }
    }
    command.env("TZ", "UTC").env("PUSHGATE__BASIC__RESTPORT", "0");
    command.env("PUSHGATE__SOURCE__HTTPSERVERIP", "127.0.0.1").env("PUSHGATE__SOURCE__HTTPSERVERPORT", "0");
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end: exit code, standard output, standard error.
pub(crate) fn finish(command: &mut Command) -> (i32, String, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    let end = Instant::now() + PATIENCE;
    // One that goes on running, where it should have refused to, is ended here. What these commands print fits into a pipe.
    while child.try_wait().expect("it is ours").is_none() {
        if Instant::now() > end {
            let _ = child.kill();
        }
        thread::park_timeout(Duration::from_millis(5));
    }
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ended");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// The program's standard error, line by line.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    more: Condvar,
    /// The next line is the last one: the pipe is closed then.
    deaf: AtomicBool,
}

/// A daemon that runs.
pub(crate) struct Gate {
    child: Child,
    log: Arc<Log>,
    /// Where management listens.
    pub(crate) management: SocketAddr,
}

impl Gate {
    /// `pushgate run` on the folder's `state`.
    pub(crate) fn start(scratch: &Scratch) -> Self {
        Self::spawn(program().arg("run").arg("--state").arg(scratch.path("state")))
    }

    /// The same with a configuration file that holds `yaml`.
    pub(crate) fn start_with(scratch: &Scratch, yaml: &str) -> Self {
        let config = scratch.write("pushgate.yaml", yaml);
        Self::spawn(program().arg("run").arg("--state").arg(scratch.path("state")).arg("--config").arg(config))
    }

    /// Starts a command that is a daemon and waits until its management port listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let log = Arc::new(Log::default());
        let pipe = child.stderr.take().expect("piped");
        let to = Arc::clone(&log);
        thread::spawn(move || follow(pipe, &to));
        let mut gate = Self { child, log, management: SocketAddr::from(([127, 0, 0, 1], 0)) };
        gate.management = gate.listener("management");
        gate
    }

    /// The address in the newest line `listen KIND ADDR`, waited for.
    fn listener(&self, kind: &str) -> SocketAddr {
        let mark = format!("listen {kind} ");
        let line = self.wait_log(&mark);
        let rest = &line[line.find(&mark).expect("it was found") + mark.len()..];
        let addr = rest.split(|c: char| c.is_whitespace() || c == '"').next().unwrap_or_default();
        addr.parse().unwrap_or_else(|e| panic!("{line}: {e}"))
    }

    /// Where the data port listens.
    pub(crate) fn data(&self) -> SocketAddr {
        self.listener("data")
    }

    /// Whether the data port was ever opened.
    pub(crate) fn opened(&self) -> bool {
        self.logged().iter().any(|line| line.contains("listen data"))
    }

    /// Every line so far.
    pub(crate) fn logged(&self) -> Vec<String> {
        self.log.lines.lock().expect("no panic holds it").clone()
    }

    /// The newest line with `words` in it, waited for.
    pub(crate) fn wait_log(&self, words: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut lines = self.log.lines.lock().expect("no panic holds it");
        loop {
            if let Some(line) = lines.iter().rev().find(|line| line.contains(words)) {
                return line.clone();
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !lines.iter().any(|l| l == END), "no line `{words}` in\n{}", lines.join("\n"));
            lines = self.log.more.wait_timeout(lines, left).expect("no panic holds it").0;
        }
    }

    /// Closes the reading end of the program's standard error at its next line.
    pub(crate) fn stop_reading_the_log(&self) {
        self.log.deaf.store(true, Ordering::SeqCst);
    }

    /// One management request with a JSON body.
    pub(crate) fn ask(&self, method: &str, target: &str, body: &str) -> Reply {
        Client::connect(self.management).ask(method, target, body)
    }

    /// One management request that must succeed; gives its body.
    pub(crate) fn tell(&self, method: &str, target: &str, body: &str) -> String {
        let reply = self.ask(method, target, body);
        assert!((200..300).contains(&reply.status), "{method} {target} {body}: {reply:?}");
        reply.body
    }

    /// Runs a statement.
    pub(crate) fn sql(&self, statement: &str) -> String {
        self.tell("POST", "/streams", &json!({ "sql": statement }).to_string())
    }

    /// Creates a stream over a path.
    pub(crate) fn stream(&self, name: &str, path: &str) {
        self.sql(&format!(r#"CREATE STREAM {name} () WITH (DATASOURCE="{path}", FORMAT="json", TYPE="httppush")"#));
    }

    /// Creates a rule with one sink and gives what is answered.
    pub(crate) fn rule(&self, id: &str, sql: &str, action: &Value) {
        self.tell("POST", "/rules", &rule(id, sql, action));
    }

    /// A rule's status.
    pub(crate) fn status(&self, id: &str) -> Value {
        serde_json::from_str(&self.tell("GET", &format!("/rules/{id}/status"), "")).expect("a status is JSON")
    }

    pub(crate) fn counters(&self) -> Value {
        serde_json::from_str(&self.tell("GET", "/counters", "")).expect("counters are JSON")
    }

    /// One POST to the data port.
    pub(crate) fn push(&self, path: &str, body: &str) -> Reply {
        Client::connect(self.data()).ask("POST", path, body)
    }

    /// A client verb: exit code and all that was printed.
    pub(crate) fn verb(&self, words: &[&str]) -> (i32, String) {
        let (code, out, err) = finish(program().args(words).env("PUSHGATE_URL", format!("http://{}", self.management)));
        (code, out + &err)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, and how the program ended.
    pub(crate) fn terminate(mut self) -> (Option<i32>, Vec<String>) {
        self.signal(rustix::process::Signal::TERM);
        let status = self.wait();
        (status.code(), self.end_of_log())
    }

    /// SIGHUP, and the line with `words` that follows.
    pub(crate) fn reload(&self, words: &str) {
        let before = self.logged().iter().filter(|line| line.contains(words)).count();
        self.signal(rustix::process::Signal::HUP);
        until("the reload", || self.logged().iter().filter(|line| line.contains(words)).count() > before);
        // The line that ends it.
        until("its end", || self.logged().last().is_some_and(|line| line.contains("reload: credentials of")));
    }

    /// SIGKILL: what a power cut leaves.
    pub(crate) fn kill(mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.wait();
    }

    /// SIGHUP: read certificates again.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS has any"))]
    pub(crate) fn hup(&self) {
        self.signal(rustix::process::Signal::HUP);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).expect("it runs");
    }

    fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the program ends", || {
            status = self.child.try_wait().expect("it is ours");
            status.is_some()
        });
        status.expect("it ended")
    }

    fn end_of_log(&self) -> Vec<String> {
        until("the log ends", || self.logged().last().is_some_and(|line| line == END));
        self.logged()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("{}", self.logged().join("\n"));
        }
    }
}

/// Stands behind the last line once the pipe has ended.
const END: &str = "(end of log)";

fn follow(pipe: ChildStderr, log: &Log) {
    let put = |line: String| {
        log.lines.lock().expect("no panic holds it").push(line);
        log.more.notify_all();
    };
    for line in BufReader::new(pipe).lines().map_while(Result::ok) {
        put(line);
        if log.deaf.load(Ordering::SeqCst) {
            break;
        }
    }
    put(END.to_owned());
}

/// A rule's JSON.
pub(crate) fn rule(id: &str, sql: &str, action: &Value) -> String {
    json!({"id": id, "sql": sql, "actions": [action]}).to_string()
}

/// A file sink of lines.
pub(crate) fn to_file(path: &Path) -> Value {
    json!({"file": {"path": path, "fileType": "lines", "sendSingle": true}})
}

/// Asks again and again until `done`, at most [`PATIENCE`].
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        // A pause between two looks, not a guess how long something takes.
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// A client verb where no server is.
pub(crate) fn verb_without_server(words: &[&str]) -> (i32, String) {
    let (code, out, err) = finish(program().args(words).env("PUSHGATE_URL", format!("http://{}", crate::http::dead_address())));
    (code, out + &err)
}
