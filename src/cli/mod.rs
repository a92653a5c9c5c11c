//! The command line: which program is meant, and eKuiper's client words over the management API (facts §6).
//!
//! [`parse`] sorts the arguments into an [`Invocation`]; `run`, `check`, `explain` and `query` need no server, the rest is [`Client::run`], which asks
//! a [`Server`] and works on files through [`Outside`]: no socket and no file here. Words are taken in any letter case, a statement
//! may be spread over several arguments. Texts of the server go to standard output, where eKuiper's scripts look for them; what
//! differs is the exit code, which is 0 only on success.

mod credential;
pub mod help;
mod query;
pub mod target;
mod verbs;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt as _};

pub use self::query::{QueryArgs, Statement};

/// What the arguments ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// The daemon. `starter`: a starter stream and rule, when nothing is defined.
    Run {
        /// Where configuration and state lie.
        place: Place,
        /// Called without a verb.
        starter: bool,
    },
    /// Validate configuration and definitions without starting.
    Check {
        /// Where configuration and state lie.
        place: Place,
        /// Print every effective value and where it comes from.
        show: bool,
        /// A ruleset or export to judge instead of the stored definitions.
        ruleset: Option<PathBuf>,
    },
    /// A statement over events from a file.
    Query(Box<QueryArgs>),
    /// What would become of a request.
    Explain(Explain),
    /// A verb for a running server.
    Client(Client),
    /// A text and nothing else.
    Print {
        /// The text.
        text: String,
        /// Exit code: 0 to standard output, others to standard error.
        code: u8,
    },
}

/// Where configuration and state lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--state`.
    pub state: Option<PathBuf>,
}

/// A client verb with its words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// Verb and words behind it, as given.
    pub words: Vec<String>,
    /// `--url`, else `PUSHGATE_URL`; absent: the configured address.
    pub url: Option<String>,
    /// `--config`: where the configured address is looked up.
    pub config: Option<PathBuf>,
    /// `--cacert`: certificates to trust over https, a file.
    pub ca: Option<PathBuf>,
    /// `--insecure`: the server's certificate is not verified.
    pub insecure: bool,
    /// `--json`: answers as JSON.
    pub json: bool,
    /// Called as `kuiper`: the line `Connecting to ...` comes first.
    pub as_kuiper: bool,
}

/// One request of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query, encoded.
    pub target: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// The answer to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// A management port.
pub trait Server {
    /// Asks once.
    ///
    /// # Errors
    /// One sentence when there is no answer.
    fn ask(&mut self, ask: &Ask<'_>) -> Result<Reply, String>;

    /// Prints the server-sent events behind `target` as they come, beside whatever else is done.
    ///
    /// # Errors
    /// One sentence when that is not possible.
    fn follow(&mut self, target: &str) -> Result<(), String> {
        Err(format!("{target} cannot be followed"))
    }
}

/// Files and streams where the command runs.
pub trait Outside {
    /// Text of a file; `-` is standard input.
    ///
    /// # Errors
    /// The system's reason, in lower case: `no such file or directory`.
    fn read_file(&mut self, path: &str) -> Result<String, String>;

    /// Writes a file.
    ///
    /// # Errors
    /// The system's reason.
    fn write_file(&mut self, path: &str, text: &str) -> Result<(), String>;

    /// The next line of standard input without its end; `None` behind the last.
    fn read_line(&mut self) -> Option<String> {
        None
    }

    /// Prints to standard output as it is.
    fn print(&mut self, text: &str);

