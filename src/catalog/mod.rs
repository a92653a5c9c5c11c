//! Definitions: streams, tables, rules, conf keys, connections. Commands are checked in full, then published, then stored.

pub mod host;
pub mod text;

pub use host::{DataListener, Ended, Fault, Host, Kind, Machine, Metric, RunStatus, Stored, Topo};
