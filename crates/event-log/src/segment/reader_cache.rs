//! The most recently read segments, open: a handle and, for a sealed one, its index. The process bounds the handles, this cache
//! the indexes.

use std::{collections::BTreeMap, sync::Arc};

use ledgerstone_vfs::{
    Vfs,
    handle_budget::{HandleCache, join, keep_within, use_number},
};
use parking_lot::Mutex;

use super::{Segment, reader::SegmentReader};
use crate::Result;

/// Memory for stored indexes: 24 bytes per about 4 KiB of frames, so that 10 GiB of segments fit. One index is kept whatever its size.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// Open segments by their first ids.
#[derive(Debug)]
pub(crate) struct ReaderCache {
    shared: Arc<Shared>,
}

/// The readers that the process may close.
#[derive(Debug, Default)]
struct Shared {
    opened: Mutex<Opened>,
}

#[derive(Debug, Default)]
struct Opened {
    readers: BTreeMap<u64, Used>,
    index_bytes: u64,
}

#[derive(Debug)]
struct Used {
    reader: Arc<SegmentReader>,
    /// The number of its last use in the process.
    at: u64,
}

impl HandleCache for Shared {
    fn handles(&self) -> u64 {
        self.opened.lock().readers.len() as u64
    }

    fn oldest_use(&self) -> Option<u64> {
        self.opened.lock().oldest().map(|(at, _)| at)
    }

    fn close_oldest(&self) -> bool {
        let mut opened = self.opened.lock();
        let oldest = opened.oldest().and_then(|(_, first_id)| opened.remove(first_id));
        drop(opened); // a file is closed outside the lock
        oldest.is_some()
    }
}

impl ReaderCache {
    pub(crate) fn new() -> Self {
        let shared = Arc::<Shared>::default();
        let cache: Arc<dyn HandleCache> = Arc::clone(&shared) as _;
        join(&cache);
        Self { shared }
    }

    /// A reader of `segment`. Files are opened and indexes are read outside the lock.
    pub(crate) fn reader(&self, vfs: &dyn Vfs, segment: &Arc<Segment>) -> Result<Arc<SegmentReader>> {
        if let Some(found) = self.opened(segment) {
            return Ok(found);
        }
        let opened = Arc::new(SegmentReader::open(vfs, Arc::clone(segment))?);
        self.shared.opened.lock().add(Arc::clone(&opened));
        keep_within();
        Ok(opened)
    }

    /// A reader of `segment`, if there is one already.
    pub(crate) fn opened(&self, segment: &Arc<Segment>) -> Option<Arc<SegmentReader>> {
        self.shared.opened.lock().find(segment)
    }

    /// Closes the handle of a segment that is being removed, once no reader uses it: an open file keeps its space.
    pub(crate) fn forget(&self, first_id: u64) {
        self.shared.opened.lock().remove(first_id);
    }

    /// Closes all handles that no reader uses.
    pub(crate) fn clear(&self) {
        *self.shared.opened.lock() = Opened::default();
    }
}

impl Opened {
    fn find(&mut self, segment: &Arc<Segment>) -> Option<Arc<SegmentReader>> {
        let used = self.readers.get_mut(&segment.first_id())?;
        // A reader opened while this segment was still the active one is outdated.
        if !Arc::ptr_eq(used.reader.segment(), segment) {
            return None;
        }
        used.at = use_number();
        Some(Arc::clone(&used.reader))
    }

    fn add(&mut self, reader: Arc<SegmentReader>) {
        let first_id = reader.segment().first_id();
        self.remove(first_id);
        let index_bytes = reader.index_bytes();
        while !self.readers.is_empty() && self.index_bytes.saturating_add(index_bytes) > MAX_INDEX_BYTES {
            let oldest = self.oldest().map(|(_, first_id)| first_id);
            self.remove(oldest.unwrap_or_default());
        }
        self.index_bytes = self.index_bytes.saturating_add(index_bytes);
        self.readers.insert(first_id, Used { reader, at: use_number() });
    }

    /// The number of the least recent use, and its first id.
    fn oldest(&self) -> Option<(u64, u64)> {
        self.readers.iter().map(|(first_id, used)| (used.at, *first_id)).min()
    }

    fn remove(&mut self, first_id: u64) -> Option<Used> {
        let removed = self.readers.remove(&first_id)?;
        self.index_bytes = self.index_bytes.saturating_sub(removed.reader.index_bytes());
        Some(removed)
    }
}
