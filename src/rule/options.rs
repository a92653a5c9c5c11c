//! Rule options: the `options` object of a rule over the defaults of section `rule` (facts §4.2).
//!
//! A key that is absent or null has its default; unknown keys pass, as in eKuiper. A wrong JSON type is an error of the rule's
//! text, a value out of bounds an error of the options ([`RuleOptions::check`]): eKuiper words the two differently.

use core::time::Duration;

use serde_json::{Map, Value};

use super::{cron::Cron, fields::Fields};
use crate::config::RuleDefaults;
use crate::json::words;
use crate::time::{DurationError, Zone, duration_ms, parse_duration};

/// The options of one rule, defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOptions {
    /// Debug lines for this rule.
    pub debug: bool,
    /// Accepted; a rule has no log file of its own.
    pub log_filename: String,
    /// Time comes from the events.
    pub is_event_time: bool,
    /// How late an event may be.
    pub late_tolerance: Duration,
    /// Accepted; one row is evaluated at a time.
    pub concurrency: u64,
    /// Accepted; queues are bounded in bytes.
    pub buffer_length: u64,
    /// Rows carry `__meta`.
    pub send_meta_to_sink: bool,
    /// NULL columns are sent as null.
    pub send_nil_field: bool,
    /// Errors go to the sinks.
    pub send_error: bool,
    /// 0: at most once, 1: at least once, 2: exactly once; other numbers count as given.
    pub qos: i64,
    /// Time between checkpoints.
    pub checkpoint_interval: Duration,
    /// `restartStrategy.attempts`: above 0, a rule stopped by an error is started again by the patrol.
    pub restart_attempts: u64,
    /// When the rule starts: five fields, as cron has them.
    pub cron: String,
    /// How long it runs then, or after its start when there is no cron.
    pub duration: String,
    /// Between which moments it runs at all.
    pub cron_datetime_range: Vec<DatetimeRange>,
    /// `planOptimizeStrategy.enableIncrementalWindow`.
    pub incremental_window: bool,
    /// `planOptimizeStrategy.disableAliasRefCal`: a field of SELECT does not see the aliases of others.
    pub aliases_apart: bool,
    /// `planOptimizeStrategy.windowOption.enableSendSlidingWindowTwice`.
    pub sliding_twice: bool,
    /// `experiment.useSliceTuple`: it shows in the schema of a shared stream, and nowhere else.
    pub use_slice_tuple: bool,
    /// A full outbox or queue holds the sender instead of dropping the oldest.
    pub disable_buffer_full_discard: bool,
    /// Accepted.
    pub enable_save_state_before_stop: bool,
    /// Accepted.
    pub notify_sub: bool,
    /// Accepted; zero when absent.
    pub force_exit_timeout: Duration,
    /// `windowFull: drop_oldest`: a window whose memory is full loses its oldest rows, instead of being emitted early.
    pub window_drops_oldest: bool,
    /// `groupFull: emit_early`: a window with too many groups is emitted, instead of dropping the rows of new ones.
    pub groups_emit_early: bool,
    /// `idleTimeout`: after so long a silence event time goes on with the clock; zero: never.
    pub idle_timeout: Duration,
    /// Options below zero, in the order of [`RuleOptions::check`].
    negative: Vec<&'static str>,
}

/// One span in which a scheduled rule may run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatetimeRange {
    /// First moment, `yyyy-MM-dd HH:mm:ss`.
    pub begin: String,
    /// Last moment.
    pub end: String,
    /// First moment in ms since the epoch; 0: see `begin`.
    pub begin_ms: i64,
    /// Last moment in ms since the epoch; 0: see `end`.
    pub end_ms: i64,
}

impl RuleOptions {
    /// What a rule without `options` has.
    #[must_use]
    pub fn defaults(rule: &RuleDefaults) -> Self {
        Self {
            debug: false,
            log_filename: String::new(),
            is_event_time: rule.is_event_time,
            late_tolerance: rule.late_tolerance,
            concurrency: rule.concurrency,
            buffer_length: rule.buffer_length,
            send_meta_to_sink: rule.send_meta_to_sink,
            send_nil_field: false,
            send_error: rule.send_error,
            qos: i64::from(rule.qos),
            checkpoint_interval: rule.checkpoint_interval,
            restart_attempts: rule.restart_attempts,
            cron: String::new(),
            duration: String::new(),
            cron_datetime_range: Vec::new(),
            incremental_window: false,
            aliases_apart: false,
            sliding_twice: false,
            use_slice_tuple: false,
            disable_buffer_full_discard: false,
            enable_save_state_before_stop: false,
            notify_sub: false,
            force_exit_timeout: Duration::ZERO,
            window_drops_oldest: false,
            groups_emit_early: false,
            idle_timeout: Duration::ZERO,
            negative: Vec::new(),
        }
    }

