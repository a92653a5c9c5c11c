//! Digests as hex text (eKuiper: hashing functions).

use super::Func;

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[];
