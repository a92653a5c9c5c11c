//! Arithmetic, bits and random numbers (eKuiper: mathematical functions).

use super::Func;

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[];
