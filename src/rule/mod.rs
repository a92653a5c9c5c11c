//! Rules: what a definition says ([`def`], [`options`], [`cron`]), and what becomes of it.

pub mod cron;
pub mod def;
mod fields;
pub mod options;

pub use cron::Cron;
pub use def::RuleDef;
pub use options::RuleOptions;
