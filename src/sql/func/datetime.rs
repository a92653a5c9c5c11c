//! Dates and times (eKuiper: date and time functions).

use super::Func;

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[];
