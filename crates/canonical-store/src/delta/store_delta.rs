//! One generation of the store's writes. One writer (under the commit lock) adds whole commits; readers take entries up to the
//! sequence number that they have captured. The log's lock is held for a few entries at a time and never across I/O; entries
//! are sorted only for scans and for the flusher.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use ledgerstone_journal::{Frame, Op, OpKind, Position};
use ledgerstone_write_coordinator::Delta;
use parking_lot::{RwLock, RwLockUpgradableReadGuard};

use super::{
    bloom::Bloom,
    events::DeltaEvents,
    expected::AHEAD,
    key::{DeltaValue, hash_parts, value_range},
    log::Log,
    ordered::Ordered,
};
use crate::catalog::CatalogEntry;

/// The memory of an entry besides the bytes it refers to: 48 in the log, 11 to 22 in the table, and the reserve of both.
const ENTRY_BYTES: u64 = 80;
/// The memory of a commit besides its bytes: the log's reference to it, the log's reserve, and unused memory of frames.
const COMMIT_BYTES: u64 = 96;
/// The maximum number of entries added, or copied, while the lock is held.
pub(super) const SLICE: usize = 128;

/// The state of the store when a delta was frozen: all that its flush records.
#[derive(Clone, Debug)]
pub(crate) struct FrozenAt {
    pub(crate) seq: u64,
    pub(crate) position: Option<Position>,
    pub(crate) next_event_id: u64,
    pub(crate) oldest_event_id: u64,
    pub(crate) sealed_event_id: Option<u64>,
    pub(crate) last_timestamp_ms: u64,
    /// The collections that were made or dropped since the delta before this one was frozen.
    pub(crate) collections: Vec<Arc<CatalogEntry>>,
    pub(crate) next_collection_id: u32,
    /// The checkpoint may contain parts of all commits up to here: from the last flush, or from an unfinished one before the opening.
    pub(crate) begun_seq: u64,
    pub(crate) event_codec: String,
    pub(crate) epoch: u64,
}

impl FrozenAt {
    /// Whether a collection was made and dropped within the delta: the checkpoint never gets it.
    pub(crate) fn is_fleeting(&self, collection: &CatalogEntry) -> bool {
        collection.dropped_seq != 0 && collection.created_seq > self.begun_seq
    }
}

/// A generation's answer for a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup<R> {
    Found(R),
    Deleted,
    Unknown,
}

/// The effect of adding a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inserted {
    pub(crate) bytes: u64,
    pub(crate) keys_written: u32,
    pub(crate) keys_deleted: u32,
}

#[derive(Debug)]
pub(crate) struct StoreDelta {
    /// Locked by the writer; after the lock of `ordered` where both are held.
    pub(super) log: RwLock<Log>,
    pub(super) ordered: RwLock<Ordered>,
    /// Memory used by the key order that readers have built; the next commit counts it.
    pub(super) unnoted: AtomicU64,
    bloom: Bloom,
    events: DeltaEvents,
    bytes: AtomicU64,
    entries: AtomicU64,
    last_seq: AtomicU64,
    frozen_at: OnceLock<FrozenAt>,
}

impl Delta for StoreDelta {
    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    fn last_seq(&self) -> u64 {
        self.last_seq.load(Ordering::Acquire)
    }
}

impl StoreDelta {
    /// An empty generation whose first event will be `first_event_id`.
    pub(crate) fn new(first_event_id: u64, flush_bytes: u64) -> Self {
        Self {
            log: RwLock::default(),
            ordered: RwLock::default(),
            unnoted: AtomicU64::new(0),
            bloom: Bloom::for_delta(flush_bytes),
            events: DeltaEvents::starting_at(first_event_id),
            bytes: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            last_seq: AtomicU64::new(0),
            frozen_at: OnceLock::new(),
        }
    }

    /// The same generation, still empty, with another first event: making one takes too long for the commit lock.
    pub(crate) fn beginning_at(mut self, first_event_id: u64) -> Self {
        self.events.begin_at(first_event_id);
        self
    }

