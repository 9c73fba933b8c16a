//! The entries of one generation in a range, as of one sequence number. They are read in chunks: writers wait for a few entries
//! at most, and no lock is held while the checkpoint is read.

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Range},
    ops::Bound,
    sync::Arc,
};

use super::{
    key::{DeltaKey, DeltaValue, value_range},
    store_delta::StoreDelta,
};

/// One key with its newest version. The bytes stay in the commit's frame.
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

/// Up to this many versions of a key are skipped one by one; beyond that it is faster to look up where the next key begins.
const STEPPED_OVER: usize = 16;
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
    /// The number of entries read under the index's lock.
    pub(crate) looked: usize,
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
            looked: 0,
        }
    }

    /// All of its entries: keys, and their values unless they were deleted.
    #[cfg(test)]
    pub(super) fn shown(mut self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut shown = Vec::new();
        self.fill();
        while let Some(item) = self.front() {
            shown.push((item.key().to_vec(), item.value().map(<[u8]>::to_vec)));
            self.advance();
            self.fill();
        }
        shown
    }

    /// Makes [`front`](Self::front) the next entry of the range.
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

    /// The dead span around a full key, here and below; see [`StoreDelta::dead_around`].
    pub(crate) fn dead_around(&self, full_key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        self.delta.dead_around(full_key, self.seq)
    }

    /// Notes that nothing is alive from one full key up to another, here and below.
    pub(crate) fn note_dead(&self, from: Vec<u8>, to: Vec<u8>) {
        self.delta.note_dead(from, to, self.seq);
    }

    /// Continues at `key`; in reverse, before it.
    pub(crate) fn pass_to(&mut self, key: &[u8]) {
        let is_passed = |item: &DeltaItem| if self.reverse { item.key() >= key } else { item.key() < key };
        let passed = self.ready.iter().take_while(|item| is_passed(item)).count();
        self.ready.drain(..passed);
        if !self.ready.is_empty() {
            return;
        }
        let bound = if self.reverse { &mut self.upper } else { &mut self.lower };
        let is_behind = match bound {
            Bound::Unbounded => false,
            Bound::Included(at) | Bound::Excluded(at) if self.reverse => at.as_slice() <= key,
            Bound::Included(at) | Bound::Excluded(at) => at.as_slice() >= key,
        };
        if !is_behind {
            *bound = if self.reverse { Bound::Excluded(key.to_vec()) } else { Bound::Included(key.to_vec()) };
        }
    }

    /// Reads one chunk of entries, and continues after it the next time.
    fn refill(&mut self) {
        let (from, to) = key_range(self.collection, (&self.lower, &self.upper));
        let chunk = if is_empty(&from, &to) {
            Chunk::default()
        } else {
            let ordered = self.delta.ordered(self.seq);
            let entries = Entries {
                index: &ordered.index,
                from,
                to,
                collection: self.collection,
                seq: self.seq,
                reverse: self.reverse,
            };
            entries.read(self.chunk, &mut self.ready)
        };
        self.looked += chunk.looked;
        self.exhausted = chunk.is_last || chunk.newest_key.is_none();
        if let Some(Group { key, chosen }) = chunk.newest_key {
            if !chunk.is_last {
                let bound = Bound::Excluded(key.key().to_vec());
                if self.reverse { self.upper = bound } else { self.lower = bound }
            }
            self.ready.extend(chosen);
        }
        self.chunk = (self.chunk * 2).min(LARGEST_CHUNK);
    }
}

/// The bounds of a collection's keys as bounds of the index, where a key's versions are newest first.
fn key_range<'k>(
    collection: u32,
    (lower, upper): (&'k Bound<Vec<u8>>, &'k Bound<Vec<u8>>),
) -> (Bound<DeltaKey<'k>>, Bound<DeltaKey<'k>>) {
    let from = match lower {
        Bound::Unbounded => Bound::Included(DeltaKey::probe(collection, &[], u64::MAX)),
        Bound::Included(key) => Bound::Included(DeltaKey::probe(collection, key, u64::MAX)),
        Bound::Excluded(key) => Bound::Excluded(DeltaKey::probe(collection, key, 0)),
    };
    let to = match upper {
        Bound::Unbounded => match collection.checked_add(1) {
            Some(next) => Bound::Excluded(DeltaKey::probe(next, &[], u64::MAX)),
            None => Bound::Unbounded,
        },
        Bound::Included(key) => Bound::Included(DeltaKey::probe(collection, key, 0)),
        Bound::Excluded(key) => Bound::Excluded(DeltaKey::probe(collection, key, u64::MAX)),
    };
    (from, to)
}

/// The part of the index from which a chunk is read.
struct Entries<'a> {
    index: &'a BTreeMap<DeltaKey<'a>, DeltaValue>,
    from: Bound<DeltaKey<'a>>,
    to: Bound<DeltaKey<'a>>,
    collection: u32,
    seq: u64,
    reverse: bool,
}

/// The result of reading a chunk.
struct Chunk {
    /// The number of entries read.
    looked: usize,
    /// The range ends with it.
    is_last: bool,
    /// The last key met; its newest version is not handed out yet.
    newest_key: Option<Group>,
}

impl Default for Chunk {
    fn default() -> Self {
        Self { looked: 0, is_last: true, newest_key: None }
    }
}

