//! A file without its name: the durable bytes, the bytes that reads show, and every change between the two, in order.
//! Invariant: `now` is `durable` with all of `pending` and the `failed` sectors on top.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use super::content::{Content, PAGE_BYTES, Page, SECTOR_BYTES, SECTORS_PER_PAGE, Sector, sector_of};

#[derive(Clone, Default)]
pub(super) struct Inode {
    pub(super) durable: Content,
    pub(super) now: Content,
    pub(super) pending: Vec<Change>,
    /// Sectors that a failed flush marked clean without storing them. Only a new write makes them dirty again.
    pub(super) failed: BTreeSet<u64>,
    /// Whether a name refers to it now.
    pub(super) linked: bool,
    pub(super) handles: u64,
    /// How many changes flushes have covered.
    pub(super) changes_stored: u64,
}

/// A change that no flush has covered yet.
#[derive(Clone)]
pub(super) struct Change {
    /// The length of the file after it.
    pub(super) len: u64,
    pub(super) kind: ChangeKind,
}

#[derive(Clone)]
pub(super) enum ChangeKind {
    /// The sectors written, and their pages after the write: a device gets a sector as the page cache has it, with every
    /// earlier write in it, never one write without those before it.
    Write { sectors: Range<u64>, pages: Vec<Option<Arc<Page>>> },
    /// Only the length changed.
    Length,
}

impl Change {
    pub(super) fn sectors(&self) -> Range<u64> {
        match &self.kind {
            ChangeKind::Write { sectors, .. } => sectors.clone(),
            ChangeKind::Length => 0..0,
        }
    }

    /// A sector that this change wrote, with its content afterwards.
    pub(super) fn sector(&self, sector: u64) -> Sector {
        let ChangeKind::Write { sectors, pages } = &self.kind else { return [0; SECTOR_BYTES] };
        let index = (sector / SECTORS_PER_PAGE).saturating_sub(sectors.start / SECTORS_PER_PAGE);
        let page = usize::try_from(index).ok().and_then(|index| pages.get(index));
        sector_of(page.and_then(Option::as_ref), sector)
    }
}

impl Inode {
    /// A file with all of its bytes on the device.
    pub(super) fn stored(content: Content) -> Self {
        Self { durable: content.clone(), now: content, ..Self::default() }
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        if bytes.is_empty() {
            return;
        }
        self.now.write(bytes, offset);
        let end = offset + bytes.len() as u64;
        let sectors = offset / SECTOR_BYTES as u64..end.div_ceil(SECTOR_BYTES as u64);
        let pages = (offset / PAGE_BYTES as u64..end.div_ceil(PAGE_BYTES as u64)).map(|page| self.now.page(page));
        let kind = ChangeKind::Write { sectors, pages: pages.collect() };
        self.pending.push(Change { len: self.now.len(), kind });
    }

    pub(super) fn set_len(&mut self, len: u64) {
        self.now.set_len(len);
        self.failed.split_off(&len.div_ceil(SECTOR_BYTES as u64));
        self.pending.push(Change { len, kind: ChangeKind::Length });
    }

    /// How many changes were ever made.
    pub(super) fn changes_made(&self) -> u64 {
        self.changes_stored + self.pending.len() as u64
    }

    /// A successful flush that began after `begun` changes.
    pub(super) fn sync(&mut self, begun: u64) {
        let covered = usize::try_from(begun.saturating_sub(self.changes_stored)).unwrap_or(usize::MAX);
        for change in self.pending.drain(..covered.min(self.pending.len())) {
            self.changes_stored += 1;
            match &change.kind {
                ChangeKind::Length => {}
                ChangeKind::Write { sectors, pages } if self.failed.is_empty() => {
                    for (page, bytes) in (sectors.start / SECTORS_PER_PAGE..).zip(pages) {
                        self.durable.put_page(page, bytes.clone());
                    }
                }
                ChangeKind::Write { sectors, .. } => {
                    for sector in sectors.clone() {
                        self.durable.put_sector(sector, &change.sector(sector));
                        self.failed.remove(&sector);
                    }
                }
            }
            self.durable.set_len(change.len);
        }
    }

    /// A flush that fails as in real kernels: the pages still show what was written but count as clean, so the next flush
    /// reports success without storing them. The length is metadata and stays pending.
    pub(super) fn fail_sync(&mut self) {
        for change in &mut self.pending {
            self.failed.extend(change.sectors());
            change.kind = ChangeKind::Length;
        }
        self.failed.split_off(&self.now.len().div_ceil(SECTOR_BYTES as u64));
    }
}
