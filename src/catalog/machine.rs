//! The real engine as commands see it.

use std::sync::Arc;

use super::host::{Compiled, Ended, Fault, Machine, Topo};
use super::sources::Sources;
use crate::encode::{Encoding, Format};
use crate::engine::Engine;
use crate::gate::credential::Access;
use crate::json::write::Out;
use crate::rule::RuleDef;
use crate::rule::compile::{self, Definitions, PlanFault, Surroundings};
use crate::rule::run::RuleUnit;
use crate::rule::status::{self, Metric};
use crate::source::{Feed, StreamSpec, resolve};
use crate::sql::ddl::Create;
use crate::sql::plan::{Plan, SlotKind};
use crate::time::Now;
use crate::value::Scratch;

impl Definitions for Sources {
    fn source(&self, name: &str) -> Option<Arc<Create>> {
        self.get(name).map(|source| Arc::clone(&source.create))
    }
}

impl From<PlanFault> for Fault {
    fn from(fault: PlanFault) -> Self {
        Self { code: fault.code, message: fault.message }
    }
}

/// Columns of each source that a plan names; `None` where `*` takes all of them.
fn reads(plan: &Plan) -> Vec<(String, Option<Vec<String>>)> {
    let mut reads: Vec<(String, Option<Vec<String>>)> = plan.sources.iter().map(|s| (s.name.clone(), Some(Vec::new()))).collect();
    for slot in &plan.slots {
        match slot {
            SlotKind::Column { source, name, .. } => {
                if let Some((_, Some(columns))) = reads.get_mut(usize::from(*source)) {
                    columns.push(name.clone());
                }
            }
            SlotKind::Row { source } => {
                if let Some((_, columns)) = reads.get_mut(usize::from(*source)) {
                    *columns = None;
                }
            }
            _ => {}
        }
    }
    reads
}

impl Machine for Engine {
    type Unit = RuleUnit;

    fn compile(def: &RuleDef, sources: &Sources, around: &Surroundings<'_>) -> Result<Compiled<RuleUnit>, Fault> {
        let unit = compile::compile(def, sources, around)?;
        let creates = def.sources().filter_map(|name| sources.get(name)).map(|source| &source.create);
        let mut warnings: Vec<String> = creates.flat_map(|create| resolve::doubts(create, around.config)).collect();
        warnings.extend(unit.sinks.iter().flat_map(|sink| sink.warnings()).cloned());
        let (names, edges) = status::topo(&unit);
        Ok(Compiled {
            topo: Topo { sources: names, edges },
            reads: reads(&unit.plan),
            needs_data_port: unit.sources.iter().any(|spec| matches!(spec.feed, Feed::Push(_))),
            warnings,
            unit,
        })
    }

    fn explain(def: &RuleDef, sources: &Sources, around: &Surroundings<'_>) -> Result<String, Fault> {
        let (plan, _) = compile::plan(def, sources, around)?;
        let Some(select) = &def.select else { return Err(Fault::plain("only support explain sql now")) };
        crate::sql::explain::explain(select, &plan, def.options.is_event_time, !def.options.aliases_apart)
            .map_err(|e| Fault::plain(e.to_string()))
    }

    fn explain_bounds(def: &RuleDef, sources: &Sources, around: &Surroundings<'_>) -> Result<String, Fault> {
        let Compiled { unit, .. } = <Self as Machine>::compile(def, sources, around)?;
        let explained = crate::rule::explain::explain(def, &unit, &around.config.limits);
        explained.map(|explained| explained.json().to_string()).map_err(|e| Fault::plain(e.to_string()))
    }

    fn start(&mut self, unit: RuleUnit, now: Now) -> Result<(), Fault> {
        Self::start(self, unit, now).map_err(|fault| Fault::new(Fault::EXECUTOR, fault.0))
    }

    fn stop(&mut self, id: &str, _: Now) -> Option<RuleUnit> {
        Self::stop(self, id)
    }

    fn metrics(&self, id: &str, _: Now) -> Option<Vec<(String, Metric)>> {
        Self::metrics(self, id)
    }

    fn last_metrics(&self, id: &str, _: Now) -> Option<Vec<(String, Metric)>> {
        Self::last_metrics(self, id)
    }

    fn keep_lookups(&mut self, specs: &[Arc<StreamSpec>], now: Now) -> Result<(), String> {
        Self::keep_lookups(self, specs, now).map_err(|fault| fault.0)
    }

    fn ended(&self, id: &str) -> Option<Ended> {
        // Only a simulator and a file end by themselves, and an error of a row never ends a run.
        self.is_done(id).then(|| Ended::Done(String::new()))
    }

    fn set_access(&mut self, newer: &[(String, Arc<Access>)]) -> Result<usize, String> {
        Self::set_access(self, newer).map_err(|fault| fault.0)
    }

    fn scanned(&self, id: &str) -> Vec<(String, String)> {
        let Some(rule) = self.rule(id) else { return Vec::new() };
        let mut text = vec![0; self.limits().payload_bytes];
        let mut work = vec![0; self.limits().scratch_bytes];
        let mut json = Encoding::new(Format::Json, "", false, &[]);
        let mut rows = Vec::new();
        for (name, table) in rule.tables() {
            for row in table.rows() {
                let scratch = Scratch::new(&mut work);
                let mut out = Out::new(&mut text);
                // A row that is larger than a payload is not shown.
                if json.encode(row, &mut out, &scratch).is_ok() {
                    rows.push((name.to_owned(), String::from_utf8_lossy(out.written()).into_owned()));
                }
            }
        }
        rows
    }

    fn needs_data_port(&self) -> bool {
        Self::needs_data_port(self)
    }

    fn counters(&self) -> String {
        super::text::go_json(&Self::counters(self))
    }

    fn expiries(&self) -> Vec<(&'static str, i64)> {
        Self::expiries(self).collect()
    }
}