impl Entries<'_> {
    /// Reads about `limit` entries: a chunk ends only between two keys. The newest version of each key goes to `ready`.
    fn read(&self, limit: usize, ready: &mut VecDeque<DeltaItem>) -> Chunk {
        let mut chunk = Chunk::default();
        let mut entries = self.index.range((self.from.as_ref(), self.to.as_ref()));
        let mut versions = 0;
        while let Some((key, value)) = if self.reverse { entries.next_back() } else { entries.next() } {
            if chunk.newest_key.as_ref().is_none_or(|group| !group.key.is_same_key(key)) {
                if chunk.looked >= limit {
                    chunk.is_last = false;
                    break;
                }
                versions = 0;
                let next = key.owned().map(|key| Group { key, chosen: None });
                ready.extend(std::mem::replace(&mut chunk.newest_key, next).and_then(|group| group.chosen));
            }
            chunk.looked += 1;
            versions += 1;
            let Some(group) = chunk.newest_key.as_mut() else { continue };
            if versions == STEPPED_OVER {
                group.chosen = self.last_word(key);
                entries = self.behind(key);
            } else if key.seq <= self.seq && (self.reverse || group.chosen.is_none()) {
                // Of the versions up to `seq`, the first one met counts going forward, the last one going backward.
                group.chosen = item(key, *value);
            }
        }
        chunk
    }

    /// The newest version of this key up to `seq`.
    fn last_word(&self, key: &DeltaKey<'_>) -> Option<DeltaItem> {
        let newest = DeltaKey::probe(self.collection, key.key(), self.seq);
        let oldest = DeltaKey::probe(self.collection, key.key(), 0);
        self.index.range(&newest..=&oldest).next().and_then(|(key, value)| item(key, *value))
    }

    /// The entries after all versions of this key.
    fn behind<'k>(&'k self, key: &'k DeltaKey<'k>) -> Range<'k, DeltaKey<'k>, DeltaValue> {
        if self.reverse {
            let before = DeltaKey::probe(self.collection, key.key(), u64::MAX);
            self.index.range((self.from.as_ref(), Bound::Excluded(&before)))
        } else {
            let oldest = DeltaKey::probe(self.collection, key.key(), 0);
            self.index.range((Bound::Excluded(&oldest), self.to.as_ref()))
        }
    }
}

fn item(key: &DeltaKey<'_>, value: DeltaValue) -> Option<DeltaItem> {
    key.owned().map(|key| DeltaItem { key, value })
}

/// The versions of one key that have been met.
struct Group {
    key: DeltaKey<'static>,
    chosen: Option<DeltaItem>,
}

/// Whether no key is between the bounds; the index must not be asked for such a range.
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

    use super::{DeltaStream, STEPPED_OVER};
    use crate::delta::StoreDelta;
    use crate::testing::Frames;

    fn bound(kind: u8, key: Vec<u8>) -> Bound<Vec<u8>> {
        match kind {
            0 => Bound::Unbounded,
            1 => Bound::Included(key),
            _ => Bound::Excluded(key),
        }
    }

    /// Bug: a range read every version of a key, however many, while it blocked the writer: a hot counter of a million versions
    /// stopped all writes for that time. Mechanism: a chunk ended only between two keys. Fix: beyond a few versions the newest
    /// one is looked up, and the next key too. The result must not depend on it.
    #[test]
    fn many_versions_of_a_key_are_one_entry_both_ways() {
        let delta = Arc::new(StoreDelta::new(1, 1 << 16));
        let mut frames = Frames::new();
        let keys: [&[u8]; 3] = [b"a", b"b", b"b\0"];
        for seq in 1..=300u64 {
            let key = keys[usize::try_from(seq % 3).unwrap()];
            let value = (seq % 7 != 0).then(|| seq.to_le_bytes());
            delta.insert(&frames.next(&[], &[(2, key, value.as_ref().map(<[u8; 8]>::as_slice))]));
        }
        for upto in 0..=301 {
            for reverse in [false, true] {
                let newest = |key: usize| (1..=upto.min(300)).rev().find(|seq| seq % 3 == key as u64);
                let mut expected: Vec<_> = (0..3)
                    .filter_map(|key| newest(key).map(|seq| (keys[key], (seq % 7 != 0).then_some(seq))))
                    .collect();
                if reverse {
                    expected.reverse();
                }
                let unbounded = (Bound::Unbounded, Bound::Unbounded);
                let mut stream = DeltaStream::new(Arc::clone(&delta), 2, upto, unbounded, reverse);
                let mut actual = Vec::new();
                stream.fill();
                while let Some(item) = stream.front() {
                    let seq = item.value().map(|value| u64::from_le_bytes(value.try_into().unwrap()));
                    actual.push((item.key().to_vec(), seq));
                    stream.advance();
                    stream.fill();
                }
                let expected: Vec<_> = expected.into_iter().map(|(key, seq)| (key.to_vec(), seq)).collect();
                assert_eq!(actual, expected, "up to {upto}, reverse: {reverse}");
                assert!(stream.looked <= keys.len() * STEPPED_OVER, "{} of 300 entries looked at", stream.looked);
            }
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
                .filter(|(key, _)| std::ops::RangeBounds::<Vec<u8>>::contains(&(bounds.0.as_ref(), bounds.1.as_ref()), key))
                .collect();
            if reverse {
                expected.reverse();
            }
            prop_assert_eq!(DeltaStream::new(delta, 2, upto, bounds, reverse).shown(), expected);
        }
    }
}
