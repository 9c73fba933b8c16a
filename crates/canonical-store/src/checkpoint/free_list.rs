//! LMDB's own account of the pages that nobody needs any more, by the transaction that freed them. It decides which pages
//! are written over, so a wrong one destroys what others need.

use ledgerstone_format::ByteReader;
use ledgerstone_vfs::VfsFile;

use super::{
    meta_page::{MetaPage, PAGE_HEADER_BYTES},
    tree_page::{Data, Kind, nodes, overflow_data},
};
use crate::error::Result;

/// What the tree of free pages says, all of it.
#[derive(Debug, Default)]
pub(super) struct FreeList {
    pub(super) pages: Vec<u64>,
    /// The newest transaction that freed any.
    pub(super) newest: u64,
    entries: u64,
}

/// Reads pages of one state of the file, and walks its tree of free pages.
pub(super) struct FreeListReader<'a> {
    pub(super) file: &'a dyn VfsFile,
    pub(super) meta: &'a MetaPage,
}

impl FreeListReader<'_> {
    /// `Ok(None)` when it is no such tree.
    pub(super) fn read(&self) -> Result<Option<FreeList>> {
        let mut list = FreeList::default();
        let tree = self.meta.free;
        let Some(root) = tree.root else { return Ok(Some(list)) };
        let is_whole = self.walk(root, tree.depth, &mut list)?;
        Ok((is_whole && list.entries == tree.entries).then_some(list))
    }

    /// `count` pages from `number` on; empty when they are not all there.
    pub(super) fn pages(&self, number: u64, count: u64) -> Result<Vec<u8>> {
        let last = number.saturating_add(count.saturating_sub(1));
        if number < 2 || last > self.meta.last_page {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; usize::try_from(count.saturating_mul(self.meta.page_bytes)).unwrap_or_default()];
        let read = self.file.read_full_at(&mut bytes, number.saturating_mul(self.meta.page_bytes))?;
        bytes.truncate(read);
        Ok(bytes)
    }

    fn walk(&self, number: u64, depth: u16, list: &mut FreeList) -> Result<bool> {
        let page = self.pages(number, 1)?;
        let kind = if depth <= 1 { Kind::Leaf } else { Kind::Branch };
        let Some(nodes) = nodes(&page, number, kind) else { return Ok(false) };
        for node in nodes {
            let is_right = match node.data {
                Data::Child(child) => self.walk(child, depth - 1, list)?,
                Data::Here(ids) => self.take(node.key, ids, list),
                Data::Elsewhere { page, len } => {
                    let bytes = u64::try_from(PAGE_HEADER_BYTES.saturating_add(len)).unwrap_or(u64::MAX);
                    let pages = self.pages(page, bytes.div_ceil(self.meta.page_bytes))?;
                    overflow_data(&pages, page, len).is_some_and(|ids| self.take(node.key, ids, list))
                }
            };
            // A tree that comes back to a page would go on for ever.
            if !is_right || list.pages.len() as u64 > self.meta.last_page {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One transaction's pages: their count, then their numbers, descending.
    fn take(&self, transaction: &[u8], ids: &[u8], list: &mut FreeList) -> bool {
        let Ok(transaction) = transaction.try_into().map(u64::from_le_bytes) else { return false };
        let mut reader = ByteReader::new(ids);
        let Some(count) = reader.u64() else { return false };
        let mut above = self.meta.last_page.saturating_add(1);
        for _ in 0..count {
            match reader.u64() {
                Some(page) if (2..above).contains(&page) => {
                    list.pages.push(page);
                    above = page;
                }
                _ => return false,
            }
        }
        let is_newer = transaction > list.newest && transaction <= self.meta.transaction;
        list.newest = transaction;
        list.entries += 1;
        is_newer
    }
}
