//! Cron expressions of five fields (`minute hour day month weekday`) and the descriptors `@hourly`, `@daily`, ..., `@every 1h`.
//!
//! A field is `*`, `?`, a number, a range `a-b`, a step `*/n` or `a-b/n`, or a comma list of them; months and weekdays have names;
//! Sunday is 0 (7 is taken too). When both day and weekday are restricted, either may match (crontab(5)).

use core::time::Duration;

use crate::time::{Zone, parse_duration};
use crate::value::text::civil_day;

/// When something is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cron {
    /// At matching minutes.
    Fields(Fields),
    /// Every so often.
    Every(Duration),
}

/// One bit for each value that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
}

impl Cron {
    /// Parses an expression.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let text = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            _ => text,
        };
        if let Some(every) = text.strip_prefix("@every ") {
            let every = parse_duration(every.trim()).map_err(|e| e.to_string())?;
            return if every < Duration::from_secs(1) { Err("@every must be at least 1s".into()) } else { Ok(Self::Every(every)) };
        }
        let parts: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts.as_slice() else {
            return Err(format!("cron {text:?}: expected exactly 5 fields, found {}", parts.len()));
        };
        let month_names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        let day_names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
        let mut weekdays = field("weekday", weekday, 0, 7, &day_names, 0)?;
        weekdays |= weekdays >> 7 & 1;
        Ok(Self::Fields(Fields {
            minutes: field("minute", minute, 0, 59, &[], 0)?,
            hours: field("hour", hour, 0, 23, &[], 0)?,
            days: field("day", day, 1, 31, &[], 0)?,
            months: field("month", month, 1, 12, &month_names, 1)?,
            weekdays,
            any_day: is_star(day),
            any_weekday: is_star(weekday),
        }))
    }

    /// The first due moment after `ms` (since the epoch), within five years.
    #[must_use]
    pub fn next(&self, ms: i64, zone: &Zone) -> Option<i64> {
        let fields = match self {
            Self::Every(every) => return Some((ms / 1000).saturating_add(i64::try_from(every.as_secs()).ok()?).saturating_mul(1000)),
            Self::Fields(fields) => fields,
        };
        let utc = ms.div_euclid(1000);
        let local = utc + i64::from(zone.offset_at(utc));
        let first_minute = local.div_euclid(60) + 1;
        let first_day = first_minute.div_euclid(1440);
        for day in first_day..first_day + 5 * 366 {
            if !fields.day(day) {
                continue;
            }
            let from = if day == first_day { first_minute.rem_euclid(1440) } else { 0 };
            for minute in from..1440 {
                if fields.hours >> (minute / 60) & 1 == 1 && fields.minutes >> (minute % 60) & 1 == 1 {
                    let local = (day * 1440 + minute) * 60;
                    let guess = local - i64::from(zone.offset_at(local));
                    let utc = local - i64::from(zone.offset_at(guess));
                    if utc * 1000 > ms {
                        return Some(utc * 1000);
                    }
                }
            }
        }
        None
    }

    /// Whether `ms` lies within `run` of a due moment.
    #[must_use]
    pub fn is_within(&self, ms: i64, run: Duration, zone: &Zone) -> bool {
        let run = i64::try_from(run.as_millis()).unwrap_or(i64::MAX);
        self.next(ms.saturating_sub(run), zone).is_some_and(|due| due < ms && ms < due.saturating_add(run))
    }
}

impl Fields {
    fn day(&self, day: i64) -> bool {
        let (_, month, of_month) = civil_day(day);
        let weekday = (day + 4).rem_euclid(7);
        let (by_day, by_weekday) = (self.days >> of_month & 1 == 1, self.weekdays >> weekday & 1 == 1);
        let fits = if self.any_day || self.any_weekday { by_day && by_weekday } else { by_day || by_weekday };
        self.months >> month & 1 == 1 && fits
    }
}

fn is_star(field: &str) -> bool {
    field.starts_with('*') || field.starts_with('?')
}

fn field(what: &str, text: &str, min: u32, max: u32, names: &[&str], first_name: u32) -> Result<u64, String> {
    let wrong =
        || format!("cron {what} {text:?}: expected numbers from {min} to {max}, `*`, ranges a-b, steps /n, or a comma list of them");
    let value = |word: &str| -> Option<u32> {
        let named = names.iter().position(|n| n.eq_ignore_ascii_case(word)).and_then(|i| u32::try_from(i).ok());
        let number = named.map(|i| i + first_name).or_else(|| word.parse().ok())?;
        (min..=max).contains(&number).then_some(number)
    };
    let mut bits = 0_u64;
    for part in text.split(',') {
        let (span, step) = part.split_once('/').map_or((part, None), |(span, step)| (span, Some(step)));
        let step: u32 = step.map_or(Some(1), |s| s.parse().ok().filter(|s| *s > 0)).ok_or_else(wrong)?;
        let (from, to) = match span.split_once('-') {
            Some((a, b)) => (value(a).ok_or_else(wrong)?, value(b).ok_or_else(wrong)?),
            None if span == "*" || span == "?" => (min, max),
            None => {
                let from = value(span).ok_or_else(wrong)?;
                (from, if part.contains('/') { max } else { from })
            }
        };
        if from > to {
            return Err(wrong());
        }
        let mut at = from;
        while at <= to {
            bits |= 1 << at;
            at = at.saturating_add(step);
        }
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-28 23:59:30 UTC, a Wednesday.
    const LEAP_EVE: i64 = 1_709_164_770_000;

    fn next(text: &str) -> i64 {
        Cron::parse(text).expect(text).next(LEAP_EVE, &Zone::utc()).expect("due")
    }

    #[test]
    fn due_moments() {
        let day = 86_400_000;
        let midnight = LEAP_EVE + 30_000;
        for (text, want) in [
            ("* * * * *", midnight),
            ("0 0 * * *", midnight),
            ("@daily", midnight),
            ("0 0 29 2 *", midnight),
            ("0 0 1 3 *", midnight + day),
            ("0 0 * * fri", midnight + day),
            ("0 0 1 * thu", midnight),
            ("0 0 * mar *", midnight + day),
            ("*/15 1-2 * * *", midnight + 3_600_000),
            ("5,10 0 * * *", midnight + 300_000),
            ("0 0 * * 7", midnight + 3 * day),
            ("@every 90s", LEAP_EVE + 90_000),
        ] {
            assert_eq!(next(text), want, "{text}");
        }
        assert_eq!(Cron::parse("0 0 31 2 *").expect("fits").next(LEAP_EVE, &Zone::utc()), None);
    }

    #[test]
    fn within() {
        let cron = Cron::parse("0 0 * * *").expect("fits");
        let midnight = LEAP_EVE + 30_000;
        let run = Duration::from_secs(60);
        for (ms, want) in
            [(midnight, false), (midnight + 1, true), (midnight + 59_999, true), (midnight + 60_000, false), (midnight - 1, false)]
        {
            assert_eq!(cron.is_within(ms, run, &Zone::utc()), want, "{}", ms - midnight);
        }
    }

    #[test]
    fn refusals() {
        for text in [
            "nonsense",
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "@every 0s",
            "@never",
        ] {
            assert!(Cron::parse(text).is_err(), "{text}");
        }
    }
}
