//! What a life stands on: the simulated disk alone, with the checkpoint's twin, or beside it LMDB in a real folder.
//!
//! LMDB cannot be cut on the simulated disk, but it flushes each transaction itself, and none of ours is under way while a
//! call of the simulated disk is. So what LMDB's file holds when the simulated power goes is what a power cut leaves; and for
//! a cut inside of LMDB's own commit, that is the file before it with any of the sectors that it wrote but for the two meta
//! pages, which LMDB writes last. Each opening works in a fresh folder on a copy of that.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::chance::Chance;

const META_PAGES: usize = 2 * 4096;
const SECTOR: usize = 512;

/// LMDB's file through one life.
pub(crate) struct LmdbFolder {
    root: PathBuf,
    openings: u64,
    /// What the device holds while nobody has it open.
    image: Option<Vec<u8>>,
    /// What it held when the last part of a flush began.
    before: Vec<u8>,
    /// What it held when the power went, if it went.
    left: Option<Vec<u8>>,
}

impl LmdbFolder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let unique = format!("ledgerstone-test-life-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let root = std::env::temp_dir().join(unique);
        Self { root, openings: 0, image: None, before: Vec::new(), left: None }
    }

    fn folder(&self) -> PathBuf {
        self.root.join(self.openings.to_string())
    }

    /// A folder with what the device holds.
    pub(super) fn fresh(&mut self, is_made: bool) -> PathBuf {
        if !is_made {
            // The store was never finished: making it clears what there is.
            self.image = None;
        }
        let _ = fs::remove_dir_all(self.folder());
        self.openings += 1;
        self.left = None;
        let folder = self.folder();
        fs::create_dir_all(&folder).unwrap();
        if let Some(image) = &self.image {
            fs::write(folder.join("data.mdb"), image).unwrap();
        }
        folder
    }

    fn read(&self) -> Option<Vec<u8>> {
        fs::read(self.folder().join("data.mdb")).ok()
    }

    pub(super) fn part_begins(&mut self) {
        self.before = self.read().unwrap_or_default();
    }

    /// The power went while no transaction was under way.
    pub(super) fn power_went(&mut self) {
        if self.left.is_none() {
            self.left = self.read();
        }
    }

    /// The power went in the middle of the transaction that has just ended. False when nothing was written in it.
    pub(super) fn power_went_inside(&mut self, chance: &mut Chance) -> bool {
        let after = self.read().unwrap_or_default();
        let (mut left, mut torn) = (self.before.clone(), false);
        for (number, sector) in after.chunks(SECTOR).enumerate() {
            let at = number * SECTOR;
            if at < META_PAGES || left.get(at..at + sector.len()) == Some(sector) {
                continue;
            }
            torn = true;
            if chance.one_in(2) {
                if left.len() < at + sector.len() {
                    left.resize(at + sector.len(), 0);
                }
                left[at..at + sector.len()].copy_from_slice(sector);
            }
        }
        if torn && self.left.is_none() {
            self.left = Some(left);
            return true;
        }
        false
    }

    /// The opening is over: what it leaves is what the next one finds.
    pub(super) fn settle(&mut self) {
        self.image = self.left.take().or_else(|| self.read());
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for LmdbFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.root());
    }
}
