//! From a definition to a [`RuleUnit`]: statement, sources, plan, sinks; everything is checked here, before anything runs.
//!
//! Control plane: may allocate.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::def::RuleDef;
use super::memory::misfit;
use super::ops::Ops;
use super::project::Shaping;
use super::run::RuleUnit;
use super::windowed::WindowOptions;
use crate::config::Config;
use crate::eval::{RuleFacts, func};
use crate::limits::SLOT_COUNT;
use crate::sink::{self, SinkEnv, SinkUnit, TlsLoader};
use crate::source::{StreamSpec, resolve::resolve};
use crate::sql::ddl::Create;
use crate::sql::error::Place;
use crate::sql::lower::lower;
use crate::sql::plan::{Expr, Field, Plan, Slot, SlotKind, Source, WindowKind};
use crate::sql::types::Type;
use crate::time::{Timestamp, Zone};

/// Actions of one rule: a bit each in the pending place.
const ACTION_MAX: usize = 64;

/// Code of a source or sink that cannot be set up (facts §5).
const EXECUTOR: u32 = 2201;
/// Code of everything else about a rule.
const UNDEFINED: u32 = 1000;

/// Why a rule cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFault {
    /// Code of facts §5.
    pub code: u32,
    /// One sentence.
    pub message: String,
    /// Where in the statement, when it belongs to one place.
    pub place: Option<Place>,
}

impl PlanFault {
    /// A fault of the rule as a whole.
    #[must_use]
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), place: None }
    }

    fn plan(message: impl Into<String>) -> Self {
        Self::new(UNDEFINED, message)
    }

    fn executor(message: impl Into<String>) -> Self {
        Self::new(EXECUTOR, message)
    }
}

/// The streams and tables there are.
pub trait Definitions {
    /// A stream or table by name.
    fn source(&self, name: &str) -> Option<Arc<Create>>;
}

/// What else a rule is made with.
pub struct Surroundings<'s> {
    /// The configuration in force.
    pub config: &'s Config,
    /// Loads what TLS properties name.
    pub tls: &'s dyn TlsLoader,
    /// The zone named `basic.timezone`.
    pub zone: &'s Zone,
    /// Loads other zones by name.
    pub zones: &'s dyn Fn(&str) -> Option<Zone>,
}

impl core::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// Plans a rule: names, types and functions of its statement, without sources' and sinks' properties.
///
/// # Errors
/// [`PlanFault`] with code 1000.
pub fn plan(def: &RuleDef, definitions: &dyn Definitions, around: &Surroundings<'_>) -> Result<(Plan, Vec<Arc<Create>>), PlanFault> {
    let Some(select) = &def.select else {
        return Err(PlanFault::plan(format!("rule {}: graph rules are not supported, write it in SQL", def.id)));
    };
    let mut creates = Vec::new();
    let mut sources = Vec::new();
    for source in core::iter::once(&select.from).chain(select.joins.iter().map(|j| &j.source)) {
        let Some(create) = definitions.source(&source.name) else {
            return Err(PlanFault::plan(format!("fail to get stream {}, please check if stream is created", source.name)));
        };
        if create.options.temp && !def.temp {
            return Err(PlanFault::plan(format!("temp stream {} can only be used by temp rules", create.name)));
        }
        sources.push(Source {
            name: create.name.clone(),
            alias: source.alias.clone().unwrap_or_else(|| create.name.clone()),
            table: create.table,
            lookup: create.is_lookup().then(|| create.options.key.clone()),
            columns: (!create.columns.is_empty()).then(|| create.columns.clone()),
        });
        creates.push(create);
    }
    if def.options.disable_buffer_full_discard
        && let Some(shared) = creates.iter().find(|c| c.options.shared)
    {
        return Err(PlanFault::plan(format!("disableBufferFullDiscard can't be enabled with shared stream {}", shared.name)));
    }
    if def.options.is_event_time && creates.iter().any(|c| !c.table && c.options.timestamp.is_empty()) {
        return Err(PlanFault::plan("preprocessor is set to be event time but stream option TIMESTAMP not found"));
    }
    let plan = lower(select, sources, !def.options.aliases_apart, around.zones)
        .map_err(|e| PlanFault { place: e.place, ..PlanFault::plan(e.to_string()) })?;
    if def.options.send_meta_to_sink && (plan.window.is_some() || !plan.joins.is_empty()) {
        return Err(PlanFault::plan("invalid option sendMetaToSink, it can not be applied to window"));
    }
    Ok((plan, creates))
}

