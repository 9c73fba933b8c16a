//! One of the two meta pages at the head of LMDB's file, as far as it can be judged by itself. LMDB writes them without a
//! checksum and believes them: a flipped bit in one sends it to pages that mean something else.

use ledgerstone_format::ByteReader;

const MAGIC: u32 = 0xBEEF_C0DE;
const VERSION: u32 = 1;
const META_FLAG: u16 = 0x08;
/// No root: the tree is empty.
const NO_PAGE: u64 = u64::MAX;
/// What the tree of free pages is: keys are numbers.
const FREE_FLAGS: u16 = 0x08;

pub(super) const PAGE_HEADER_BYTES: usize = 16;
/// The bytes of a page that are looked at: its header and the meta record.
pub(super) const META_BYTES: usize = PAGE_HEADER_BYTES + 152;

/// Where a tree begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tree {
    pub(super) depth: u16,
    pub(super) entries: u64,
    /// `None`: it is empty.
    pub(super) root: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct MetaPage {
    pub(super) page_bytes: u64,
    pub(super) free: Tree,
    pub(super) main: Tree,
    pub(super) last_page: u64,
    pub(super) transaction: u64,
}

impl MetaPage {
    /// The fields of `MDB_meta` on a 64-bit machine: magic, version, address, map size, two tree records of 48 bytes (the
    /// first one's first field is the page size), last page, transaction. `None` when they cannot be right.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = ByteReader::new(bytes);
        reader.take(10)?;
        let flags = reader.u16()?;
        reader.take(4)?;
        let (magic, version) = (reader.u32()?, reader.u32()?);
        if flags & META_FLAG == 0 || magic != MAGIC || version != VERSION {
            return None;
        }
        reader.take(16)?;
        let page_bytes = u64::from(reader.u32()?);
        let free = tree(&mut reader, FREE_FLAGS)?;
        reader.take(4)?;
        let main = tree(&mut reader, 0)?;
        let (last_page, transaction) = (reader.u64()?, reader.u64()?);
        let sensible = page_bytes.is_power_of_two() && (512..=65_536).contains(&page_bytes);
        let within = |tree: &Tree| tree.root.is_none_or(|root| (2..=last_page).contains(&root));
        (sensible && within(&free) && within(&main)).then_some(Self { page_bytes, free, main, last_page, transaction })
    }

    /// Whether two pages can stand together: transactions alternate between them, and the file never shrinks.
    pub(super) fn are_neighbours(first: &Self, second: &Self) -> bool {
        let (even, odd) = (first.transaction, second.transaction);
        if (even, odd) == (0, 0) {
            return true;
        }
        let (older, newer) = if even < odd { (first, second) } else { (second, first) };
        even % 2 == 0 && odd % 2 == 1 && even.abs_diff(odd) == 1 && older.last_page <= newer.last_page
    }
}

/// Flags, depth, three counts of pages, entries, root.
fn tree(reader: &mut ByteReader<'_>, expected_flags: u16) -> Option<Tree> {
    let (flags, depth) = (reader.u16()?, reader.u16()?);
    reader.take(24)?;
    let (entries, root) = (reader.u64()?, reader.u64()?);
    let root = (root != NO_PAGE).then_some(root);
    let sensible = flags == expected_flags && root.is_some() == (depth > 0) && (entries > 0 || root.is_none());
    sensible.then_some(Tree { depth, entries, root })
}
