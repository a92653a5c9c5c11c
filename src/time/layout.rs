//! Go's reference layouts (`2006-01-02T15:04:05.000Z07:00`): a moment written by one, a text read by one.
//!
//! eKuiper's patterns turn into these (see [`super::pattern`]), and its list of known date texts is made of them. The rules are
//! those of Go's `time` package: what counts as an element, how wide it may be, what follows the seconds unasked.

use super::Zone;
use crate::json::write::{self, Full, Out};
use crate::value::Moment;
use crate::value::text::{civil, day_number};

/// Names of the months.
pub const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
/// Names of the weekdays, Sunday first.
pub const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Weekday of a day number since 1970-01-01, 0 for Sunday.
#[must_use]
pub fn weekday(days: i64) -> usize {
    usize::try_from((days.rem_euclid(7) + 4) % 7).unwrap_or(0)
}

/// Day number since 1970-01-01 of a moment, in its own offset.
#[must_use]
pub const fn local_day(t: Moment) -> i64 {
    t.secs.saturating_add(t.offset_s as i64).div_euclid(86_400)
}

/// One element of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Month { long: bool },
    MonthNumber { wide: bool },
    Weekday { long: bool },
    Day { wide: bool, under: bool },
    YearDay { under: bool },
    Hour,
    Hour12 { wide: bool },
    Minute { wide: bool },
    Second { wide: bool },
    Year { long: bool },
    Half { upper: bool },
    ZoneName,
    Offset(Offset),
    Fraction { digits: usize, fixed: bool, mark: u8 },
}

/// A numeric offset: `Z` for UTC (`zulu`), colons, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offset {
    zulu: bool,
    colon: bool,
    parts: u8,
}

/// The first element of `layout`: what stands before it, the element, what stands behind it.
fn next(layout: &str) -> Option<(&str, Piece, &str)> {
    let b = layout.as_bytes();
    for at in 0..b.len() {
        let rest = &b[at..];
        let is = |text: &str| rest.starts_with(text.as_bytes());
        // "Jan" and "Mon" end where no small letter follows.
        let word = |text: &str| is(text) && !rest.get(text.len()).is_some_and(u8::is_ascii_lowercase);
        let (skip, len, piece) = match rest[0] {
            b'J' if is("January") => (0, 7, Piece::Month { long: true }),
            b'J' if word("Jan") => (0, 3, Piece::Month { long: false }),
            b'M' if is("Monday") => (0, 6, Piece::Weekday { long: true }),
            b'M' if word("Mon") => (0, 3, Piece::Weekday { long: false }),
            b'M' if is("MST") => (0, 3, Piece::ZoneName),
            b'0' if is("01") => (0, 2, Piece::MonthNumber { wide: true }),
            b'0' if is("02") => (0, 2, Piece::Day { wide: true, under: false }),
            b'0' if is("03") => (0, 2, Piece::Hour12 { wide: true }),
            b'0' if is("04") => (0, 2, Piece::Minute { wide: true }),
            b'0' if is("05") => (0, 2, Piece::Second { wide: true }),
            b'0' if is("06") => (0, 2, Piece::Year { long: false }),
            b'0' if is("002") => (0, 3, Piece::YearDay { under: false }),
            b'1' if is("15") => (0, 2, Piece::Hour),
            b'1' => (0, 1, Piece::MonthNumber { wide: false }),
            b'2' if is("2006") => (0, 4, Piece::Year { long: true }),
            b'2' => (0, 1, Piece::Day { wide: false, under: false }),
            b'_' if is("_2006") => (1, 4, Piece::Year { long: true }),
            b'_' if is("_2") => (0, 2, Piece::Day { wide: false, under: true }),
            b'_' if is("__2") => (0, 3, Piece::YearDay { under: true }),
            b'3' => (0, 1, Piece::Hour12 { wide: false }),
            b'4' => (0, 1, Piece::Minute { wide: false }),
            b'5' => (0, 1, Piece::Second { wide: false }),
            b'P' if is("PM") => (0, 2, Piece::Half { upper: true }),
            b'p' if is("pm") => (0, 2, Piece::Half { upper: false }),
            sign @ (b'-' | b'Z') => {
                let offset = |colon, parts| Piece::Offset(Offset { zulu: sign == b'Z', colon, parts });
                let behind = &layout[at + 1..];
                if behind.starts_with("070000") {
                    (0, 7, offset(false, 3))
                } else if behind.starts_with("07:00:00") {
                    (0, 9, offset(true, 3))
                } else if behind.starts_with("0700") {
                    (0, 5, offset(false, 2))
                } else if behind.starts_with("07:00") {
                    (0, 6, offset(true, 2))
                } else if behind.starts_with("07") {
                    (0, 3, offset(false, 1))
                } else {
                    continue;
                }
            }
            mark @ (b'.' | b',') => match rest.get(1) {
                Some(&digit @ (b'0' | b'9')) => {
                    let digits = rest[1..].iter().take_while(|c| **c == digit).count();
                    if rest.get(1 + digits).is_some_and(u8::is_ascii_digit) {
                        continue;
                    }
                    (0, 1 + digits, Piece::Fraction { digits, fixed: digit == b'0', mark })
                }
                _ => continue,
            },
            _ => continue,
        };
        return Some((&layout[..at + skip], piece, &layout[at + skip + len..]));
    }
    None
}

