//! The segments that were read last, opened: a handle and, for a sealed one, its index. Bounds both.

use std::{collections::BTreeMap, sync::Arc};

use ledgerstone_vfs::Vfs;
use parking_lot::Mutex;

use super::{Segment, reader::SegmentReader};
use crate::Result;

/// Handles that stay open.
const MAX_READERS: usize = 128;
/// Memory for stored indexes: 24 bytes for about 4 KiB of frames, so that 10 GiB of segments stay at hand. One index is kept
/// whatever its size.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// Opened segments by their first ids.
#[derive(Debug, Default)]
pub(crate) struct ReaderCache {
    opened: Mutex<Opened>,
}

#[derive(Debug, Default)]
struct Opened {
    readers: BTreeMap<u64, Used>,
    index_bytes: u64,
    /// Grows with each use.
    now: u64,
}

#[derive(Debug)]
struct Used {
    reader: Arc<SegmentReader>,
    at: u64,
}

impl ReaderCache {
    /// A reader of `segment`. Files are opened and indexes are read outside the lock.
    pub(crate) fn reader(&self, vfs: &dyn Vfs, segment: &Arc<Segment>) -> Result<Arc<SegmentReader>> {
        if let Some(found) = self.opened(segment) {
            return Ok(found);
        }
        let opened = Arc::new(SegmentReader::open(vfs, Arc::clone(segment))?);
        self.opened.lock().add(Arc::clone(&opened));
        Ok(opened)
    }

    /// A reader of `segment`, if there is one already.
    pub(crate) fn opened(&self, segment: &Arc<Segment>) -> Option<Arc<SegmentReader>> {
        self.opened.lock().find(segment)
    }

    /// Closes the handle on a segment that goes away, once nobody is using it: an open file keeps its space.
    pub(crate) fn forget(&self, first_id: u64) {
        self.opened.lock().remove(first_id);
    }

    /// Closes all handles that nobody is using.
    pub(crate) fn clear(&self) {
        *self.opened.lock() = Opened::default();
    }
}

impl Opened {
    fn find(&mut self, segment: &Arc<Segment>) -> Option<Arc<SegmentReader>> {
        self.now += 1;
        let used = self.readers.get_mut(&segment.first_id())?;
        // What was opened while this segment was still the active one is of no more use.
        if !Arc::ptr_eq(used.reader.segment(), segment) {
            return None;
        }
        used.at = self.now;
        Some(Arc::clone(&used.reader))
    }

    fn add(&mut self, reader: Arc<SegmentReader>) {
        let first_id = reader.segment().first_id();
        self.remove(first_id);
        let index_bytes = reader.index_bytes();
        while self.readers.len() >= MAX_READERS
            || (!self.readers.is_empty() && self.index_bytes.saturating_add(index_bytes) > MAX_INDEX_BYTES)
        {
            let oldest = self.readers.iter().min_by_key(|(_, used)| used.at).map(|(first_id, _)| *first_id);
            self.remove(oldest.unwrap_or_default());
        }
        self.index_bytes = self.index_bytes.saturating_add(index_bytes);
        self.readers.insert(first_id, Used { reader, at: self.now });
    }

    fn remove(&mut self, first_id: u64) {
        if let Some(removed) = self.readers.remove(&first_id) {
            self.index_bytes = self.index_bytes.saturating_sub(removed.reader.index_bytes());
        }
    }
}
