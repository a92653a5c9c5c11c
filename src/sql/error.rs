//! What is wrong with a statement, and where.

use core::fmt;

/// Byte range of a node in the statement's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// From the start of `self` to the end of `other`.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// Where an error was noticed: counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

impl Place {
    /// The place of byte `offset` in `text`.
    #[must_use]
    pub fn of(text: &str, offset: u32) -> Self {
        let mut place = Self { line: 1, column: 1 };
        for (i, c) in text.char_indices() {
            if i >= offset as usize {
                break;
            }
            if c == '\n' {
                place = Self { line: place.line + 1, column: 1 };
            } else {
                place.column += 1;
            }
        }
        place
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a statement is refused. Displays as the message, the place where there is one, and the marked line where that helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// What is wrong; keeps the key words that eKuiper's users search for.
    pub message: String,
    /// Where, when the error belongs to one place of the text.
    pub place: Option<Place>,
    /// The line of the text and a caret below it.
    pub marked: Option<String>,
}

impl SqlError {
    /// An error of the statement as a whole.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, marked: None }
    }

    /// An error at byte `offset` of `text`.
    pub(crate) fn at(text: &str, offset: u32, message: impl Into<String>) -> Self {
        Self { message: message.into(), place: Some(Place::of(text, offset)), marked: None }
    }

    /// The same with the line around `offset` and a caret below that byte.
    pub(crate) fn marked(text: &str, offset: u32, message: impl Into<String>) -> Self {
        Self { marked: Some(mark(text, offset as usize)), ..Self::at(text, offset, message) }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.marked, self.place) {
            (Some(marked), _) => write!(f, "{}\n{marked}", self.message),
            (None, Some(place)) => match self.message.strip_suffix('.') {
                Some(message) => write!(f, "{message} at {place}."),
                None => write!(f, "{} at {place}", self.message),
            },
            (None, None) => f.write_str(&self.message),
        }
    }
}

impl core::error::Error for SqlError {}

/// The line that byte `offset` is in, cut to what fits a terminal, and a caret below it.
fn mark(text: &str, offset: usize) -> String {
    const BEFORE: usize = 60;
    const AFTER: usize = 40;
    let offset = offset.min(text.len());
    let head: Vec<char> = text.get(..offset).unwrap_or("").chars().rev().take_while(|c| *c != '\n').take(BEFORE).collect();
    let tail: String = text.get(offset..).unwrap_or("").chars().take_while(|c| *c != '\n').take(AFTER).collect();
    let line: String = head.iter().rev().collect();
    format!("{line}{tail}\n{}^", " ".repeat(head.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters() {
        let text = "SELECT 'é'\n, x";
        assert_eq!(Place::of(text, 0), Place { line: 1, column: 1 });
        assert_eq!(Place::of(text, 11), Place { line: 1, column: 11 });
        assert_eq!(Place::of(text, 12), Place { line: 2, column: 1 });
        assert_eq!(Place::of(text, 999), Place { line: 2, column: 4 });
    }

    #[test]
    fn marks_stay_short() {
        assert_eq!(mark("ab\ncd ef\ngh", 6), "cd ef\n   ^");
        assert_eq!(mark("é b", 3), "é b\n  ^");
        let long = "x".repeat(500);
        assert_eq!(mark(&long, 250).lines().next().map(str::len), Some(100));
        assert_eq!(mark("a", 9), "a\n ^");
    }

    #[test]
    fn display() {
        let text = "SELECT";
        assert_eq!(SqlError::new("no").to_string(), "no");
        assert_eq!(SqlError::at(text, 3, "no").to_string(), "no at line 1, column 4");
        assert_eq!(SqlError::at(text, 3, "no.").to_string(), "no at line 1, column 4.");
        assert_eq!(SqlError::marked(text, 3, "no").to_string(), "no\nSELECT\n   ^");
    }
}
