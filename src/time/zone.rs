//! Time zones: [`Zone`] from a TZif file's bytes (RFC 9636), with the POSIX rule of its footer for the years behind its table.
//!
//! Reading the file is the caller's business. A zone answers the offset of an instant, and of a local time as Go resolves it.

/// A time zone: its offset from UTC and its abbreviation at any instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    /// Instants (seconds since the epoch) from which a period holds, in order.
    changes: Vec<(i64, u8)>,
    /// What periods are: offset in seconds east, abbreviation.
    periods: Vec<(i32, String)>,
    /// The period before the first change.
    first: u8,
    /// What holds behind the last change.
    rule: Option<Rule>,
}

impl Zone {
    /// Coordinated Universal Time.
    #[must_use]
    pub fn utc() -> Self {
        Self { periods: vec![(0, "UTC".into())], ..Self::fixed("UTC", 0) }
    }

    /// A zone whose offset, in seconds east, never changes. It has no abbreviation.
    #[must_use]
    pub fn fixed(name: &str, offset_s: i32) -> Self {
        Self { name: name.into(), changes: Vec::new(), periods: vec![(offset_s, String::new())], first: 0, rule: None }
    }

    /// The zone in a TZif file of version 1 or later; `None` when the bytes are none.
    #[must_use]
    pub fn from_tzif(name: &str, bytes: &[u8]) -> Option<Self> {
        let version = *bytes.get(4)?;
        let (header, data) = Header::read(bytes)?;
        if version < b'2' {
            return header.zone(name, data, 4, None);
        }
        let (header, data) = Header::read(data.get(header.bytes(4)..)?)?;
        let footer = data.get(header.bytes(8)..)?.strip_prefix(b"\n")?;
        let footer = footer.split(|b| *b == b'\n').next().and_then(|line| core::str::from_utf8(line).ok())?;
        header.zone(name, data, 8, Rule::parse(footer))
    }

    /// The zone's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Offset from UTC in seconds, east positive, at `secs` since the epoch.
    #[must_use]
    pub fn offset_at(&self, secs: i64) -> i32 {
        self.at(secs).0
    }

    /// Offset and abbreviation at `secs` since the epoch. The abbreviation is empty when there is none.
    #[must_use]
    pub fn at(&self, secs: i64) -> (i32, &str) {
        let index = match self.changes.partition_point(|(from, _)| *from <= secs) {
            0 => self.first,
            n => {
                if n == self.changes.len()
                    && let Some(rule) = &self.rule
                {
                    return rule.at(secs);
                }
                self.changes[n - 1].1
            }
        };
        if self.changes.is_empty()
            && let Some(rule) = &self.rule
        {
            return rule.at(secs);
        }
        self.periods.get(usize::from(index)).map_or((0, "UTC"), |(offset, name)| (*offset, name))
    }

    /// Seconds since the epoch of a local time, given as the seconds it would have in UTC. In a gap or a fold the offset is
    /// the one that Go's `time.Date` picks.
    #[must_use]
    pub fn instant_of(&self, local_secs: i64) -> i64 {
        let guess = local_secs.saturating_sub(i64::from(self.offset_at(local_secs)));
        local_secs.saturating_sub(i64::from(self.offset_at(guess)))
    }

    /// The offset that goes by an abbreviation here, if `secs` or any period has one of that name.
    #[must_use]
    pub fn offset_named(&self, abbreviation: &str, secs: i64) -> Option<i32> {
        let (offset, name) = self.at(secs);
        if name == abbreviation {
            return Some(offset);
        }
        self.periods.iter().find(|(_, name)| name == abbreviation).map(|(offset, _)| *offset)
    }
}

