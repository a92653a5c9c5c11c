//! Durations as eKuiper's keys and properties write them: Go's notation (`10s`, `1h30m`, `500ms`), or a number of milliseconds.

use core::time::Duration;

/// Why a text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurationError {
    /// Not of the form `1h30m`, `10s`, `1.5ms`.
    Syntax,
    /// Below zero.
    Negative,
    /// Above 2^63-1 nanoseconds (about 292 years).
    TooLong,
}

impl core::fmt::Display for DurationError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Syntax => "expected a duration such as 10s, 1h30m or 500ms",
            Self::Negative => "expected a duration that is not negative",
            Self::TooLong => "expected a duration below 292 years",
        })
    }
}

impl core::error::Error for DurationError {}

/// Reads a duration as Go writes it: one or more `number unit` pairs, units `ns us µs ms s m h`, fractions allowed, `0` without unit.
///
/// A bare number is no duration here: where eKuiper's keys take one it means milliseconds, see [`duration_ms`].
///
/// # Errors
/// [`DurationError`] says whether the text is malformed, negative or too long.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let (negative, body) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if body == "0" {
        return Ok(Duration::ZERO);
    }
    if body.is_empty() {
        return Err(DurationError::Syntax);
    }
    let mut total: u128 = 0;
    let mut rest = body;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(DurationError::Syntax)?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_end);
        total = total.saturating_add(component(number, unit_ns(unit)?)?);
        rest = next;
    }
    let ns = i64::try_from(total).map_err(|_| DurationError::TooLong)?;
    if negative && ns > 0 {
        return Err(DurationError::Negative);
    }
    Ok(Duration::from_nanos(ns.unsigned_abs()))
}

/// A bare number of a duration key: milliseconds.
///
/// # Errors
/// [`DurationError::Negative`] below zero, [`DurationError::TooLong`] past what [`parse_duration`] takes.
pub const fn duration_ms(ms: i64) -> Result<Duration, DurationError> {
    if ms < 0 {
        return Err(DurationError::Negative);
    }
    if ms > i64::MAX / 1_000_000 {
        return Err(DurationError::TooLong);
    }
    Ok(Duration::from_millis(ms.unsigned_abs()))
}

const fn unit_ns(unit: &str) -> Result<u64, DurationError> {
    Ok(match unit.as_bytes() {
        b"ns" => 1,
        b"us" | b"\xC2\xB5s" | b"\xCE\xBCs" => 1_000,
        b"ms" => 1_000_000,
        b"s" => 1_000_000_000,
        b"m" => 60_000_000_000,
        b"h" => 3_600_000_000_000,
        _ => return Err(DurationError::Syntax),
    })
}

/// `number` (digits, at most one point) times `unit_ns`, cut to whole nanoseconds.
fn component(number: &str, unit_ns: u64) -> Result<u128, DurationError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(DurationError::Syntax);
    }
    let unit = u128::from(unit_ns);
    let mut ns: u128 = 0;
    for digit in whole.bytes() {
        ns = ns * 10 + u128::from(digit - b'0');
        if ns > u128::from(u64::MAX) {
            return Err(DurationError::TooLong);
        }
    }
    ns *= unit;
    let mut scale: u128 = 1;
    let mut part: u128 = 0;
    // Eighteen digits are finer than a nanosecond of the largest unit.
    for digit in fraction.bytes().take(18) {
        part = part * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    Ok(ns + part * unit / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_reads_them() {
        for (text, ns) in [
            ("0", 0),
            ("-0", 0),
            ("10s", 10_000_000_000),
            ("+10s", 10_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("500ms", 500_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("1us2µs3μs", 6_000),
            ("1h1m1s1ms1us1ns", 3_661_001_001_001),
            ("0.000000001s", 1),
            ("0.0000000001s", 0),
            ("2562047h47m16.854775807s", i64::MAX.unsigned_abs()),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(ns)), "{text}");
        }
        for (text, error) in [
            ("", DurationError::Syntax),
            ("100", DurationError::Syntax),
            ("-", DurationError::Syntax),
            (".s", DurationError::Syntax),
            ("1..5s", DurationError::Syntax),
            ("1.2.3s", DurationError::Syntax),
            ("10 s", DurationError::Syntax),
            (" 10s", DurationError::Syntax),
            ("10S", DurationError::Syntax),
            ("s", DurationError::Syntax),
            ("1d", DurationError::Syntax),
            ("10s5", DurationError::Syntax),
            ("-10s", DurationError::Negative),
            ("2562047h47m16.854775808s", DurationError::TooLong),
            ("99999999999999999999999999999999999999999h", DurationError::TooLong),
        ] {
            assert_eq!(parse_duration(text), Err(error), "{text}");
        }
    }

    #[test]
    fn bare_numbers_are_milliseconds() {
        assert_eq!(duration_ms(1500), Ok(Duration::from_millis(1500)));
        assert_eq!(duration_ms(-1), Err(DurationError::Negative));
        assert_eq!(duration_ms(i64::MAX), Err(DurationError::TooLong));
    }
}
