//! The environment of a life: the simulated disk alone, with the checkpoint's twin, or beside it LMDB in a real folder.
//!
//! LMDB cannot be cut on the simulated disk, but it flushes each transaction itself, and none of ours is under way during a
//! call of the simulated disk. So the content of LMDB's file at the simulated power cut is what a power cut leaves. For a cut
//! inside LMDB's commit, it is the file before it with any of the sectors that the commit wrote, except the two meta pages,
//! which LMDB writes last. Each opening works in a fresh folder on a copy of that.

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
    /// The content of the device while the file is not open.
    image: Option<Vec<u8>>,
    /// Its content when the last part of a flush began.
    before: Vec<u8>,
    /// Its content at the power cut, if there was one.
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

    /// A folder with the content of the device.
    pub(super) fn fresh(&mut self, is_made: bool) -> PathBuf {
        if !is_made {
            // The store was never finished: making it clears the folder.
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

    /// The power was cut while no transaction was under way.
    pub(super) fn power_went(&mut self) {
        if self.left.is_none() {
            self.left = self.read();
        }
    }

    /// The power was cut in the middle of the transaction that has just ended. False when nothing was written in it.
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

    /// The opening is over: the next one finds what it leaves.
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