/// Counts of a TZif data block, in the order of its header.
struct Header {
    is_ut: usize,
    is_std: usize,
    leap: usize,
    time: usize,
    period: usize,
    letter: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, data) = bytes.split_at_checked(44)?;
        if !head.starts_with(b"TZif") {
            return None;
        }
        // Zones that exist have at most some hundred of each.
        let count = |i: usize| {
            usize::try_from(u32::from_be_bytes(head.get(20 + 4 * i..24 + 4 * i)?.try_into().ok()?)).ok().filter(|n| *n < 100_000)
        };
        let header = Self { is_ut: count(0)?, is_std: count(1)?, leap: count(2)?, time: count(3)?, period: count(4)?, letter: count(5)? };
        Some((header, data))
    }

    /// Bytes of the data block, whose times have `width` bytes.
    const fn bytes(&self, width: usize) -> usize {
        self.time * (width + 1) + self.period * 6 + self.letter + self.leap * (width + 4) + self.is_std + self.is_ut
    }

    fn zone(&self, name: &str, data: &[u8], width: usize, rule: Option<Rule>) -> Option<Zone> {
        let (times, data) = data.split_at_checked(self.time * width)?;
        let (kinds, data) = data.split_at_checked(self.time)?;
        let (periods, data) = data.split_at_checked(self.period * 6)?;
        let letters = data.get(..self.letter)?;
        let mut changes = Vec::with_capacity(self.time);
        for (time, kind) in times.chunks_exact(width).zip(kinds) {
            let secs = match width {
                8 => i64::from_be_bytes(time.try_into().ok()?),
                _ => i64::from(i32::from_be_bytes(time.try_into().ok()?)),
            };
            changes.push((secs, *kind));
        }
        let mut named = Vec::with_capacity(self.period);
        for period in periods.chunks_exact(6) {
            let offset = i32::from_be_bytes(period.get(..4)?.try_into().ok()?);
            let abbreviation = letters.get(usize::from(period[5])..)?.split(|b| *b == 0).next()?;
            // RFC 9636 §3.2: an offset lies within 25 hours west and 26 hours east.
            named.push((offset.clamp(-90_000, 93_600), core::str::from_utf8(abbreviation).ok()?.to_owned()));
        }
        if named.is_empty() || kinds.iter().any(|k| usize::from(*k) >= named.len()) || !changes.is_sorted() {
            return None;
        }
        Some(Zone { name: name.into(), changes, periods: named, first: 0, rule })
    }
}

/// A POSIX TZ string: standard time, and summer time between two moments of each year.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    standard: (i32, String),
    summer: Option<Summer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Summer {
    period: (i32, String),
    start: Turn,
    end: Turn,
}

/// A moment of each year: a day, and local seconds behind its midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    day: Day,
    secs: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    /// `Jn`: day 1..=365, without February 29.
    Julian(i64),
    /// `n`: day 0..=365.
    Zero(i64),
    /// `Mm.w.d`: weekday d (0 Sunday) of week w (5: the last) of month m.
    Week(u32, i64, i64),
}

impl Rule {
    fn parse(text: &str) -> Option<Self> {
        let mut p = Posix { rest: text };
        let standard = (p.name()?, -p.time()?);
        let standard = (i32::try_from(standard.1).ok()?, standard.0);
        if p.rest.is_empty() {
            return Some(Self { standard, summer: None });
        }
        let name = p.name()?;
        let offset = if p.rest.starts_with(',') || p.rest.is_empty() { standard.0 + 3600 } else { i32::try_from(-p.time()?).ok()? };
        // Without dates POSIX leaves them open; all files have them.
        let start = p.turn()?;
        let end = p.turn()?;
        p.rest.is_empty().then_some(Self { standard, summer: Some(Summer { period: (offset, name), start, end }) })
    }

    fn at(&self, secs: i64) -> (i32, &str) {
        let standard = (self.standard.0, self.standard.1.as_str());
        let Some(summer) = &self.summer else { return standard };
        let local = secs.saturating_add(i64::from(standard.0));
        let (year, ..) = crate::value::text::civil_day(local.div_euclid(86_400));
        let start = summer.start.in_year(year).saturating_sub(i64::from(standard.0));
        let end = summer.end.in_year(year).saturating_sub(i64::from(summer.period.0));
        let inside = if start < end { (start..end).contains(&secs) } else { !(end..start).contains(&secs) };
        if inside { (summer.period.0, &summer.period.1) } else { standard }
    }
}

