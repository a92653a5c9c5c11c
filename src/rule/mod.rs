//! Rules: what a definition says ([`def`], [`options`], [`cron`]), and what becomes of it.
//!
//! [`run`] is one run of a rule, with its operators' counters in [`ops`];
//! [`rows`] reads records, [`project`] writes rows, [`status`] shows counters.

pub mod compile;
pub mod cron;
pub mod def;
mod fields;
pub mod ops;
pub mod options;
pub mod project;
pub mod rows;
pub mod run;
pub mod status;

pub use cron::Cron;
pub use def::RuleDef;
pub use options::RuleOptions;
