//! What is shown of rules: lists, status, operators, columns, plans, metrics (facts §4.4, §4.5).

use serde_json::{Value, json};

use super::Control;
use super::host::{Fault, Host, Machine, Metric};
use super::rules::{Metrics, Rule, State};
use super::text::{go_json, go_quote, json_string};
use crate::sql::ast::Field;

impl<H: Host> Control<H> {
    /// The plan of a rule.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`], or why it cannot be planned.
    pub fn explain_rule(&self, id: &str) -> Result<String, Fault> {
        let Some(rule) = self.rules.get(id) else { return Err(Fault::missing(format!("Rule {id} is not found."))) };
        if rule.def.sql.is_empty() {
            return Err(Fault::plain("only support explain sql now"));
        }
        self.around(|around| H::Engine::explain(&rule.def, &self.sources, around))
    }

    /// The rule with its options filled in, as `describe rule` prints it.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`].
    pub fn rule_filled(&self, id: &str) -> Result<String, Fault> {
        let Some(rule) = self.rules.get(id) else { return Err(Fault::missing(format!("Rule {id} is not found."))) };
        let def = &rule.def;
        let mut parts = vec![format!("\"triggered\":{}", def.triggered), format!("\"id\":{}", json_string(&def.id))];
        for (name, value) in [("name", &def.name), ("version", &def.version)] {
            if !value.is_empty() {
                parts.push(format!("\"{name}\":{}", json_string(value)));
            }
        }
        if def.temp {
            parts.push("\"temp\":true".to_owned());
        }
        if !def.sql.is_empty() {
            parts.push(format!("\"sql\":{}", json_string(&def.sql)));
        }
        if !def.actions.is_empty() {
            let actions = def.actions.iter().cloned().map(Value::Object).collect();
            parts.push(format!("\"actions\":{}", go_json(&Value::Array(actions))));
        }
        let options: Vec<String> = def.options.to_json().iter().map(|(name, value)| format!("\"{name}\":{}", go_json(value))).collect();
        parts.push(format!("\"options\":{{{}}}", options.join(",")));
        if let Some(tags) = def.tags.as_ref().filter(|tags| !tags.is_empty()) {
            parts.push(format!("\"tags\":{}", go_json(&json!(tags))));
        }
        Ok(format!("{{{}}}", parts.join(",")))
    }

    /// The list of rules as `GET /rules` gives it.
    pub fn rules_json(&mut self) -> String {
        self.settle_all();
        let items = self.rules.values().map(|rule| {
            let def = &rule.def;
            let live = rule.state == State::Running;
            go_json(&json!({
                "id": def.id, "name": def.shown_name(), "status": rule.state.words(), "tags": def.tags,
                "trace": live && rule.trace, "version": def.version,
            }))
        });
        format!("[{}]", items.collect::<Vec<_>>().join(","))
    }

    /// Status of a rule as text, two spaces to a level, in eKuiper's order.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`].
    pub fn rule_status(&mut self, id: &str) -> Result<String, Fault> {
        let items: Vec<String> = self.status_items(id)?.iter().map(|(name, value)| format!("  \"{name}\": {}", shown(value))).collect();
        Ok(format!("{{\n{}\n}}", items.join(",\n")))
    }

    /// Status of a rule as one line of JSON, keys sorted.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`].
    pub fn rule_status_v2(&mut self, id: &str) -> Result<String, Fault> {
        let mut items = self.status_items(id)?;
        items.sort();
        let items: Vec<String> = items.iter().map(|(name, value)| format!("\"{name}\":{}", shown_in_map(value))).collect();
        Ok(format!("{{{}}}", items.join(",")))
    }

    fn status_items(&mut self, id: &str) -> Result<Vec<(String, Metric)>, Fault> {
        self.settle(id);
        let next = self.next_start_ms(id);
        let Some(rule) = self.rules.get(id) else { return Err(Fault::missing(format!("Rule {id} is not found"))) };
        let unguarded = if rule.state.is_live() && rule.message.is_empty() { self.unguarded_of(&rule.reads) } else { None };
        let mut items = vec![
            ("status".to_owned(), Metric::Text(rule.state.words().to_owned())),
            ("message".to_owned(), Metric::Text(unguarded.unwrap_or_else(|| rule.message.clone()))),
            ("lastStartTimestamp".to_owned(), Metric::Int(rule.started_ms)),
            ("lastStopTimestamp".to_owned(), Metric::Int(rule.stopped_ms)),
            ("nextStartTimestamp".to_owned(), Metric::Int(next)),
        ];
        let live = if rule.state.is_live() { self.metrics_of(id) } else { None };
        match (live, self.rules.get(id)) {
            (Some(metrics), _) => items.extend(metrics),
            (None, Some(rule)) => items.extend(rule.metrics.iter().cloned()),
            (None, None) => {}
        }
        Ok(items)
    }

