//! Rule trials: a rule that is planned and run for a while without being defined, its results watched (facts §4.5).
//!
//! In: `{"id", "sql", "mockSource": {stream: {data, interval, loop}}, "sinkProps"}`. A stream with a mock is fed by a simulator in
//! place of its own source; it must be defined all the same. Out: payloads for whoever watches `GET /test/{id}`; errors of rows are
//! among them. At most [`TRIAL_COUNT`] at a time: one more ends the oldest. Each is over after [`TRIAL_MS`], by the patrol.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::host::{Fault, Host, Machine};
use super::sources::{Source, Sources};
use super::{Compiled, Control};
use crate::json::words::kind;
use crate::rule::RuleDef;
use crate::rule::def;
use crate::sink::TRIAL_PREFIX;
use crate::sql::parse;

/// Trials at a time.
pub const TRIAL_COUNT: usize = 4;
/// How long a trial lives, in ms: from its creation, and again from each start.
pub const TRIAL_MS: i64 = 300_000;

/// One trial.
#[derive(Debug)]
pub(super) struct Trial {
    id: String,
    def: RuleDef,
    /// Properties of the simulators, by stream.
    mocks: Map<String, Value>,
    since_ms: i64,
}

impl<H: Host> Control<H> {
    /// Makes a trial, in place of one of the same id. It runs once it is started. Gives its id.
    ///
    /// # Errors
    /// The text is no trial, or the rule cannot be planned; an older trial of that id is over all the same.
    pub fn create_trial(&mut self, text: &str) -> Result<String, Fault> {
        let trial = self.read_trial(text).map_err(|e| Fault::plain(format!("fail to parse rule definition {text}: {e}")))?;
        self.expire_trials();
        self.stop_trial(&trial.id);
        self.plan_trial(&trial).map_err(|e| Fault::plain(format!("fail to run rule {}: {e}", trial.id)))?;
        while self.trials.len() >= TRIAL_COUNT {
            let oldest = self.trials[0].id.clone();
            self.stop_trial(&oldest);
        }
        let id = trial.id.clone();
        self.trials.push(trial);
        Ok(id)
    }

    /// Starts a trial, from the beginning.
    ///
    /// # Errors
    /// There is none of that id, or it cannot run.
    pub fn start_trial(&mut self, id: &str) -> Result<(), Fault> {
        self.expire_trials();
        let Some(at) = self.trials.iter().position(|trial| trial.id == id) else {
            return Err(Fault::plain(format!("try to start test rule {id} but it is not found")));
        };
        let Compiled { unit, needs_data_port, .. } = self.plan_trial(&self.trials[at])?;
        if needs_data_port {
            self.open_data_port()?;
        }
        let started = self.host.engine(move |engine, now| engine.start(unit, now).map(|()| now.wall.0));
        self.close_unneeded_data_port();
        self.trials[at].since_ms = started?;
        Ok(())
    }

    /// Ends a trial; without one of that id nothing happens.
    pub fn stop_trial(&mut self, id: &str) {
        let Some(at) = self.trials.iter().position(|trial| trial.id == id) else { return };
        let run = self.trials.remove(at).def.id;
        // The unit is dropped here, on this thread.
        drop(self.host.engine(move |engine, now| engine.stop(&run, now)));
        self.close_unneeded_data_port();
        self.host.trial_ended(id);
    }

    /// Whether there is a trial of that id.
    #[must_use]
    pub fn has_trial(&self, id: &str) -> bool {
        self.trials.iter().any(|trial| trial.id == id)
    }

    /// Ends the trials whose time is over.
    pub(super) fn expire_trials(&mut self) {
        let now = self.host.now().wall.0;
        let over: Vec<String> = self.trials.iter().filter(|t| now - t.since_ms >= TRIAL_MS).map(|t| t.id.clone()).collect();
        for id in over {
            self.stop_trial(&id);
        }
    }

    fn read_trial(&self, text: &str) -> Result<Trial, String> {
        let body = match def::json(text)? {
            Value::Object(body) => body,
            other => return Err(format!("json: cannot unmarshal {} into an object", kind(&other))),
        };
        let member = |name: &str| {
            let found = body.get(name).or_else(|| body.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
            found.filter(|value| !value.is_null())
        };
        let text = |name: &str| match member(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(format!("json: cannot unmarshal {} into {name} of type string", kind(other))),
        };
        let object = |name: &str| match member(name) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(other) => Err(format!("json: cannot unmarshal {} into {name}, expected an object", kind(other))),
        };
        let (id, sql, mocks, mut props) = (text("id")?, text("sql")?, object("mockSource")?, object("sinkProps")?);
        if let Some((name, mock)) = mocks.iter().find(|(_, mock)| !mock.is_object()) {
            return Err(format!("json: cannot unmarshal {} into mockSource.{name}, expected an object", kind(mock)));
        }
        // Where results are watched is not for the caller to choose.
        props.retain(|name, _| !["endpoint", "datasource", "path", "sendError"].contains(&name.as_str()));
        let rule = json!({"id": format!("{TRIAL_PREFIX}{id}"), "sql": sql, "actions": [{"sse": props}], "options": {"sendError": true}});
        let def = RuleDef::read("", &rule.to_string(), &self.config.rule)?;
        Ok(Trial { id, def, mocks, since_ms: self.host.now().wall.0 })
    }