    /// Prints to standard error as it is.
    fn complain(&mut self, text: &str);
}

/// Sorts arguments (the program's name first) into what they ask for. `url`: the variable `PUSHGATE_URL`.
#[must_use]
pub fn parse(args: impl IntoIterator<Item = OsString>, url: Option<String>) -> Invocation {
    let mut args = args.into_iter();
    let program = args.next().unwrap_or_default();
    let as_kuiper = PathBuf::from(&program).file_name().is_some_and(|name| name == "kuiper");
    let mut client = Client { url: url.filter(|url| !url.is_empty()), as_kuiper, ..Client::default() };
    let parsed = sort(args.collect(), &mut client);
    parsed.unwrap_or_else(|text| Invocation::Print { text: format!("{text}\ntry: pushgate --help\n"), code: 2 })
}

fn sort(args: Vec<OsString>, client: &mut Client) -> Result<Invocation, String> {
    let mut parser = Parser::from_args(args);
    let mut place = Place::default();
    while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
        match arg {
            Arg::Long("url") => client.url = Some(text(&mut parser)?),
            Arg::Long("json") => client.json = true,
            Arg::Long("cacert") => client.ca = Some(path(&mut parser)?),
            Arg::Long("insecure") => client.insecure = true,
            Arg::Long("config") | Arg::Short('c') => place.config = Some(path(&mut parser)?),
            Arg::Long("state") => place.state = Some(path(&mut parser)?),
            Arg::Long("help") | Arg::Short('h') => return Ok(say(help::general())),
            Arg::Long("version") | Arg::Short('V' | 'v') => return Ok(say(help::version())),
            Arg::Value(verb) => {
                let verb = verb.string().map_err(|e| e.to_string())?;
                return match verb.to_ascii_lowercase().as_str() {
                    "run" => run(parser, place),
                    "check" => check(parser, place),
                    // Without a statement it is eKuiper's prompt, which asks a server.
                    "query" if parser.try_raw_args().is_some_and(|rest| rest.as_slice().is_empty()) => {
                        Ok(Invocation::Client(Client { words: vec![verb], config: place.config, ..client.clone() }))
                    }
                    "explain" => explain(parser, place),
                    "query" => query::sort(parser, place.config),
                    _ => {
                        client.config = place.config;
                        client_words(parser, verb, client.clone())
                    }
                };
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    if client.as_kuiper {
        return Ok(say(help::general()));
    }
    Ok(Invocation::Run { place, starter: true })
}

fn run(mut parser: Parser, mut place: Place) -> Result<Invocation, String> {
    while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
        match arg {
            Arg::Long("config") | Arg::Short('c') => place.config = Some(path(&mut parser)?),
            Arg::Long("state") => place.state = Some(path(&mut parser)?),
            Arg::Long("help") | Arg::Short('h') => return Ok(say(help::of("run").unwrap_or_default())),
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(Invocation::Run { place, starter: false })
}

fn check(mut parser: Parser, mut place: Place) -> Result<Invocation, String> {
    let (mut show, mut ruleset) = (false, None);
    while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
        match arg {
            Arg::Long("config") | Arg::Short('c') => place.config = Some(path(&mut parser)?),
            Arg::Long("state") => place.state = Some(path(&mut parser)?),
            Arg::Long("show") => show = true,
            Arg::Long("ruleset") => ruleset = Some(path(&mut parser)?),
            Arg::Long("help") | Arg::Short('h') => return Ok(say(help::of("check").unwrap_or_default())),
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(Invocation::Check { place, show, ruleset })
}

/// `explain FILE`: whose request, and who sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explain {
    /// Where configuration and state lie.
    pub place: Place,
    /// The request's bytes; `-` is standard input.
    pub file: PathBuf,
    /// `--from`: the address that it comes from; 127.0.0.1.
    pub from: Option<IpAddr>,
    /// `--certificate`: the client certificate that the sender shows, PEM.
    pub certificate: Option<PathBuf>,
}

fn explain(mut parser: Parser, place: Place) -> Result<Invocation, String> {
    let mut explain = Explain { place, ..Explain::default() };
    let mut file = None;
    while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
        match arg {
            Arg::Long("config") | Arg::Short('c') => explain.place.config = Some(path(&mut parser)?),
            Arg::Long("state") => explain.place.state = Some(path(&mut parser)?),
            Arg::Long("certificate") => explain.certificate = Some(path(&mut parser)?),
            Arg::Long("from") => {
                let addr = text(&mut parser)?;
                explain.from = Some(addr.parse().map_err(|_| format!("--from: expected an IP address, found {addr}"))?);
            }
            Arg::Long("help") | Arg::Short('h') => return Ok(say(help::of("explain").unwrap_or_default())),
            Arg::Value(value) if file.is_none() => file = Some(PathBuf::from(value)),
            other => return Err(other.unexpected().to_string()),
        }
    }
    explain.file = file.ok_or("explain: expected a file with a request, or - for standard input")?;
    Ok(Invocation::Explain(explain))
}

/// The words behind a client verb: taken as they are, but for the flags that belong to the client itself.
fn client_words(mut parser: Parser, verb: String, mut client: Client) -> Result<Invocation, String> {
    let mut words = vec![verb];
    let mut rest = parser.raw_args().map_err(|e| e.to_string())?;
    let mut wants_help = false;
    while let Some(word) = rest.next() {
        let word = word.into_string().map_err(|word| format!("argument {} is not UTF-8", word.display()))?;
        match word.as_str() {
            "--url" => {
                let url = rest.next().and_then(|url| url.into_string().ok());
                client.url = Some(url.ok_or("--url: expected a URL such as http://127.0.0.1:9081")?);
            }
            "--cacert" => client.ca = Some(rest.next().map(PathBuf::from).ok_or("--cacert: expected a file")?),
            "--insecure" => client.insecure = true,
            "--json" | "-json" => client.json = true,
            "--help" | "-h" => wants_help = true,
            _ => words.push(word),
        }
    }
    if wants_help {
        let text = help::of(&words[0]).ok_or_else(|| format!("no command {:?}", words[0]))?;
        return Ok(say(text));
    }
    client.words = words;
    Ok(Invocation::Client(client))
}

const fn say(text: String) -> Invocation {
    Invocation::Print { text, code: 0 }
}

fn text(parser: &mut Parser) -> Result<String, String> {
    parser.value().and_then(|value| value.string()).map_err(|e| e.to_string())
}

fn path(parser: &mut Parser) -> Result<PathBuf, String> {
    parser.value().map(PathBuf::from).map_err(|e| e.to_string())
}