impl Turn {
    /// Local seconds of this moment in a year.
    fn in_year(self, year: i64) -> i64 {
        let first = crate::value::text::day_number(year, 1, 1);
        let leap = crate::value::text::day_number(year, 3, 1) - first == 60;
        let day = match self.day {
            Day::Julian(n) => first + n - 1 + i64::from(leap && n > 59),
            Day::Zero(n) => first + n,
            Day::Week(month, week, weekday) => {
                let from = crate::value::text::day_number(year, month, 1);
                let next = if month == 12 {
                    crate::value::text::day_number(year + 1, 1, 1)
                } else {
                    crate::value::text::day_number(year, month + 1, 1)
                };
                // 1970-01-01 was a Thursday.
                let mut day = from + (weekday - (from + 4)).rem_euclid(7) + 7 * (week - 1);
                if day >= next {
                    day -= 7;
                }
                day
            }
        };
        day.saturating_mul(86_400).saturating_add(self.secs)
    }
}

/// Reads the pieces of a POSIX TZ string.
struct Posix<'a> {
    rest: &'a str,
}

impl Posix<'_> {
    fn name(&mut self) -> Option<String> {
        let (name, rest) = match self.rest.strip_prefix('<') {
            Some(quoted) => quoted.split_once('>')?,
            None => self.rest.split_at(self.rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(self.rest.len())),
        };
        self.rest = rest;
        (name.len() >= 3).then(|| name.to_owned())
    }

    fn number(&mut self) -> Option<i64> {
        let (digits, rest) = self.rest.split_at(self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len()));
        self.rest = rest;
        digits.parse().ok().filter(|n| *n <= 1000)
    }

    fn eat(&mut self, mark: char) -> bool {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    fn time(&mut self) -> Option<i64> {
        let negative = self.eat('-');
        self.eat('+');
        let mut secs = self.number()? * 3600;
        for unit in [60, 1] {
            if !self.eat(':') {
                break;
            }
            secs += self.number()? * unit;
        }
        Some(if negative { -secs } else { secs })
    }

    fn turn(&mut self) -> Option<Turn> {
        if !self.eat(',') {
            return None;
        }
        let day = if self.eat('J') {
            Day::Julian(self.number().filter(|n| (1..=365).contains(n))?)
        } else if self.eat('M') {
            let month = self.number().filter(|n| (1..=12).contains(n))?;
            let week = self.eat('.').then(|| self.number())?.filter(|n| (1..=5).contains(n))?;
            let weekday = self.eat('.').then(|| self.number())?.filter(|n| *n <= 6)?;
            Day::Week(u32::try_from(month).ok()?, week, weekday)
        } else {
            Day::Zero(self.number().filter(|n| *n <= 365)?)
        };
        let secs = if self.eat('/') { self.time()? } else { 7200 };
        Some(Turn { day, secs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of version 2: LMT, then a standard and a summer time, one change each, and a rule.
    fn tzif(version: u8, footer: &str) -> Vec<u8> {
        let block = |width: usize| {
            let mut b = b"TZif".to_vec();
            b.push(version);
            b.extend([0; 15]);
            for n in [0_u32, 0, 0, 2, 3, 13] {
                b.extend(n.to_be_bytes());
            }
            for secs in [-1_000_000_i64, 1_000_000] {
                b.extend(&secs.to_be_bytes()[8 - width..]);
            }
            b.extend([1, 2]);
            for (offset, at) in [(3_208_i32, 0_u8), (3_600, 4), (7_200, 8)] {
                b.extend(offset.to_be_bytes());
                b.extend([0, at]);
            }
            b.extend(b"LMT\0CET\0CEST\0");
            b
        };
        let mut bytes = block(4);
        if version >= b'2' {
            bytes.extend(block(8));
            bytes.extend(format!("\n{footer}\n").as_bytes());
        }
        bytes
    }

    #[test]
    fn tables_and_rules() {
        let zone = Zone::from_tzif("Europe/Berlin", &tzif(b'2', "CET-1CEST,M3.5.0,M10.5.0/3")).expect("a zone");
        for (secs, want) in [
            (-1_000_001, (3208, "LMT")),
            (-1_000_000, (3600, "CET")),
            (999_999, (3600, "CET")),
            // 2024-03-31 and 2024-10-27, 01:00 UTC both.
            (1_711_846_799, (3600, "CET")),
            (1_711_846_800, (7200, "CEST")),
            (1_729_990_799, (7200, "CEST")),
            (1_729_990_800, (3600, "CET")),
        ] {
            assert_eq!(zone.at(secs), want, "{secs}");
        }
        let old = Zone::from_tzif("x", &tzif(0, "")).expect("a zone");
        assert_eq!(old.at(1_711_846_799), (7200, "CEST"));
        assert_eq!(zone.offset_named("CEST", 0), Some(7200));
        assert_eq!(zone.offset_named("PST", 0), None);
    }

    #[test]
    fn rules_of_every_shape() {
        for (rule, secs, want) in [
            ("<+0330>-3:30", 0, 12_600),
            ("EST5EDT,M3.2.0,M11.1.0", 1_709_288_430, -18_000),
            ("EST5EDT,M3.2.0,M11.1.0", 1_720_000_000, -14_400),
            // South of the equator summer spans the new year.
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_704_067_200, 39_600),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_720_000_000, 36_000),
            ("XXX0YYY,J60/0,J61", 1_709_251_200, 3_600),
            ("XXX0YYY,59/0,60/0", 1_709_164_800, 3_600),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_711_846_800, -3_600),
        ] {
            let parsed = Rule::parse(rule).expect(rule);
            assert_eq!(parsed.at(secs).0, want, "{rule} {secs}");
        }
        for bad in ["", "X", "CET", "CET-1CEST", "CET-1CEST,M13.1.0,M1.1.0", "CET-1CEST,M3.5.0,M10.5.0x", "CET-1CEST,M3.5.0"] {
            assert_eq!(Rule::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn local_times_in_gap_and_fold() {
        let zone = Zone::from_tzif("x", &tzif(b'2', "CET-1CEST,M3.5.0,M10.5.0/3")).expect("a zone");
        assert_eq!(zone.instant_of(1_709_288_430), 1_709_284_830);
        // 2024-03-31 02:30 does not exist, 2024-10-27 02:30 comes twice.
        assert_eq!(zone.instant_of(1_711_852_200), 1_711_848_600);
        assert_eq!(zone.instant_of(1_729_996_200), 1_729_992_600);
        assert_eq!(zone.instant_of(i64::MIN), i64::MIN);
    }

    #[test]
    fn broken_files() {
        let whole = tzif(b'2', "CET-1CEST,M3.5.0,M10.5.0/3");
        for len in 0..whole.len() - 28 {
            assert_eq!(Zone::from_tzif("x", &whole[..len]), None, "{len}");
        }
        let mut bad = whole;
        bad[23] = 0xff; // counts that the file cannot hold
        bad[20] = 0xff;
        assert_eq!(Zone::from_tzif("x", &bad), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), secs: i64) {
            if bytes.len() > 5 {
                bytes[..4].copy_from_slice(b"TZif");
            }
            if let Some(zone) = Zone::from_tzif("x", &bytes) {
                let _ = (zone.at(secs), zone.instant_of(secs));
            }
        }

        #[test]
        fn any_rule(text in "[A-Z<>]{3,5}[-+0-9:]{1,4}[A-Z]{0,4}(,[MJ0-9./]{1,8}){0,2}", secs: i64) {
            if let Some(rule) = Rule::parse(&text) {
                rule.at(secs);
            }
        }
    }
}