    pub(crate) fn events(&self) -> &DeltaEvents {
        &self.events
    }

    /// The number of entries; those of a commit are counted before its sequence number is published.
    pub(crate) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    pub(crate) fn freeze(&self, at: FrozenAt) {
        let _ = self.frozen_at.set(at);
    }

    pub(crate) fn frozen_at(&self) -> Option<&FrozenAt> {
        self.frozen_at.get()
    }

    /// Prefetches the places of keys with these hashes, which will be added or looked up in some 200 ns.
    pub(crate) fn expect(&self, hashes: &[u64]) {
        let log = self.log.read();
        for hash in hashes {
            self.bloom.expect(*hash);
            log.table.expect(*hash);
        }
    }

    /// The second step, some 100 ns later: prefetches the entries at these places.
    pub(super) fn expect_entries(&self, hashes: &[u64]) {
        let log = self.log.read();
        for hash in hashes {
            log.expect(*hash);
        }
    }

    /// Adds a whole commit. Called under the commit lock; visible to readers once the applied mark reaches its sequence number.
    pub(crate) fn insert(&self, frame: &Frame) -> Inserted {
        let mut added = Inserted { bytes: frame.bytes().len() as u64, keys_written: 0, keys_deleted: 0 };
        let (mut pushed, mut entries, mut begun) = (0, 0, false);
        let mut ops = frame.ops().filter(|op| matches!(op.kind, OpKind::Put | OpKind::Delete)).peekable();
        let hash_of = |op: &Op| hash_parts(op.collection, frame.bytes().get(op.key.clone()).unwrap_or_default());
        let mut ahead = frame.ops().skip(AHEAD);
        while ops.peek().is_some() {
            let log = self.log.upgradable_read();
            let grown = log.table.grown_for(SLICE);
            let mut log = RwLockUpgradableReadGuard::upgrade(log);
            if let Some(grown) = grown {
                log.table = grown;
            }
            if !std::mem::replace(&mut begun, true) {
                log.begin(frame);
            }
            for op in ops.by_ref().take(SLICE) {
                if let Some(op) = ahead.next() {
                    let hash = hash_of(&op);
                    self.bloom.expect(hash);
                    log.table.expect(hash);
                }
                let hash = hash_of(&op);
                self.bloom.insert(hash);
                if op.kind == OpKind::Put {
                    added.keys_written += 1;
                } else {
                    added.keys_deleted += 1;
                }
                pushed += 1;
                match log.push(hash, &op) {
                    None => entries += 1,
                    Some(OpKind::Put) => added.keys_written -= 1,
                    Some(_) => added.keys_deleted -= 1,
                }
            }
        }
        added.bytes += COMMIT_BYTES + pushed * ENTRY_BYTES + self.events.push(frame);
        added.bytes += self.unnoted.swap(0, Ordering::Relaxed);
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.bytes.fetch_add(added.bytes, Ordering::Release);
        self.last_seq.store(frame.seq(), Ordering::Release);
        added
    }

