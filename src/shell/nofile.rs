//! Open files: a connection, a sink and a file each need a descriptor, and the soft limit is often far below the hard one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one, at most to `wanted`. Gives the limit in force, `None` for none.
pub fn raise(wanted: u64) -> Option<u64> {
    let now = getrlimit(Resource::Nofile);
    let current = now.current?;
    let next = now.maximum.map_or(wanted, |hard| hard.min(wanted));
    if next > current && setrlimit(Resource::Nofile, Rlimit { current: Some(next), maximum: now.maximum }).is_ok() {
        return Some(next);
    }
    Some(current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_lowers() {
        let before = getrlimit(Resource::Nofile).current;
        assert_eq!(raise(1), before);
        let after = raise(u64::MAX);
        assert!(after >= before);
        assert_eq!(raise(u64::MAX), after);
    }
}
