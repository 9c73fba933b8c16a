//! A check of LMDB's file before LMDB maps it: a truncated file would kill the process with SIGBUS at the first read after its
//! end, and a damaged page would make LMDB read and overwrite wrong bytes. Checks both meta pages and all trees of the newer
//! one except `state`, which has too many pages to read at each opening.

use std::{path::Path, sync::Arc};

use ledgerstone_vfs::{OpenHow, Vfs, VfsFile};

use super::page_walk::{Finding, PageWalk, meta_pages};
use crate::{Error, error::Result};

/// Refuses a data file that LMDB must not map. A missing or empty one is accepted: LMDB makes it.
pub(crate) fn check_data_file(vfs: &dyn Vfs, path: &Path) -> Result<()> {
    open_data_file(vfs, path)?.map_or(Ok(()), |file| check_open_file(&*file))
}

/// The same for an open file.
pub(super) fn check_open_file(file: &dyn VfsFile) -> Result<()> {
    match first_finding(file)? {
        Some(Finding::Damage { offset, what, .. }) => Err(Error::corrupt(file.path(), offset, what)),
        Some(Finding::Unreadable { error, .. }) => Err(error.into()),
        None => Ok(()),
    }
}

/// `None` when it is missing.
pub(super) fn open_data_file(vfs: &dyn Vfs, path: &Path) -> Result<Option<Arc<dyn VfsFile>>> {
    match vfs.open(path, OpenHow::Read) {
        Err(error) if error.is_not_found() => Ok(None),
        file => Ok(Some(file?)),
    }
}

/// The first fault.
pub(super) fn first_finding(file: &dyn VfsFile) -> Result<Option<Finding>> {
    let len = file.len()?;
    if cfg!(not(all(target_pointer_width = "64", target_endian = "little"))) || len == 0 {
        return Ok(None);
    }
    let [first, second] = match meta_pages(file) {
        Ok(pages) => pages,
        Err(finding) => return Ok(Some(finding)),
    };
    let newest = if second.transaction > first.transaction { second } else { first };
    let mut found = None;
    let mut keep = |finding| {
        found.get_or_insert(finding);
    };
    if let Some(mut walk) = PageWalk::new(file, len, &newest, &mut keep, &|| false) {
        walk.all_but_state();
        walk.contradictions();
    }
    Ok(found)
}
