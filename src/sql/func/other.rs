//! What fits nowhere else (eKuiper: other functions).

use super::Func;

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[];
