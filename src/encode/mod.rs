//! Rows to bytes: the formats of sinks, and the templates that shape payloads and properties.

/// How bytes stand for rows: FORMAT of a stream, `format` of a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object, or an array of them.
    #[default]
    Json,
    /// Values between delimiters; no quoting.
    Delimited,
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
    /// Octets as they are, in one field.
    Binary,
}

impl Format {
    /// The format of that name, in any letter case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Json, Self::Delimited, Self::Urlencoded, Self::Binary].into_iter().find(|f| f.name().eq_ignore_ascii_case(name))
    }

    /// Its name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Delimited => "delimited",
            Self::Urlencoded => "urlencoded",
            Self::Binary => "binary",
        }
    }
}
