//! A range at one point in time: the active and the frozen generation and the checkpoint, merged in key order. Every key once,
//! whatever its bytes; nothing is kept between two pages but where to go on.

use std::{
    cmp::Ordering,
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use super::{Capture, Snapshot, snapshot::Holder};
use crate::{
    CollectionRef, Store,
    delta::{DeltaItem, DeltaStream, StoreDelta, full_key},
    error::Result,
};

/// Which keys, in which order.
#[derive(Clone, Debug)]
pub struct KeyBounds {
    /// Where it begins, in key order.
    pub lower: Bound<Vec<u8>>,
    /// Where it ends, in key order.
    pub upper: Bound<Vec<u8>>,
    /// From the end to the beginning.
    pub reverse: bool,
    /// At most this many.
    pub limit: Option<u64>,
}

/// What a visitor says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// It has taken it.
    Taken,
    /// It has no room for it: the entry comes again.
    Full,
}

/// An iteration over a range. Holds its capture to the end.
#[derive(Debug)]
pub struct RangeCursor {
    source: Arc<Snapshot>,
    /// `None`: there is no such collection, and nothing to show.
    collection: Option<u32>,
    /// Opened with the first page.
    deltas: Option<Vec<DeltaStream>>,
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
    reverse: bool,
    left: u64,
    done: bool,
}

impl Store {
    /// Opens a range over what is applied now.
    pub fn range(self: &Arc<Self>, collection: &CollectionRef, bounds: KeyBounds) -> Result<RangeCursor> {
        self.hold(Holder::Iteration)?.range(collection, bounds)
    }
}

impl Snapshot {
    /// Opens a range over what the snapshot holds.
    pub fn range(self: &Arc<Self>, collection: &CollectionRef, bounds: KeyBounds) -> Result<RangeCursor> {
        let KeyBounds { lower, upper, reverse, limit } = bounds;
        let collection = self.with(|_| self.id_of(collection))?;
        Ok(RangeCursor {
            source: Arc::clone(self),
            collection,
            deltas: None,
            lower,
            upper,
            reverse,
            left: limit.unwrap_or(u64::MAX),
            done: false,
        })
    }
}

impl RangeCursor {
    /// Shows entries in order until `visit` is full; whether the range has been shown whole.
    pub fn fill(&mut self, visit: &mut dyn FnMut(&[u8], &[u8]) -> Fill) -> Result<bool> {
        let Self { source, deltas, lower, upper, reverse, left, done, collection } = self;
        source.with(|capture| {
            let Some(collection) = *collection else { return Ok(true) };
            if *done || *left == 0 || is_empty(lower, upper) {
                return Ok(true);
            }
            let deltas = deltas.get_or_insert_with(|| streams(capture, collection, (lower, upper), *reverse));
            fill_from(capture, deltas, collection, (lower, upper), *reverse, left, done, visit)?;
            Ok(*done || *left == 0)
        })
    }

    /// How many entries are left; they are passed over.
    pub fn count(&mut self) -> Result<u64> {
        let mut count = 0;
        while !self.fill(&mut |_, _| {
            count += 1;
            Fill::Taken
        })? {}
        Ok(count)
    }
}

fn is_empty(lower: &Bound<Vec<u8>>, upper: &Bound<Vec<u8>>) -> bool {
    match (lower, upper) {
        (Bound::Included(lower), Bound::Included(upper)) => lower > upper,
        (Bound::Included(lower) | Bound::Excluded(lower), Bound::Included(upper) | Bound::Excluded(upper)) => {
            lower >= upper
        }
        _ => false,
    }
}

/// The bounds as the checkpoint has them: behind the collection's id, and within the collection.
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

/// One page being filled, and how far it has come.
struct Page<'a> {
    visit: &'a mut dyn FnMut(&[u8], &[u8]) -> Fill,
    left: &'a mut u64,
    /// The key that there was no room for; the next page begins with it.
    refused: Option<Vec<u8>>,
}

impl Page<'_> {
    fn show(&mut self, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        if (self.visit)(key, value) == Fill::Full {
            self.refused = Some(key.to_vec());
            return ControlFlow::Break(());
        }
        *self.left -= 1;
        if *self.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn show_item(&mut self, item: &DeltaItem) -> ControlFlow<()> {
        item.value().map_or(ControlFlow::Continue(()), |value| self.show(item.key(), value))
    }
}

/// What the generations have in a range; none for those without entries.
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

#[allow(clippy::too_many_arguments, reason = "the parts of a cursor, borrowed apart")]
fn fill_from(
    capture: &Capture,
    deltas: &mut [DeltaStream],
    collection: u32,
    (lower, upper): (&mut Bound<Vec<u8>>, &mut Bound<Vec<u8>>),
    reverse: bool,
    left: &mut u64,
    done: &mut bool,
    visit: &mut dyn FnMut(&[u8], &[u8]) -> Fill,
) -> Result<()> {
    let mut page = Page { visit, left, refused: None };
    let bounds = full_bounds(collection, lower, upper);
    let mut stopped = false;
    capture.read.scan((as_slice(&bounds.0), as_slice(&bounds.1)), reverse, &mut |stored_key, value| {
        let key = stored_key.get(4..).unwrap_or_default();
        let flow = merge_up_to(deltas, Some((key, value)), reverse, &mut page);
        stopped = flow.is_break();
        flow
    })?;
    if !stopped {
        let _ = merge_up_to(deltas, None, reverse, &mut page);
    }
    *done = page.refused.is_none();
    if let Some(key) = page.refused {
        *(if reverse { upper } else { lower }) = Bound::Included(key);
    }
    Ok(())
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// Shows what the generations have up to the checkpoint's entry (everything, when there is none), then that entry unless a
/// generation has a word on its key. The newest generation stands first and shadows the later ones.
fn merge_up_to(
    deltas: &mut [DeltaStream],
    stored: Option<(&[u8], &[u8])>,
    reverse: bool,
    page: &mut Page<'_>,
) -> ControlFlow<()> {
    let order = |a: &[u8], b: &[u8]| if reverse { b.cmp(a) } else { a.cmp(b) };
    loop {
        for stream in deltas.iter_mut() {
            stream.fill();
        }
        let mut first: Option<&DeltaItem> = None;
        for item in deltas.iter().filter_map(DeltaStream::front) {
            let behind_stored = stored.is_some_and(|(key, _)| order(item.key(), key) == Ordering::Greater);
            let before_first = first.is_none_or(|first| order(item.key(), first.key()) == Ordering::Less);
            if !behind_stored && before_first {
                first = Some(item);
            }
        }
        let Some(first) = first.cloned() else {
            return stored.map_or(ControlFlow::Continue(()), |(key, value)| page.show(key, value));
        };
        let flow = page.show_item(&first);
        if page.refused.is_some() {
            return flow;
        }
        for stream in deltas.iter_mut() {
            if stream.front().is_some_and(|item| item.key() == first.key()) {
                stream.advance();
            }
        }
        flow?;
        if stored.is_some_and(|(key, _)| key == first.key()) {
            return ControlFlow::Continue(());
        }
    }
}
