//! CREATE, SHOW, DESCRIBE, EXPLAIN and DROP for streams and tables, and the ways a definition is shown again.
//!
//! Follows eKuiper's statements with all their WITH options (<https://ekuiper.org/docs/en/latest/sqls/streams.html>): the WITH
//! clause is mandatory, values are double-quoted strings or TRUE/FALSE, commas between options are optional, the last of two
//! equal options wins. What is shown lies in `show`.

mod show;

use super::error::SqlError;
use super::parse::{Parser, Statement};
use super::token::{Kind, Mark, Token, Word};
use super::types::{Column, Default as Literal, Type};
use crate::limits::EXPR_DEPTH;

/// A stream or table by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// A table rather than a stream.
    pub table: bool,
    /// Its name.
    pub name: String,
}

/// CREATE STREAM or CREATE TABLE.
#[derive(Debug, Clone, PartialEq)]
pub struct Create {
    /// A table rather than a stream.
    pub table: bool,
    /// Its name.
    pub name: String,
    /// Declared columns; none: any reading fits.
    pub columns: Vec<Column>,
    /// WITH.
    pub options: Options,
    /// Its conf key asked who posts when it was there last. Not part of the statement: the catalog notes it, so that a conf key that
    /// vanishes does not open what it guarded.
    pub guarded: bool,
}

/// WITH options. Empty text, `false` and 0 mean that the option is not set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "each is the option of that name")]
pub struct Options {
    pub datasource: String,
    pub key: String,
    pub format: String,
    pub conf_key: String,
    pub kind_of_source: String,
    pub strict_validation: bool,
    pub timestamp: String,
    pub timestamp_format: String,
    pub shared: bool,
    pub schema_id: String,
    pub version: String,
    /// JSON text.
    pub extra: String,
    pub temp: bool,
    pub retain_size: i64,
    /// In lower case: `scan`, `lookup` or anything.
    pub kind: String,
    pub delimiter: String,
}

impl Options {
    /// FORMAT in lower case, `json` when it is not set.
    #[must_use]
    pub fn format_or_json(&self) -> String {
        if self.format.is_empty() { "json".to_owned() } else { self.format.to_ascii_lowercase() }
    }
}

impl Create {
    /// Whether it is a lookup table.
    #[must_use]
    pub fn is_lookup(&self) -> bool {
        self.table && self.options.kind == "lookup"
    }

    /// `stream` or `table`.
    #[must_use]
    pub const fn noun(&self) -> &'static str {
        if self.table { "table" } else { "stream" }
    }
}

/// Checks the id of a stream, table or rule.
///
/// # Errors
/// The sentence to show.
pub fn check_id(id: &str) -> Result<(), String> {
    if id.is_empty() {
        return Err("id cannot be empty".to_owned());
    }
    if id.trim() != id {
        return Err(format!("id '{id}' contains leading or trailing whitespace"));
    }
    if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Err(format!("id '{id}' contains invalid characters: only alphanumeric, hyphens and underscores are allowed"));
    }
    Ok(())
}

/// Formats that a definition may name. What this build cannot decode is refused when a rule uses it.
const FORMATS: [&str; 5] = ["json", "binary", "delimited", "urlencoded", "protobuf"];

const OPTION_NAMES: &str = "DATASOURCE|FORMAT|KEY|CONF_KEY|SHARED|STRICT_VALIDATION|TYPE|TIMESTAMP|TIMESTAMP_FORMAT|RETAIN_SIZE|SCHEMAID|EXTRA|VERSION|TEMP|KIND|DELIMITER";

/// A statement that begins with `verb`, which is still to be eaten.
pub(super) fn statement(parser: &mut Parser<'_>, verb: &str) -> Result<Statement, SqlError> {
    parser.next();
    let noun = parser.next();
    let word = noun.to_string().to_ascii_uppercase();
    if verb == "SHOW" {
        let table = match word.as_str() {
            "STREAMS" => false,
            "TABLES" => true,
            _ => return Err(parser.expected_at(&noun, "keyword streams or tables.")),
        };
        at_end(parser)?;
        return Ok(Statement::Show { table });
    }
    let table = match word.as_str() {
        "STREAM" => false,
        "TABLE" => true,
        // In eKuiper's words exactly, which its own tests compare.
        _ => return Err(SqlError::new(format!("found {}, expected keyword stream or table.", noun.found().to_ascii_uppercase()))),
    };
    let token = parser.peek().clone();
    let Kind::Ident(name) = token.kind else {
        return Err(parser.expected_at(&token, if table && verb != "CREATE" { "table name." } else { "stream name." }));
    };
    parser.next();
    let named = Named { table, name };
    match verb {
        "CREATE" => create(parser, named).map(Statement::Create),
        "DESCRIBE" => Ok(Statement::Describe(named)),
        "EXPLAIN" => Ok(Statement::Explain(named)),
        _ => Ok(Statement::Drop(named)),
    }
}

