//! One generation of the store's writes. One writer (under the commit lock) adds whole commits; readers take entries up to
//! the sequence number they have captured. The index's lock is held for a few entries at a time and never across I/O.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use ledgerstone_journal::{Frame, OpKind, Position};
use ledgerstone_write_coordinator::Delta;
use parking_lot::{RwLock, RwLockReadGuard};

use super::{
    bloom::Bloom,
    events::DeltaEvents,
    key::{DeltaKey, hash_parts},
};
use crate::catalog::Catalog;

/// What an entry costs beside the bytes it refers to: a B-tree slot at a usual fill.
const ENTRY_BYTES: u64 = 128;
/// Entries added under one taking of the lock.
const SLICE: usize = 128;

/// What an entry says about its key; a value's bytes are in the key's frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum DeltaValue {
    Put { start: u32, len: u32 },
    Delete,
}

/// What the store was like when a delta was frozen: all that its flush records.
#[derive(Clone, Debug)]
pub(crate) struct FrozenAt {
    pub(crate) seq: u64,
    pub(crate) position: Option<Position>,
    pub(crate) next_event_id: u64,
    pub(crate) oldest_event_id: u64,
    pub(crate) sealed_event_id: Option<u64>,
    pub(crate) last_timestamp_ms: u64,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) event_codec: String,
    pub(crate) epoch: u64,
}

/// What a generation knows about a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup<R> {
    Found(R),
    Deleted,
    Unknown,
}

/// What adding a commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inserted {
    pub(crate) bytes: u64,
    pub(crate) keys_written: u32,
    pub(crate) keys_deleted: u32,
}

type Index = BTreeMap<DeltaKey<'static>, DeltaValue>;

#[derive(Debug)]
pub(crate) struct StoreDelta {
    pub(super) index: RwLock<Index>,
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
            index: RwLock::default(),
            bloom: Bloom::for_delta(flush_bytes),
            events: DeltaEvents::starting_at(first_event_id),
            bytes: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            last_seq: AtomicU64::new(0),
            frozen_at: OnceLock::new(),
        }
    }

    /// The same generation, still empty, for another first event: making one takes too long for the commit lock.
    pub(crate) fn beginning_at(mut self, first_event_id: u64) -> Self {
        self.events.begin_at(first_event_id);
        self
    }

    pub(crate) fn events(&self) -> &DeltaEvents {
        &self.events
    }

    /// How many there are; those of a commit are counted before its sequence number is published.
    pub(crate) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    pub(crate) fn freeze(&self, at: FrozenAt) {
        let _ = self.frozen_at.set(at);
    }

    pub(crate) fn frozen_at(&self) -> Option<&FrozenAt> {
        self.frozen_at.get()
    }

    /// Adds a commit, whole. Under the commit lock; visible to readers once the applied mark reaches its sequence number.
    pub(crate) fn insert(&self, frame: &Arc<Frame>) -> Inserted {
        let seq = frame.seq();
        let mut added = Inserted { bytes: frame.bytes().len() as u64, keys_written: 0, keys_deleted: 0 };
        let mut entries = 0;
        let mut ops = frame.ops().filter(|op| matches!(op.kind, OpKind::Put | OpKind::Delete)).peekable();
        while ops.peek().is_some() {
            let mut index = self.index.write();
            for op in ops.by_ref().take(SLICE) {
                let key = DeltaKey::in_frame(frame, op.collection, &op.key, seq);
                let value = if op.kind == OpKind::Put {
                    added.keys_written += 1;
                    DeltaValue::Put {
                        start: u32::try_from(op.value.start).unwrap_or(u32::MAX),
                        len: u32::try_from(op.value.len()).unwrap_or(u32::MAX),
                    }
                } else {
                    added.keys_deleted += 1;
                    DeltaValue::Delete
                };
                self.bloom.insert(hash_parts(op.collection, key.key()));
                match index.insert(key, value) {
                    None => entries += 1,
                    Some(DeltaValue::Put { .. }) => added.keys_written -= 1,
                    Some(DeltaValue::Delete) => added.keys_deleted -= 1,
                }
            }
        }
        added.bytes += entries * ENTRY_BYTES + self.events.push(frame);
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.bytes.fetch_add(added.bytes, Ordering::Release);
        self.last_seq.store(seq, Ordering::Release);
        added
    }

    /// What this generation knows about a key at `seq`.
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
        let probe = DeltaKey::probe(collection, key, seq);
        let end = DeltaKey::probe(collection, key, 0);
        let found = {
            let index = self.index.read();
            index.range(&probe..=&end).next().map(|(key, value)| (key.frame().cloned(), *value))
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

    /// The last word on each key of a frozen generation. No other thread writes to it any more; readers are not kept out.
    pub(crate) fn net(&self) -> Net<'_> {
        Net(self.index.read())
    }
}

/// The net operations of a generation.
#[derive(Debug)]
pub(crate) struct Net<'a>(RwLockReadGuard<'a, Index>);

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NetOp<'a> {
    pub(crate) collection: u32,
    pub(crate) key: &'a [u8],
    pub(crate) seq: u64,
    /// `None`: deleted.
    pub(crate) value: Option<&'a [u8]>,
}

impl NetOp<'_> {
    /// Puts the key as the checkpoint stores it into `full`.
    pub(crate) fn full_key(&self, full: &mut Vec<u8>) {
        full.clear();
        full.extend_from_slice(&self.collection.to_be_bytes());
        full.extend_from_slice(self.key);
    }
}

impl Net<'_> {
    /// In the checkpoint's order.
    pub(crate) fn ops(&self) -> impl Iterator<Item = NetOp<'_>> {
        let mut previous: Option<&DeltaKey<'_>> = None;
        self.0.iter().filter_map(move |(key, value)| {
            if previous.replace(key).is_some_and(|previous| previous.is_same_key(key)) {
                return None;
            }
            let value = match value {
                DeltaValue::Delete => None,
                DeltaValue::Put { start, len } => {
                    let bytes = key.frame().and_then(|frame| frame.bytes().get(value_range(*start, *len)));
                    Some(bytes.unwrap_or_default())
                }
            };
            Some(NetOp { collection: key.collection(), key: key.key(), seq: key.seq, value })
        })
    }
}

pub(super) fn value_range(start: u32, len: u32) -> Range<usize> {
    start as usize..start as usize + len as usize
}
