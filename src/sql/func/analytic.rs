//! Values that remember earlier rows (eKuiper: analytic functions).

use super::Func;

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[];
