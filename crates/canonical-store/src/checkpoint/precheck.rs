//! A look at LMDB's file before LMDB maps it: a truncated file would kill the process with SIGBUS at the first read behind
//! its end, a damaged page would have it read, and write over, the wrong bytes. Checks both meta pages and all of the trees that
//! the newer one leads to but `state`, whose pages are too many to read at each opening.

use std::path::Path;

use ledgerstone_vfs::{OpenHow, Vfs};

use super::{
    meta_page::meta_pages,
    page_walk::{Finding, PageWalk},
};
use crate::{Error, error::Result};

/// Refuses a data file that LMDB must not map. A missing or empty one is fine: LMDB makes it.
pub(crate) fn check_data_file(vfs: &dyn Vfs, path: &Path) -> Result<()> {
    if cfg!(not(all(target_pointer_width = "64", target_endian = "little"))) || !vfs.exists(path)? {
        return Ok(());
    }
    let file = vfs.open(path, OpenHow::Read)?;
    let len = file.len()?;
    if len == 0 {
        return Ok(());
    }
    let refused = |finding| match finding {
        Finding::Damage { offset, what, .. } => Error::corrupt(path, offset, what),
        Finding::Unreadable { error, .. } => error.into(),
    };
    let [first, second] = meta_pages(&*file).map_err(refused)?;
    let newest = if second.transaction > first.transaction { second } else { first };
    let mut found = None;
    let mut keep = |finding| {
        found.get_or_insert(finding);
    };
    let mut walk = PageWalk::new(&*file, len, &newest, &mut keep, &|| false);
    walk.all_but_state();
    walk.contradictions();
    found.map_or(Ok(()), |finding| Err(refused(finding)))
}