    /// This generation's answer for a key at `seq`.
    pub(crate) fn get<R>(
        &self,
        hash: u64,
        collection: u32,
        key: &[u8],
        seq: u64,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Lookup<R> {
        if !self.bloom.may_contain(hash) {
            return Lookup::Unknown;
        }
        let found = {
            let log = self.log.read();
            log.find(hash, collection, key, seq).map(|entry| (log.frame(entry).cloned(), entry.value()))
        };
        match found {
            None => Lookup::Unknown,
            Some((_, DeltaValue::Delete)) => Lookup::Deleted,
            Some((frame, DeltaValue::Put { start, len })) => {
                let bytes = frame.as_ref().and_then(|frame| frame.bytes().get(value_range(start, len)));
                Lookup::Found(take(bytes.unwrap_or_default()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, ops::Bound, sync::Arc};

    use ledgerstone_write_coordinator::Delta as _;
    use proptest::prelude::*;

    use super::{COMMIT_BYTES, ENTRY_BYTES, Lookup, StoreDelta};
    use crate::{
        delta::{DeltaStream, hash_parts},
        testing::Frames,
    };

    type Shown = Vec<(Vec<u8>, Option<Vec<u8>>)>;

    fn scan(delta: &Arc<StoreDelta>, seq: u64) -> Shown {
        DeltaStream::new(Arc::clone(delta), 2, seq, (Bound::Unbounded, Bound::Unbounded), false).shown()
    }

    /// A few keys that differ only in length, after as many bytes as an entry keeps, or in those.
    fn op() -> impl Strategy<Value = (Vec<u8>, Option<u8>)> {
        let key = (0usize..3, proptest::collection::vec(0u8..3, 1..4))
            .prop_map(|(prefix, end)| [&[0; 16][..[0, 14, 16][prefix]], &end].concat());
        (key, proptest::option::weighted(0.8, any::<u8>()))
    }

    proptest! {
        // Scans in between make the order be built in steps: merged, and one by one.
        #[test]
        fn keys_scans_and_the_flusher_agree_at_every_commit(
            commits in proptest::collection::vec((proptest::collection::vec(op(), 0..6), any::<bool>()), 0..60),
        ) {
            let delta = Arc::new(StoreDelta::new(1, 1 << 16));
            let mut frames = Frames::new();
            let mut states = vec![BTreeMap::<Vec<u8>, Option<Vec<u8>>>::new()];
            for (ops, scanned) in &commits {
                let mut state = states.last().unwrap().clone();
                let values: Vec<_> = ops.iter().map(|(key, value)| (key.clone(), value.map(|byte| vec![byte]))).collect();
                let ops: Vec<_> = values.iter().map(|(key, value)| (2, key.as_slice(), value.as_deref())).collect();
                let added = delta.insert(&frames.next(&[], &ops));
                let written: BTreeMap<_, _> = values.iter().cloned().collect();
                let put = written.values().filter(|value| value.is_some()).count();
                prop_assert_eq!((added.keys_written as usize, added.keys_deleted as usize), (put, written.len() - put));
                state.extend(written);
                states.push(state);
                if *scanned {
                    let seq = states.len() as u64 - 1;
                    prop_assert_eq!(scan(&delta, seq), states.last().unwrap().clone().into_iter().collect::<Shown>());
                }
            }
            for (seq, state) in states.iter().enumerate() {
                let seq = seq as u64;
                prop_assert_eq!(scan(&delta, seq), state.clone().into_iter().collect::<Shown>());
                for key in states.last().unwrap().keys() {
                    let expected = match state.get(key) {
                        None => Lookup::Unknown,
                        Some(None) => Lookup::Deleted,
                        Some(Some(value)) => Lookup::Found(value.clone()),
                    };
                    prop_assert_eq!(delta.get(hash_parts(2, key), 2, key, seq, <[u8]>::to_vec), expected);
                }
            }
            let net = delta.net();
            let net: Shown = net.ops().map(|op| (op.key.to_vec(), op.value.map(<[u8]>::to_vec))).collect();
            prop_assert_eq!(net, states.last().unwrap().clone().into_iter().collect::<Shown>());
        }
    }

    #[test]
    fn an_order_is_counted_with_the_next_commit() {
        let delta = Arc::new(StoreDelta::new(1, 1 << 16));
        let mut frames = Frames::new();
        let mut insert = || {
            let frame = frames.next(&[], &[(2, b"key", Some(b"value"))]);
            let added = delta.insert(&frame);
            added.bytes - frame.bytes().len() as u64
        };
        assert_eq!(insert(), COMMIT_BYTES + ENTRY_BYTES);
        assert_eq!(insert(), COMMIT_BYTES + ENTRY_BYTES);
        let before = delta.bytes();
        assert_eq!(scan(&delta, 2).len(), 1);
        assert_eq!(delta.bytes(), before);
        assert_eq!(insert(), COMMIT_BYTES + ENTRY_BYTES + 2 * crate::delta::ordered::PLACE_BYTES);
        assert_eq!(insert(), COMMIT_BYTES + ENTRY_BYTES);
    }
}
