//! LMDB's record of one tree, 48 bytes: in a meta page for LMDB's two trees, as an entry of the main tree for a database.

use ledgerstone_format::ByteReader;

pub(crate) const TREE_RECORD_BYTES: usize = 48;
/// No root: the tree is empty.
const NO_PAGE: u64 = u64::MAX;
/// LMDB's cursors have room for this many pages, and an insertion may add a level.
const MAX_DEPTH: u16 = 31;

/// A tree's record of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TreeRecord {
    /// The page size in the record of the free pages, 0 in other records.
    pub(crate) pad: u32,
    /// The kind of its keys.
    pub(crate) flags: u16,
    pub(crate) depth: u16,
    pub(crate) counts: Counts,
    /// `None`: it is empty.
    pub(crate) root: Option<u64>,
}

/// The counts of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) branch_pages: u64,
    pub(crate) leaf_pages: u64,
    pub(crate) overflow_pages: u64,
    pub(crate) entries: u64,
}

impl Counts {
    pub(crate) fn pages(&self) -> u64 {
        self.branch_pages.saturating_add(self.leaf_pages).saturating_add(self.overflow_pages)
    }
}

impl TreeRecord {
    /// `None` when it contradicts itself.
    pub(crate) fn read(reader: &mut ByteReader<'_>) -> Option<Self> {
        let (pad, flags, depth) = (reader.u32()?, reader.u16()?, reader.u16()?);
        let counts = Counts {
            branch_pages: reader.u64()?,
            leaf_pages: reader.u64()?,
            overflow_pages: reader.u64()?,
            entries: reader.u64()?,
        };
        let root = reader.u64()?;
        let root = (root != NO_PAGE).then_some(root);
        let is_sensible = match root {
            None => depth == 0 && counts == Counts::default(),
            Some(_) => (1..=MAX_DEPTH).contains(&depth) && counts.entries > 0 && counts.leaf_pages > 0,
        };
        is_sensible.then_some(Self { pad, flags, depth, counts, root })
    }
}
