//! The entries of one generation in a range, as of one sequence number: a chunk at a time, so that writers are held up
//! for a few entries only and no lock is kept while the checkpoint is read.

use std::{collections::VecDeque, ops::Bound, sync::Arc};

use super::{
    key::DeltaKey,
    store_delta::{DeltaValue, StoreDelta, value_range},
};

/// One key with the last word on it. The bytes stay in the commit's frame.
#[derive(Clone, Debug)]
pub(crate) struct DeltaItem {
    key: DeltaKey<'static>,
    value: DeltaValue,
}

impl DeltaItem {
    pub(crate) fn key(&self) -> &[u8] {
        self.key.key()
    }

    /// `None`: deleted.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        match self.value {
            DeltaValue::Delete => None,
            DeltaValue::Put { start, len } => {
                let bytes = self.key.frame().and_then(|frame| frame.bytes().get(value_range(start, len)));
                Some(bytes.unwrap_or_default())
            }
        }
    }
}

const FIRST_CHUNK: usize = 16;
const LARGEST_CHUNK: usize = 512;

/// A range of one collection in one generation.
#[derive(Debug)]
pub(crate) struct DeltaStream {
    delta: Arc<StoreDelta>,
    collection: u32,
    seq: u64,
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
    reverse: bool,
    chunk: usize,
    ready: VecDeque<DeltaItem>,
    exhausted: bool,
}

impl DeltaStream {
    pub(crate) fn new(
        delta: Arc<StoreDelta>,
        collection: u32,
        seq: u64,
        bounds: (Bound<Vec<u8>>, Bound<Vec<u8>>),
        reverse: bool,
    ) -> Self {
        let (lower, upper) = bounds;
        Self {
            delta,
            collection,
            seq,
            lower,
            upper,
            reverse,
            chunk: FIRST_CHUNK,
            ready: VecDeque::new(),
            exhausted: false,
        }
    }

    /// Makes [`front`](Self::front) true to the range.
    pub(crate) fn fill(&mut self) {
        while self.ready.is_empty() && !self.exhausted {
            self.refill();
        }
    }

    /// The next entry, once filled; `None` at the end.
    pub(crate) fn front(&self) -> Option<&DeltaItem> {
        self.ready.front()
    }

    pub(crate) fn advance(&mut self) {
        self.ready.pop_front();
    }

    /// Looks at one chunk of entries. A key's versions are newest first; of those up to `seq` the first met counts going
    /// forward, the last met going backward.
    fn refill(&mut self) {
        let from = match &self.lower {
            Bound::Unbounded => Bound::Included(DeltaKey::probe(self.collection, &[], u64::MAX)),
            Bound::Included(key) => Bound::Included(DeltaKey::probe(self.collection, key, u64::MAX)),
            Bound::Excluded(key) => Bound::Excluded(DeltaKey::probe(self.collection, key, 0)),
        };
        let to = match &self.upper {
            Bound::Unbounded => match self.collection.checked_add(1) {
                Some(next) => Bound::Excluded(DeltaKey::probe(next, &[], u64::MAX)),
                None => Bound::Unbounded,
            },
            Bound::Included(key) => Bound::Included(DeltaKey::probe(self.collection, key, 0)),
            Bound::Excluded(key) => Bound::Excluded(DeltaKey::probe(self.collection, key, u64::MAX)),
        };
        let mut group: Option<Group> = None;
        let mut more = false;
        if !is_empty(&from, &to) {
            let index = self.delta.index.read();
            let mut entries = index.range((from.as_ref(), to.as_ref()));
            let mut looked = 0;
            while let Some((key, value)) = if self.reverse { entries.next_back() } else { entries.next() } {
                if group.as_ref().is_none_or(|group| !group.key.is_same_key(key)) {
                    // A chunk ends between two keys only.
                    more = looked >= self.chunk;
                    if more {
                        break;
                    }
                    let next = key.owned().map(|key| Group { key, chosen: None });
                    self.ready.extend(std::mem::replace(&mut group, next).and_then(|group| group.chosen));
                }
                looked += 1;
                if key.seq <= self.seq
                    && let Some(group) = group.as_mut().filter(|group| self.reverse || group.chosen.is_none())
                {
                    group.chosen = key.owned().map(|key| DeltaItem { key, value: *value });
                }
            }
        }
        match group {
            Some(group) => {
                if more {
                    let bound = Bound::Excluded(group.key.key().to_vec());
                    if self.reverse { self.upper = bound } else { self.lower = bound }
                }
                self.exhausted = !more;
                self.ready.extend(group.chosen);
            }
            None => self.exhausted = true,
        }
        self.chunk = (self.chunk * 2).min(LARGEST_CHUNK);
    }
}

/// The versions of one key, as far as they have been met.
struct Group {
    key: DeltaKey<'static>,
    chosen: Option<DeltaItem>,
}

/// Whether no key lies between the bounds; the index must not be asked for such a range.
fn is_empty(from: &Bound<DeltaKey<'_>>, to: &Bound<DeltaKey<'_>>) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::{ops::Bound, sync::Arc};

    use proptest::prelude::*;

    use super::DeltaStream;
    use crate::delta::StoreDelta;
    use crate::testing::Frames;

    fn bound(kind: u8, key: Vec<u8>) -> Bound<Vec<u8>> {
        match kind {
            0 => Bound::Unbounded,
            1 => Bound::Included(key),
            _ => Bound::Excluded(key),
        }
    }

    proptest! {
        #[test]
        fn a_range_shows_the_newest_version_up_to_its_sequence_number(
            commits in proptest::collection::vec((proptest::collection::vec(0u8..3, 0..3), any::<bool>()), 0..120),
            lower in (0u8..3, proptest::collection::vec(0u8..3, 0..3)),
            upper in (0u8..3, proptest::collection::vec(0u8..3, 0..3)),
            reverse: bool,
            upto in 0u64..130,
        ) {
            let delta = Arc::new(StoreDelta::new(1, 1 << 16));
            let mut model = std::collections::BTreeMap::new();
            let mut frames = Frames::new();
            for (index, (key, put)) in commits.iter().enumerate() {
                let seq = index as u64 + 1;
                let value = put.then(|| seq.to_le_bytes().to_vec());
                delta.insert(&frames.next(&[], &[(2, key.as_slice(), value.as_deref()), (3, key.as_slice(), Some(b"other"))]));
                if seq <= upto {
                    model.insert(key.clone(), value);
                }
            }
            let bounds = (bound(lower.0, lower.1), bound(upper.0, upper.1));
            let mut expected: Vec<_> = model
                .into_iter()
                .filter(|(key, _)| std::ops::RangeBounds::contains(&(bounds.0.as_ref(), bounds.1.as_ref()), key))
                .collect();
            if reverse {
                expected.reverse();
            }
            let mut stream = DeltaStream::new(delta, 2, upto, bounds, reverse);
            let mut actual = Vec::new();
            stream.fill();
            while let Some(item) = stream.front() {
                actual.push((item.key().to_vec(), item.value().map(<[u8]>::to_vec)));
                stream.advance();
                stream.fill();
            }
            prop_assert_eq!(actual, expected);
        }
    }
}
