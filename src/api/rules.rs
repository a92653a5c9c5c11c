//! Rules (facts §5): their life, status, plan, tags and trials of their text.

use serde_json::{Value, json};

use super::body::{self, Object};
use super::routes::Op;
use super::{Call, Response, TEXT, Then};
use crate::catalog::rules::Tagging;
use crate::catalog::text::{go_json, json_string};
use crate::catalog::{Control, Fault, Host};
use crate::sql::ddl::check_id;

pub(super) fn serve<H: Host>(control: &mut Control<H>, op: Op, call: &Call<'_>) -> Result<Response, Fault> {
    let id = call.param(0);
    match op {
        Op::ListRules => Ok(Response::json(control.rules_json())),
        Op::CreateRule => {
            // Ours: a name beside the text, as the command line gives it.
            let id = control.create_rule(&call.query("id"), &call.text())?;
            Ok(Response::new(201, TEXT, format!("Rule {id} was created successfully.")))
        }
        Op::GetRule => {
            check_id(id).map_err(Fault::plain)?;
            let under = |e: Fault| e.under("Describe rule error");
            // Ours: the definition with its options filled in, for `describe rule`.
            if call.query("options") == "all" {
                return control.rule_filled(id).map(Response::json).map_err(under);
            }
            control.rule_text(id).map(Response::json).map_err(under)
        }
        Op::PutRule => {
            check_id(id).map_err(Fault::plain)?;
            control.put_rule(id, &call.text()).map_err(|e| e.under("Update rule error"))?;
            Ok(Response::text(format!("Rule {id} was updated successfully.")))
        }
        Op::DropRule => {
            check_id(id).map_err(Fault::plain)?;
            control.drop_rule(id).map_err(|e| e.under("Delete rule error"))?;
            Ok(Response::text(format!("Rule {id} is dropped.")))
        }
        Op::AllStatus => Ok(Response::json(control.all_status())),
        Op::Status => control.rule_status(id).map(Response::json).map_err(|e| e.under("get rule status error")),
        Op::StatusV2 => {
            let status = control.rule_status_v2(id).map_err(|e| e.under("get rule status error"))?;
            Ok(Response::new(200, TEXT, status))
        }
        Op::StartRule => {
            control.start_rule(id).map_err(|e| e.under("start rule error"))?;
            Ok(Response::text(format!("Rule {id} was started")))
        }
        Op::StopRule => {
            control.stop_rule(id).map_err(|e| e.under("stop rule error"))?;
            Ok(Response::text(format!("Rule {id} was stopped.")))
        }
        Op::RestartRule => {
            control.restart_rule(id).map_err(|e| e.under("restart rule error"))?;
            Ok(Response::text(format!("Rule {id} was restarted")))
        }
        Op::Topo => control.rule_topo(id).map(Response::json).map_err(|e| e.under("get rule topo error")),
        Op::RuleSchema => control.rule_schema(id).map(Response::json).map_err(|e| e.under("get rule schema error")),
        Op::Explain => control.explain_rule(id).map(Response::text).map_err(|e| e.under("explain rules error")),
        Op::ExplainBounds => control.explain_bounds(id).map(Response::json).map_err(|e| e.under("explain rules error")),
        Op::Validate => Ok(match control.validate_rule(&call.query("id"), &call.text()) {
            Ok(sources) => Response::new(200, TEXT, go_json(&json!({"sources": sources, "valid": true}))),
            Err(why) => Response::new(422, TEXT, why),
        }),
        Op::TraceStart => {
            let wanted = body::object(&call.request.body).and_then(|object| object.text("strategy"));
            wanted.map_err(|e| Fault::plain(format!("Invalid body: Error decoding json: {e}")))?;
            control.trace_rule(id, true).map(|()| Response::empty(200))
        }
        Op::TraceStop => control.trace_rule(id, false).map(|()| Response::empty(200)),
        Op::CpuUsage => Ok(Response::text("cpu usage not enabled")),
        Op::ResetState => reset_state(control, call),
        Op::ScanTables => scan_tables(control, id),
        Op::SetTags | Op::AddTags | Op::RemoveTags => {
            let how = match op {
                Op::SetTags => Tagging::Set,
                Op::AddTags => Tagging::Add,
                _ => Tagging::Remove,
            };
            let tags = tags(call)?;
            control.tag_rule(id, &tags, how).map_err(|e| e.under("Get rule error"))?;
            Ok(Response::empty(200))
        }
        Op::MatchTags => {
            let found = control.tagged(&tags(call)?);
            Ok(Response::json(if found.is_empty() { "{}".to_owned() } else { go_json(&json!({"rules": found})) }))
        }
        Op::BulkStart => bulk(control, call, "bulk start failed", Control::start_rule),
        Op::BulkStop => bulk(control, call, "bulk stop failed", Control::stop_rule),
        Op::CreateTrial => {
            let id = control.create_trial(&call.text())?;
            let port = control.config.basic.rest_port;
            Ok(Response::new(200, TEXT, format!("{{\"id\":{},\"port\":{port}}}", json_string(&id))))
        }
        Op::StartTrial => {
            control.start_trial(id).map_err(|e| e.under("start rule error"))?;
            Ok(Response::text(format!("Test rule {id} was started")))
        }
        Op::StopTrial => {
            control.stop_trial(id);
            Ok(Response::text(format!("Test rule {id} was stopped.")))
        }
        Op::WatchTrial if control.has_trial(id) => Ok(Response { then: Then::Events, ..Response::empty(200) }),
        Op::WatchTrial => Ok(Response::no_route()),
        _ => Err(Fault::new(Fault::GENERAL, "not a rule operation")),
    }
}

