//! The shell: sockets, files, clock, signals, threads. It has every `await` and no decision; the cores have every decision.

pub mod listen;
pub mod log;
pub mod manage;
pub mod net;
pub mod nofile;
pub mod notify;
pub mod settings;
pub mod serve;
pub mod signal;
pub mod sinks;
pub mod tls;
pub mod writer;
