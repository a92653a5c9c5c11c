//! The seam to templates: `dataTemplate`, and properties whose text holds `{{`.

use super::TemplateFacts;
use super::outbox::Texts;
use crate::json::write::Out;
use crate::time::Now;
use crate::value::{Fault, Scratch, Value};

/// Where a property's values end up, which says what they may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Url,
    Header,
    Topic,
    Form,
}

/// A parsed template.
#[derive(Debug)]
pub(super) struct Template;

impl Template {
    pub(super) fn parse(_text: &str) -> Result<Self, String> {
        Err("templates are not part of this build".into())
    }

    #[expect(clippy::unused_self, reason = "the shape that templates will have")]
    pub(super) const fn render<'a>(
        &'a self,
        _data: Value<'a>,
        _facts: &TemplateFacts<'_>,
        _now: Now,
        _out: &mut Out<'_>,
        _scratch: &Scratch<'a>,
    ) -> Result<(), Fault<'a>> {
        Ok(())
    }
}

/// A property that may hold a template.
#[derive(Debug)]
pub(super) struct Dynamic {
    source: String,
    template: Option<(Template, Place)>,
}

impl Dynamic {
    pub(super) fn parse(text: &str, place: Place) -> Result<Self, String> {
        let template = if text.contains("{{") { Some((Template::parse(text)?, place)) } else { None };
        Ok(Self { source: text.to_owned(), template })
    }

    /// The text as configured.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// True if each message has a text of its own.
    pub(super) const fn is_template(&self) -> bool {
        self.template.is_some()
    }

    pub(super) fn render<'a>(
        &'a self,
        data: Value<'a>,
        facts: &TemplateFacts<'_>,
        now: Now,
        out: &mut Out<'_>,
        scratch: &Scratch<'a>,
    ) -> Result<(), Fault<'a>> {
        match &self.template {
            Some((template, _)) => template.render(data, facts, now, out, scratch),
            None => Ok(out.text(&self.source)?),
        }
    }
}

/// A property that is a text, or a template whose text lies in the record's head.
#[derive(Debug)]
pub(super) struct Word {
    text: String,
    /// Its place among the sink's templates.
    index: Option<usize>,
}

impl Word {
    /// Takes a property; a template is added to `dynamics`.
    ///
    /// # Errors
    /// A template that does not parse.
    pub(super) fn new(text: &str, place: Place, dynamics: &mut Vec<Dynamic>) -> Result<Self, String> {
        let dynamic = Dynamic::parse(text, place)?;
        if !dynamic.is_template() {
            return Ok(Self { text: text.to_owned(), index: None });
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