/// Writes `t` by `layout`. `zone_name` is the abbreviation of its zone; when it is empty, the offset stands in for it.
///
/// # Errors
/// [`Full`].
pub fn write(out: &mut Out<'_>, layout: &str, t: Moment, zone_name: &str) -> Result<(), Full> {
    let (year, month, day, hour, minute, second) = civil(t);
    let days = local_day(t);
    let mut rest = layout;
    while let Some((before, piece, behind)) = next(rest) {
        out.text(before)?;
        rest = behind;
        let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
        let small = |name: &str, long: bool| if long { name.len() } else { 3.min(name.len()) };
        match piece {
            Piece::Month { long } => {
                let name = MONTHS.get(month as usize - 1).copied().unwrap_or("");
                out.text(&name[..small(name, long)])?;
            }
            Piece::Weekday { long } => {
                let name = WEEKDAYS[weekday(days) % 7];
                out.text(&name[..small(name, long)])?;
            }
            Piece::MonthNumber { wide } => number(out, month, if wide { 2 } else { 1 }, b'0')?,
            Piece::Day { wide, under } => number(out, day, if wide || under { 2 } else { 1 }, if under { b' ' } else { b'0' })?,
            Piece::YearDay { under } => {
                let nth = u32::try_from(days - day_number(year, 1, 1) + 1).unwrap_or(0);
                number(out, nth, 3, if under { b' ' } else { b'0' })?;
            }
            Piece::Hour => number(out, hour, 2, b'0')?,
            Piece::Hour12 { wide } => number(out, hour12, if wide { 2 } else { 1 }, b'0')?,
            Piece::Minute { wide } => number(out, minute, if wide { 2 } else { 1 }, b'0')?,
            Piece::Second { wide } => number(out, second, if wide { 2 } else { 1 }, b'0')?,
            Piece::Year { long: false } => number(out, u32::try_from(year.max(0) % 100).unwrap_or(0), 2, b'0')?,
            Piece::Year { long: true } => {
                if year < 0 {
                    out.byte(b'-')?;
                }
                number(out, u32::try_from(year.unsigned_abs()).unwrap_or(u32::MAX), 4, b'0')?;
            }
            Piece::Half { upper } => out.text(match (hour >= 12, upper) {
                (true, true) => "PM",
                (false, true) => "AM",
                (true, false) => "pm",
                (false, false) => "am",
            })?,
            Piece::ZoneName if !zone_name.is_empty() => out.text(zone_name)?,
            Piece::ZoneName => offset(out, t.offset_s, Offset { zulu: false, colon: false, parts: 2 })?,
            Piece::Offset(form) if form.zulu && t.offset_s == 0 => out.byte(b'Z')?,
            Piece::Offset(form) => offset(out, t.offset_s, form)?,
            Piece::Fraction { digits, fixed, mark } => {
                let mut text = *b".000000000";
                text[0] = mark;
                let mut n = t.nanos;
                for d in text[1..].iter_mut().rev() {
                    *d = b'0' + u8::try_from(n % 10).unwrap_or(0);
                    n /= 10;
                }
                let mut len = 1 + digits.min(9);
                if !fixed {
                    len -= text[..len].iter().rev().take_while(|d| **d == b'0').count();
                    len = if len == 1 { 0 } else { len };
                }
                out.bytes(&text[..len])?;
            }
        }
    }
    out.text(rest)
}

