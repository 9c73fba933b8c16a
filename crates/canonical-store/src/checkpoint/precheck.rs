//! A look at LMDB's file before LMDB maps it: a truncated file would kill the process with SIGBUS at the first read behind
//! its end, a damaged meta page would have it read, and write over, the wrong pages. Checks both meta pages, the list of free
//! pages and the names of the databases that the newer one leads to, and that the file is as long as it says.

use std::path::Path;

use ledgerstone_vfs::{OpenHow, Vfs, VfsFile};

use super::{
    free_list::FreeListReader,
    meta_page::{META_BYTES, MetaPage},
    tree_page::{Kind, nodes},
};
use crate::{Error, error::Result};

/// The databases that the first transaction makes, sorted.
const DATABASES: [&str; 3] = ["catalog", "meta", "state"];

/// Refuses a data file that LMDB must not map. A missing or empty one is fine: LMDB makes it.
pub(super) fn check_data_file(vfs: &dyn Vfs, path: &Path) -> Result<()> {
    if cfg!(not(all(target_pointer_width = "64", target_endian = "little"))) || !vfs.exists(path)? {
        return Ok(());
    }
    let file = vfs.open(path, OpenHow::Read)?;
    let len = file.len()?;
    if len == 0 {
        return Ok(());
    }
    let damaged = |offset: u64, what: &str| Error::corrupt(path, offset, what);
    let read_page = |offset: u64| -> Result<Option<MetaPage>> {
        let mut bytes = [0; META_BYTES];
        let read = file.read_full_at(&mut bytes, offset)?;
        Ok(bytes.get(..read).and_then(MetaPage::read))
    };
    let first = read_page(0)?.ok_or_else(|| damaged(0, "the first meta page of the state file is damaged"))?;
    let second = read_page(first.page_bytes)?
        .filter(|second| second.page_bytes == first.page_bytes)
        .ok_or_else(|| damaged(first.page_bytes, "the second meta page of the state file is damaged"))?;
    if !MetaPage::are_neighbours(&first, &second) {
        return Err(damaged(0, "the meta pages of the state file contradict each other"));
    }
    let newest = if second.transaction > first.transaction { second } else { first };
    let needed = newest.last_page.checked_add(1).and_then(|pages| pages.checked_mul(newest.page_bytes));
    if needed.is_none_or(|needed| needed > len) {
        return Err(damaged(len, "the state file is shorter than its meta page says"));
    }
    check_trees(&*file, &newest, &damaged)
}

fn check_trees(file: &dyn VfsFile, meta: &MetaPage, damaged: &dyn Fn(u64, &str) -> Error) -> Result<()> {
    let contradicts = || damaged(0, "a meta page of the state file does not fit the pages that it names");
    let reader = FreeListReader { file, meta };
    let free = reader.read()?.ok_or_else(contradicts)?;
    let Some(root) = meta.main.root else {
        return if meta.transaction == 0 && meta.free.root.is_none() { Ok(()) } else { Err(contradicts()) };
    };
    let page = reader.pages(root, 1)?;
    let names = nodes(&page, root, Kind::Leaf).ok_or_else(contradicts)?;
    let are_ours = names.iter().map(|node| node.key).eq(DATABASES.map(str::as_bytes));
    // Every transaction replaces the root, and so frees the one before; an older tree's root is free by now.
    let is_newest = meta.transaction == 1 || free.newest == meta.transaction;
    let is_in_use = [meta.main.root, meta.free.root].into_iter().flatten().all(|root| !free.pages.contains(&root));
    if are_ours && is_newest && is_in_use { Ok(()) } else { Err(contradicts()) }
}
