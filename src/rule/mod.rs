//! Rules: what a definition says ([`def`], [`options`], [`cron`]), and what becomes of it.
//!
//! [`run`] is one run of a rule, with its operators' counters in [`ops`];
//! [`rows`] reads records, [`project`] writes rows, [`status`] shows counters.

mod collect;
pub mod compile;
pub mod cron;
pub mod def;
mod direct;
pub mod explain;
mod fields;
mod held;
mod join;
mod limit;
mod line;
pub mod memory;
mod merge;
pub mod ops;
pub mod options;
pub mod project;
mod quick;
pub mod rows;
pub mod run;
mod single;
mod slide;
mod stage;
pub mod status;
mod unfold;
pub mod windowed;

pub use cron::Cron;
pub use def::RuleDef;
pub use options::RuleOptions;
