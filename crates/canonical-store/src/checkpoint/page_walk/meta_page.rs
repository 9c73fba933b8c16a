//! One of the two meta pages at the head of LMDB's file, as far as it can be judged alone. LMDB writes them without a checksum
//! and trusts them: a flipped bit in one sends it to wrong pages.

use ledgerstone_format::ByteReader;
use ledgerstone_vfs::VfsFile;

use super::{Finding, PAGE_HEADER_BYTES, TREE_RECORD_BYTES, TreeRecord};

const MAGIC: u32 = 0xBEEF_C0DE;
const VERSION: u32 = 1;
const META_FLAG: u16 = 0x08;
/// The flags of the tree of free pages: keys are numbers.
const FREE_FLAGS: u16 = 0x08;
/// The smallest page size of a machine, and the largest that LMDB supports.
const PAGE_BYTES: std::ops::RangeInclusive<u64> = 4_096..=32_768;

/// The largest accepted file: the walk has two bits of memory per page, a gibibyte then.
const MAX_FILE_BYTES: u64 = 16 << 40;

/// The bytes of a page that are read: its header and the meta record.
pub(crate) const META_BYTES: usize = PAGE_HEADER_BYTES + 24 + 2 * TREE_RECORD_BYTES + 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MetaPage {
    pub(crate) page_bytes: u64,
    pub(crate) free: TreeRecord,
    pub(crate) main: TreeRecord,
    /// The highest page that was ever used.
    pub(crate) last_page: u64,
    pub(crate) transaction: u64,
}

impl MetaPage {
    /// The fields of `MDB_meta` on a 64-bit machine: magic, version, address, map size, two tree records (the first one's first
    /// field is the page size), last page, transaction. `None` when they cannot be right.
    pub(crate) fn read(bytes: &[u8], number: u64) -> Option<Self> {
        let mut reader = ByteReader::new(bytes);
        let is_ours = reader.u64()? == number && reader.u16()? == 0 && reader.u16()? == META_FLAG;
        reader.take(4)?;
        if !is_ours || reader.u32()? != MAGIC || reader.u32()? != VERSION {
            return None;
        }
        reader.take(16)?;
        let (free, main) = (TreeRecord::read(&mut reader)?, TreeRecord::read(&mut reader)?);
        let (last_page, transaction) = (reader.u64()?, reader.u64()?);
        let page_bytes = u64::from(free.pad);
        let is_sensible = page_bytes.is_power_of_two()
            && PAGE_BYTES.contains(&page_bytes)
            && (free.flags, main.pad, main.flags) == (FREE_FLAGS, 0, 0)
            && last_page.checked_mul(page_bytes).is_some_and(|end| end < MAX_FILE_BYTES);
        is_sensible.then_some(Self { page_bytes, free, main, last_page, transaction })
    }

    /// Which of the two it is: they are written alternately.
    pub(crate) fn number(&self) -> u64 {
        self.transaction % 2
    }

    /// Whether the two pages are consistent: transactions alternate between them, and the file never shrinks.
    pub(crate) fn are_neighbours(first: &Self, second: &Self) -> bool {
        let (even, odd) = (first.transaction, second.transaction);
        if first.page_bytes != second.page_bytes {
            return false;
        }
        if (even, odd) == (0, 0) {
            return true;
        }
        let (older, newer) = if even < odd { (first, second) } else { (second, first) };
        even % 2 == 0 && odd % 2 == 1 && even.abs_diff(odd) == 1 && older.last_page <= newer.last_page
    }
}

/// Both meta pages of a file; or where an invalid one is, and why it is invalid.
pub(crate) fn meta_pages(file: &dyn VfsFile) -> Result<[MetaPage; 2], Finding> {
    let read = |number: u64, offset: u64| {
        let mut bytes = [0; META_BYTES];
        let unreadable = |error| Finding::Unreadable { offset, error };
        let read = file.read_full_at(&mut bytes, offset).map_err(unreadable)?;
        let what = "a meta page of the state file is damaged";
        bytes.get(..read).and_then(|bytes| MetaPage::read(bytes, number)).ok_or(Finding::structure(offset, what))
    };
    let first = read(0, 0)?;
    let second = read(1, first.page_bytes)?;
    if MetaPage::are_neighbours(&first, &second) {
        Ok([first, second])
    } else {
        Err(Finding::structure(0, "the meta pages of the state file contradict each other"))
    }
}