/// Makes everything that a run needs.
///
/// # Errors
/// [`PlanFault`]: code 2201 for a source or sink that cannot be set up, 1000 for the rest.
pub fn compile(def: &RuleDef, definitions: &dyn Definitions, around: &Surroundings<'_>) -> Result<RuleUnit, PlanFault> {
    let (mut plan, creates) = plan(def, definitions, around)?;
    let config = around.config;
    let specs: Vec<Arc<StreamSpec>> = creates
        .iter()
        .map(|create| resolve(create, config, around.tls).map(Arc::new).map_err(PlanFault::executor))
        .collect::<Result<_, _>>()?;
    plan.meta |= def.options.send_meta_to_sink;
    if def.options.is_event_time && specs.iter().any(|spec| !spec.table && spec.timestamp.is_none()) {
        return Err(PlanFault::plan("preprocessor is set to be event time but stream option TIMESTAMP not found"));
    }
    if def.options.is_event_time && matches!(plan.window.as_ref().map(|w| &w.kind), Some(WindowKind::Count { .. })) {
        return Err(PlanFault::executor("unsupported window type 5: a count window does not go with event time"));
    }
    let time_slots = if def.options.is_event_time { time_slots(&mut plan, &specs)? } else { Vec::new() };
    let functions = plan
        .calls
        .iter()
        .map(|(id, name)| func::scalar(*id).ok_or_else(|| PlanFault::plan(format!("function {name} cannot be called here"))))
        .collect::<Result<_, _>>()?;
    let limits = &config.limits;
    let waits = def.options.qos > 0 || def.options.disable_buffer_full_discard;
    let mut sinks: Vec<SinkUnit> = Vec::new();
    for (action, kinds) in def.actions.iter().enumerate() {
        for (kind, props) in kinds {
            let props = match props {
                serde_json::Value::Object(props) => props,
                other => {
                    let found = if other.is_null() { "<nil>".to_owned() } else { other.to_string() };
                    let words = "expect map[string]interface{} type for the action properties, but found";
                    return Err(PlanFault::executor(format!("{words} {found}")));
                }
            };
            let shared = with_connection(props, config)?;
            let props = shared.as_ref().unwrap_or(props);
            let env = SinkEnv {
                rule: &def.id,
                action,
                qos: u8::try_from(def.options.qos).unwrap_or(u8::MAX),
                waits_when_full: def.options.disable_buffer_full_discard,
                send_error: def.options.send_error,
                defaults: &config.sink,
                limits,
                private_net: config.basic.enable_private_net != Some(false),
                tls: around.tls,
            };
            sinks.push(sink::build(kind, props, &env).map_err(|fault| PlanFault::new(fault.code, fault.message))?);
        }
    }
    if sinks.len() > ACTION_MAX {
        return Err(PlanFault::executor(format!("a rule has at most {ACTION_MAX} sinks, this one has {}", sinks.len())));
    }
    let window = WindowOptions {
        drop_oldest: def.options.window_drops_oldest,
        groups_early: def.options.groups_emit_early,
        idle: Some(def.options.idle_timeout).filter(|idle| !idle.is_zero()),
        twice: def.options.sliding_twice,
    };
    if let Some((need, have)) = misfit(&plan, def.options.is_event_time, window, limits.state_bytes) {
        return Err(PlanFault::executor(format!(
            "the rule's window needs at least {need} bytes of state, a rule has {have}: raise limits.stateBytes"
        )));
    }
    let ops = Ops::of(&plan, &specs, def.options.is_event_time);
    let window_time = plan.grouped || !plan.joins.is_empty();
    Ok(RuleUnit {
        id: def.id.clone(),
        facts: RuleFacts { id: def.id.clone(), start: Timestamp::default(), zone: around.zone.clone(), window_time, functions },
        shaping: Shaping { send_nil: def.options.send_nil_field, send_meta: def.options.send_meta_to_sink },
        send_error: def.options.send_error,
        event_time: def.options.is_event_time,
        late_ms: i64::try_from(def.options.late_tolerance.as_millis()).unwrap_or(i64::MAX),
        sources: specs,
        sinks,
        ops,
        pending_bytes: if waits { limits.payload_bytes } else { 0 },
        table_bytes: limits.state_bytes,
        payload_bytes: limits.payload_bytes,
        state_bytes: limits.state_bytes,
        group_count: limits.group_count,
        window,
        time_slots,
        plan,
    })
}

