//! Go's time layouts (`2006-01-02T15:04:05Z07:00`), written and read, and its durations (`1h15m30.5s`).

use crate::json::write::{self, Out};
use crate::value::text::{civil, day_number};
use crate::value::{Fault, Moment};

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// One element of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Std {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    Zone,
    /// `Z07:00` and its kin: `Z` for UTC, colons, minutes, seconds.
    Offset {
        z: bool,
        colon: bool,
        minutes: bool,
        seconds: bool,
    },
    /// `.000` or `.999`: how many digits, and whether zeros at the end go.
    Fraction {
        digits: usize,
        trim: bool,
    },
}

/// The longest first where one begins another.
const NAMED: &[(&str, Std)] = &[
    ("January", Std::LongMonth),
    ("Monday", Std::LongWeekday),
    ("Jan", Std::Month),
    ("Mon", Std::Weekday),
    ("MST", Std::Zone),
    ("002", Std::ZeroYearDay),
    ("01", Std::ZeroMonth),
    ("02", Std::ZeroDay),
    ("03", Std::ZeroHour12),
    ("04", Std::ZeroMinute),
    ("05", Std::ZeroSecond),
    ("06", Std::Year),
    ("2006", Std::LongYear),
    ("15", Std::Hour),
    ("1", Std::NumMonth),
    ("2", Std::Day),
    ("3", Std::Hour12),
    ("4", Std::Minute),
    ("5", Std::Second),
    ("PM", Std::UpperPm),
    ("pm", Std::LowerPm),
    ("-07:00:00", Std::Offset { z: false, colon: true, minutes: true, seconds: true }),
    ("-070000", Std::Offset { z: false, colon: false, minutes: true, seconds: true }),
    ("-07:00", Std::Offset { z: false, colon: true, minutes: true, seconds: false }),
    ("-0700", Std::Offset { z: false, colon: false, minutes: true, seconds: false }),
    ("-07", Std::Offset { z: false, colon: false, minutes: false, seconds: false }),
    ("Z07:00:00", Std::Offset { z: true, colon: true, minutes: true, seconds: true }),
    ("Z070000", Std::Offset { z: true, colon: false, minutes: true, seconds: true }),
    ("Z07:00", Std::Offset { z: true, colon: true, minutes: true, seconds: false }),
    ("Z0700", Std::Offset { z: true, colon: false, minutes: true, seconds: false }),
    ("Z07", Std::Offset { z: true, colon: false, minutes: false, seconds: false }),
];

/// The element at the front of a layout, and its length.
fn std_at(layout: &str) -> Option<(Std, usize)> {
    let b = layout.as_bytes();
    if b.first() == Some(&b'_') {
        if layout.starts_with("__2") {
            return Some((Std::UnderYearDay, 3));
        }
        // `_2006` is an underscore and a year.
        return (layout.starts_with("_2") && !layout.starts_with("_2006")).then_some((Std::UnderDay, 2));
    }
    if matches!(b.first(), Some(b'.' | b',')) {
        let digit = *b.get(1).filter(|d| matches!(d, b'0' | b'9'))?;
        let digits = b[1..].iter().take_while(|d| **d == digit).count();
        let ends = !b.get(1 + digits).is_some_and(u8::is_ascii_digit);
        return ends.then_some((Std::Fraction { digits, trim: digit == b'9' }, 1 + digits));
    }
    let (name, std) = NAMED.iter().find(|(name, _)| layout.starts_with(name))?;
    // "Janus" is no month.
    if *name == "Jan" && b.get(3).is_some_and(u8::is_ascii_lowercase) {
        return None;
    }
    if *name == "Mon" && b.get(3).is_some_and(u8::is_ascii_lowercase) {
        return None;
    }
    Some((*std, name.len()))
}