fn number(out: &mut Out<'_>, n: u32, width: usize, fill: u8) -> Result<(), Full> {
    let digits = n.checked_ilog10().map_or(1, |d| d as usize + 1);
    for _ in digits..width {
        out.byte(fill)?;
    }
    write::integer(out, i64::from(n))
}

fn offset(out: &mut Out<'_>, offset_s: i32, form: Offset) -> Result<(), Full> {
    let secs = offset_s.unsigned_abs();
    out.byte(if offset_s / 60 < 0 { b'-' } else { b'+' })?;
    number(out, secs / 3600, 2, b'0')?;
    for part in [secs / 60 % 60, secs % 60].into_iter().take(usize::from(form.parts) - 1) {
        if form.colon {
            out.byte(b':')?;
        }
        number(out, part, 2, b'0')?;
    }
    Ok(())
}

/// What a text said: fields that its layout lacks are 0 for the year, 1 for month and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// Year; 0 if the layout has none.
    pub year: i64,
    /// Month, from 1.
    pub month: u32,
    /// Day of the month, from 1.
    pub day: u32,
    /// Seconds since midnight.
    pub secs: u32,
    /// Nanoseconds.
    pub nanos: u32,
    /// How the text names its zone.
    pub zone: Stated,
}

/// How a text names its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stated {
    /// Not at all.
    Nothing,
    /// By an offset in seconds east.
    Offset(i32),
    /// By an abbreviation: its first five octets at most, filled with zeros.
    Name([u8; 5]),
}

impl Fields {
    /// The moment, in the zone that the text states or else in `zone`.
    #[must_use]
    pub fn moment(self, zone: &Zone) -> Moment {
        let local = day_number(self.year, self.month, self.day) * 86_400 + i64::from(self.secs);
        let (secs, offset_s) = match self.zone {
            Stated::Offset(offset) => (local - i64::from(offset), offset),
            Stated::Nothing => {
                let secs = zone.instant_of(local);
                (secs, zone.offset_at(secs))
            }
            Stated::Name(name) => {
                let len = name.iter().position(|b| *b == 0).unwrap_or(name.len());
                let name = core::str::from_utf8(&name[..len]).unwrap_or("");
                // An abbreviation that the zone does not know is as good as UTC, but for GMT+3 and its like.
                let offset = match name.strip_prefix("GMT").and_then(|hours| hours.parse::<i32>().ok()) {
                    Some(hours) => hours * 3600,
                    None => zone.offset_named(name, local).unwrap_or(0),
                };
                (local - i64::from(offset), offset)
            }
        };
        Moment { secs, nanos: self.nanos, offset_s }
    }
}

