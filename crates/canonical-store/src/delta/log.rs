//! The entries of a delta in the order of the commits, and a table that finds the newest of a key. Each entry refers to the
//! key's previous version and to one further back, so that an old snapshot finds its version among many in few steps.

use std::ptr;

use ledgerstone_journal::{Frame, Op, OpKind};

use super::{
    key::{DeltaKey, DeltaValue, head_of},
    table::KeyTable,
};
use crate::cache_line::{LINE_BYTES, fetch};

const NONE: u32 = u32::MAX;
/// An entry holds this many bytes of its key, enough to identify most keys: reaching the frame costs three more lines of
/// memory, one after another, and seldom in the cache.
const START_BYTES: usize = 16;
/// The maximum bytes of a key and a value to prefetch.
const EXPECTED_BYTES: usize = 256;

/// A commit's operation on a key. Key and value are consecutive in the commit's frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    commit: u32,
    key_start: u32,
    value_len: u32,
    pub(super) collection: u32,
    key_len: u16,
    is_put: bool,
    /// It is the newest version of its key.
    pub(super) is_newest: bool,
    /// The key's versions: how many came before, the previous one, and one that skips some.
    age: u32,
    older: u32,
    jump: u32,
    /// The key's first bytes, padded with zeros.
    start: [u8; START_BYTES],
}

#[derive(Debug)]
struct Commit {
    seq: u64,
    frame: Frame,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Log {
    commits: Vec<Commit>,
    pub(super) entries: Vec<Entry>,
    pub(super) table: KeyTable,
}

impl Log {
    /// Begins a commit. Its operations follow.
    pub(super) fn begin(&mut self, frame: &Frame) {
        self.commits.push(Commit { seq: frame.seq(), frame: frame.clone() });
    }

    /// Adds an operation of the current commit; returns the operation of the same commit that it replaces, if any.
    pub(super) fn push(&mut self, hash: u64, op: &Op) -> Option<OpKind> {
        let Self { commits, entries, table } = self;
        let commit = u32::try_from(commits.len().saturating_sub(1)).unwrap_or(NONE);
        let key = commits.last()?.frame.bytes().get(op.key.clone())?;
        let index = u32::try_from(entries.len()).unwrap_or(NONE);
        let probe = Probe::new(op.collection, key);
        let older = table.replace(hash, index, |other| probe.is_key_of(commits, entries, other));
        let (mut age, mut jump, mut taken_back) = (0, NONE, None);
        if let Some((older, before)) = older.and_then(|older| Some((older, entries.get_mut(older as usize)?))) {
            before.is_newest = false;
            let before = *before;
            age = before.age.saturating_add(1);
            taken_back = (before.commit == commit).then_some(if before.is_put { OpKind::Put } else { OpKind::Delete });
            // Two jumps of equal length become one of twice the length.
            let age_of = |entry: u32| entries.get(entry as usize).map(|entry| entry.age);
            let beyond = entries.get(before.jump as usize).map(|next| (next.age, next.jump));
            jump = match beyond {
                Some((middle, far)) if age_of(far).is_some_and(|far| before.age - middle == middle - far) => far,
                _ => older,
            };
        }
        entries.push(Entry {
            commit,
            key_start: u32::try_from(op.key.start).unwrap_or(u32::MAX),
            value_len: u32::try_from(op.value.len()).unwrap_or(u32::MAX),
            collection: op.collection,
            key_len: u16::try_from(op.key.len()).unwrap_or(u16::MAX),
            is_put: op.kind == OpKind::Put,
            is_newest: true,
            age,
            older: older.unwrap_or(NONE),
            jump,
            start: probe.start,
        });
        taken_back
    }

    /// The newest version of a key up to `seq`.
    pub(super) fn find(&self, hash: u64, collection: u32, key: &[u8], seq: u64) -> Option<&Entry> {
        let probe = Probe::new(collection, key);
        let newest = self.table.newest(hash, |entry| probe.is_key_of(&self.commits, &self.entries, entry))?;
        let mut entry = self.entries.get(newest as usize)?;
        while self.seq(entry) > seq {
            let far = self.entries.get(entry.jump as usize).filter(|far| self.seq(far) > seq);
            entry = match far {
                Some(far) => far,
                None => self.entries.get(entry.older as usize)?,
            };
        }
        Some(entry)
    }

    /// Prefetches the entry of a key with this hash, which is about to be searched; its slot is in the cache already.
    pub(super) fn expect(&self, hash: u64) {
        if let Some(entry) = self.table.likely(hash).and_then(|entry| self.entries.get(entry as usize)) {
            fetch(ptr::from_ref(entry).addr());
        }
    }

    /// Prefetches the commit of an entry that is about to be read.
    pub(super) fn expect_commit(&self, entry: &Entry) {
        if let Some(commit) = self.commits.get(entry.commit as usize) {
            fetch(ptr::from_ref(commit).addr());
        }
    }

    /// Its commit is in the cache: prefetches its key and its value, or the beginning of a long one.
    pub(super) fn expect_bytes(&self, entry: &Entry) {
        let Some(bytes) = self.frame(entry).and_then(|frame| frame.bytes().get(entry.key_start as usize..)) else {
            return;
        };
        let wanted = usize::from(entry.key_len) + entry.value_len as usize;
        for line in bytes.iter().step_by(LINE_BYTES).take(wanted.min(EXPECTED_BYTES).div_ceil(LINE_BYTES) + 1) {
            fetch(ptr::from_ref(line).addr());
        }
    }