/// Writes a moment by a layout.
pub(super) fn format<'a>(out: &mut Out<'_>, t: Moment, layout: &str) -> Result<(), Fault<'a>> {
    let (year, month, day, hour, minute, second) = civil(t);
    let mut rest = layout;
    while !rest.is_empty() {
        let Some((std, len)) = std_at(rest) else {
            let c = rest.chars().next().map_or(1, char::len_utf8);
            out.text(&rest[..c])?;
            rest = &rest[c..];
            continue;
        };
        let separator = &rest[..1];
        rest = &rest[len..];
        match std {
            Std::LongMonth => out.text(month_name(month))?,
            Std::Month => out.text(&month_name(month)[..3])?,
            Std::NumMonth => number(out, i64::from(month), 0, b'0')?,
            Std::ZeroMonth => number(out, i64::from(month), 2, b'0')?,
            Std::LongWeekday => out.text(weekday(t))?,
            Std::Weekday => out.text(&weekday(t)[..3])?,
            Std::Day => number(out, i64::from(day), 0, b'0')?,
            Std::UnderDay => number(out, i64::from(day), 2, b' ')?,
            Std::ZeroDay => number(out, i64::from(day), 2, b'0')?,
            Std::UnderYearDay => number(out, year_day(t), 3, b' ')?,
            Std::ZeroYearDay => number(out, year_day(t), 3, b'0')?,
            Std::Hour => number(out, i64::from(hour), 2, b'0')?,
            Std::Hour12 => number(out, i64::from((hour + 11) % 12 + 1), 0, b'0')?,
            Std::ZeroHour12 => number(out, i64::from((hour + 11) % 12 + 1), 2, b'0')?,
            Std::Minute => number(out, i64::from(minute), 0, b'0')?,
            Std::ZeroMinute => number(out, i64::from(minute), 2, b'0')?,
            Std::Second => number(out, i64::from(second), 0, b'0')?,
            Std::ZeroSecond => number(out, i64::from(second), 2, b'0')?,
            Std::LongYear => number(out, year, 4, b'0')?,
            Std::Year => number(out, year.rem_euclid(100), 2, b'0')?,
            Std::UpperPm => out.text(if hour >= 12 { "PM" } else { "AM" })?,
            Std::LowerPm => out.text(if hour >= 12 { "pm" } else { "am" })?,
            Std::Zone if t.offset_s == 0 => out.text("UTC")?,
            Std::Zone => offset(out, t.offset_s, false, t.offset_s % 3600 != 0, false)?,
            Std::Offset { z: true, .. } if t.offset_s == 0 => out.byte(b'Z')?,
            Std::Offset { colon, minutes, seconds, .. } => offset(out, t.offset_s, colon, minutes, seconds)?,
            Std::Fraction { digits, trim } => {
                let mut buf = [b'0'; 9];
                let mut n = t.nanos;
                for d in buf.iter_mut().rev() {
                    *d = b'0' + u8::try_from(n % 10).unwrap_or(0);
                    n /= 10;
                }
                let mut shown = &buf[..digits.min(9)];
                if trim {
                    shown = &shown[..shown.len() - shown.iter().rev().take_while(|d| **d == b'0').count()];
                }
                if !shown.is_empty() {
                    out.text(separator)?;
                    out.bytes(shown)?;
                }
            }
        }
    }
    Ok(())
}

pub(super) fn month_name(month: u32) -> &'static str {
    usize::try_from(month).ok().and_then(|m| MONTHS.get(m.wrapping_sub(1))).copied().unwrap_or("January")
}

/// The day of the week, in the moment's own zone.
pub(super) fn weekday(t: Moment) -> &'static str {
    let days = t.secs.saturating_add(i64::from(t.offset_s)).div_euclid(86_400);
    usize::try_from((days + 4).rem_euclid(7)).ok().and_then(|d| DAYS.get(d)).copied().unwrap_or("Sunday")
}

/// The day of the year, from 1.
pub(super) fn year_day(t: Moment) -> i64 {
    let (year, month, day, ..) = civil(t);
    day_number(year, month, day) - day_number(year, 1, 1) + 1
}

fn number(out: &mut Out<'_>, n: i64, width: usize, pad: u8) -> Result<(), write::Full> {
    let mut buf = itoa::Buffer::new();
    let text = buf.format(n);
    for _ in text.len()..width {
        out.byte(pad)?;
    }
    out.text(text)
}