fn at_end(parser: &Parser<'_>) -> Result<(), SqlError> {
    match parser.peek().kind {
        Kind::End | Kind::Mark(Mark::Semicolon) => Ok(()),
        _ => Err(parser.expected("semicolon or EOF.")),
    }
}

fn create(parser: &mut Parser<'_>, named: Named) -> Result<Create, SqlError> {
    if matches!(&parser.peek().kind, Kind::Text(text, _) if text.trim_start().starts_with('(')) {
        let message = "found a quoted string, expected lparen after stream name: the quotes around the columns belong to a shell";
        return Err(parser.wrong(parser.peek().span, message));
    }
    parser.need_mark(Mark::Open, "lparen after stream name.")?;
    let columns = columns(parser, 0)?;
    if !word_is(parser.peek(), "WITH") {
        return Err(parser.expected("is with."));
    }
    parser.next();
    let options = options(parser)?;
    at_end(parser)?;
    let create = Create { table: named.table, name: named.name, columns, options, guarded: false };
    check(&create)?;
    Ok(create)
}

fn word_is(token: &Token, word: &str) -> bool {
    matches!(&token.kind, Kind::Ident(text) if text.eq_ignore_ascii_case(word))
}

/// Columns up to and with the closing parenthesis. A comma before it is fine.
fn columns(parser: &mut Parser<'_>, depth: usize) -> Result<Vec<Column>, SqlError> {
    let mut columns = Vec::new();
    while !parser.eat_mark(Mark::Close) {
        let token = parser.next();
        let Kind::Ident(name) = token.kind else { return Err(parser.expected_at(&token, "stream field name.")) };
        let ty = column_type(parser, depth)?;
        let mut column = Column { name, typ: ty, default: None };
        if parser.eat_word(Word::Default) {
            column.default = Some(default(parser, &column.typ)?);
        }
        columns.push(column);
        if !parser.eat_mark(Mark::Comma) && parser.peek().kind != Kind::Mark(Mark::Close) {
            return Err(parser.expected("comma or rparen."));
        }
    }
    Ok(columns)
}

fn column_type(parser: &mut Parser<'_>, depth: usize) -> Result<Type, SqlError> {
    let token = parser.next();
    let Kind::Ident(word) = &token.kind else {
        return Err(parser.expected_at(&token, TYPES));
    };
    Ok(match word.to_ascii_uppercase().as_str() {
        "BIGINT" => Type::Bigint,
        "FLOAT" => Type::Float,
        "STRING" => Type::String,
        "BYTEA" => Type::Bytea,
        "DATETIME" => Type::Datetime,
        "BOOLEAN" => Type::Boolean,
        "ARRAY" | "STRUCT" if depth >= EXPR_DEPTH => {
            return Err(parser.wrong(token.span, format!("type nests deeper than EXPR_DEPTH ({EXPR_DEPTH})")));
        }
        "ARRAY" => {
            parser.need_mark(Mark::Open, "lparen in array type definition.")?;
            let item = column_type(parser, depth + 1)?;
            parser.need_mark(Mark::Close, "rparen in array type definition.")?;
            Type::Array(Box::new(item))
        }
        "STRUCT" => {
            parser.need_mark(Mark::Open, "lparen in struct type definition.")?;
            if parser.peek().kind == Kind::Mark(Mark::Close) {
                return Err(parser.expected("stream field name."));
            }
            Type::Struct(columns(parser, depth + 1)?)
        }
        _ => return Err(parser.expected_at(&token, TYPES)),
    })
}

const TYPES: &str = "valid stream field types(BIGINT | FLOAT | STRING | DATETIME | BOOLEAN | BYTEA | ARRAY | STRUCT).";

fn default(parser: &mut Parser<'_>, ty: &Type) -> Result<Literal, SqlError> {
    let mut token = parser.next();
    let negative = token.kind == Kind::Mark(Mark::Sub) && matches!(parser.peek().kind, Kind::Int(_) | Kind::Number(_));
    if negative {
        token = parser.next();
    }
    let text = match &token.kind {
        Kind::Int(_) | Kind::Number(_) | Kind::Text(..) | Kind::Word(Word::True | Word::False) => token.to_string(),
        _ => return Err(parser.expected_at(&token, "default constraint value.")),
    };
    let text = if negative { format!("-{text}") } else { text };
    let misfit = || parser.wrong(token.span, format!("cannot convert string({text}) to {}", ty));
    match ty {
        Type::Bigint => integer(&text).map(Literal::Int).ok_or_else(misfit),
        Type::Float => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Literal::Float(text)),
            _ => Err(misfit()),
        },
        Type::String => Ok(Literal::Str(text)),
        Type::Boolean => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Literal::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Literal::Bool(false)),
            _ => Err(misfit()),
        },
        _ => Err(parser.wrong(token.span, format!("DEFAULT clause is not supported for {}", ty))),
    }
}

