//! A look at LMDB's file before LMDB maps it: a truncated file would kill the process with SIGBUS at the first read behind
//! its end. Reads both meta pages: magic, version, page size, and that the file is as long as they say.

use std::path::Path;

use ledgerstone_format::ByteReader;
use ledgerstone_vfs::{OpenHow, Vfs};

use crate::{Error, error::Result};

const MAGIC: u32 = 0xBEEF_C0DE;
const VERSION: u32 = 1;
const PAGE_HEADER_BYTES: usize = 16;
const META_FLAG: u16 = 0x08;
/// The bytes of a page that are looked at: its header and the meta record.
const LOOKED_AT_BYTES: usize = PAGE_HEADER_BYTES + 152;

#[derive(Clone, Copy, Debug)]
struct MetaPage {
    page_bytes: u64,
    last_page: u64,
    transaction: u64,
}

/// The fields of `MDB_meta` on a 64-bit machine: magic, version, address, map size, two tree records of 48 bytes (the first
/// one's first field is the page size), last page, transaction.
fn read_meta(bytes: &[u8]) -> Option<MetaPage> {
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
    reader.take(44 + 48)?;
    let (last_page, transaction) = (reader.u64()?, reader.u64()?);
    let sensible = page_bytes.is_power_of_two() && (512..=65_536).contains(&page_bytes);
    sensible.then_some(MetaPage { page_bytes, last_page, transaction })
}

/// Refuses a data file that LMDB must not map. A missing or empty one is fine: LMDB makes it.
pub(super) fn check_data_file(vfs: &dyn Vfs, path: &Path) -> Result<()> {
    if cfg!(not(target_pointer_width = "64")) || !vfs.exists(path)? {
        return Ok(());
    }
    let file = vfs.open(path, OpenHow::Read)?;
    let len = file.len()?;
    if len == 0 {
        return Ok(());
    }
    let read_page = |offset: u64| -> Result<Option<MetaPage>> {
        let mut bytes = [0; LOOKED_AT_BYTES];
        let read = file.read_full_at(&mut bytes, offset)?;
        Ok(bytes.get(..read).and_then(read_meta))
    };
    let first =
        read_page(0)?.ok_or_else(|| Error::corrupt(path, 0, "the first meta page of the state file is damaged"))?;
    let second = read_page(first.page_bytes)?
        .filter(|second| second.page_bytes == first.page_bytes)
        .ok_or_else(|| Error::corrupt(path, first.page_bytes, "the second meta page of the state file is damaged"))?;
    let newest = if second.transaction > first.transaction { second } else { first };
    let needed = newest.last_page.checked_add(1).and_then(|pages| pages.checked_mul(newest.page_bytes));
    match needed {
        Some(needed) if needed <= len => Ok(()),
        _ => Err(Error::corrupt(path, len, "the state file is shorter than its meta page says")),
    }
}
