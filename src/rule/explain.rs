//! The plan of a rule with what each step may hold: `POST /rules/{id}/explain`, `pushgate query --explain`.
//!
//! In: a compiled rule. Out: its steps in eKuiper's words ([`crate::sql::explain`]), each with the buffers it takes when the rule
//! starts ([`super::memory::parts`]): load never adds to them.

use core::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::def::RuleDef;
use super::memory::{Part, parts};
use super::run::RuleUnit;
use crate::limits::Limits;
use crate::sql::error::SqlError;
use crate::sql::explain::{Step, steps};

/// A plan with its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The rule's id.
    pub id: String,
    /// Steps, the last one first, each with what it holds.
    pub steps: Vec<(Step, Vec<Part>)>,
    /// Sinks, each with what it holds.
    pub sinks: Vec<Part>,
    /// Bytes of the rule's one state region.
    pub state_bytes: usize,
    /// Everything that starting the rule takes; queues of streams, which rules share, are not in it.
    pub rule_bytes: usize,
    /// The queues of the streams it reads.
    pub queue_bytes: usize,
}

/// Explains a compiled rule.
///
/// # Errors
/// What planning refuses.
pub fn explain(def: &RuleDef, unit: &RuleUnit, limits: &Limits) -> Result<Explained, SqlError> {
    let Some(select) = &def.select else { return Err(SqlError::new("only support explain sql now")) };
    let parts = parts(unit, limits);
    let holds = |step: &Step, part: &Part| step.op.rsplit_once('_').is_some_and(|(op, _)| op == part.step) && step.source == part.source;
    let steps: Vec<(Step, Vec<Part>)> = steps(select, &unit.plan, unit.event_time, true)?
        .into_iter()
        .map(|step| {
            let own = parts.iter().filter(|part| holds(&step, part)).cloned().collect();
            (step, own)
        })
        .collect();
    let sinks = parts.iter().filter(|part| unit.sinks.iter().any(|sink| sink.name() == part.step)).cloned().collect();
    let sum = |shared: bool| parts.iter().filter(|part| part.shared == shared).map(|part| part.bytes).sum();
    Ok(Explained { id: unit.id.clone(), steps, sinks, state_bytes: unit.state_bytes, rule_bytes: sum(false), queue_bytes: sum(true) })
}

impl Explained {
    /// As the management port answers it.
    #[must_use]
    pub fn json(&self) -> Json {
        let part = |part: &Part| {
            let mut held = json!({"what": part.what, "bytes": part.bytes, "whenFull": part.full});
            if part.shared {
                held["shared"] = true.into();
            }
            held
        };
        let steps: Vec<Json> = self
            .steps
            .iter()
            .map(|(step, parts)| json!({"op": step.op, "info": step.info, "state": parts.iter().map(part).collect::<Vec<_>>()}))
            .collect();
        let sinks: Vec<Json> = self.sinks.iter().map(|p| json!({"sink": p.step, "state": [part(p)]})).collect();
        json!({
            "id": self.id,
            "steps": steps,
            "sinks": sinks,
            "stateBytes": self.state_bytes,
            "ruleBytes": self.rule_bytes,
            "queueBytes": self.queue_bytes,
        })
    }

    /// For people: a step per line, what it holds below it, sums at the end.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let part = |out: &mut String, part: &Part| {
            let shared = if part.shared { ", shared by the stream's rules" } else { "" };
            let _ = writeln!(out, "    {} bytes{shared}: {}; when full: {}", part.bytes, part.what, part.full);
        };
        for (step, parts) in &self.steps {
            let _ = writeln!(out, "{}  {}", step.op, step.info.trim_end_matches([',', ' ']));
            parts.iter().for_each(|p| part(&mut out, p));
        }
        for sink in &self.sinks {
            let _ = writeln!(out, "{}", sink.step);
            part(&mut out, sink);
        }
        let _ = writeln!(
            out,
            "{} bytes are taken when the rule starts, {} of them at most for its state (limits.stateBytes); {} bytes of queues",
            self.rule_bytes, self.state_bytes, self.queue_bytes
        );
        out
    }
}
