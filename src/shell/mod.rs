//! The shell: sockets, files, clock, signals, threads. It has every `await` and no decision; the cores have every decision.

pub mod log;
pub mod net;
pub mod nofile;
pub mod notify;
pub mod settings;
pub mod signal;
pub mod tls;
