//! The shell: sockets, files, clock, signals, threads. It has every `await` and no decision; the cores have every decision.

pub mod admin;
pub mod bell;
pub mod client;
pub mod daemon;
pub mod front;
pub mod host;
pub mod init;
pub mod listen;
pub mod log;
pub mod manage;
pub mod net;
pub mod nofile;
pub mod notify;
pub mod query;
pub mod secrets;
pub mod serve;
pub mod settings;
pub mod signal;
pub mod sinks;
pub mod store;
pub mod tls;
pub mod trials;
pub mod verify;
pub mod vitals;
pub mod writer;
pub mod zone;