    /// Reads an `options` object over the defaults.
    ///
    /// # Errors
    /// The first member whose JSON type is wrong, by its path.
    pub fn parse(map: &Map<String, Value>, rule: &RuleDefaults) -> Result<Self, String> {
        let mut o = Self::defaults(rule);
        let f = Fields::new(map, "RuleOption", "options.");
        flag(&f, "debug", &mut o.debug)?;
        text(&f, "logFilename", &mut o.log_filename)?;
        flag(&f, "isEventTime", &mut o.is_event_time)?;
        flag(&f, "sendMetaToSink", &mut o.send_meta_to_sink)?;
        flag(&f, "sendNilField", &mut o.send_nil_field)?;
        flag(&f, "sendError", &mut o.send_error)?;
        flag(&f, "notifySub", &mut o.notify_sub)?;
        flag(&f, "disableBufferFullDiscard", &mut o.disable_buffer_full_discard)?;
        flag(&f, "enableSaveStateBeforeStop", &mut o.enable_save_state_before_stop)?;
        text(&f, "cron", &mut o.cron)?;
        text(&f, "duration", &mut o.duration)?;
        if let Some(qos) = f.integer("qos")? {
            o.qos = qos;
        }
        let negative = &mut o.negative;
        count(&f, "concurrency", &mut o.concurrency, negative)?;
        count(&f, "bufferLength", &mut o.buffer_length, negative)?;
        duration(&f, "lateTolerance", &mut o.late_tolerance, negative)?;
        duration(&f, "checkpointInterval", &mut o.checkpoint_interval, negative)?;
        duration(&f, "forceExitTimeout", &mut o.force_exit_timeout, negative)?;
        duration(&f, "idleTimeout", &mut o.idle_timeout, negative)?;
        for (name, on, off, place) in [
            ("windowFull", "drop_oldest", "emit_early", &mut o.window_drops_oldest),
            ("groupFull", "emit_early", "drop_new", &mut o.groups_emit_early),
        ] {
            match f.text(name)?.as_deref() {
                None => {}
                Some(word) if word == on => *place = true,
                Some(word) if word == off => *place = false,
                Some(word) => return Err(format!("options.{name}: expected {on} or {off}, found {word}")),
            }
        }
        if let Some(restart) = f.object("restartStrategy", "def.RestartStrategy")? {
            count(&Fields::new(restart, "RestartStrategy", "options.restartStrategy."), "attempts", &mut o.restart_attempts, negative)?;
        }
        if let Some(plan) = f.object("planOptimizeStrategy", "def.PlanOptimizeStrategy")? {
            let f = Fields::new(plan, "PlanOptimizeStrategy", "options.planOptimizeStrategy.");
            flag(&f, "enableIncrementalWindow", &mut o.incremental_window)?;
            flag(&f, "disableAliasRefCal", &mut o.aliases_apart)?;
            f.boolean("enableAliasPushdown")?;
            if let Some(window) = f.object("windowOption", "def.WindowOption")? {
                let f = Fields::new(window, "WindowOption", "options.planOptimizeStrategy.windowOption.");
                flag(&f, "enableSendSlidingWindowTwice", &mut o.sliding_twice)?;
                f.text("windowVersion")?;
            }
            if let Some(control) = f.object("optimizeControl", "def.OptimizeControl")? {
                Fields::new(control, "OptimizeControl", "options.planOptimizeStrategy.optimizeControl.").texts("disableOptimizeRules")?;
            }
        }
        if let Some(experiment) = f.object("experiment", "def.ExpOpts")? {
            let f = Fields::new(experiment, "ExpOpts", "options.experiment.");
            flag(&f, "useSliceTuple", &mut o.use_slice_tuple)?;
        }
        if let Some(ranges) = f.read("cronDatetimeRange", "[]schedule.DatetimeRange", Value::as_array)? {
            o.cron_datetime_range = ranges.iter().map(range).collect::<Result<_, _>>()?;
        }
        Ok(o)
    }

