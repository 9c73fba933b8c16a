//! A range at one point in time, over the active and the frozen generation and the checkpoint, a page at a time. Between two
//! pages only the position is kept.

use std::{ops::Bound, sync::Arc};

use super::{
    Capture, Snapshot,
    merge::{Filled, Merge, is_empty},
    snapshot::Holder,
};
use crate::{
    CollectionRef, Store,
    delta::{DeltaStream, StoreDelta, full_key},
    error::Result,
};

/// The keys of a range, and their order.
#[derive(Clone, Debug)]
pub struct KeyBounds {
    /// The lower end, in key order.
    pub lower: Bound<Vec<u8>>,
    /// The upper end, in key order.
    pub upper: Bound<Vec<u8>>,
    /// From the end to the beginning.
    pub reverse: bool,
    /// At most this many.
    pub limit: Option<u64>,
}

/// A visitor's answer to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The entry is taken.
    Taken,
    /// The entry does not fit: it comes again.
    Full,
}

/// An iteration over a range. Holds its capture until the end.
#[derive(Debug)]
pub struct RangeCursor {
    source: Arc<Snapshot>,
    /// `None`: the collection does not exist, and there is nothing to show.
    collection: Option<u32>,
    /// Opened with the first page.
    deltas: Option<Vec<DeltaStream>>,
    /// The part of the checkpoint that is still to be shown.
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
    reverse: bool,
    left: u64,
    done: bool,
    /// Entries of the checkpoint that were read.
    stored: u64,
}

impl Store {
    /// Opens a range over the current state.
    pub fn range(self: &Arc<Self>, collection: &CollectionRef, bounds: KeyBounds) -> Result<RangeCursor> {
        self.hold(Holder::Iteration)?.range(collection, bounds)
    }
}

impl Snapshot {
    /// Opens a range over the snapshot.
    pub fn range(self: &Arc<Self>, collection: &CollectionRef, bounds: KeyBounds) -> Result<RangeCursor> {
        let collection = self.with(|_| self.id_of(collection))?;
        Ok(self.range_of(collection, bounds))
    }

    /// The same for a collection whose id is known; `None`: there is none.
    pub(crate) fn range_of(self: &Arc<Self>, collection: Option<u32>, bounds: KeyBounds) -> RangeCursor {
        let KeyBounds { lower, upper, reverse, limit } = bounds;
        RangeCursor {
            source: Arc::clone(self),
            collection,
            deltas: None,
            lower,
            upper,
            reverse,
            left: limit.unwrap_or(u64::MAX),
            done: false,
            stored: 0,
        }
    }
}

impl RangeCursor {
    /// Calls `visit` with entries in order until it is full; returns whether the range is complete.
    pub fn fill(&mut self, visit: &mut dyn FnMut(&[u8], &[u8]) -> Fill) -> Result<bool> {
        let Self { source, deltas, lower, upper, reverse, left, done, stored, collection } = self;
        source.with(|capture| {
            let Some(collection) = *collection else { return Ok(true) };
            // Without more entries in the checkpoint, the generations may still have some.
            if *done || *left == 0 || (deltas.is_none() && is_empty(lower, upper)) {
                return Ok(true);
            }
            let deltas = deltas.get_or_insert_with(|| streams(capture, collection, (lower, upper), *reverse));
            let page = Merge::new(deltas, (collection, *reverse), left, visit);
            let Filled { goes_on, stored: looked } =
                page.fill(&*capture.read, full_bounds(collection, lower, upper))?;
            *stored += looked;
            *done = goes_on.is_none();
            if let Some(bound) = goes_on {
                *(if *reverse { upper } else { lower }) = bound;
            }
            Ok(*done || *left == 0)
        })
    }

    /// The number of entries read so far, in the generations and the checkpoint, including those that were not shown. The cost
    /// of a range, for tests.
    pub fn looked(&self) -> u64 {
        self.stored + self.deltas.iter().flatten().map(|stream| stream.looked as u64).sum::<u64>()
    }

    /// The number of remaining entries, which are skipped.
    pub fn count(&mut self) -> Result<u64> {
        let mut count = 0;
        while !self.fill(&mut |_, _| {
            count += 1;
            Fill::Taken
        })? {}
        Ok(count)
    }
}

/// The bounds in the checkpoint: with the collection's id in front, and within the collection.
fn full_bounds(collection: u32, lower: &Bound<Vec<u8>>, upper: &Bound<Vec<u8>>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let full = |bound: &Bound<Vec<u8>>| bound.as_ref().map(|key| full_key(collection, key));
    let lower = match full(lower) {
        Bound::Unbounded => Bound::Included(collection.to_be_bytes().to_vec()),
        bound => bound,
    };
    let upper = match full(upper) {
        Bound::Unbounded => Bound::Excluded(collection.saturating_add(1).to_be_bytes().to_vec()),
        bound => bound,
    };
    (lower, upper)
}

/// The generations' entries in a range; no stream for generations without entries.
fn streams(
    capture: &Capture,
    collection: u32,
    (lower, upper): (&Bound<Vec<u8>>, &Bound<Vec<u8>>),
    reverse: bool,
) -> Vec<DeltaStream> {
    let generations = [Some(&capture.view.active), capture.view.frozen.as_ref()].into_iter().flatten();
    let stream = |delta: &Arc<StoreDelta>| {
        DeltaStream::new(Arc::clone(delta), collection, capture.seq, (lower.clone(), upper.clone()), reverse)
    };
    generations.filter(|delta| delta.entries() > 0).map(stream).collect()
}
