//! Times from text: a stream's own pattern first, then every layout that eKuiper knows (those of `jinzhu/now`, ISO 8601).
//!
//! A text without a date means today, one without a year this year. `2024-02-29`, `2024-2-29 12:34:56.5`, `12:30`,
//! `2024-02-29T12:34:56+02:00` and `Thu, 29 Feb 2024 12:34:56 UTC` are times, `29.02.24` is none.

use super::Zone;
use super::layout;
use super::pattern::Pattern;
use crate::value::Moment;
use crate::value::text::civil_day;

/// Longest text that is looked at, in octets.
const TEXT_BYTES: usize = 128;

/// The layouts, in the order in which they are tried. The first of the two numbers of a time of day says "today".
const LAYOUTS: [&str; 36] = [
    "2006",
    "2006-1",
    "2006-1-2",
    "2006-1-2 15",
    "2006-1-2 15:4",
    "2006-1-2 15:4:5",
    "1-2",
    "15:4:5",
    "15:4",
    "15",
    "15:4:5 Jan 2, 2006 MST",
    "2006-01-02 15:04:05.999999999 -0700 MST",
    "2006-01-02T15:04:05Z0700",
    "2006-01-02T15:04:05Z07",
    "2006.1.2",
    "2006.1.2 15:04:05",
    "2006.01.02",
    "2006.01.02 15:04:05",
    "2006.01.02 15:04:05.999999999",
    "1/2/2006",
    "1/2/2006 15:4:5",
    "2006/01/02",
    "20060102",
    "2006/01/02 15:04:05",
    "Mon Jan _2 15:04:05 2006",
    "Mon Jan _2 15:04:05 MST 2006",
    "Mon Jan 02 15:04:05 -0700 2006",
    "02 Jan 06 15:04 MST",
    "02 Jan 06 15:04 -0700",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 -0700",
    "2006-01-02T15:04:05Z07:00",
    "3:04PM",
    "Jan _2 15:04:05",
    "2006-01-02T15:04:05",
];

/// Those of [`LAYOUTS`] that have no date at all: they mean today.
const TODAY: core::ops::Range<usize> = 7..10;

/// The moment that `text` names; `None` if it is in no known layout. `now` gives what the text leaves out.
#[must_use]
pub fn parse(text: &str, pattern: Option<&Pattern>, zone: &Zone, now: Moment) -> Option<Moment> {
    let mut buf = [0; TEXT_BYTES];
    let text = padded(text, &mut buf)?;
    let own = pattern.map(Pattern::layout).filter(|layout| !layout.is_empty()).and_then(|layout| layout::parse(layout, text));
    let (mut fields, today) = match own {
        Some(fields) => (fields, false),
        None => LAYOUTS.iter().enumerate().find_map(|(i, layout)| Some((layout::parse(layout, text)?, TODAY.contains(&i))))?,
    };
    if fields.year == 0 {
        let (year, month, day) = civil_day(layout::local_day(Moment { offset_s: zone.offset_at(now.secs), ..now }));
        fields.year = year;
        if today {
            (fields.month, fields.day) = (month, day);
        }
    }
    Some(fields.moment(zone))
}

