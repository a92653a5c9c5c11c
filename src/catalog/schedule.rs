//! The patrol: what happens every `rulePatrolInterval` (facts §4.2).
//!
//! Rules with a schedule are started and stopped, rules whose duration is over are stopped, and what could not start is tried
//! again. As in eKuiper nothing is exact to less than one patrol: a rule with a cron runs from its creation to the next patrol.

use core::time::Duration;

use super::host::Host;
use super::rules::State;
use super::{Control, Rule};
use crate::rule::Cron;
use crate::time::{Now, Zone, parse_duration};

/// What the patrol does with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Nothing,
    Start,
    Wait,
    Finish,
}

impl<H: Host> Control<H> {
    /// Looks at every rule once. Gives one sentence for each rule that could not be started.
    pub fn patrol(&mut self, now: Now) -> Vec<String> {
        self.settle_all();
        self.expire_trials();
        let mut faults = Vec::new();
        let ids: Vec<String> = self.rules.keys().cloned().collect();
        for id in ids {
            let Some(rule) = self.rules.get(&id) else { continue };
            match due(rule, now.wall.0, &self.zone) {
                Action::Nothing => {}
                Action::Start => {
                    let def = rule.def.clone();
                    if let Err(fault) = self.compile(&def).and_then(|compiled| self.run(&id, compiled)) {
                        self.turn(&id, State::Failed, &fault.message);
                        faults.push(format!("rule {id} cannot be started: {fault}"));
                    }
                }
                Action::Wait => self.halt(&id, State::Scheduled, "schedule terminated"),
                Action::Finish => self.halt(&id, State::Stopped, "duration terminated"),
            }
        }
        faults
    }

    /// When a rule with a schedule starts next, in ms since the epoch; 0: unknown.
    pub(super) fn next_start_ms(&self, id: &str) -> i64 {
        let Some(rule) = self.rules.get(id) else { return 0 };
        let options = &rule.def.options;
        let now = self.host.now().wall.0;
        if !options.is_scheduled() || options.cron.is_empty() || !in_range(rule, now, &self.zone) {
            return 0;
        }
        Cron::parse(&options.cron).ok().and_then(|cron| cron.next(now, &self.zone)).unwrap_or(0)
    }
}

fn due(rule: &Rule, now: i64, zone: &Zone) -> Action {
    let options = &rule.def.options;
    let failed = rule.state == State::Failed && rule.def.triggered && (rule.retry || options.restart_attempts > 0);
    let running = rule.state == State::Running;
    if !options.is_scheduled() {
        let over = |d: Duration| i128::from(now) - i128::from(rule.started_ms) >= i128::try_from(d.as_millis()).unwrap_or(i128::MAX);
        if running && !options.duration.is_empty() && parse_duration(&options.duration).is_ok_and(over) {
            return Action::Finish;
        }
        return if failed { Action::Start } else { Action::Nothing };
    }
    if !rule.def.triggered {
        return Action::Nothing;
    }
    let open = in_range(rule, now, zone) && (options.cron.is_empty() || in_turn(rule, now, zone));
    match (open, running) {
        (true, false) => Action::Start,
        (false, true) => Action::Wait,
        _ => Action::Nothing,
    }
}

/// Whether `now` lies in one of the rule's ranges; without ranges it does.
fn in_range(rule: &Rule, now: i64, zone: &Zone) -> bool {
    let ranges = &rule.def.options.cron_datetime_range;
    ranges.is_empty() || ranges.iter().any(|range| range.bounds(zone).is_ok_and(|(begin, end)| begin < now && now < end))
}

/// Whether `now` lies within the rule's duration after a hit of its cron.
fn in_turn(rule: &Rule, now: i64, zone: &Zone) -> bool {
    let options = &rule.def.options;
    let (Ok(cron), Ok(duration)) = (Cron::parse(&options.cron), parse_duration(&options.duration)) else { return false };
    cron.is_within(now, duration, zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::fake::{Fake, control};

    const DDL: &str = r#"CREATE STREAM demo () WITH (DATASOURCE="/a", TYPE="httppush")"#;

    fn with_rule(options: &str) -> Control<Fake> {
        let mut c = control();
        c.run_ddl(DDL).expect("stream");
        let text = format!(r#"{{"id":"r1","sql":"SELECT * FROM demo","actions":[{{"log":{{}}}}],"options":{options}}}"#);
        c.create_rule("", &text).expect("rule");
        c
    }

    fn patrol(c: &mut Control<Fake>, later_ms: i64) -> (State, String) {
        c.host.now_ms += later_ms;
        let now = c.host.now();
        c.patrol(now);
        let rule = c.rule("r1").expect("rule");
        (rule.state, rule.message.clone())
    }

    #[test]
    fn a_cron_rule_runs_until_the_first_patrol() {
        // The clock stands at 22:13:20; the cron hits at the full hour.
        let mut c = with_rule(r#"{"cron":"0 * * * *","duration":"1m"}"#);
        assert_eq!(c.rule("r1").expect("rule").state, State::Running);
        assert_eq!(patrol(&mut c, 10_000), (State::Scheduled, "schedule terminated".into()));
        assert!(c.rule_status("r1").expect("status").contains("\"nextStartTimestamp\": 1700002800000"));
        assert!(c.host.listening.is_none(), "nothing runs, so the port is closed");
        assert_eq!(patrol(&mut c, 2_800_000).0, State::Running);
        assert_eq!(patrol(&mut c, 60_000).0, State::Scheduled);
        c.stop_rule("r1").expect("stop");
        assert_eq!(patrol(&mut c, 3_540_000), (State::Stopped, "canceled manually".into()), "a stopped rule stays stopped");
    }

    #[test]
    fn a_duration_ends() {
        let mut c = with_rule(r#"{"duration":"1s"}"#);
        assert_eq!(patrol(&mut c, 999).0, State::Running);
        assert_eq!(patrol(&mut c, 1), (State::Stopped, "duration terminated".into()));
        assert_eq!(patrol(&mut c, 5_000).0, State::Stopped);
    }

    #[test]
    fn ranges_bound_a_rule() {
        let mut c = with_rule(r#"{"cronDatetimeRange":[{"begin":"2023-11-14 22:14:00","end":"2023-11-14 22:15:00"}]}"#);
        assert_eq!(patrol(&mut c, 0).0, State::Scheduled);
        assert_eq!(patrol(&mut c, 41_000).0, State::Running);
        assert_eq!(patrol(&mut c, 60_000).0, State::Scheduled);
    }

    #[test]
    fn what_failed_is_tried_again_if_asked() {
        for (options, want) in [(r#"{"restartStrategy":{"attempts":1}}"#, State::Running), ("{}", State::Failed)] {
            let mut c = with_rule(options);
            c.host.engine.ended.insert("r1".into(), crate::catalog::Ended::Failed("boom".into()));
            assert!(c.rule_status("r1").expect("status").contains("\"status\": \"stopped by error\",\n  \"message\": \"boom\""));
            assert_eq!(patrol(&mut c, 10_000).0, want, "{options}");
        }
    }
}
