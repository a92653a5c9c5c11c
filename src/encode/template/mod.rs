//! Go's `text/template` with the functions of sprig v3 that need neither network nor environment, plus `json` and `base64`.
//!
//! In: a template text when a rule is created ([`Template::parse`], errors with their place), then one message after another.
//! Out: bytes as eKuiper would send them, or the fault that drops the row. Rendering allocates nothing: intermediates lie in
//! the scratch, the result in an [`Out`]; both, the steps, the nesting, variables and arguments are bounded.
//!
//! ```
//! use pushgate::encode::template::Template;
//! assert!(Template::parse("{{.temperature}} C").is_ok());
//! assert_eq!(Template::parse("{{if .a}}x").unwrap_err().to_string(), "template: sink:1: unexpected EOF (column 11)");
//! ```

mod ast;
mod date;
mod exec;
mod func;
mod lex;
mod literal;
mod method;
mod parse;
mod place;
mod print;
mod printf;
mod semver;
mod val;

use core::cell::Cell;

pub use place::Place;
pub(crate) use place::path as check_path;

use crate::json::write::Out;
use crate::time::{Now, Zone};
use crate::value::{Fault, Scratch, Value};

/// Why a text is no template: where, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub text: String,
}

impl TemplateError {
    fn at(template: &str, at: usize, text: impl Into<String>) -> Self {
        let before = template.get(..at).unwrap_or(template);
        let line = before.rsplit('\n').next().unwrap_or("");
        Self { line: 1 + before.matches('\n').count(), column: 1 + line.chars().count(), text: text.into() }
    }
}

impl core::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "template: sink:{}: {} (column {})", self.line, self.text, self.column)
    }
}

impl core::error::Error for TemplateError {}

/// What a rendering may look at besides the message.
#[derive(Debug, Clone, Copy)]
pub struct TemplateEnv<'e> {
    /// What `now` and `ago` see.
    pub now: Now,
    /// The zone of `date`, called `Local` in templates.
    pub zone: &'e Zone,
    /// State of the random numbers; never zero.
    pub rng: &'e Cell<u64>,
    /// Steps left.
    pub fuel: &'e Cell<u32>,
}

impl TemplateEnv<'_> {
    /// The next 64 random bits (xorshift64*).
    fn random(&self) -> u64 {
        let mut x = self.rng.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.rng.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// A template, ready to render.
#[derive(Debug)]
pub struct Template {
    text: String,
    trees: Vec<ast::Tree>,
}

impl Template {
    /// Longest template text, in bytes.
    pub const TEXT_BYTES: usize = 65_536;

    /// Parses a template.
    ///
    /// # Errors
    /// [`TemplateError`]: bad syntax, an unknown or unsupported function, a bound passed.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > Self::TEXT_BYTES {
            return Err(TemplateError::at(text, 0, format!("the template is longer than {} bytes", Self::TEXT_BYTES)));
        }
        Ok(Self { text: text.to_owned(), trees: parse::parse(text)? })
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True if nothing in it is evaluated.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.text.contains("{{")
    }

    /// Writes what the template makes of `data` into `out`. What a failed rendering wrote stays for the caller to cut off.
    ///
    /// # Errors
    /// What Go's template would refuse, with its place; too many steps; [`Fault::FULL`].
    pub fn render<'a>(&'a self, data: Value<'a>, env: &TemplateEnv<'_>, out: &mut Out<'_>, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
        self.render_at(None, data, env, out, scratch)
    }

    /// As [`Template::render`], with the rules of the place that the text goes to.
    pub(crate) fn render_at<'a>(
        &'a self,
        place: Option<Place>,
        data: Value<'a>,
        env: &TemplateEnv<'_>,
        out: &mut Out<'_>,
        scratch: &Scratch<'a>,
    ) -> Result<(), Fault<'a>> {
        let cx = val::Cx::new(scratch, env);
        let vars = [const { Cell::new(val::Val::MISSING) }; exec::VARS];
        let args = [const { Cell::new(val::Val::MISSING) }; exec::ARGS];
        let tag = if data.is_list() { val::Tag::Rows } else { val::Tag::Data };
        let mut exec = exec::Exec {
            cx: &cx,
            text: &self.text,
            trees: &self.trees,
            vars: &vars,
            args: &args,
            args_top: 0,
            out,
            place,
            tree: 0,
            base: 0,
            depth: 0,
            level: 0,
        };
        exec.run(val::Val::tagged(data, tag))
    }
}

#[cfg(test)]
mod tests;