/// `text` with the digits behind its only point filled up, or cut, to three, six or nine; `None` if it is too long for a time.
fn padded<'b>(text: &'b str, buf: &'b mut [u8; TEXT_BYTES]) -> Option<&'b str> {
    let mut parts = text.split('.');
    let (Some(whole), Some(fraction), None) = (parts.next(), parts.next(), parts.next()) else {
        return (text.len() <= TEXT_BYTES).then_some(text);
    };
    let count = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, suffix) = fraction.split_at(count);
    let width = match count {
        0..=3 => 3,
        4..=6 => 6,
        _ => 9,
    };
    let mut len = 0;
    let digits = digits.bytes().chain(core::iter::repeat_n(b'0', 9)).take(width);
    for b in whole.bytes().chain([b'.']).chain(digits).chain(suffix.bytes()) {
        *buf.get_mut(len)? = b;
        len += 1;
    }
    core::str::from_utf8(&buf[..len]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, pattern: &str, zone: &Zone) -> Option<(i64, u32, i32)> {
        let pattern = Pattern::parse(pattern).expect("a pattern");
        // 2024-03-01 10:20:30.456 UTC
        let now = Moment { secs: 1_709_288_430, nanos: 456_000_000, offset_s: 0 };
        parse(text, Some(&pattern), zone, now).map(|t| (t.secs, t.nanos, t.offset_s))
    }

    #[test]
    fn known_texts() {
        let noon = 1_709_210_096; // 2024-02-29 12:34:56 UTC
        for (text, want) in [
            ("2024", Some((1_704_067_200, 0, 0))),
            ("2024-2", Some((1_706_745_600, 0, 0))),
            ("2024-02-29", Some((1_709_164_800, 0, 0))),
            ("2024-2-29 12", Some((1_709_208_000, 0, 0))),
            ("2024-02-29 12:34", Some((1_709_210_040, 0, 0))),
            ("2024-02-29 12:34:56", Some((noon, 0, 0))),
            ("2024-02-29 12:34:56.7", Some((noon, 700_000_000, 0))),
            ("2024-02-29 12:34:56.1234567891", Some((noon, 123_456_789, 0))),
            ("2024-02-29T12:34:56Z", Some((noon, 0, 0))),
            ("2024-02-29T12:34:56.789Z", Some((noon, 789_000_000, 0))),
            ("2024-02-29T14:34:56+02:00", Some((noon, 0, 7200))),
            ("2024-02-29T14:34:56.5+0200", Some((noon, 500_000_000, 7200))),
            ("2024-02-29T14:34:56+02", Some((noon, 0, 7200))),
            ("2024-02-29T12:34:56", Some((noon, 0, 0))),
            ("2024-02-29 12:34:56 +0000 UTC", Some((noon, 0, 0))),
            ("2024/02/29 12:34:56", Some((noon, 0, 0))),
            ("2/29/2024", Some((1_709_164_800, 0, 0))),
            ("20240229", Some((1_709_164_800, 0, 0))),
            ("Thu, 29 Feb 2024 12:34:56 UTC", Some((noon, 0, 0))),
            ("Thu Feb 29 12:34:56 2024", Some((noon, 0, 0))),
            ("12:34", Some((1_709_296_440, 0, 0))),
            ("9", Some((1_709_283_600, 0, 0))),
            ("3-1", Some((1_709_251_200, 0, 0))),
            ("3:04PM", Some((1_704_121_440, 0, 0))),
            ("bad date", None),
            ("", None),
            ("2024-02-30", None),
            ("29.02.24", None),
        ] {
            assert_eq!(at(text, "", &Zone::utc()), want, "{text}");
        }
        assert_eq!(at(&"1".repeat(200), "", &Zone::utc()), None);
        assert_eq!(at(&format!("2024.{}", "é".repeat(80)), "", &Zone::utc()), None);
    }

    #[test]
    fn own_patterns() {
        let east = Zone::fixed("Asia/Shanghai", 28_800);
        for (text, pattern, want) in [
            ("2022-04-13 06:22:32.233", "YYYY-MM-dd HH:mm:ssSSS", Some((1_649_802_152, 233_000_000, 28_800))),
            ("2022-04-13 6:22:32.2", "YYYY-MM-dd h:m:sS", Some((1_649_802_152, 200_000_000, 28_800))),
            ("2022-04-13 Wednesday 06:22:32.233", "YYYY-MM-dd EEEE HH:m:ssSSS", Some((1_649_802_152, 233_000_000, 28_800))),
            ("2025-06-04T08:54:00.7530000Z", "YYYY-MM-ddTHH:mm:ssSSSSSSS\\Z", Some((1_749_027_240, 753_000_000, 0))),
            ("13/04/2022", "dd/MM/yyyy", Some((1_649_779_200, 0, 28_800))),
        ] {
            assert_eq!(at(text, pattern, &east), want, "{text} {pattern}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text(text in "\\PC{0,60}", date in "[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}[ T]?[0-9:.Z+-]{0,14}") {
            at(&text, "", &Zone::utc());
            at(&date, "", &Zone::utc());
        }
    }
}