    fn plan_trial(&self, trial: &Trial) -> Result<Compiled<<H::Engine as Machine>::Unit>, Fault> {
        let mut def = trial.def.clone();
        def.select = Some(parse::select(&def.sql).map_err(|e| Fault::plain(e.to_string()))?);
        let mut sources = Sources::default();
        for name in def.sources() {
            let Some(source) = self.sources.get(name) else { continue };
            let mut create = (*source.create).clone();
            if let Some(mock) = trial.mocks.get(name) {
                let options = &mut create.options;
                let mut props = Map::new();
                if options.kind_of_source.eq_ignore_ascii_case("simulator") {
                    props = serde_json::from_str(&options.extra).unwrap_or_default();
                } else {
                    options.conf_key.clear();
                }
                props.extend(mock.as_object().cloned().unwrap_or_default());
                options.extra = Value::Object(props).to_string();
                "simulator".clone_into(&mut options.kind_of_source);
                options.shared = false;
            }
            sources.put(Source { create: Arc::new(create), text: String::new(), order: source.order });
        }
        self.around(|around| H::Engine::compile(&def, &sources, around))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::fake::{Fake, control};

    fn with_stream() -> Control<Fake> {
        let mut c = control();
        c.run_ddl(r#"CREATE STREAM demo () WITH (DATASOURCE="/a", TYPE="httppush")"#).expect("stream");
        c
    }

    fn trial(id: &str) -> String {
        format!(r#"{{"id":"{id}","sql":"SELECT * FROM demo","mockSource":{{"demo":{{"data":[{{"a":1}}]}}}}}}"#)
    }

    #[test]
    fn a_trial_runs_beside_the_rules() {
        let mut c = with_stream();
        assert_eq!(c.create_trial(&trial("t")).as_deref(), Ok("t"));
        assert!(c.has_trial("t") && c.host.engine.runs.is_empty() && c.rules().next().is_none());
        c.start_trial("t").expect("start");
        assert_eq!(c.host.engine.log, ["start $$trial_t"]);
        assert!(c.host.listening.is_none(), "a mocked stream needs no data port");
        c.stop_trial("t");
        c.stop_trial("t");
        assert!(!c.has_trial("t") && c.host.engine.runs.is_empty());
        assert_eq!(c.host.trials_ended, ["t"]);
        assert!(c.start_trial("t").expect_err("gone").message.contains("try to start test rule t but it is not found"));
    }

    #[test]
    fn a_trial_without_a_mock_reads_the_real_source() {
        let mut c = with_stream();
        c.create_trial(r#"{"id":"t","sql":"SELECT * FROM demo"}"#).expect("trial");
        c.start_trial("t").expect("start");
        assert!(c.host.listening.is_some());
        c.stop_trial("t");
        assert!(c.host.listening.is_none());
    }

    #[test]
    fn one_more_ends_the_oldest_and_time_ends_all() {
        let mut c = with_stream();
        for i in 0..TRIAL_COUNT {
            c.create_trial(&trial(&format!("t{i}"))).expect("trial");
        }
        assert!(c.has_trial("t0"));
        c.create_trial(&trial("t4")).expect("one more");
        assert!(!c.has_trial("t0") && c.has_trial("t1") && c.has_trial("t4"));
        c.start_trial("t1").expect("start");
        c.host.now_ms += TRIAL_MS - 1;
        c.expire_trials();
        assert!(c.has_trial("t1"));
        c.host.now_ms += 1;
        c.expire_trials();
        assert!(c.trials.is_empty() && c.host.engine.runs.is_empty());
    }

    #[test]
    fn refusals() {
        let mut c = with_stream();
        for (text, words) in [
            ("", "fail to parse rule definition"),
            ("[]", "cannot unmarshal array into an object"),
            (r#"{"id":5}"#, "cannot unmarshal number into id of type string"),
            (r#"{"id":"t","mockSource":{"demo":[]}}"#, "cannot unmarshal array into mockSource.demo"),
            (r#"{"id":"t","sql":"SELECT"}"#, "fail to run rule t: "),
            (r#"{"id":"t","sql":"SELECT * FROM none"}"#, "fail to run rule t: fail to get stream none, please check if stream is created"),
        ] {
            let e = c.create_trial(text).expect_err(text);
            assert!(e.code == Fault::UNDEFINED && e.message.contains(words), "{text}: {e:?}");
        }
        assert!(c.trials.is_empty());
    }
}