    /// Checks bounds and the schedule.
    ///
    /// # Errors
    /// Every fault, one a line, in eKuiper's words where it has some.
    pub fn check(&self) -> Result<(), String> {
        let mut faults: Vec<String> = Vec::new();
        for (name, words) in [
            ("concurrency", "invalidConcurrency:concurrency must be greater than 0"),
            ("bufferLength", "invalidBufferLength:bufferLength must be greater than 0"),
            ("lateTolerance", "invalidLateTol:lateTol must be greater than 0"),
            ("attempts", "invalidRestartAttempts:restart attempts must be greater than 0"),
        ] {
            if self.negative.contains(&name) {
                faults.push(words.to_owned());
            }
        }
        for range in &self.cron_datetime_range {
            if let Err(e) = range.bounds(&Zone::utc()) {
                faults.push(format!("validate cronDatetimeRange failed, err:{e}"));
            }
        }
        if !self.cron.is_empty() {
            faults.extend(Cron::parse(&self.cron).err());
        }
        if !self.duration.is_empty() {
            faults.extend(parse_duration(&self.duration).err().map(|e| format!("duration {:?}: {e}", self.duration)));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }

    /// Whether the patrol starts and stops this rule.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        !self.cron_datetime_range.is_empty() || (!self.cron.is_empty() && !self.duration.is_empty())
    }

    /// As eKuiper prints options: every member it always prints, and the others that differ from zero.
    #[must_use]
    pub fn to_json(&self) -> Vec<(&'static str, Value)> {
        let mut out: Vec<(&'static str, Value)> = vec![("debug", self.debug.into())];
        if !self.log_filename.is_empty() {
            out.push(("logFilename", self.log_filename.as_str().into()));
        }
        out.push(("isEventTime", self.is_event_time.into()));
        if !self.late_tolerance.is_zero() {
            out.push(("lateTolerance", go_duration(self.late_tolerance).into()));
        }
        out.push(("concurrency", self.concurrency.into()));
        out.push(("bufferLength", self.buffer_length.into()));
        out.push(("sendMetaToSink", self.send_meta_to_sink.into()));
        out.push(("sendNilField", self.send_nil_field.into()));
        out.push(("sendError", self.send_error.into()));
        if self.qos != 0 {
            out.push(("qos", self.qos.into()));
        }
        if !self.checkpoint_interval.is_zero() {
            out.push(("checkpointInterval", go_duration(self.checkpoint_interval).into()));
        }
        let mut restart = Map::new();
        if self.restart_attempts != 0 {
            restart.insert("attempts".into(), self.restart_attempts.into());
        }
        out.push(("restartStrategy", restart.into()));
        for (name, value) in [("cron", &self.cron), ("duration", &self.duration)] {
            if !value.is_empty() {
                out.push((name, value.as_str().into()));
            }
        }
        if !self.cron_datetime_range.is_empty() {
            let ranges = self
                .cron_datetime_range
                .iter()
                .map(|r| serde_json::json!({"begin": r.begin, "end": r.end, "beginTimestamp": r.begin_ms, "endTimestamp": r.end_ms}));
            out.push(("cronDatetimeRange", ranges.collect()));
        }
        for (name, on) in [
            ("notifySub", self.notify_sub),
            ("disableBufferFullDiscard", self.disable_buffer_full_discard),
            ("enableSaveStateBeforeStop", self.enable_save_state_before_stop),
        ] {
            if on {
                out.push((name, true.into()));
            }
        }
        out
    }
}

impl DatetimeRange {
    /// First and last moment in ms since the epoch; texts are read in `zone`.
    ///
    /// # Errors
    /// What is wrong with the range.
    pub fn bounds(&self, zone: &Zone) -> Result<(i64, i64), String> {
        let (begin, end) = if self.begin_ms > 0 && self.end_ms > 0 {
            (self.begin_ms, self.end_ms)
        } else {
            (moment(&self.begin, zone)?, moment(&self.end, zone)?)
        };
        if begin > end { Err("begin time shouldn't after end time".to_owned()) } else { Ok((begin, end)) }
    }
}

/// `yyyy-MM-dd HH:mm:ss` in `zone` as ms since the epoch.
fn moment(text: &str, zone: &Zone) -> Result<i64, String> {
    let wrong = || format!("cannot read {text:?}, expected yyyy-MM-dd HH:mm:ss");
    let bytes = text.as_bytes();
    let form = b"0000-00-00 00:00:00";
    let fits = bytes.len() == form.len() && bytes.iter().zip(form).all(|(b, f)| if *f == b'0' { b.is_ascii_digit() } else { b == f });
    if !fits {
        return Err(wrong());
    }
    let number = |from: usize, to: usize| text.get(from..to).and_then(|t| t.parse::<u32>().ok()).unwrap_or(u32::MAX);
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return Err(wrong());
    }
    let days = crate::value::text::day_number(i64::from(year), month, day);
    if crate::value::text::civil_day(days) != (i64::from(year), month, day) {
        return Err(wrong());
    }
    let local = days * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    let guess = local - i64::from(zone.offset_at(local));
    Ok((local - i64::from(zone.offset_at(guess))) * 1000)
}

