//! The net result of a frozen generation: the last operation on each of its keys, sorted once, by the flusher on its thread.

use std::{iter, ptr};

use parking_lot::RwLockReadGuard;

use super::{
    key::{DeltaValue, value_range},
    log::Log,
    store_delta::StoreDelta,
};
use crate::cache_line::fetch;

/// In key order each entry, its commit and its bytes are on separate lines of memory, far from the previous ones, and each
/// refers to the next: they are prefetched this many operations ahead, one step at a time.
const STEP: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Place {
    head: [u64; 2],
    entry: u32,
}

/// The net operations of a generation.
#[derive(Debug)]
pub(crate) struct Net<'a> {
    log: RwLockReadGuard<'a, Log>,
    places: Vec<Place>,
}

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
    /// Writes the key as stored in the checkpoint to `full`.
    pub(crate) fn full_key(&self, full: &mut Vec<u8>) {
        full.clear();
        full.extend_from_slice(&self.collection.to_be_bytes());
        full.extend_from_slice(self.key);
    }
}

impl StoreDelta {
    /// The last operation on each key of a frozen generation. No other thread writes to it any more; readers are not blocked.
    pub(crate) fn net(&self) -> Net<'_> {
        let log = self.log.read();
        let newest = iter::zip(0.., &log.entries).filter(|(_, entry)| entry.is_newest);
        let mut places: Vec<_> = newest.map(|(index, entry)| Place { head: entry.head(), entry: index }).collect();
        places.sort_unstable_by(|a, b| {
            a.head.cmp(&b.head).then_with(|| {
                let key = |place: &Place| log.entries.get(place.entry as usize).map(|entry| log.key(entry));
                key(a).cmp(&key(b))
            })
        });
        Net { log, places }
    }
}

impl Net<'_> {
    /// In the checkpoint's order.
    pub(crate) fn ops(&self) -> impl Iterator<Item = NetOp<'_>> {
        let log = &*self.log;
        iter::zip(0.., &self.places).filter_map(|(at, place)| {
            self.expect(at);
            let entry = log.entries.get(place.entry as usize)?;
            let value = match entry.value() {
                DeltaValue::Delete => None,
                DeltaValue::Put { start, len } => {
                    let bytes = log.frame(entry).and_then(|frame| frame.bytes().get(value_range(start, len)));
                    Some(bytes.unwrap_or_default())
                }
            };
            Some(NetOp { collection: entry.collection, key: log.key(entry), seq: log.seq(entry), value })
        })
    }

    /// Prefetches what later operations will touch, when the operation at `at` is taken.
    fn expect(&self, at: usize) {
        let log: &Log = &self.log;
        let entry =
            |steps: usize| self.places.get(at + steps * STEP).and_then(|place| log.entries.get(place.entry as usize));
        if let Some(entry) = entry(3) {
            fetch(ptr::from_ref(entry).addr());
        }
        if let Some(entry) = entry(2) {
            log.expect_commit(entry);
        }
        if let Some(entry) = entry(1) {
            log.expect_bytes(entry);
        }
    }
}
