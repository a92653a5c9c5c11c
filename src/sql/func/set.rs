//! Several rows from one (eKuiper: multi row functions).

use super::Func;

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[];
