//! Properties of sinks that may hold a template, and where their texts lie.
//!
//! A property without a template is a text of the rule; one with a template gets a text per message, written into the head of
//! the message's record in the order in which the sink's templates were made.

use core::cell::Cell;

use super::TemplateFacts;
use super::outbox::Texts;
pub(super) use crate::encode::dynamic::Dynamic;
pub(super) use crate::encode::template::{Place, Template, TemplateEnv};
use crate::time::Now;

/// Steps that the templates of one message may take.
const FUEL: u32 = 20_000;

/// Runs `f` with what templates may look at.
pub(super) fn with_env<T>(facts: &TemplateFacts<'_>, now: Now, f: impl FnOnce(&TemplateEnv<'_>) -> T) -> T {
    let fuel = Cell::new(FUEL);
    f(&TemplateEnv { now, zone: facts.zone, rng: facts.rng, fuel: &fuel })
}

/// A property that is a text, or a template whose text lies in the record's head.
#[derive(Debug)]
pub(super) struct Word {
    text: String,
    /// Its place among the sink's templates.
    index: Option<usize>,
}

impl Word {
    /// A property without templates.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), index: None }
    }

    /// Takes a property; a template is added to `dynamics`.
    ///
    /// # Errors
    /// A template that does not parse.
    pub(super) fn new(text: &str, place: Place, dynamics: &mut Vec<Dynamic>) -> Result<Self, String> {
        let dynamic = Dynamic::parse(text, place).map_err(|e| e.to_string())?;
        if dynamic.literal().is_some() {
            return Ok(Self::plain(text));
        }
        dynamics.push(dynamic);
        Ok(Self { text: text.to_owned(), index: Some(dynamics.len() - 1) })
    }

    pub(super) const fn is_template(&self) -> bool {
        self.index.is_some()
    }

    /// The text as configured.
    pub(super) fn source(&self) -> &str {
        &self.text
    }

    /// Its text for the payload whose head is `texts`; an error's payload has none and gets the template itself, as eKuiper's does.
    pub(super) fn get<'w>(&'w self, texts: Texts<'w>) -> &'w str {
        match self.index {
            Some(index) if !texts.is_empty() => texts.get(index),
            _ => &self.text,
        }
    }
}