fn offset(out: &mut Out<'_>, offset_s: i32, colon: bool, minutes: bool, seconds: bool) -> Result<(), write::Full> {
    let n = i64::from(offset_s.unsigned_abs());
    out.byte(if offset_s < 0 { b'-' } else { b'+' })?;
    number(out, n / 3600, 2, b'0')?;
    for (shown, part) in [(minutes, n / 60 % 60), (seconds, n % 60)] {
        if shown {
            if colon {
                out.byte(b':')?;
            }
            number(out, part, 2, b'0')?;
        }
    }
    Ok(())
}

/// Reads a moment by a layout; without a zone in it, `local` gives the offset at a second. `None` if the text does not fit.
pub(super) fn parse(layout: &str, text: &str, local: impl Fn(i64) -> i32) -> Option<Moment> {
    let (mut year, mut month, mut day) = (0_i64, 1_u32, 1_u32);
    let (mut hour, mut minute, mut second, mut nanos) = (0_u32, 0_u32, 0_u32, 0_u32);
    let (mut pm, mut am, mut zone, mut of_year) = (false, false, None, None);
    let (mut layout, mut text) = (layout, text);
    while !layout.is_empty() {
        let Some((std, len)) = std_at(layout) else {
            let c = layout.chars().next()?;
            layout = &layout[c.len_utf8()..];
            text = text.strip_prefix(c)?;
            continue;
        };
        layout = &layout[len..];
        match std {
            Std::LongMonth | Std::Month => {
                let short = std == Std::Month;
                let i = MONTHS.iter().position(|m| starts(text, if short { &m[..3] } else { m }))?;
                month = u32::try_from(i + 1).ok()?;
                text = &text[if short { 3 } else { MONTHS[i].len() }..];
            }
            Std::LongWeekday | Std::Weekday => {
                let short = std == Std::Weekday;
                let name = DAYS.iter().find(|d| starts(text, if short { &d[..3] } else { d }))?;
                text = &text[if short { 3 } else { name.len() }..];
            }
            Std::NumMonth => month = digits(&mut text, 1, 2)?,
            Std::ZeroMonth => month = digits(&mut text, 2, 2)?,
            Std::Day | Std::UnderDay => {
                text = text.strip_prefix(' ').unwrap_or(text);
                day = digits(&mut text, 1, 2)?;
            }
            Std::ZeroDay => day = digits(&mut text, 2, 2)?,
            Std::UnderYearDay | Std::ZeroYearDay => {
                text = text.trim_start_matches(' ');
                of_year = Some(digits(&mut text, 1, 3)?);
            }
            Std::Hour => hour = digits(&mut text, 2, 2)?,
            Std::Hour12 => hour = digits(&mut text, 1, 2)?,
            Std::ZeroHour12 => hour = digits(&mut text, 2, 2)?,
            Std::Minute => minute = digits(&mut text, 1, 2)?,
            Std::ZeroMinute => minute = digits(&mut text, 2, 2)?,
            Std::Second | Std::ZeroSecond => {
                second = digits(&mut text, if std == Std::Second { 1 } else { 2 }, 2)?;
                // A fraction may follow although the layout has none.
                let next_is_fraction = matches!(std_at(layout), Some((Std::Fraction { .. }, _)));
                if !next_is_fraction && text.starts_with(['.', ',']) && text.as_bytes().get(1).is_some_and(u8::is_ascii_digit) {
                    let len = 1 + text[1..].bytes().take_while(u8::is_ascii_digit).count();
                    nanos = fraction(&text[1..len])?;
                    text = &text[len..];
                }
            }
            Std::LongYear => year = i64::from(digits(&mut text, 4, 4)?),
            Std::Year => {
                let short = i64::from(digits(&mut text, 2, 2)?);
                year = if short >= 69 { short + 1900 } else { short + 2000 };
            }
            Std::UpperPm | Std::LowerPm => {
                let (p, a) = if std == Std::UpperPm { ("PM", "AM") } else { ("pm", "am") };
                pm = text.starts_with(p);
                am = text.starts_with(a);
                text = text.get(2..).filter(|_| pm || am)?;
            }
            Std::Zone => {
                let len = text.bytes().take_while(u8::is_ascii_uppercase).count();
                if !(3..=5).contains(&len) {
                    return None;
                }
                if text.starts_with("UTC") {
                    zone = Some(0);
                }
                text = &text[len..];
            }
            Std::Offset { z: true, .. } if text.starts_with('Z') => {
                zone = Some(0);
                text = &text[1..];
            }
            Std::Offset { colon, minutes, seconds, .. } => {
                let sign = if text.starts_with('-') { -1 } else { 1 };
                text = text.strip_prefix(['+', '-'])?;
                let mut total = i32::try_from(digits(&mut text, 2, 2)?).ok()? * 3600;
                for (has, unit) in [(minutes, 60), (seconds, 1)] {
                    if has {
                        if colon {
                            text = text.strip_prefix(':')?;
                        }
                        total += i32::try_from(digits(&mut text, 2, 2)?).ok()? * unit;
                    }
                }
                zone = Some(sign * total);
            }
            Std::Fraction { digits: count, trim } => {
                if trim {
                    if text.starts_with(['.', ',']) && text.as_bytes().get(1).is_some_and(u8::is_ascii_digit) {
                        let len = 1 + text[1..].bytes().take_while(u8::is_ascii_digit).count();
                        nanos = fraction(&text[1..len])?;
                        text = &text[len..];
                    }
                } else {
                    let body = text.strip_prefix(['.', ','])?;
                    nanos = fraction(body.get(..count).filter(|d| d.bytes().all(|c| c.is_ascii_digit()))?)?;
                    text = &body[count..];
                }
            }
        }
    }
    if !text.is_empty() || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if pm && hour < 12 {
        hour += 12;
    } else if am && hour == 12 {
        hour = 0;
    }
    let next = if month == 12 { day_number(year + 1, 1, 1) } else { day_number(year, month + 1, 1) };
    let days = match of_year {
        Some(n) => day_number(year, 1, 1) + i64::from(n) - 1,
        None => {
            let first = day_number(year, month, 1);
            if day == 0 || first + i64::from(day) > next {
                return None;
            }
            first + i64::from(day) - 1
        }
    };
    let wall = days * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    let offset_s = zone.unwrap_or_else(|| {
        let guess = local(wall);
        local(wall - i64::from(guess))
    });
    Some(Moment { secs: wall - i64::from(offset_s), nanos, offset_s })
}

