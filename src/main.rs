//! The one binary: the daemon, the client of its management API, `check`, `explain` and `query`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use pushgate::cli::{self, Invocation, Outside as _};
use pushgate::shell::client::{self, Terminal};
use pushgate::shell::daemon::{self, Options};
use pushgate::shell::{explain, query, verify};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os(), std::env::var("PUSHGATE_URL").ok()) {
        Invocation::Run { place, starter } => daemon::run(&Options { config: place.config, state: place.state, starter }),
        Invocation::Check { place, show, ruleset } => verify::run(&place, show, ruleset.as_deref()),
        Invocation::Explain(args) => explain::run(&args),
        Invocation::Query(args) => query::run(&args),
        Invocation::Client(client) if client.is_credential() => ExitCode::from(client.credential(&mut Terminal, &mut client::random)),
        Invocation::Client(client) => ExitCode::from(client::run(client)),
        Invocation::Print { text, code: 0 } => {
            Terminal.print(&text);
            ExitCode::SUCCESS
        }
        Invocation::Print { text, code } => {
            Terminal.complain(&text);
            ExitCode::from(code)
        }
    }
}
