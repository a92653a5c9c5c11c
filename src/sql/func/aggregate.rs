//! One value from a group of rows (eKuiper: aggregate functions).

use super::Func;

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[];