fn starts(text: &str, name: &str) -> bool {
    text.get(..name.len()).is_some_and(|front| front.eq_ignore_ascii_case(name))
}

fn digits(text: &mut &str, least: usize, most: usize) -> Option<u32> {
    let len = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if len < least {
        return None;
    }
    let (number, rest) = text.split_at(len);
    *text = rest;
    number.parse().ok()
}

fn fraction(digits: &str) -> Option<u32> {
    let mut nanos = 0_u32;
    for i in 0..9 {
        nanos = nanos * 10 + u32::from(digits.as_bytes().get(i).map_or(0, |d| d - b'0'));
    }
    Some(nanos)
}

/// Go's `Duration.String`.
pub(super) fn duration<'a>(out: &mut Out<'_>, nanos: i64) -> Result<(), Fault<'a>> {
    if nanos == 0 {
        return Ok(out.text("0s")?);
    }
    if nanos < 0 {
        out.byte(b'-')?;
    }
    let n = nanos.unsigned_abs();
    let part = |out: &mut Out<'_>, value: u64, unit: u64, name: &str| -> Result<(), write::Full> {
        out.text(itoa::Buffer::new().format(value / unit))?;
        let mut rest = value % unit;
        if rest > 0 {
            out.byte(b'.')?;
            let mut scale = unit;
            while rest > 0 {
                scale /= 10;
                out.byte(b'0' + u8::try_from(rest / scale).unwrap_or(0))?;
                rest %= scale;
            }
        }
        out.text(name)
    };
    match n {
        0..1_000 => part(out, n, 1, "ns")?,
        1_000..1_000_000 => part(out, n, 1_000, "µs")?,
        1_000_000..1_000_000_000 => part(out, n, 1_000_000, "ms")?,
        _ => {
            let seconds = n / 1_000_000_000;
            if seconds >= 3600 {
                out.text(itoa::Buffer::new().format(seconds / 3600))?;
                out.byte(b'h')?;
            }
            if seconds >= 60 {
                out.text(itoa::Buffer::new().format(seconds / 60 % 60))?;
                out.byte(b'm')?;
            }
            part(out, seconds % 60 * 1_000_000_000 + n % 1_000_000_000, 1_000_000_000, "s")?;
        }
    }
    Ok(())
}