/// Reads `text` by `layout`; `None` if it does not fit, whole.
#[must_use]
pub fn parse(layout: &str, text: &str) -> Option<Fields> {
    let mut r = Reader { rest: text };
    let mut rest = layout;
    let (mut year, mut month, mut day, mut year_day) = (0, None, None, None);
    let (mut hour, mut minute, mut second, mut nanos) = (0, 0, 0, 0);
    let mut afternoon = None;
    let mut zone = Stated::Nothing;
    while let Some((before, piece, behind)) = next(rest) {
        r.skip(before)?;
        rest = behind;
        match piece {
            Piece::Year { long: false } => {
                let n = i64::from(r.digits(2)?);
                year = if n >= 69 { 1900 + n } else { 2000 + n };
            }
            Piece::Year { long: true } => year = i64::from(r.digits(4)?),
            Piece::Month { long } => month = Some(r.name(&MONTHS, long)?),
            Piece::Weekday { long } => {
                r.name(&WEEKDAYS, long)?;
            }
            Piece::MonthNumber { wide } => month = Some(r.number(wide)?),
            Piece::Day { wide, under } => {
                if under && r.rest.starts_with(' ') {
                    r.rest = &r.rest[1..];
                }
                day = Some(r.number(wide)?);
            }
            Piece::YearDay { under } => {
                let mut width = 3;
                while under && width > 1 && r.rest.starts_with(' ') {
                    r.rest = &r.rest[1..];
                    width -= 1;
                }
                year_day = Some(r.digits(width)?);
            }
            Piece::Hour => hour = r.number(false).filter(|n| *n < 24)?,
            Piece::Hour12 { wide } => hour = r.number(wide).filter(|n| *n <= 12)?,
            Piece::Minute { wide } => minute = r.number(wide).filter(|n| *n < 60)?,
            Piece::Second { wide } => {
                second = r.number(wide).filter(|n| *n < 60)?;
                // A fraction that the layout does not ask for is read all the same.
                if !matches!(next(rest), Some((_, Piece::Fraction { .. }, _))) {
                    nanos = r.fraction().unwrap_or(nanos);
                }
            }
            Piece::Half { upper } => {
                let half = r.take(2)?;
                afternoon = Some(match (half, upper) {
                    ("PM", true) | ("pm", false) => true,
                    ("AM", true) | ("am", false) => false,
                    _ => return None,
                });
            }
            Piece::Offset(form) => zone = Stated::Offset(r.offset(form)?),
            Piece::ZoneName => {
                // Behind an offset a name says nothing more.
                let name = r.zone_name()?;
                if zone == Stated::Nothing {
                    zone = name;
                }
            }
            Piece::Fraction { fixed: false, .. } => nanos = r.fraction().unwrap_or(nanos),
            Piece::Fraction { digits, fixed: true, .. } => {
                let text = r.take(1 + digits)?;
                if !text.starts_with(['.', ',']) || !text[1..].bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                nanos = nanoseconds(&text[1..]);
            }
        }
    }
    r.skip(rest)?;
    if !r.rest.is_empty() {
        return None;
    }
    match afternoon {
        Some(true) if hour < 12 => hour += 12,
        Some(false) if hour == 12 => hour = 0,
        _ => {}
    }
    if let Some(nth) = year_day {
        let first = day_number(year, 1, 1);
        let (y, m, d) = crate::value::text::civil_day(first + i64::from(nth) - 1);
        if nth == 0 || y != year || month.is_some_and(|month| month != m) || day.is_some_and(|day| day != d) {
            return None;
        }
        (month, day) = (Some(m), Some(d));
    }
    let month = month.map_or(Some(1), |m| (1..=12).contains(&m).then_some(m))?;
    let day = day.unwrap_or(1);
    let next_month = if month == 12 { day_number(year + 1, 1, 1) } else { day_number(year, month + 1, 1) };
    if day < 1 || i64::from(day) > next_month - day_number(year, month, 1) {
        return None;
    }
    Some(Fields { year, month, day, secs: hour * 3600 + minute * 60 + second, nanos, zone })
}

/// Nanoseconds of the digits behind a point; what is behind the ninth is dropped.
fn nanoseconds(digits: &str) -> u32 {
    digits.bytes().chain(core::iter::repeat(b'0')).take(9).fold(0, |n, d| n * 10 + u32::from(d - b'0'))
}

