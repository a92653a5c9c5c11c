//! JSON paths (eKuiper: JSON functions).

use super::Func;

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[];
