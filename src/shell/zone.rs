//! Time zones from the machine's own database.

use std::path::Path;

use crate::time::Zone;

/// Where time zones lie.
const ZONEINFO: &str = "/usr/share/zoneinfo";

/// Loads a time zone: `UTC`, `Local` (the variable TZ, else `/etc/localtime`, else UTC), or a name below `/usr/share/zoneinfo`.
#[must_use]
pub fn load(name: &str) -> Option<Zone> {
    match name {
        "UTC" | "" => Some(Zone::utc()),
        "Local" => Some(local().unwrap_or_else(Zone::utc)),
        name if name.split('/').all(|part| !part.is_empty() && part != ".." && part != ".") => file(name, &Path::new(ZONEINFO).join(name)),
        _ => None,
    }
}

fn local() -> Option<Zone> {
    match std::env::var("TZ").ok().filter(|tz| !tz.is_empty()) {
        Some(tz) if tz == "Local" => None,
        Some(tz) => load(tz.trim_start_matches(':')),
        None => file("Local", Path::new("/etc/localtime")),
    }
}

fn file(name: &str, path: &Path) -> Option<Zone> {
    Zone::from_tzif(name, &std::fs::read(path).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_database() {
        assert!(load("../../etc/passwd").is_none());
        assert!(load("/etc/localtime").is_none());
        assert_eq!(load("UTC").map(|z| z.offset_at(0)), Some(0));
        assert!(load("Local").is_some());
    }
}