fn tags(call: &Call<'_>) -> Result<Vec<String>, Fault> {
    let tags = body::object(&call.request.body).and_then(|object| object.texts("tags"));
    tags.map_err(|e| Fault::plain(format!("decode body error: {e}")))
}

fn bulk<H: Host>(
    control: &mut Control<H>,
    call: &Call<'_>,
    failed: &str,
    each: impl Fn(&mut Control<H>, &str) -> Result<(), Fault>,
) -> Result<Response, Fault> {
    let ids = control.tagged(&tags(call)?);
    if ids.is_empty() {
        return Err(Fault::plain(format!("{failed}: no matching rules")));
    }
    let items: Vec<String> = ids
        .iter()
        .map(|id| match each(control, id) {
            Ok(()) => format!("{{\"ruleId\":{},\"success\":true}}", json_string(id)),
            Err(e) => format!("{{\"ruleId\":{},\"success\":false,\"error\":{}}}", json_string(id), json_string(&e.message)),
        })
        .collect();
    Ok(Response::json(format!("[{}]", items.join(","))))
}

/// Sources of ours cannot rewind, so this only says why not.
fn reset_state<H: Host>(control: &Control<H>, call: &Call<'_>) -> Result<Response, Fault> {
    let read = |object: &Object| Ok::<_, String>((object.integer("type")?, object.object("params")?));
    let (kind, params) = body::object(&call.request.body).and_then(|object| read(&object)).map_err(Fault::plain)?;
    if kind != 1 {
        return Err(Fault::plain(format!("unknown stateType:{kind}")));
    }
    let id = call.param(0);
    let Some(rule) = control.rule(id) else { return Err(Fault::plain(format!("Rule {id} is not found in registry"))) };
    if !rule.state.is_live() {
        return Err(Fault::plain(format!("rule {id} should be running when modify state")));
    }
    let stream = params.get("streamName").and_then(Value::as_str).unwrap_or_default();
    Err(Fault::plain(format!("stream {stream} not found in topo")))
}

fn scan_tables<H: Host>(control: &mut Control<H>, id: &str) -> Result<Response, Fault> {
    let prefix = format!("failed to get topology for rule {id}");
    let Some(rule) = control.rule(id) else { return Err(Fault::missing(format!("Rule {id} is not found")).under(&prefix)) };
    if !rule.state.is_live() {
        return Err(Fault::plain("topology not initialized, rule may not have been started").under(&prefix));
    }
    let joins = rule.topo.as_ref().is_some_and(|topo| topo.edges.keys().any(|name| name.contains("join_aligner")));
    let rows = control.scanned(id);
    if joins && !rows.is_empty() {
        let item = |(name, row): (String, String)| format!("{{\"emitter\":{},\"content\":{row}}}", json_string(&name));
        return Ok(Response::json(format!("[{}]", rows.into_iter().map(item).collect::<Vec<_>>().join(","))));
    }
    let why = if joins { "unable to find tuples for the given scan table".to_owned() } else { format!("join node is not found for {id}") };
    Err(Fault::plain(format!("scan table error: {why}")))
}
