//! Large buffers straight from the system: what was never touched takes no memory, what is dropped goes back at once.
//!
//! A C library keeps freed blocks of this size for the next one, and clears them when they are asked for again: after a few
//! hundred updates the memory of every rule that ever was would be resident. Smaller buffers come from the heap.

use core::fmt;

/// Below this the heap serves.
const HEAP_BYTES: usize = 32 << 10;

/// A buffer of zeros.
pub struct Pages(Place);

enum Place {
    Mapped(memmap2::MmapMut),
    Heap(Box<[u8]>),
}

impl Pages {
    /// `bytes` zeros.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        if bytes >= HEAP_BYTES
            && let Ok(map) = memmap2::MmapMut::map_anon(bytes)
        {
            return Self(Place::Mapped(map));
        }
        Self(Place::Heap(vec![0; bytes].into_boxed_slice()))
    }
}

impl core::ops::Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Place::Mapped(map) => map,
            Place::Heap(heap) => heap,
        }
    }
}

impl core::ops::DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Place::Mapped(map) => map,
            Place::Heap(heap) => heap,
        }
    }
}

impl AsRef<[u8]> for Pages {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for Pages {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self::new(0)
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pages({})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_of_any_size() {
        for bytes in [0, 1, HEAP_BYTES - 1, HEAP_BYTES, HEAP_BYTES + 1, 1 << 20] {
            let mut pages = Pages::new(bytes);
            assert!(pages.len() == bytes && pages.iter().all(|b| *b == 0), "{bytes}");
            pages.fill(7);
            assert!(pages.iter().all(|b| *b == 7), "{bytes}");
        }
    }
}