/// Go's `time.ParseDuration`, in nanoseconds.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let len = rest.bytes().take_while(|c| c.is_ascii_digit() || *c == b'.').count();
        let (number, tail) = rest.split_at(len);
        let (unit, nanos) = [
            ("ns", 1),
            ("us", 1_000),
            ("µs", 1_000),
            ("μs", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
            ("m", 60_000_000_000),
            ("h", 3_600_000_000_000_i128),
        ]
        .into_iter()
        .find(|(unit, _)| tail.starts_with(unit))?;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && part.is_empty() {
            return None;
        }
        total += if whole.is_empty() { 0 } else { whole.parse::<u64>().ok().map(i128::from)? } * nanos;
        let mut scale = nanos;
        for d in part.bytes() {
            if !d.is_ascii_digit() {
                return None;
            }
            scale /= 10;
            total += i128::from(d - b'0') * scale;
        }
        rest = &tail[unit.len()..];
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(t: Moment, layout: &str) -> String {
        let mut buf = [0; 200];
        let mut out = Out::new(&mut buf);
        format(&mut out, t, layout).expect("room");
        String::from_utf8(out.written().to_vec()).expect("utf-8")
    }

    #[test]
    fn layouts() {
        let t = Moment { secs: 1_709_618_828, nanos: 123_400_000, offset_s: 0 }; // 2024-03-05T06:07:08.1234Z, a Tuesday
        let east = Moment { offset_s: 28_800, ..t };
        for (t, layout, want) in [
            (t, "2006-01-02T15:04:05Z07:00", "2024-03-05T06:07:08Z"),
            (east, "2006-01-02T15:04:05.000Z07:00", "2024-03-05T14:07:08.123+08:00"),
            (t, "Mon Jan _2 3:4:5PM 06", "Tue Mar  5 6:7:8AM 24"),
            (t, "Monday, 02-January-2006 15:04:05.999999 MST", "Tuesday, 05-March-2024 06:07:08.1234 UTC"),
            (east, "03:04 pm -0700 -07 Z0700 MST", "02:07 pm +0800 +08 +0800 +08"),
            (t, "__2 002 literal", " 65 065 literal"),
            (t, "01/02 Janus", "03/05 Janus"),
            (t, ".000000000", ".123400000"),
        ] {
            assert_eq!(shown(t, layout), want, "{layout}");
        }
    }

    #[test]
    fn parses_what_it_writes() {
        let utc = |_| 0;
        let t = Moment { secs: 1_709_618_828, nanos: 0, offset_s: 0 };
        for layout in ["2006-01-02T15:04:05Z07:00", "Mon Jan _2 15:04:05 2006", "Monday, 02-Jan-06 15:04:05 MST", "2006-01-02 03:04:05 PM"]
        {
            assert_eq!(parse(layout, &shown(t, layout), utc), Some(t), "{layout}");
        }
        assert_eq!(parse("2006-01-02", "2024-02-30", utc), None);
        assert_eq!(parse("2006-01-02", "2024-02-28x", utc), None);
        assert_eq!(parse("2006-01-02", "2024-02-28", |_| 3600), Some(Moment { secs: 1_709_074_800, nanos: 0, offset_s: 3600 }));
        assert_eq!(parse("15:04:05", "01:02:03.5", utc).map(|t| t.nanos), Some(500_000_000));
    }

    #[test]
    fn durations() {
        for (nanos, text) in [
            (0, "0s"),
            (1_500, "1.5µs"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (-1_500_000_000, "-1.5s"),
            (2_000_000, "2ms"),
        ] {
            let mut buf = [0; 40];
            let mut out = Out::new(&mut buf);
            duration(&mut out, nanos).expect("room");
            assert_eq!(core::str::from_utf8(out.written()), Ok(text));
            assert_eq!(parse_duration(text), Some(nanos));
        }
        assert_eq!(parse_duration("1.5h"), Some(5_400_000_000_000));
        assert_eq!(parse_duration("1d"), None);
        assert_eq!(parse_duration("-"), None);
    }
}