/// A duration as Go prints it: `1s`, `5m0s`, `1h0m0s`, `1.5s`, `100ms`, `0s`.
#[must_use]
pub fn go_duration(d: Duration) -> String {
    let (secs, nanos) = (d.as_secs(), d.subsec_nanos());
    if secs == 0 {
        let (unit, per) = match nanos {
            0 => return "0s".to_owned(),
            1..1_000 => return format!("{nanos}ns"),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{}{unit}", decimal(u64::from(nanos / per), nanos % per, per));
    }
    let seconds = decimal(secs % 60, nanos, 1_000_000_000);
    match (secs / 3600, secs / 60 % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// `whole.rest` without closing zeros; `rest` counts in parts of `per`.
fn decimal(whole: u64, rest: u32, per: u32) -> String {
    if rest == 0 {
        return whole.to_string();
    }
    let width = per.ilog10() as usize;
    format!("{whole}.{}", format!("{rest:0width$}").trim_end_matches('0'))
}

fn range(value: &Value) -> Result<DatetimeRange, String> {
    let path = "options.cronDatetimeRange.";
    let Some(map) = value.as_object() else {
        return Err(format!(
            "json: cannot unmarshal {} into Go struct field RuleOption.options.cronDatetimeRange of type schedule.DatetimeRange",
            words::kind(value)
        ));
    };
    let f = Fields::new(map, "DatetimeRange", path);
    Ok(DatetimeRange {
        begin: f.text("begin")?.unwrap_or_default(),
        end: f.text("end")?.unwrap_or_default(),
        begin_ms: f.integer("beginTimestamp")?.unwrap_or(0),
        end_ms: f.integer("endTimestamp")?.unwrap_or(0),
    })
}

fn flag(f: &Fields<'_>, name: &str, to: &mut bool) -> Result<(), String> {
    if let Some(value) = f.boolean(name)? {
        *to = value;
    }
    Ok(())
}

fn text(f: &Fields<'_>, name: &str, to: &mut String) -> Result<(), String> {
    if let Some(value) = f.text(name)? {
        *to = value;
    }
    Ok(())
}

fn count(f: &Fields<'_>, name: &'static str, to: &mut u64, negative: &mut Vec<&'static str>) -> Result<(), String> {
    if let Some(value) = f.integer(name)? {
        match u64::try_from(value) {
            Ok(value) => *to = value,
            Err(_) => negative.push(name),
        }
    }
    Ok(())
}

fn duration(f: &Fields<'_>, name: &'static str, to: &mut Duration, negative: &mut Vec<&'static str>) -> Result<(), String> {
    let Some(value) = f.get(name) else { return Ok(()) };
    let read = match value {
        Value::String(text) => parse_duration(text),
        // Go reads any JSON number here and drops what is behind the point.
        Value::Number(n) => match n.as_i64() {
            Some(ms) => duration_ms(ms),
            #[expect(clippy::cast_possible_truncation, reason = "saturates, and duration_ms judges the bounds")]
            None => duration_ms(n.as_f64().map_or(i64::MAX, |ms| ms as i64)),
        },
        _ => Err(DurationError::Syntax),
    };
    match read {
        Ok(value) => *to = value,
        Err(DurationError::Negative) => negative.push(name),
        Err(_) => match value {
            Value::String(text) => return Err(format!("time: invalid duration {text:?}")),
            _ => return Err(f.wrong(name, value, "cast.DurationConf")),
        },
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<RuleOptions, String> {
        let value: Value = serde_json::from_str(json).expect("JSON");
        RuleOptions::parse(value.as_object().expect("object"), &RuleDefaults::default())
    }

    #[test]
    fn defaults_and_letter_case() {
        let o = parse("{}").expect("empty");
        assert_eq!(o, RuleOptions::defaults(&RuleDefaults::default()));
        assert_eq!((o.late_tolerance, o.buffer_length, o.concurrency), (Duration::from_secs(1), 1024, 1));
        assert!(parse(r#"{"iseventtime":true}"#).expect("any case").is_event_time);
        assert!(!parse(r#"{"isEventTime":null,"unknown":[1]}"#).expect("null and unknown pass").is_event_time);
    }

    #[test]
    fn durations() {
        for (json, want) in [
            ("500", Duration::from_millis(500)),
            ("\"1m\"", Duration::from_secs(60)),
            ("1.9", Duration::from_millis(1)),
            ("0", Duration::ZERO),
        ] {
            assert_eq!(parse(&format!(r#"{{"lateTolerance":{json}}}"#)).expect(json).late_tolerance, want, "{json}");
        }
    }

    #[test]
    fn wrong_types_name_the_path() {
        for (json, word) in [
            (r#"{"concurrency":"2"}"#, "options.concurrency"),
            (r#"{"concurrency":1.5}"#, "number 1.5 into Go struct field RuleOption.options.concurrency of type int"),
            (r#"{"sendError":1}"#, "options.sendError"),
            (r#"{"lateTolerance":true}"#, "options.lateTolerance"),
            (r#"{"restartStrategy":{"attempts":"x"}}"#, "options.restartStrategy.attempts"),
            (r#"{"restartStrategy":3}"#, "def.RestartStrategy"),
            (r#"{"cronDatetimeRange":{}}"#, "[]schedule.DatetimeRange"),
            (r#"{"cron":5}"#, "options.cron"),
        ] {
            let e = parse(json).expect_err(json);
            assert!(e.contains(word) && e.contains("cannot unmarshal"), "{json}: {e}");
        }
        assert_eq!(parse(r#"{"lateTolerance":"soon"}"#), Err("time: invalid duration \"soon\"".to_owned()));
    }

    #[test]
    fn bounds() {
        for (json, word) in [
            (r#"{"concurrency":-1}"#, "invalidConcurrency"),
            (r#"{"bufferLength":-1}"#, "invalidBufferLength:bufferLength must be greater than 0"),
            (r#"{"lateTolerance":-5}"#, "invalidLateTol"),
            (r#"{"lateTolerance":"-5s"}"#, "invalidLateTol"),
            (r#"{"restartStrategy":{"attempts":-1}}"#, "invalidRestartAttempts"),
            (r#"{"cronDatetimeRange":[{"begin":"2024-01-02 00:00:00","end":"2024-01-01 00:00:00"}]}"#, "begin time"),
            (r#"{"cron":"nonsense","duration":"1s"}"#, "5 fields"),
            (r#"{"duration":"soon"}"#, "duration"),
            (r#"{"cronDatetimeRange":[{"begin":"x","end":"y"}]}"#, "yyyy-MM-dd"),
            (r#"{"cronDatetimeRange":[{"begin":"2023-02-29 00:00:00","end":"2024-01-01 00:00:00"}]}"#, "yyyy-MM-dd"),
        ] {
            let e = parse(json).expect(json).check().expect_err(json);
            assert!(e.contains(word), "{json}: {e}");
        }
        for json in [
            r#"{"concurrency":0,"bufferLength":0,"lateTolerance":0,"qos":7}"#,
            r#"{"cronDatetimeRange":[{"beginTimestamp":1,"endTimestamp":2}]}"#,
        ] {
            assert_eq!(parse(json).expect(json).check(), Ok(()), "{json}");
        }
    }

    #[test]
    fn go_durations() {
        for (ms, want) in [(0, "0s"), (1, "1ms"), (1500, "1.5s"), (300_000, "5m0s"), (3_600_000, "1h0m0s"), (61_020, "1m1.02s")] {
            assert_eq!(go_duration(Duration::from_millis(ms)), want);
        }
        assert_eq!(go_duration(Duration::from_nanos(1500)), "1.5µs");
    }

    #[test]
    fn ranges_in_a_zone() {
        assert_eq!(moment("1970-01-01 00:00:01", &Zone::utc()), Ok(1000));
        assert!(moment("1970-1-1 00:00:01", &Zone::utc()).is_err());
    }
}
