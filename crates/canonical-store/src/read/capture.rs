//! One point in time: a view, a sequence number, and a checkpoint transaction begun under that view.
//!
//! The checkpoint is changed only after a freeze has replaced the view. So if the view is the same before the sequence number
//! was loaded and after the transaction was begun, the three belong together; otherwise the capture starts over.

use std::sync::Arc;

use ledgerstone_journal::Position;
use ledgerstone_write_coordinator::View;

use crate::{
    Store,
    checkpoint::CheckpointRead,
    delta::{Lookup, StoreDelta, full_key, hash_parts},
    error::Result,
};

#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) view: Arc<View<StoreDelta>>,
    pub(crate) seq: u64,
    pub(crate) next_event_id: u64,
    pub(crate) catalog_version: u64,
    /// The first event that no trim has dropped.
    pub(crate) oldest_event_id: u64,
    pub(crate) last_timestamp_ms: u64,
    /// Behind the frame of `seq`.
    pub(crate) position: Option<Position>,
    pub(crate) read: Box<dyn CheckpointRead>,
}

impl Store {
    /// Captures the current state. Sequence number, next event id and catalogue belong together: they are read under the commit lock.
    pub(crate) fn capture(&self) -> Result<Capture> {
        loop {
            let (view, catalog_version, (seq, last_timestamp_ms, position), (next_event_id, oldest_event_id)) = {
                let state = self.commit.lock();
                let commit = (state.last_seq, state.last_timestamp_ms, state.position);
                let events = (state.next_event_id, state.oldest_event_id);
                (self.coordinator.view(), self.catalog.version(), commit, events)
            };
            let read = self.checkpoint.begin()?;
            if self.coordinator.version() == view.version {
                return Ok(Capture {
                    view,
                    seq,
                    next_event_id,
                    catalog_version,
                    oldest_event_id,
                    last_timestamp_ms,
                    position,
                    read,
                });
            }
        }
    }
}

/// Looks up in the generations of a view: active, then frozen. `seq` was loaded before, so every entry up to it is counted by now.
pub(crate) fn look_in_deltas<R, F: FnOnce(&[u8]) -> R>(
    view: &View<StoreDelta>,
    collection: u32,
    key: &[u8],
    seq: u64,
    take: F,
) -> std::result::Result<Option<R>, F> {
    let mut hash = None;
    let mut take = Some(take);
    for delta in [Some(&view.active), view.frozen.as_ref()].into_iter().flatten() {
        // Skips even the filter: its memory is not in the cache if nothing is written.
        if delta.entries() == 0 {
            continue;
        }
        let hash = *hash.get_or_insert_with(|| hash_parts(collection, key));
        let found = delta.get(hash, collection, key, seq, |value| take.take().map(|take| take(value)));
        match found {
            Lookup::Found(taken) => return Ok(taken),
            Lookup::Deleted => return Ok(None),
            Lookup::Unknown => {}
        }
    }
    match take {
        Some(take) => Err(take),
        None => Ok(None),
    }
}

/// Looks up in a checkpoint.
pub(crate) fn look_in_checkpoint<R>(
    read: &dyn CheckpointRead,
    collection: u32,
    key: &[u8],
    take: impl FnOnce(&[u8]) -> R,
) -> Result<Option<R>> {
    let mut take = Some(take);
    let mut taken = None;
    let mut show = |value: &[u8]| taken = take.take().map(|take| take(value));
    let mut short = [0; 128];
    let len = key.len() + 4;
    match short.get_mut(..len) {
        Some(full) => {
            let (id, rest) = full.split_at_mut(4);
            id.copy_from_slice(&collection.to_be_bytes());
            rest.copy_from_slice(key);
            read.get(full, None, &mut show)?;
        }
        None => {
            read.get(&full_key(collection, key), None, &mut show)?;
        }
    }
    Ok(taken)
}

impl Capture {
    pub(crate) fn get<R>(&self, collection: u32, key: &[u8], take: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        match look_in_deltas(&self.view, collection, key, self.seq, take) {
            Ok(found) => Ok(found),
            Err(take) => look_in_checkpoint(&*self.read, collection, key, take),
        }
    }
}
