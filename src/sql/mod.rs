//! eKuiper's SQL: text in, a checked statement and later an executable plan out. Control plane: may allocate.

pub mod func;
pub mod json_path;
pub mod plan;
pub mod types;
