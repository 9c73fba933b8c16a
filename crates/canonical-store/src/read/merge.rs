//! One page of a range: the generations and the checkpoint, merged in key order, every key once. A run of deleted keys is
//! walked once, noted in the newest generation, and skipped from then on, so that the first entry after it costs the same as
//! without the run.

use std::{
    cmp::Ordering,
    ops::{Bound, ControlFlow},
};

use super::range::Fill;
use crate::{
    checkpoint::CheckpointRead,
    delta::{DeltaItem, DeltaStream, full_key, successor},
    error::Result,
};

/// A run of this many deleted keys is noted.
const NOTED_FROM: u32 = 32;

type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The next step.
enum Next {
    /// The next entry of the checkpoint.
    Entry,
    /// The checkpoint's entries from this full key on; in reverse, before it.
    Jump(Vec<u8>),
    /// Nothing: the page is full, or has the requested number of entries.
    Stop,
}

/// Consecutive deleted keys since the last entry that was shown.
#[derive(Debug, Default)]
struct Run {
    passed: u32,
    /// Full keys.
    first: Vec<u8>,
    last: Vec<u8>,
}

/// One page being filled.
pub(super) struct Merge<'a> {
    /// The newest generation comes first and shadows the later ones.
    pub(super) deltas: &'a mut [DeltaStream],
    pub(super) collection: u32,
    pub(super) reverse: bool,
    pub(super) visit: &'a mut dyn FnMut(&[u8], &[u8]) -> Fill,
    pub(super) left: &'a mut u64,
    /// The key that did not fit; the next page begins with it.
    refused: Option<Vec<u8>>,
    run: Run,
    /// Entries of the checkpoint that were read.
    stored: u64,
}

/// The result of filling a page.
pub(super) struct Filled {
    /// The key at which the checkpoint continues for the next page; `None`: there is no next page.
    pub(super) goes_on: Option<Bound<Vec<u8>>>,
    pub(super) stored: u64,
}

impl<'a> Merge<'a> {
    pub(super) fn new(
        deltas: &'a mut [DeltaStream],
        (collection, reverse): (u32, bool),
        left: &'a mut u64,
        visit: &'a mut dyn FnMut(&[u8], &[u8]) -> Fill,
    ) -> Self {
        Self { deltas, collection, reverse, visit, left, refused: None, run: Run::default(), stored: 0 }
    }

