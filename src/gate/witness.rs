//! Who watches the gate decide: nobody on the live port, `pushgate explain` offline. Both run the same code.

use core::fmt;

/// Is told of each decision, in order.
pub trait Witness {
    /// A decision that let the request go on.
    fn saw(&mut self, step: &'static str, what: fmt::Arguments<'_>);
}

/// Nobody.
impl Witness for () {
    fn saw(&mut self, _: &'static str, _: fmt::Arguments<'_>) {}
}
