//! The order of the delta's entries: collection, key bytes, newest first. The first 16 bytes are compared as two integers; only
//! keys with equal ones read the commit's bytes.

use std::{
    cmp::Ordering,
    hash::{BuildHasher, RandomState},
    ops::Range,
    sync::LazyLock,
};

use ledgerstone_journal::Frame;

/// An entry's information about its key; the bytes of a value are in the key's frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum DeltaValue {
    Put { start: u32, len: u32 },
    Delete,
}

pub(super) fn value_range(start: u32, len: u32) -> Range<usize> {
    start as usize..start as usize + len as usize
}

#[derive(Clone, Debug)]
enum KeyBytes<'a> {
    InFrame { frame: Frame, start: u32, len: u16 },
    Borrowed(&'a [u8]),
}

/// A key of the index. Owned keys refer to a frame; probes borrow, so that a look-up allocates nothing.
#[derive(Clone, Debug)]
pub(super) struct DeltaKey<'a> {
    head: [u64; 2],
    bytes: KeyBytes<'a>,
    pub(super) seq: u64,
}

pub(super) fn head_of(collection: u32, key: &[u8]) -> [u64; 2] {
    let mut bytes = [0; 16];
    let (id, rest) = bytes.split_at_mut(4);
    id.copy_from_slice(&collection.to_be_bytes());
    for (to, from) in rest.iter_mut().zip(key) {
        *to = *from;
    }
    let word = u128::from_be_bytes(bytes);
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of the word")]
    let halves = [(word >> 64) as u64, word as u64];
    halves
}

/// A key as the checkpoint stores it: collection id, big endian, then the bytes.
pub(crate) fn full_key(collection: u32, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(4 + key.len());
    full.extend_from_slice(&collection.to_be_bytes());
    full.extend_from_slice(key);
    full
}

/// Random for each process: an attacker who chooses keys cannot choose collisions.
static SECRETS: LazyLock<[u64; 2]> = LazyLock::new(|| {
    let secret = RandomState::new();
    [0, 1].map(|number: u8| secret.hash_one(number) | 1)
});

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of the product")]
    let halves = (product >> 64) as u64 ^ product as u64;
    halves
}

/// A 64-bit hash for the filter and the table: eight bytes at a time, spread by a multiplication.
pub(crate) fn hash_parts(collection: u32, key: &[u8]) -> u64 {
    let [start, factor] = *SECRETS;
    let (words, rest) = key.as_chunks::<8>();
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let begun = start ^ (u64::from(collection) | (key.len() as u64) << 32);
    let hash = words.iter().fold(begun, |hash, word| fold(hash ^ u64::from_le_bytes(*word), factor));
    fold(fold(hash ^ u64::from_le_bytes(last), factor) ^ start, factor)
}

impl<'a> DeltaKey<'a> {
    pub(super) fn probe(collection: u32, key: &'a [u8], seq: u64) -> Self {
        Self { head: head_of(collection, key), bytes: KeyBytes::Borrowed(key), seq }
    }

    pub(super) fn in_frame(frame: &Frame, collection: u32, range: &Range<usize>, seq: u64) -> DeltaKey<'static> {
        let key = frame.bytes().get(range.clone()).unwrap_or_default();
        DeltaKey {
            head: head_of(collection, key),
            bytes: KeyBytes::InFrame {
                frame: frame.clone(),
                start: u32::try_from(range.start).unwrap_or(u32::MAX),
                len: u16::try_from(range.len()).unwrap_or(u16::MAX),
            },
            seq,
        }
    }

    /// The key as stored in the checkpoint.
    pub(super) fn full(&self) -> Vec<u8> {
        let [first, _] = self.head;
        full_key(u32::try_from(first >> 32).unwrap_or(0), self.key())
    }

    pub(super) fn key(&self) -> &[u8] {
        match &self.bytes {
            KeyBytes::InFrame { frame, start, len } => {
                let start = *start as usize;
                frame.bytes().get(start..start + usize::from(*len)).unwrap_or_default()
            }
            KeyBytes::Borrowed(key) => key,
        }
    }

    /// The same key without the borrow; `None` for a probe.
    pub(super) fn owned(&self) -> Option<DeltaKey<'static>> {
        match &self.bytes {
            KeyBytes::InFrame { frame, start, len } => Some(DeltaKey {
                head: self.head,
                bytes: KeyBytes::InFrame { frame: frame.clone(), start: *start, len: *len },
                seq: self.seq,
            }),
            KeyBytes::Borrowed(_) => None,
        }
    }

    pub(super) fn frame(&self) -> Option<&Frame> {
        match &self.bytes {
            KeyBytes::InFrame { frame, .. } => Some(frame),
            KeyBytes::Borrowed(_) => None,
        }
    }

    pub(super) fn is_same_key(&self, other: &DeltaKey<'_>) -> bool {
        self.head == other.head && self.key() == other.key()
    }
}

impl Ord for DeltaKey<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.head.cmp(&other.head).then_with(|| self.key().cmp(other.key())).then_with(|| other.seq.cmp(&self.seq))
    }
}

impl PartialOrd for DeltaKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for DeltaKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for DeltaKey<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{DeltaKey, full_key};

    proptest! {
        #[test]
        fn keys_sort_as_their_stored_bytes_and_newest_first(
            a in (0u32..3, proptest::collection::vec(0u8..3, 0..20), 0u64..4),
            b in (0u32..3, proptest::collection::vec(0u8..3, 0..20), 0u64..4),
        ) {
            let expected = full_key(a.0, &a.1).cmp(&full_key(b.0, &b.1)).then(b.2.cmp(&a.2));
            prop_assert_eq!(DeltaKey::probe(a.0, &a.1, a.2).cmp(&DeltaKey::probe(b.0, &b.1, b.2)), expected);
        }
    }
}