    pub(super) fn seq(&self, entry: &Entry) -> u64 {
        self.commits.get(entry.commit as usize).map_or(u64::MAX, |commit| commit.seq)
    }

    pub(super) fn frame(&self, entry: &Entry) -> Option<&Frame> {
        self.commits.get(entry.commit as usize).map(|commit| &commit.frame)
    }

    pub(super) fn key(&self, entry: &Entry) -> &[u8] {
        key_of(&self.commits, entry)
    }

    /// The same for an ordered index.
    pub(super) fn in_order(&self, entry: &Entry) -> Option<(DeltaKey<'static>, DeltaValue)> {
        let start = entry.key_start as usize;
        let range = start..start + usize::from(entry.key_len);
        let key = DeltaKey::in_frame(self.frame(entry)?, entry.collection, &range, self.seq(entry));
        Some((key, entry.value()))
    }
}

impl Entry {
    /// The first bytes by which the key order finds it.
    pub(super) fn head(&self) -> [u64; 2] {
        head_of(self.collection, &self.start)
    }

    pub(super) fn value(&self) -> DeltaValue {
        let start = self.key_start.saturating_add(u32::from(self.key_len));
        if self.is_put { DeltaValue::Put { start, len: self.value_len } } else { DeltaValue::Delete }
    }
}

fn key_of<'a>(commits: &'a [Commit], entry: &Entry) -> &'a [u8] {
    let start = entry.key_start as usize;
    let bytes = commits.get(entry.commit as usize).map(|commit| commit.frame.bytes());
    bytes.and_then(|bytes| bytes.get(start..start + usize::from(entry.key_len))).unwrap_or_default()
}

/// A key to look up.
struct Probe<'a> {
    collection: u32,
    key: &'a [u8],
    start: [u8; START_BYTES],
}

impl<'a> Probe<'a> {
    fn new(collection: u32, key: &'a [u8]) -> Self {
        let start = key.first_chunk().copied().unwrap_or_else(|| {
            let mut start = [0; START_BYTES];
            for (to, from) in start.iter_mut().zip(key) {
                *to = *from;
            }
            start
        });
        Self { collection, key, start }
    }

    fn is_key_of(&self, commits: &[Commit], entries: &[Entry], entry: u32) -> bool {
        entries.get(entry as usize).is_some_and(|entry| {
            entry.collection == self.collection
                && entry.start == self.start
                && usize::from(entry.key_len) == self.key.len()
                && (self.key.len() <= START_BYTES || key_of(commits, entry) == self.key)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyTable, Log};
    use crate::delta::hash_parts;
    use crate::testing::Frames;

    #[test]
    fn keys_whose_hashes_agree_are_told_apart() {
        // They differ only in length, in the bytes that an entry keeps, after those, or in their collection.
        let ends = [&[][..], &[0], &[1], &[0, 0], &[0, 1], &[1, 0]];
        let starts = [&[7][..], &[0], &[0; 14], &[0; 15], &[0; 16], &[0; 17]];
        let mut keys: Vec<_> = starts.iter().flat_map(|start| ends.map(|end| [*start, end].concat())).collect();
        keys.sort();
        keys.dedup();
        let mut log = Log { table: KeyTable::default().grown_for(3 * keys.len()).unwrap(), ..Log::default() };
        let mut frames = Frames::new();
        for collection in [2, 3] {
            for key in &keys {
                let frame = frames.next(&[], &[(collection, key, Some(b""))]);
                log.begin(&frame);
                assert_eq!(log.push(1, &frame.ops().next().unwrap()), None);
            }
        }
        for (seq, (collection, key)) in
            (1..).zip([2, 3].into_iter().flat_map(|id| keys.iter().map(move |key| (id, key))))
        {
            let entry = log.find(1, collection, key, u64::MAX).unwrap();
            assert_eq!((log.seq(entry), log.key(entry), entry.age), (seq, &key[..], 0));
        }
        assert!(log.find(1, 2, b"missing", u64::MAX).is_none());
    }

    #[test]
    fn any_version_among_many_is_found_in_few_steps() {
        let versions = 5_000;
        let mut log = Log::default();
        let mut frames = Frames::new();
        for _ in 0..versions {
            let frame = frames.next(&[], &[(2, b"key", Some(b"value"))]);
            if let Some(grown) = log.table.grown_for(1) {
                log.table = grown;
            }
            log.begin(&frame);
            for op in frame.ops() {
                log.push(hash_parts(2, b"key"), &op);
            }
        }
        let find = |seq| log.find(hash_parts(2, b"key"), 2, b"key", seq);
        assert!(find(0).is_none());
        for seq in 1..=versions {
            assert_eq!(find(seq).map(|entry| log.seq(entry)), Some(seq));
        }
        // Follows the path of `find`: about twice the binary logarithm of the versions.
        let steps = |seq| {
            let mut entry = log.entries.last().unwrap();
            let mut steps = 0;
            while log.seq(entry) > seq {
                let far = log.entries.get(entry.jump as usize).filter(|far| log.seq(far) > seq);
                entry = far.unwrap_or_else(|| &log.entries[entry.older as usize]);
                steps += 1;
            }
            steps
        };
        let most = (1..=versions).map(steps).max().unwrap();
        assert!(most <= 48, "{most} steps among {versions} versions");
    }
}
