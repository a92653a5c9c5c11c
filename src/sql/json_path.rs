//! JSON paths of `json_path_query` and its kin: text → [`JsonPath`].

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonPath {
    /// Steps from `$`.
    pub steps: Vec<Step>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `.key`, `["key"]`.
    Key(String),
    /// `[n]`.
    Index(i64),
}
