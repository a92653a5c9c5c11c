//! Pushgate: an HTTP push gateway for small Linux boxes.
//!
//! ```text
//!  sensor ─► wire ─► gate ─► ring ─► rule (eval + window + table) ─► sink ─► out      data plane: one way, ordered by engine.rs
//!                     ▲               ▲                               ▲
//!  operator ─► api ─► catalog ── publishes immutable definitions ─────┘               control plane: beside it
//! ```
//!
//! Layers, each importing only from those above it (`tests/tidy.rs` holds the list):
//!
//! | layer | modules |
//! |---|---|
//! | 0 | [`limits`] [`time`] `stats` `json` `pages` `value` `ring` `zstd` |
//! | 1 | `config` `wire` `sql` `decode` `encode` |
//! | 2 | `gate` `eval` `table` `source` `sink` `window` |
//! | 3 | `rule` `bill` |
//! | 4 | `engine` |
//! | 5 | `catalog` |
//! | 6 | `api` `cli` `explain` `query` `check` |
//! | 7 | `shell` |
//!
//! Everything outside `shell` is a core: bytes and time in, actions out; no socket, file, clock or `await`.
#![deny(unsafe_code)]

pub mod api;
pub mod bill;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod config;
pub mod decode;
pub mod encode;
pub mod engine;
pub mod eval;
pub mod explain;
pub mod gate;
pub mod json;
pub mod limits;
pub mod pages;
pub mod query;
pub mod ring;
pub mod rule;
pub mod shell;
pub mod sink;
pub mod source;
pub mod sql;
pub mod stats;
pub mod table;
pub mod time;
pub mod value;
pub mod window;
pub mod wire;
pub mod zstd;
