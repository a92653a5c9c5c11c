//! Column types of streams and tables (facts §3.1).

/// A declared type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the DDL word of its name")]
pub enum Type {
    Bigint,
    Float,
    String,
    Bytea,
    Datetime,
    Boolean,
    Array(Box<Self>),
    Struct(Vec<Column>),
}

impl Type {
    /// Its word in DDL and in error texts, without what it is made of.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bigint => "bigint",
            Self::Float => "float",
            Self::String => "string",
            Self::Bytea => "bytea",
            Self::Datetime => "datetime",
            Self::Boolean => "boolean",
            Self::Array(_) => "array",
            Self::Struct(_) => "struct",
        }
    }
}

/// A declared column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub typ: Type,
    /// DEFAULT, as its literal text stands for it.
    pub default: Option<Default>,
}

/// A DEFAULT literal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the literal of its name")]
pub enum Default {
    Int(i64),
    /// The number as written: floats have no total equality.
    Float(String),
    Str(String),
    Bool(bool),
}