/// The properties of an action with those of the named connection that it selects, which win; `None` when it selects none.
fn with_connection(props: &Map<String, Value>, config: &Config) -> Result<Option<Map<String, Value>>, PlanFault> {
    let Some((name, id)) = props.iter().find(|(name, _)| name.eq_ignore_ascii_case("connectionSelector")) else { return Ok(None) };
    let Some(id) = id.as_str().filter(|id| !id.is_empty()) else { return Ok(None) };
    let Some(connection) = config.connection(id) else {
        return Err(PlanFault::executor(format!("connectionSelector: connection {id} not existed")));
    };
    let mut merged = props.clone();
    merged.remove(name);
    for (name, value) in connection {
        merged.retain(|own, _| !own.eq_ignore_ascii_case(name));
        merged.insert(name.clone(), value.clone());
    }
    Ok(Some(merged))
}

/// A slot for the TIMESTAMP column of each stream.
fn time_slots(plan: &mut Plan, specs: &[Arc<StreamSpec>]) -> Result<Vec<Option<Slot>>, PlanFault> {
    let mut found = Vec::new();
    for (source, spec) in specs.iter().enumerate() {
        let Some(name) = spec.timestamp.as_ref().filter(|_| !spec.table) else {
            found.push(None);
            continue;
        };
        let typ = match &spec.columns {
            Some(columns) => match columns.iter().find(|c| c.name == *name) {
                Some(column) => Some(column.typ.clone()),
                None => return Err(PlanFault::plan(format!("timestamp field {name} not found"))),
            },
            None => None,
        };
        let source = u8::try_from(source).unwrap_or(u8::MAX);
        let known = plan.slots.iter().position(|k| matches!(k, SlotKind::Column { source: s, name: n, .. } if *s == source && n == name));
        let place = known.unwrap_or_else(|| {
            plan.slots.push(SlotKind::Column { source, name: name.clone(), typ });
            plan.slots.len() - 1
        });
        if plan.slots.len() + plan.aliases.len() > SLOT_COUNT {
            return Err(PlanFault::plan(format!("the rule uses more than SLOT_COUNT ({SLOT_COUNT}) columns and results")));
        }
        found.push(u16::try_from(place).ok().map(Slot));
    }
    Ok(found)
}

/// Columns of the result, in order, with their types where they are known.
#[must_use]
pub fn columns(plan: &Plan) -> Vec<(String, Option<Type>)> {
    let mut columns = Vec::new();
    for field in &plan.fields {
        match field {
            Field::Named { name, expr, visible: true, .. } => columns.push((name.clone(), type_of(plan, expr))),
            Field::Wildcard { rows, except, .. } => {
                for slot in rows {
                    let Some(SlotKind::Row { source }) = plan.slots.get(usize::from(slot.0)) else { continue };
                    let declared = plan.sources.get(usize::from(*source)).and_then(|s| s.columns.as_ref());
                    let kept = declared.into_iter().flatten().filter(|c| !except.contains(&c.name));
                    columns.extend(kept.map(|c| (c.name.clone(), Some(c.typ.clone()))));
                }
            }
            Field::Unnest { name, .. } => columns.push((name.clone(), None)),
            Field::Named { .. } | Field::Spread(_) => {}
        }
    }
    columns
}

fn type_of(plan: &Plan, expr: &Expr) -> Option<Type> {
    match expr {
        Expr::Slot(slot) => match plan.slots.get(usize::from(slot.0))? {
            SlotKind::Column { typ, .. } => typ.clone(),
            _ => None,
        },
        _ => None,
    }
}