    /// The metrics of the rules that run.
    pub fn running_metrics(&mut self) -> Vec<(String, Metrics)> {
        self.settle_all();
        let live = self.rules.values().filter(|rule| rule.state.is_live());
        let live: Vec<String> = live.map(|rule| rule.def.id.clone()).collect();
        self.host
            .engine(move |engine, now| live.into_iter().filter_map(|id| engine.metrics(&id, now).map(|metrics| (id, metrics))).collect())
    }

    /// The rows that a running rule's scan tables hold: name of the table, and the row as JSON.
    pub fn scanned(&mut self, id: &str) -> Vec<(String, String)> {
        let id = id.to_owned();
        self.host.engine(move |engine, _| engine.scanned(&id))
    }

    /// For each rule: its state, and the last exception with the count of its operator.
    pub fn all_status(&mut self) -> String {
        self.settle_all();
        let ids: Vec<(String, State)> = self.rules.values().map(|rule| (rule.def.id.clone(), rule.state)).collect();
        let items: Vec<String> = ids
            .into_iter()
            .map(|(id, state)| {
                let metrics = if state.is_live() { self.metrics_of(&id).unwrap_or_default() } else { Vec::new() };
                let (last, count) = latest_exception(&metrics);
                let id = json_string(&id);
                format!(
                    "{id}:{{\"status\":{},\"last_exception\":{},\"exceptions_total\":{count}}}",
                    json_string(state.words()),
                    json_string(last)
                )
            })
            .collect();
        format!("{{{}}}", items.join(","))
    }

    /// Operators of the last run as JSON.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`]; [`Fault::GENERAL`] before the first start.
    pub fn rule_topo(&self, id: &str) -> Result<String, Fault> {
        let topo = self.started(id)?.topo.clone().unwrap_or_default();
        Ok(format!("{{\"sources\":{},\"edges\":{}}}", go_json(&json!(topo.sources)), go_json(&json!(topo.edges))))
    }

    /// Columns of a rule's result as JSON.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`]; [`Fault::GENERAL`] unless it runs.
    pub fn rule_schema(&self, id: &str) -> Result<String, Fault> {
        let rule = self.started(id)?;
        if !rule.state.is_live() {
            return Err(Self::no_topo(id));
        }
        let fields = rule.def.select.iter().flat_map(|select| &select.fields);
        let named: Vec<&str> = fields.filter(|f| !f.invisible).map(Field::output).filter(|name| *name != "*").collect();
        let mut sorted: Vec<(usize, &str)> = named.iter().copied().enumerate().collect();
        sorted.sort_by_key(|(_, name)| *name);
        let items: Vec<String> =
            sorted.iter().map(|(place, name)| format!("{}:{{\"hasIndex\":true,\"index\":{place}}}", json_string(name))).collect();
        Ok(format!("{{{}}}", items.join(",")))
    }

    fn started(&self, id: &str) -> Result<&Rule, Fault> {
        let Some(rule) = self.rules.get(id) else { return Err(Fault::missing(format!("Rule {id} is not found"))) };
        if rule.topo.is_none() {
            return Err(Self::no_topo(id));
        }
        Ok(rule)
    }

    fn no_topo(id: &str) -> Fault {
        Fault::new(Fault::GENERAL, format!("Fail to get rule {id}'s topo, make sure the rule has been started before"))
    }

    fn metrics_of(&mut self, id: &str) -> Option<Vec<(String, Metric)>> {
        let id = id.to_owned();
        self.host.engine(move |engine, now| engine.metrics(&id, now))
    }
}

/// The exception that happened last, with the count of its operator.
fn latest_exception(metrics: &[(String, Metric)]) -> (&str, i64) {
    let value = |name: &str| metrics.iter().find(|(n, _)| n == name).map(|(_, v)| v);
    let times = metrics.iter().filter_map(|(name, value)| match value {
        Metric::Int(time) => name.strip_suffix("_last_exception_time").map(|prefix| (prefix, *time)),
        Metric::Text(_) => None,
    });
    // Of equal times the first wins, as in eKuiper.
    let Some((prefix, _)) = times.fold(None, |best: Option<(&str, i64)>, next| match best {
        Some(best) if best.1 >= next.1 => Some(best),
        _ => Some(next),
    }) else {
        return ("", 0);
    };
    let last = match value(&format!("{prefix}_last_exception")) {
        Some(Metric::Text(text)) => text.as_str(),
        _ => "",
    };
    let count = match value(&format!("{prefix}_exceptions_total")) {
        Some(Metric::Int(count)) => *count,
        _ => 0,
    };
    (last, count)
}

/// A value in the status text.
fn shown(value: &Metric) -> String {
    match value {
        Metric::Int(i) => i.to_string(),
        Metric::Text(text) => go_quote(text),
    }
}

/// A value in the status map, which Go's JSON encoder writes.
fn shown_in_map(value: &Metric) -> String {
    match value {
        Metric::Int(i) => i.to_string(),
        Metric::Text(text) => json_string(text),
    }
}
