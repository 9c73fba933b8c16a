//! How often each hot call was made in this environment: what the tests count instead of timing. A call is known by its place in the
//! table of hot calls.

use std::cell::Cell;

#[derive(Default)]
pub(crate) struct Counters([Cell<u64>; Counters::ROOM]);

impl Counters {
    /// The table may have as many calls.
    pub(crate) const ROOM: usize = 32;

    pub(crate) fn count(&self, place: usize) {
        if let Some(counter) = self.0.get(place) {
            counter.set(counter.get().wrapping_add(1));
        }
    }

    /// The counts, by place.
    pub(crate) fn all(&self) -> [u64; Self::ROOM] {
        self.0.each_ref().map(Cell::get)
    }
}