/// An integer as Go's ParseInt reads it with base 0: decimal, `0x`, `0o` or leading `0`, `0b`.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, lower.get(2..)?),
        Some("0b") => (2, lower.get(2..)?),
        Some("0o") => (8, lower.get(2..)?),
        Some(_) if lower.starts_with('0') => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

fn options(parser: &mut Parser<'_>) -> Result<Options, SqlError> {
    parser.need_mark(Mark::Open, "stream options.")?;
    let mut options = Options::default();
    let mut previous: Option<Token> = None;
    loop {
        if parser.eat_mark(Mark::Comma) {
            continue;
        }
        if parser.eat_mark(Mark::Close) {
            break;
        }
        let name = parser.next();
        let word = name.to_string().to_ascii_uppercase();
        if !OPTION_NAMES.split('|').any(|known| known == word) {
            if let Some(error) = previous.and_then(|value| swallowed(parser, &value)) {
                return Err(error);
            }
            let message = format!("found {:?}, unknown option keys({OPTION_NAMES}).", word);
            return Err(parser.wrong(name.span, message));
        }
        parser.need_mark(Mark::Eq, "equals(=) in options.")?;
        let value = parser.next();
        match value.kind {
            Kind::Text(_, false) | Kind::Word(Word::True | Word::False) => set(parser, &mut options, &word, &value)?,
            _ => {
                let message = format!("found {}, expect string or boolean value in option.", value.found());
                return Err(parser.wrong(value.span, message));
            }
        }
        previous = Some(value);
    }
    if options.kind == "lookup" && options.kind_of_source == "memory" && options.key.is_empty() {
        return Err(SqlError::new("Option \"key\" is required for memory lookup table."));
    }
    Ok(options)
}

/// A closing quote forgotten: the value ran on into the next option and ended at that one's opening quote.
fn swallowed(parser: &Parser<'_>, value: &Token) -> Option<SqlError> {
    let Kind::Text(text, false) = &value.kind else { return None };
    let before_equals = text.trim_end().strip_suffix('=')?.trim_end();
    let kept = before_equals.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let name = before_equals.get(kept.len()..)?;
    if !OPTION_NAMES.split('|').any(|known| known.eq_ignore_ascii_case(name)) {
        return None;
    }
    let kept = kept.trim_end_matches(|c: char| c.is_ascii_whitespace() || c == ',');
    let column = super::error::Place::of(parser.text, value.span.start).column;
    // Escapes before the place would shift it by a little; the caret is a hint.
    let offset = value.span.start.saturating_add(1).saturating_add(u32::try_from(kept.len()).unwrap_or(u32::MAX));
    let message = format!("string starting at column {column} swallowed {name}=: missing \" here");
    Some(SqlError::marked(parser.text, offset, message))
}

fn set(parser: &Parser<'_>, options: &mut Options, word: &str, value: &Token) -> Result<(), SqlError> {
    let text = value.to_string();
    let flag = || match text.to_ascii_uppercase().as_str() {
        "TRUE" => Ok(true),
        "FALSE" => Ok(false),
        _ => Err(parser.wrong(value.span, format!("found {}, expect TRUE/FALSE value in {word} option.", value.found()))),
    };
    match word {
        "STRICT_VALIDATION" => options.strict_validation = flag()?,
        "SHARED" => options.shared = flag()?,
        "TEMP" => options.temp = flag()?,
        "RETAIN_SIZE" => {
            options.retain_size = text
                .parse()
                .map_err(|_| parser.wrong(value.span, format!("found {}, expect number value in {word} option.", value.found())))?;
        }
        "KIND" => options.kind = text.to_lowercase(),
        "VERSION" => options.version = text.to_lowercase(),
        "EXTRA" => {
            if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_err() {
                return Err(parser.wrong(value.span, "invalid extra option, expect JSON string"));
            }
            options.extra = text;
        }
        "DATASOURCE" => options.datasource = text,
        "KEY" => options.key = text,
        "FORMAT" => options.format = text,
        "CONF_KEY" => options.conf_key = text,
        "TYPE" => options.kind_of_source = text,
        "TIMESTAMP" => options.timestamp = text,
        "TIMESTAMP_FORMAT" => options.timestamp_format = text,
        "SCHEMAID" => options.schema_id = text,
        _ => options.delimiter = text,
    }
    Ok(())
}

fn check(create: &Create) -> Result<(), SqlError> {
    let format = create.options.format_or_json();
    if format == "binary" {
        return match create.columns.as_slice() {
            _ if create.table => Err(SqlError::new("'binary' format is not supported for table")),
            [] | [Column { typ: Type::Bytea, .. }] => Ok(()),
            [_] => Err(SqlError::new("'binary' format stream can have only 'bytea' type field")),
            _ => Err(SqlError::new("'binary' format stream can have only one field")),
        };
    }
    if !FORMATS.contains(&format.as_str()) {
        return Err(SqlError::new(format!("option 'format={}' is invalid", create.options.format)));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
