//! Go's durations: `1h15m30.5s`. Layouts of dates are in [`crate::time::layout`].

use crate::json::write::{self, Out};
use crate::value::Fault;

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