/// Takes pieces off the front of a text.
struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn take(&mut self, len: usize) -> Option<&'t str> {
        let (piece, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(piece)
    }

    /// Literal text; a run of blanks stands for any run of blanks.
    fn skip(&mut self, literal: &str) -> Option<()> {
        let mut literal = literal;
        while let Some(first) = literal.chars().next() {
            if first == ' ' {
                if !self.rest.is_empty() && !self.rest.starts_with(' ') {
                    return None;
                }
                literal = literal.trim_start_matches(' ');
                self.rest = self.rest.trim_start_matches(' ');
                continue;
            }
            self.rest = self.rest.strip_prefix(first)?;
            literal = &literal[first.len_utf8()..];
        }
        Some(())
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        let text = self.rest.get(..count).filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?;
        self.rest = &self.rest[count..];
        text.parse().ok()
    }

    /// One or two digits; two if `wide`.
    fn number(&mut self, wide: bool) -> Option<u32> {
        if let Some(n) = self.digits(2) {
            return Some(n);
        }
        if wide { None } else { self.digits(1) }
    }

    /// One of `names`, in any letter case, from 1; its first three letters unless `long`.
    fn name(&mut self, names: &[&str], long: bool) -> Option<u32> {
        for (i, name) in names.iter().enumerate() {
            let name = if long { name } else { name.get(..3)? };
            if self.rest.get(..name.len()).is_some_and(|t| t.eq_ignore_ascii_case(name)) {
                self.rest = &self.rest[name.len()..];
                return u32::try_from(i + 1).ok();
            }
        }
        None
    }

    /// `.` or `,` and digits.
    fn fraction(&mut self) -> Option<u32> {
        let digits = self.rest.strip_prefix(['.', ','])?;
        let len = digits.bytes().take_while(u8::is_ascii_digit).count();
        if len == 0 {
            return None;
        }
        self.rest = &digits[len..];
        Some(nanoseconds(&digits[..len]))
    }

    fn offset(&mut self, form: Offset) -> Option<i32> {
        if form.zulu
            && let Some(rest) = self.rest.strip_prefix('Z')
        {
            self.rest = rest;
            return Some(0);
        }
        let negative = match self.take(1)? {
            "-" => true,
            "+" => false,
            _ => return None,
        };
        let mut total = 0;
        for (part, (unit, max)) in [(3600, 24), (60, 60), (1, 60)].into_iter().enumerate().take(usize::from(form.parts)) {
            if part > 0 && form.colon && self.take(1)? != ":" {
                return None;
            }
            total += i32::try_from(self.digits(2).filter(|n| *n <= max)?).ok()? * unit;
        }
        Some(if negative { -total } else { total })
    }

    /// An abbreviation: three or four capitals, `ChST`, `MeST`, `GMT-7`, a signed hour.
    fn zone_name(&mut self) -> Option<Stated> {
        let named = |text: &str| {
            let mut name = [0; 5];
            for (to, from) in name.iter_mut().zip(text.bytes()) {
                *to = from;
            }
            Stated::Name(name)
        };
        if self.rest.starts_with("UTC") {
            self.take(3)?;
            return Some(Stated::Offset(0));
        }
        let signed = |text: &str| {
            let digits = text.get(1..).map_or(0, |t| t.bytes().take_while(u8::is_ascii_digit).count());
            let hours: Option<u32> = text.get(1..1 + digits).and_then(|t| t.parse().ok());
            (text.starts_with(['+', '-']) && hours.is_some_and(|h| h < 24)).then_some(1 + digits)
        };
        let capitals = self.rest.bytes().take_while(u8::is_ascii_uppercase).count();
        let len = if self.rest.starts_with("ChST") || self.rest.starts_with("MeST") {
            4
        } else if self.rest.starts_with("GMT") {
            3 + signed(&self.rest[3..]).unwrap_or(0)
        } else if let Some(len) = signed(self.rest) {
            len
        } else {
            match capitals {
                3 => 3,
                4 if self.rest.as_bytes()[3] == b'T' || self.rest.starts_with("WITA") => 4,
                5 if self.rest.as_bytes()[4] == b'T' => 5,
                _ => return None,
            }
        };
        let name = self.take(len)?;
        if name.len() > 5 {
            // GMT+12 and its like are six octets long.
            let hours: i32 = name.strip_prefix("GMT")?.parse().ok()?;
            return Some(Stated::Offset(hours * 3600));
        }
        Some(named(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(layout: &str, t: Moment, name: &str) -> String {
        let mut buf = [0; 200];
        let mut out = Out::new(&mut buf);
        write(&mut out, layout, t, name).expect("room");
        String::from_utf8(out.written().to_vec()).expect("utf-8")
    }

    #[test]
    fn written() {
        let t = Moment { secs: 1_579_140_864, nanos: 913_004_000, offset_s: 0 }; // Thursday 2020-01-16 02:14:24 UTC
        let east = Moment { offset_s: 19_800, ..t };
        for (layout, t, name, want) in [
            ("2006-01-02 15:04:05.000", t, "UTC", "2020-01-16 02:14:24.913"),
            ("06 1 2 3 4 5 PM pm 03 _2 002 __2", t, "UTC", "20 1 16 2 14 24 AM am 02 16 016  16"),
            ("January Jan Januarx Monday Mon Mont", t, "UTC", "January Jan Januarx Thursday Thu Mont"),
            ("MST -0700 -07:00 -07 Z07:00 Z0700 Z07 -07:00:00", t, "UTC", "UTC +0000 +00:00 +00 Z Z Z +00:00:00"),
            ("MST -0700 -07:00 -07 Z07:00 Z0700 Z07 Z070000", east, "", "+0530 +0530 +05:30 +05 +05:30 +0530 +05 +053000"),
            (".0 .00000000000 .999 ,999999999 .01", t, "UTC", ".9 .913004000 .913 ,913004 .01"),
            (".999 .000", Moment::from_ms(5_000), "UTC", " .000"),
            ("AD _2006", t, "UTC", "AD _2020"),
            ("2006-01-02T15:04:05Z07:00", Moment { offset_s: -12_600, ..t }, "", "2020-01-15T22:44:24-03:30"),
            ("2006", Moment { secs: -99_999_999_999_999, nanos: 0, offset_s: 0 }, "UTC", "-3166904"),
        ] {
            assert_eq!(spell(layout, t, name), want, "{layout}");
        }
    }

    #[test]
    fn read() {
        let utc = Zone::utc();
        for (layout, text, want) in [
            ("2006-01-02 15:04:05", "2020-01-16 02:14:24", Some((1_579_140_864, 0, 0))),
            ("2006-01-02 15:04:05", "2020-01-16   02:14:24.913", Some((1_579_140_864, 913_000_000, 0))),
            ("2006-1-2 15:4:5", "2020-1-16 2:14:24,5", Some((1_579_140_864, 500_000_000, 0))),
            ("2006-01-02", "2020-1-16", None),
            ("2006-01-02", "2020-02-30", None),
            ("2006-01-02", "2024-02-29x", None),
            ("2006-01-02T15:04:05Z07:00", "2020-01-16T02:14:24Z", Some((1_579_140_864, 0, 0))),
            ("2006-01-02T15:04:05Z07:00", "2020-01-16T07:44:24+05:30", Some((1_579_140_864, 0, 19_800))),
            ("2006-01-02T15:04:05Z0700", "2020-01-16T07:44:24+05:30", None),
            ("2006-01-02T15:04:05Z07", "2020-01-16T00:14:24-02", Some((1_579_140_864, 0, -7_200))),
            ("Mon, 02 Jan 2006 15:04:05 MST", "thu, 16 JAN 2020 02:14:24 UTC", Some((1_579_140_864, 0, 0))),
            ("Mon, 02 Jan 2006 15:04:05 MST", "Thu, 16 Jan 2020 02:14:24 CEST", Some((1_579_140_864, 0, 0))),
            ("Mon, 02 Jan 2006 15:04:05 MST", "Thu, 16 Jan 2020 05:14:24 GMT+3", Some((1_579_140_864, 0, 10_800))),
            ("Monday, 02-Jan-06 15:04:05 MST", "Thursday, 16-Jan-20 02:14:24 ABCDE", None),
            ("2006-01-02 15:04:05 -0700 MST", "2020-01-16 10:14:24 +0800 CST", Some((1_579_140_864, 0, 28_800))),
            ("3:04PM 2006", "12:05AM 1970", Some((300, 0, 0))),
            ("3:04PM 2006", "12:05PM 1970", Some((43_500, 0, 0))),
            ("3:04PM", "13:05PM", None),
            ("15:04:05.000 2006", "00:00:01.250 1970", Some((1, 250_000_000, 0))),
            ("15:04:05.000 2006", "00:00:01.25 1970", None),
            ("2006 002", "2024 060", Some((1_709_164_800, 0, 0))),
            ("2006 002", "2023 366", None),
            ("20060102", "20240229", Some((1_709_164_800, 0, 0))),
            ("2006-01-02 15:04", "2020-01-16 24:00", None),
        ] {
            let got = parse(layout, text).map(|f| f.moment(&utc)).map(|t| (t.secs, t.nanos, t.offset_s));
            assert_eq!(got, want, "{layout} {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_layout_and_text(layout in "[-0-9JanMonSTZPp.,_: ]{0,24}", text in "[-+0-9A-Za-z.,: ]{0,24}", secs in -9_223_372_036_854_775_i64..9_223_372_036_854_775, offset_s in -90_000..90_000) {
            if let Some(fields) = parse(&layout, &text) {
                let _ = fields.moment(&Zone::utc());
            }
            spell(&layout, Moment { secs, nanos: 999_999_999, offset_s }, "");
        }

        #[test]
        fn what_is_written_reads_back(secs in -62_135_596_800_i64..253_402_300_799, nanos in 0_u32..1_000_000_000, minutes in -1439..1440) {
            let t = Moment { secs, nanos, offset_s: minutes * 60 };
            let (year, ..) = civil(t);
            proptest::prop_assume!((0..=9999).contains(&year));
            let layout = "2006-01-02T15:04:05.999999999Z07:00";
            proptest::prop_assert_eq!(parse(layout, &spell(layout, t, "")).map(|f| f.moment(&Zone::utc())), Some(t));
        }
    }
}
