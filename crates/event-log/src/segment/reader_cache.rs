//! The few segments that were read last, opened: a handle and, for a sealed one, its index. Bounds both.

use std::sync::Arc;

use ledgerstone_vfs::Vfs;
use parking_lot::Mutex;

use super::{Segment, reader::SegmentReader};
use crate::Result;

/// Handles that stay open.
const MAX_READERS: usize = 16;

/// Opened segments, the least recently used first.
#[derive(Debug, Default)]
pub(crate) struct ReaderCache {
    readers: Mutex<Vec<SegmentReader>>,
}

impl ReaderCache {
    /// A reader of `segment`. Files are opened and indexes are read outside the lock.
    pub(crate) fn reader(&self, vfs: &dyn Vfs, segment: &Arc<Segment>) -> Result<SegmentReader> {
        {
            let mut readers = self.readers.lock();
            if let Some(found) = readers.iter().rposition(|reader| Arc::ptr_eq(reader.segment(), segment)) {
                let used = readers.remove(found);
                readers.push(used.clone());
                return Ok(used);
            }
        }
        let opened = SegmentReader::open(vfs, Arc::clone(segment))?;
        let mut readers = self.readers.lock();
        // Also drops what was opened while this segment was still the active one.
        readers.retain(|reader| reader.segment().first_id() != segment.first_id());
        if readers.len() >= MAX_READERS {
            readers.remove(0);
        }
        readers.push(opened.clone());
        Ok(opened)
    }

    /// Closes all handles that nobody is using.
    pub(crate) fn clear(&self) {
        self.readers.lock().clear();
    }
}
