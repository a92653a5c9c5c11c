//! Whether the kernel holds its clock for synchronised: what a time daemon tells it (adjtimex(2)), and what it gives up by itself when
//! the daemon has been silent for hours.
//!
//! In: nothing. Out: yes, no, or nothing where the call is refused (a seccomp filter) or does not exist. A microsecond; no file is read.
//! One of the two modules with unsafe code: the call has no safe interface.

/// True if the clock is synchronised.
#[cfg(target_os = "linux")]
#[must_use]
#[expect(unsafe_code, reason = "adjtimex has no safe interface")]
pub fn is_synced() -> Option<bool> {
    // SAFETY: `timex` is plain numbers, for which zeros are values. With `modes` 0 the call changes nothing, needs no privilege, and
    // writes only into the structure that it is lent, which lives until it returns.
    let (state, status) = unsafe {
        let mut asked: libc::timex = core::mem::zeroed();
        let state = libc::adjtimex(&raw mut asked);
        (state, asked.status)
    };
    (state >= 0).then_some(status & libc::STA_UNSYNC == 0)
}

/// Nobody to ask.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub const fn is_synced() -> Option<bool> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn agrees_with_itself() {
        assert_eq!(super::is_synced(), super::is_synced());
    }
}
