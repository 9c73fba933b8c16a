//! One open read transaction of LMDB: single entries and scans, every entry verified by its checksum.

use std::{
    cell::OnceCell,
    ops::{Bound, ControlFlow},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use heed::{RoTxn, WithoutTls};

use super::{
    CheckpointRead, Place, Visit,
    divide::divide,
    environment::{Databases, STATE},
    group_search::locate,
    leaf_order::LeafOrder,
    lmdb::failed,
    mapped_tree::MappedTree,
    point_search::{Search, find, find_at},
    prefetch::Prefetch,
    value,
};
use crate::{Error, error::Result};

/// Counted while it lives: the map does not move during that time.
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
    /// Declared after the transaction: it is counted until the transaction has ended.
    pub(super) _counted: Counted,
    pub(super) databases: Databases,
    /// The size of LMDB's pages.
    pub(super) page_bytes: usize,
    /// One more than the number of the file's last page.
    pub(super) pages: u64,
    /// The tree of the state, made at its first use and not used after the transaction.
    pub(super) tree: OnceCell<Option<MappedTree>>,
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

    #[allow(unsafe_code, reason = "what lies in LMDB's map")]
    fn tree(&self) -> Option<&MappedTree> {
        let tree = self.tree.get_or_init(|| {
            let record = self.databases.names.get(&self.transaction, STATE.as_bytes()).ok()??;
            // SAFETY: the record is as LMDB returned it; this value owns both the tree and the transaction.
            unsafe { MappedTree::new(record, self.page_bytes, self.pages) }
        });
        tree.as_ref()
    }

    /// The order of the leaves that this transaction sees.
    fn leaves(&self) -> Option<LeafOrder<'_>> {
        self.tree().and_then(LeafOrder::new)
    }
}

impl CheckpointRead for LmdbRead {
    fn expect(&self, keys: &[&[u8]], places: &mut [Option<Place>]) {
        if let Some(tree) = self.tree() {
            locate(tree, keys, places);
        }
    }

    fn get(&self, key: &[u8], place: Option<Place>, take: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let tree = self.tree();
        if let Some(stored) = tree.zip(place).and_then(|(tree, place)| find_at(tree, key, place)) {
            take(self.checked(key, stored)?);
            return Ok(true);
        }
        let found = match tree.map_or(Search::Unknown, |tree| find(tree, key)) {
            Search::Found(stored) => Some(stored),
            Search::Missing => None,
            Search::Unknown => {
                self.databases.state.get(&self.transaction, key).map_err(failed(&self.path, "mdb_get"))?
            }
        };
        let Some(stored) = found else { return Ok(false) };
        take(self.checked(key, stored)?);
        Ok(true)
    }

    fn divide(&self, parts: usize) -> Vec<Vec<u8>> {
        self.tree().map_or_else(Vec::new, |tree| divide(tree, parts))
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
            for entry in self.databases.state.rev_range(&self.transaction, &bounds).map_err(&failed)? {
                if show(entry)?.is_break() {
                    break;
                }
            }
        } else {
            for entry in self.databases.state.range(&self.transaction, &bounds).map_err(&failed)? {
                if show(entry)?.is_break() {
                    break;
                }
            }
        }
        Ok(())
    }
}
