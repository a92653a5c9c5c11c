//! Window definitions for GROUP BY and the bounds of a window (eKuiper: windows).

use super::Func;

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[];
