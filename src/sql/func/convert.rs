//! Conversions between types and encodings (eKuiper: transform functions).

use super::Func;

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[];
