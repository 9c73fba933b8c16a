//! The entries in key order, built on demand: a workload without scans never pays for it. Writers wait while a few entries are
//! copied, never while they are sorted; only the scan waits for that.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use ledgerstone_write_coordinator::Delta as _;
use parking_lot::{RwLockReadGuard, RwLockWriteGuard};

use super::{
    dead::DeadSpans,
    key::{DeltaKey, DeltaValue},
    store_delta::{SLICE, StoreDelta},
};

/// Bytes of a B-tree's slot at a usual fill.
pub(super) const PLACE_BYTES: u64 = 144;
/// From this many new entries for each old one on, they are sorted and merged instead of inserted one by one.
const MERGED_FROM: usize = 4;

/// See the module. Holds the log's first entries.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    pub(super) index: BTreeMap<DeltaKey<'static>, DeltaValue>,
    entries: usize,
    /// Every entry up to here is in it.
    seq: u64,
    /// The seq of its newest put.
    newest_put: u64,
    dead: DeadSpans,
}

impl Ordered {
    /// Splits dead spans at the puts among new entries.
    fn revive(&mut self, fresh: &[(DeltaKey<'static>, DeltaValue)]) {
        for (key, _) in fresh.iter().filter(|(_, value)| matches!(value, DeltaValue::Put { .. })) {
            self.newest_put = self.newest_put.max(key.seq);
            if !self.dead.is_empty() {
                self.dead.revive(&key.full());
            }
        }
    }
}

impl StoreDelta {
    /// The order of all entries up to `seq`, and possibly of later ones.
    pub(super) fn ordered(&self, seq: u64) -> RwLockReadGuard<'_, Ordered> {
        let is_there = |ordered: &Ordered| ordered.seq >= seq.min(self.last_seq());
        let ordered = self.ordered.read();
        if is_there(&ordered) {
            return ordered;
        }
        drop(ordered);
        let mut ordered = self.ordered.write();
        if !is_there(&ordered) {
            self.catch_up(&mut ordered);
        }
        RwLockWriteGuard::downgrade(ordered)
    }

    /// The dead span around a full key at `seq`, here and below: its first key, and the first one after it.
    pub(super) fn dead_around(&self, full_key: &[u8], seq: u64) -> Option<(Vec<u8>, Vec<u8>)> {
        let ordered = self.ordered.read();
        let (from, to) = ordered.dead.covering(full_key, seq)?;
        Some((from.to_vec(), to.to_vec()))
    }

    /// A reader at `seq` has found nothing alive from one full key up to another. Kept unless something was put since.
    pub(super) fn note_dead(&self, from: Vec<u8>, to: Vec<u8>, seq: u64) {
        let mut ordered = self.ordered.write();
        if ordered.newest_put <= seq {
            ordered.dead.add(from, to, seq);
        }
    }

    fn catch_up(&self, ordered: &mut Ordered) {
        // Set before the entries are read: those of a commit that is being added come again with its rest.
        ordered.seq = self.last_seq();
        let added = self.log.read().entries.len().saturating_sub(ordered.entries);
        let mut fresh = Vec::with_capacity(added);
        loop {
            let log = self.log.read();
            let slice = log.entries.iter().skip(ordered.entries).take(SLICE);
            let before = ordered.entries;
            ordered.entries += slice.len();
            if ordered.entries == before {
                break;
            }
            fresh.extend(slice.filter_map(|entry| log.in_order(entry)));
        }
        self.unnoted.fetch_add(fresh.len() as u64 * PLACE_BYTES, Ordering::Relaxed);
        ordered.revive(&fresh);
        if fresh.len() > ordered.index.len() / MERGED_FROM {
            // Of two entries of one commit for one key the later one stays, as if inserted one by one.
            ordered.index.append(&mut fresh.into_iter().collect());
        } else {
            ordered.index.extend(fresh);
        }
    }
}
