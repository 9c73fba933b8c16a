//! The bytes of a file as shared pages: a copy costs a pointer per page, and pages of zeros cost nothing. Invariant: the bytes
//! behind the length are zero.
#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "offsets within a page, right by construction; only tests run this"
)]

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

pub(super) const PAGE_BYTES: usize = 4096;
pub(super) const SECTOR_BYTES: usize = 512;
pub(super) const SECTORS_PER_PAGE: u64 = (PAGE_BYTES / SECTOR_BYTES) as u64;

pub(super) type Page = [u8; PAGE_BYTES];
pub(super) type Sector = [u8; SECTOR_BYTES];

const ZEROS: Page = [0; PAGE_BYTES];

#[derive(Clone, Default)]
pub(super) struct Content {
    pages: BTreeMap<u64, Arc<Page>>,
    len: u64,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let wanted = (buffer.len() as u64).min(self.len.saturating_sub(offset)) as usize;
        for (page, within, part) in pieces(offset, wanted) {
            let into = &mut buffer[part];
            match self.pages.get(&page) {
                Some(bytes) => into.copy_from_slice(&bytes[within..within + into.len()]),
                None => into.fill(0),
            }
        }
        wanted
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        for (page, within, part) in pieces(offset, bytes.len()) {
            let part = &bytes[part];
            match (self.pages.entry(page), part == &ZEROS[..part.len()]) {
                (Entry::Vacant(_), true) => {}
                (Entry::Occupied(entry), true) if part.len() == PAGE_BYTES => drop(entry.remove()),
                (entry, _) => {
                    let page = entry.or_insert_with(|| Arc::new(ZEROS));
                    Arc::make_mut(page)[within..within + part.len()].copy_from_slice(part);
                }
            }
        }
        if !bytes.is_empty() {
            self.len = self.len.max(offset + bytes.len() as u64);
        }
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            drop(self.pages.split_off(&len.div_ceil(PAGE_BYTES as u64)));
            if let Some(page) = self.pages.get_mut(&(len / PAGE_BYTES as u64)) {
                Arc::make_mut(page)[(len % PAGE_BYTES as u64) as usize..].fill(0);
            }
        }
        self.len = len;
    }

    /// The page with this number; `None` is a page of zeros.
    pub(super) fn page(&self, page: u64) -> Option<Arc<Page>> {
        self.pages.get(&page).cloned()
    }

    pub(super) fn put_page(&mut self, number: u64, page: Option<Arc<Page>>) {
        match page {
            Some(page) => drop(self.pages.insert(number, page)),
            None => drop(self.pages.remove(&number)),
        }
    }

    pub(super) fn sector(&self, sector: u64) -> Sector {
        sector_of(self.pages.get(&(sector / SECTORS_PER_PAGE)), sector)
    }

    /// Replaces a sector; the length stays, so the caller sets it last.
    pub(super) fn put_sector(&mut self, sector: u64, bytes: &Sector) {
        let len = self.len;
        self.write(bytes, sector * SECTOR_BYTES as u64);
        self.len = len;
    }
}

/// The sector with this number (counted in the file), from the page that holds it.
pub(super) fn sector_of(page: Option<&Arc<Page>>, sector: u64) -> Sector {
    let mut bytes = [0; SECTOR_BYTES];
    if let Some(page) = page {
        let start = (sector % SECTORS_PER_PAGE) as usize * SECTOR_BYTES;
        bytes.copy_from_slice(&page[start..start + SECTOR_BYTES]);
    }
    bytes
}

/// Splits `len` bytes at `offset` at page boundaries: page number, offset in that page, range within the `len` bytes.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % PAGE_BYTES as u64) as usize;
        let part = done..(done + PAGE_BYTES - within).min(len);
        done = part.end;
        (!part.is_empty()).then_some((at / PAGE_BYTES as u64, within, part))
    })
}
