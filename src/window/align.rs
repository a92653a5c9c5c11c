//! Where windows end: on whole multiples of their length within the next larger unit, in the rule's zone (facts §7.6).

use crate::sql::plan::Unit;
use crate::time::Zone;
use crate::value::text::{civil_day, day_number};

impl Unit {
    /// Its length in milliseconds.
    #[must_use]
    pub const fn ms(self) -> i64 {
        match self {
            Self::Dd => 86_400_000,
            Self::Hh => 3_600_000,
            Self::Mi => 60_000,
            Self::Ss => 1000,
            Self::Ms => 1,
        }
    }

    /// Length of the unit that it is counted within.
    const fn around_ms(self) -> i64 {
        match self {
            Self::Dd | Self::Hh => 86_400_000,
            Self::Mi => 3_600_000,
            Self::Ss => 60_000,
            Self::Ms => 1000,
        }
    }
}

/// The end of the window that `now_ms` lies in: `every_ms` counted from the start of the enclosing unit. A moment exactly on the
/// first multiple belongs to the window that ends there, as eKuiper has it. Days end at local midnight.
#[must_use]
pub fn aligned_end(now_ms: i64, every_ms: i64, unit: Unit, zone: &Zone) -> i64 {
    let every = (every_ms / unit.ms()).max(1);
    let offset = |ms: i64| i64::from(zone.offset_at(ms.div_euclid(1000))) * 1000;
    let local = now_ms + offset(now_ms);
    if unit == Unit::Dd {
        let (year, month, day) = civil_day(local.div_euclid(86_400_000));
        let midnight = (day_number(year, month, day) + every) * 86_400;
        return zone.instant_of(midnight) * 1000;
    }
    let start = local - local.rem_euclid(unit.around_ms());
    let inside = (local - start) / unit.ms();
    let count = if inside > every { every * (inside / every + 1) } else { every };
    let first = if unit == Unit::Hh { zone.instant_of(start / 1000) * 1000 } else { now_ms - (local - start) };
    first + count * unit.ms()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends() {
        let utc = Zone::utc();
        let minute = 1_700_000_040_000; // 22:14:00
        for (now, every, unit, want) in [
            (minute, 10_000, Unit::Ss, minute + 10_000),
            (minute + 9_999, 10_000, Unit::Ss, minute + 10_000),
            (minute + 10_000, 10_000, Unit::Ss, minute + 10_000), // not past the first multiple yet
            (minute + 10_999, 10_000, Unit::Ss, minute + 10_000),
            (minute + 11_000, 10_000, Unit::Ss, minute + 20_000),
            (minute + 20_000, 10_000, Unit::Ss, minute + 30_000),
            (minute + 57_000, 7_000, Unit::Ss, minute + 63_000),
            (minute, 120_000, Unit::Mi, minute + 120_000),
            (minute + 500, 250, Unit::Ms, minute + 750),
            (minute, 2 * 86_400_000, Unit::Dd, 1_700_092_800_000),
            (minute, 3_600_000, Unit::Hh, 1_700_002_800_000),
        ] {
            assert_eq!(aligned_end(now, every, unit, &utc), want, "{now} {every} {unit:?}");
        }
        // Local midnight, not that of UTC.
        let zone = Zone::fixed("x", 3600);
        assert_eq!(aligned_end(minute, 86_400_000, Unit::Dd, &zone), 1_700_002_800_000);
    }
}