    /// Fills the page with the entries between `bounds`, which are full keys.
    pub(super) fn fill(mut self, read: &dyn CheckpointRead, mut bounds: Bounds) -> Result<Filled> {
        loop {
            let mut next = Next::Entry;
            if !is_empty(&bounds.0, &bounds.1) {
                read.scan((as_slice(&bounds.0), as_slice(&bounds.1)), self.reverse, &mut |stored_key, value| {
                    self.stored += 1;
                    next = self.merge_up_to(Some((stored_key.get(4..).unwrap_or_default(), value)));
                    if matches!(next, Next::Entry) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
            }
            match next {
                Next::Jump(to) => self.jump(&mut bounds, to),
                Next::Stop => break,
                Next::Entry => {
                    while matches!(self.merge_up_to(None), Next::Jump(_)) {}
                    let last = std::mem::take(&mut self.run.last);
                    self.end_run(if self.reverse { last } else { successor(last) });
                    break;
                }
            }
        }
        Ok(Filled { goes_on: self.goes_on(&bounds), stored: self.stored })
    }

    /// The checkpoint goes on at `to`; never before where it has come already: of what one generation has found dead a newer one may
    /// know a part, whose end is nearer.
    fn jump(&self, (lower, upper): &mut Bounds, to: Vec<u8>) {
        match if self.reverse { &*upper } else { &*lower } {
            Bound::Excluded(at) if self.reverse && *at <= to => {}
            Bound::Included(at) if !self.reverse && *at >= to => {}
            _ if self.reverse => *upper = Bound::Excluded(to),
            _ => *lower = Bound::Included(to),
        }
    }

    /// Where the checkpoint goes on after a page without room: at the refused key; but what was passed over stays passed over. A newer generation
    /// may have that key in the middle of what an older one has found deleted, whose entries are not met again.
    fn goes_on(&self, (lower, upper): &Bounds) -> Option<Bound<Vec<u8>>> {
        let refused = self.refused.clone()?;
        let full = full_key(self.collection, &refused);
        Some(match if self.reverse { upper } else { lower } {
            Bound::Excluded(to) if self.reverse && full >= *to => {
                Bound::Excluded(to.get(4..).unwrap_or_default().to_vec())
            }
            Bound::Included(to) if !self.reverse && full < *to => {
                Bound::Included(to.get(4..).unwrap_or_default().to_vec())
            }
            _ => Bound::Included(refused),
        })
    }

    /// Shows the generations' entries up to the checkpoint's entry (all of them, without one), then that entry unless a
    /// generation shadows it.
    fn merge_up_to(&mut self, stored: Option<(&[u8], &[u8])>) -> Next {
        loop {
            for stream in self.deltas.iter_mut() {
                stream.fill();
            }
            let Some(first) = self.first(stored.map(|(key, _)| key)).cloned() else {
                return stored.map_or(Next::Entry, |(key, value)| self.show(key, value));
            };
            let mut next = Next::Entry;
            if let Some(value) = first.value() {
                next = self.show(first.key(), value);
                if self.refused.is_some() {
                    return next;
                }
            }
            for stream in self.deltas.iter_mut() {
                if stream.front().is_some_and(|item| item.key() == first.key()) {
                    stream.advance();
                }
            }
            if first.value().is_none() {
                next = self.pass(first.key());
            }
            let is_stored = stored.is_some_and(|(key, _)| key == first.key());
            if is_stored || !matches!(next, Next::Entry) {
                return next;
            }
        }
    }

    /// The next entry of the generations, unless it comes after `stored`.
    fn first(&self, stored: Option<&[u8]>) -> Option<&DeltaItem> {
        let order = |a: &[u8], b: &[u8]| if self.reverse { b.cmp(a) } else { a.cmp(b) };
        let mut first: Option<&DeltaItem> = None;
        for item in self.deltas.iter().filter_map(DeltaStream::front) {
            let behind_stored = stored.is_some_and(|key| order(item.key(), key) == Ordering::Greater);
            let before_first = first.is_none_or(|first| order(item.key(), first.key()) == Ordering::Less);
            if !behind_stored && before_first {
                first = Some(item);
            }
        }
        first
    }

    fn show(&mut self, key: &[u8], value: &[u8]) -> Next {
        if self.run.passed > 0 {
            let full = full_key(self.collection, key);
            self.end_run(if self.reverse { successor(full) } else { full });
        }
        if (self.visit)(key, value) == Fill::Full {
            self.refused = Some(key.to_vec());
            return Next::Stop;
        }
        *self.left -= 1;
        if *self.left == 0 { Next::Stop } else { Next::Entry }
    }

    /// A key is deleted. Whether it is in a noted run is checked only now and then: most runs are short, and the check costs
    /// about as much as walking on.
    fn pass(&mut self, key: &[u8]) -> Next {
        let Run { passed, first, last } = &mut self.run;
        last.clear();
        last.extend_from_slice(&self.collection.to_be_bytes());
        last.extend_from_slice(key);
        if *passed == 0 {
            first.clone_from(last);
        }
        *passed += 1;
        if !passed.is_power_of_two() {
            return Next::Entry;
        }
        let found = self.deltas.iter().enumerate().find_map(|(place, stream)| Some((place, stream.dead_around(last)?)));
        let Some((place, (from, to))) = found else { return Next::Entry };
        let to = if self.reverse { from } else { to };
        // A run that is dead in one generation is dead in all below it; those above it may have entries there.
        for stream in self.deltas.iter_mut().skip(place) {
            stream.pass_to(to.get(4..).unwrap_or_default());
        }
        Next::Jump(to)
    }

    /// Nothing is alive between the run's first key and `end`: notes it for later readers.
    fn end_run(&mut self, end: Vec<u8>) {
        let Run { passed, first, .. } = std::mem::take(&mut self.run);
        if passed < NOTED_FROM {
            return;
        }
        let (from, to) = if self.reverse { (end, successor(first)) } else { (first, end) };
        if let Some(newest) = self.deltas.first() {
            newest.note_dead(from, to);
        }
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// Whether no key is between two bounds.
pub(super) fn is_empty(lower: &Bound<Vec<u8>>, upper: &Bound<Vec<u8>>) -> bool {
    match (lower, upper) {
        (Bound::Included(lower), Bound::Included(upper)) => lower > upper,
        (Bound::Included(lower) | Bound::Excluded(lower), Bound::Included(upper) | Bound::Excluded(upper)) => {
            lower >= upper
        }
        _ => false,
    }
}
