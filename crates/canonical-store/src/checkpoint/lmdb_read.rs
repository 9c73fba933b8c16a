//! One open read transaction of LMDB's: single entries and scans, every entry held against its checksum.

use std::{
    cell::OnceCell,
    ops::{Bound, ControlFlow},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use heed::{Database, RoTxn, WithoutTls, types::Bytes};

use super::{
    CheckpointRead, Visit,
    leaf_order::LeafOrder,
    lmdb::{Bytewise, STATE, failed},
    point_search::{PointSearch, Search},
    prefetch::Prefetch,
    value,
};
use crate::{Error, error::Result};

/// Counted while it lives: the map is not moved meanwhile.
#[derive(Debug)]
pub(super) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(super) fn new(readers: &Arc<AtomicUsize>) -> Self {
        readers.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(readers))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

pub(super) struct LmdbRead {
    pub(super) transaction: RoTxn<'static, WithoutTls>,
    /// After the transaction: it is counted until it has ended.
    pub(super) _counted: Counted,
    pub(super) state: Bytewise,
    /// The databases by name.
    pub(super) names: Database<'static, Bytes, Bytes>,
    /// The map's size and that of LMDB's pages.
    pub(super) map_bytes: usize,
    pub(super) page_bytes: usize,
    /// One more than the number of the file's last page.
    pub(super) pages: u64,
    /// Made for the first key that is asked for, and not used after the transaction.
    pub(super) search: OnceCell<Option<PointSearch>>,
    pub(super) path: PathBuf,
}

impl std::fmt::Debug for LmdbRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LmdbRead").field("id", &self.transaction.id()).finish_non_exhaustive()
    }
}

impl LmdbRead {
    fn checked<'a>(&self, key: &[u8], stored: &'a [u8]) -> Result<&'a [u8]> {
        value::decode(key, stored).ok_or_else(|| Error::corrupt(&self.path, 0, "a stored value is damaged"))
    }

    #[allow(unsafe_code, reason = "the search looks at LMDB's pages")]
    fn search(&self, key: &[u8]) -> Search<'_> {
        let search = self.search.get_or_init(|| {
            let record = self.names.get(&self.transaction, STATE.as_bytes()).ok()??;
            // SAFETY: as LMDB has given it; search and transaction are both ours.
            unsafe { PointSearch::new(record, self.page_bytes, self.pages) }
        });
        search.as_ref().map_or(Search::Unknown, |search| search.find(key))
    }

    /// The order of the leaves that this transaction sees.
    fn leaves(&self) -> Option<LeafOrder<'_>> {
        let record = self.names.get(&self.transaction, STATE.as_bytes()).ok()??;
        LeafOrder::new(record, self.page_bytes, self.map_bytes)
    }
}

impl CheckpointRead for LmdbRead {
    fn get(&self, key: &[u8], take: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = match self.search(key) {
            Search::Found(stored) => Some(stored),
            Search::Missing => None,
            Search::Unknown => self.state.get(&self.transaction, key).map_err(failed(&self.path, "mdb_get"))?,
        };
        let Some(stored) = found else { return Ok(false) };
        take(self.checked(key, stored)?);
        Ok(true)
    }

    fn scan(&self, bounds: (Bound<&[u8]>, Bound<&[u8]>), reverse: bool, visit: &mut Visit<'_>) -> Result<()> {
        let failed = failed(&self.path, "mdb_cursor_get");
        let leaves = || self.leaves();
        let mut prefetch = Prefetch::new(self.page_bytes, reverse, &leaves);
        let mut show = |entry: heed::Result<(&[u8], &[u8])>| -> Result<ControlFlow<()>> {
            let (key, stored) = entry.map_err(&failed)?;
            prefetch.step(key, stored);
            Ok(visit(key, self.checked(key, stored)?))
        };
        if reverse {
            for entry in self.state.rev_range(&self.transaction, &bounds).map_err(&failed)? {
                if show(entry)?.is_break() {
                    break;
                }
            }
        } else {
            for entry in self.state.range(&self.transaction, &bounds).map_err(&failed)? {
                if show(entry)?.is_break() {
                    break;
                }
            }
        }
        Ok(())
    }
}
