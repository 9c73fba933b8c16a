//! Several keys that are looked up together: the memory of each in the checkpoint is prefetched while the others are looked up.

use std::{array, ops::ControlFlow};

use ledgerstone_write_coordinator::View;

use super::{ReadCache, Snapshot, capture::look_in_deltas};
use crate::{
    CollectionRef, Store,
    checkpoint::CheckpointRead,
    delta::{StoreDelta, hash_parts},
    error::Result,
};

const COLLECTION_BYTES: usize = 4;

/// See the module. Made once and reused.
#[derive(Debug, Default)]
pub struct KeyBatch {
    /// Each key after space for its collection's id.
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Called with the value of each key in their order, or `None`; decides whether to continue.
pub type ShowValue<'a> = dyn FnMut(Option<&[u8]>) -> ControlFlow<()> + 'a;

impl KeyBatch {
    /// The maximum number of keys.
    pub const KEYS: usize = 16;

    /// Removes all keys.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Whether it has no keys.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether it is full.
    pub fn is_full(&self) -> bool {
        self.ends.len() == Self::KEYS
    }

    /// Adds a key; an empty or overlong one has no value. Keys beyond [`KEYS`](Self::KEYS) are ignored.
    pub fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(&[0; COLLECTION_BYTES]);
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
    }

    fn place_in(&mut self, collection: u32) {
        let mut start = 0;
        for end in &self.ends {
            if let Some(id) = self.bytes.get_mut(start..).and_then(<[u8]>::first_chunk_mut::<COLLECTION_BYTES>) {
                *id = collection.to_be_bytes();
            }
            start = *end;
        }
    }

    fn full_keys(&self) -> [&[u8]; Self::KEYS] {
        let mut start = 0;
        array::from_fn(|place| {
            let Some(end) = self.ends.get(place) else { return [].as_slice() };
            let key = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            key
        })
    }
}

impl Store {
    /// Calls `show` with the values of `keys` at one point in time.
    pub fn get_many(
        &self,
        cache: &ReadCache,
        collection: &CollectionRef,
        keys: &mut KeyBatch,
        show: &mut ShowValue<'_>,
    ) -> Result<()> {
        self.check_open()?;
        let id = collection.id_now(&self.catalog)?;
        let mut cached = cache.cached.lock();
        loop {
            let (view, read) = cached.view(self);
            let seq = self.applied_seq();
            let read = read.under(view, self)?;
            if self.coordinator.version() == view.version {
                return self.look_for(keys, id, (view, seq, read), show);
            }
        }
    }

    /// Looks up in the generations, then in the checkpoint, of one capture.
    fn look_for(
        &self,
        keys: &mut KeyBatch,
        collection: Option<u32>,
        (view, seq, read): (&View<StoreDelta>, u64, &dyn CheckpointRead),
        show: &mut ShowValue<'_>,
    ) -> Result<()> {
        keys.place_in(collection.unwrap_or_default());
        let full_keys = keys.full_keys();
        let full_keys = full_keys.get(..keys.ends.len()).unwrap_or(&full_keys);
        let mut places = [None; KeyBatch::KEYS];
        if let Some(id) = collection {
            expect_in_deltas(view, id, full_keys);
            read.expect(full_keys, &mut places);
        }
        for (full_key, place) in full_keys.iter().zip(places) {
            let key = full_key.get(COLLECTION_BYTES..).unwrap_or_default();
            let found = match collection.filter(|_| self.can_be_key(key)) {
                Some(id) => look_in_deltas(view, id, key, seq, |value| show(Some(value))).map_err(drop),
                None => Ok(None),
            };
            let mut found = found.or_else(|()| {
                let mut found = None;
                read.get(full_key, place, &mut |value| found = Some(show(Some(value)))).map(|_| found)
            })?;
            if found.get_or_insert_with(|| show(None)).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Snapshot {
    /// Calls `show` with the values of `keys`.
    pub fn get_many(&self, collection: &CollectionRef, keys: &mut KeyBatch, show: &mut ShowValue<'_>) -> Result<()> {
        let id = self.id_of(collection)?;
        self.with(|capture| self.store().look_for(keys, id, (&capture.view, capture.seq, &*capture.read), show))
    }
}

/// Prefetches what the look-ups in the generations need.
fn expect_in_deltas(view: &View<StoreDelta>, collection: u32, full_keys: &[&[u8]]) {
    let mut hashes: Option<[u64; KeyBatch::KEYS]> = None;
    for delta in [Some(&view.active), view.frozen.as_ref()].into_iter().flatten() {
        if delta.entries() > 0 {
            let hash =
                |place: usize| full_keys.get(place)?.get(COLLECTION_BYTES..).map(|key| hash_parts(collection, key));
            let hashes = hashes.get_or_insert_with(|| array::from_fn(|place| hash(place).unwrap_or_default()));
            delta.expect(hashes.get(..full_keys.len()).unwrap_or_default());
        }
    }
}
