//! eKuiper's SQL: text in, a checked statement and then an executable plan out. Control plane: may allocate.
//!
//! `token` cuts, `parse` and `ddl` build statements ([`ast`]), `check` refuses what cannot be meant, `func` lists the functions,
//! `plan` is what runs. Follows <https://ekuiper.org/docs/en/latest/sqls/overview.html>; no text makes it panic.

pub mod ast;
mod bind;
mod check;
pub mod ddl;
pub mod error;
pub mod explain;
pub mod func;
pub mod json_path;
pub mod like;
pub mod lower;
pub mod parse;
pub mod plan;
mod text;
pub mod token;
pub mod types;

pub use error::SqlError;

#[cfg(test)]
mod tests;
