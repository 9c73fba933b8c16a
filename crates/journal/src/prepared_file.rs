//! The pool of spares: files whose blocks are already allocated, so that a commit's flush has no metadata to write.
//!
//! Invariant: a file enters the pool only when its bytes are flushed, it has its name, and the folder is flushed. Numbers grow
//! in the order in which spares are taken. Knows nothing of frames.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_format::{PAGE_BYTES, align_up};
use ledgerstone_vfs::{Aside, FileError, OpenHow, Vfs, VfsFile};

use crate::{
    Error,
    error::Failure,
    file_name::{UNFINISHED_SPARE, journal_path},
};

/// A file takes at most one in this many of the device's free bytes, unless a frame needs more.
const SHARE_OF_ROOM: u64 = 4;

/// The size of a file of `capacity` bytes given the free space on the device; whole pages.
pub(crate) fn fitting(vfs: &dyn Vfs, dir: &Path, capacity: u64) -> u64 {
    let share = vfs.free_bytes(dir).map_or(u64::MAX, |free| free / SHARE_OF_ROOM);
    align_up(capacity, PAGE_BYTES).min(share - share % PAGE_BYTES)
}

/// How many spares are kept.
pub(crate) const POOL_LIMIT: usize = 2;

/// Zeros are written and flushed in pieces of this size, so that a commit never waits for a whole file of them.
const PIECE_BYTES: usize = 1 << 20;

/// Aligned, so that writes can bypass the cache.
#[repr(align(4096))]
struct Zeros([u8; PIECE_BYTES]);

static ZEROS: Zeros = Zeros([0; PIECE_BYTES]);

/// Up to `len` zeros.
pub(crate) fn zeros(len: u64) -> &'static [u8] {
    usize::try_from(len).ok().and_then(|len| ZEROS.0.get(..len)).unwrap_or(&ZEROS.0)
}

fn is_full(outcome: &Result<(), Failure>) -> bool {
    matches!(outcome, Err(Failure::Refused(Error::NoSpace(_))))
}

/// A file ready to be written in place.
#[derive(Debug)]
pub(crate) struct PreparedFile {
    pub(crate) number: u64,
    pub(crate) capacity: u64,
    pub(crate) handle: Arc<dyn VfsFile>,
}

#[derive(Debug)]
struct Unfinished {
    aside: Aside,
    capacity: u64,
    written: u64,
}

/// The pool in figures.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PoolFigures {
    pub(crate) spares: u64,
    pub(crate) spare_bytes: u64,
    /// There is no spare, and no room for one of the intended size.
    pub(crate) is_short: bool,
    /// The cost of preparing so far.
    pub(crate) flushes: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Pool {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    spares: VecDeque<PreparedFile>,
    next_number: u64,
    unfinished: Option<Unfinished>,
    /// Preparing in advance failed: not tried again until a commit needs a file.
    gave_up: bool,
    /// The device had no room for the last file in its intended size.
    is_short: bool,
    /// The unused rest of the previous newest file: freed if there is no other room.
    rest: Option<Rest>,
    counts: PoolFigures,
}

/// A file without content from `len` on.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) number: u64,
    pub(crate) len: u64,
}

impl Pool {
    pub(crate) fn new(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        spares: Vec<PreparedFile>,
        next_number: u64,
        rest: Option<Rest>,
    ) -> Self {
        Self {
            vfs,
            dir: dir.to_path_buf(),
            spares: spares.into(),
            next_number,
            unfinished: None,
            gave_up: false,
            is_short: false,
            rest,
            counts: PoolFigures::default(),
        }
    }

    /// The next unused number.
    pub(crate) const fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Takes all spares and stops preparing: no more files will be needed.
    pub(crate) fn drain(&mut self) -> Vec<PreparedFile> {
        self.unfinished = None;
        self.spares.drain(..).collect()
    }

    /// Whether a spare should be prepared in advance.
    pub(crate) fn is_low(&self) -> bool {
        self.spares.is_empty() && !self.gave_up
    }

    pub(crate) fn figures(&self) -> PoolFigures {
        let spare_bytes = self.spares.iter().map(|spare| spare.capacity).sum();
        let is_short = self.is_short && self.spares.is_empty();
        PoolFigures { spares: self.spares.len() as u64, spare_bytes, is_short, ..self.counts }
    }

    pub(crate) fn vfs(&self) -> Arc<dyn Vfs> {
        Arc::clone(&self.vfs)
    }

    /// The next spare that holds `need_bytes`. If there is none, one is prepared here, of `capacity` bytes or more; if the
    /// device has no room for that, as large as needed. Spares that are too small move to the end of the queue, so that numbers
    /// keep growing. `in_time` is asked between two pieces; the thread continues an unfinished one.
    pub(crate) fn take(
        &mut self,
        need_bytes: u64,
        capacity: u64,
        in_time: &dyn Fn() -> bool,
    ) -> Result<PreparedFile, Failure> {
        self.gave_up = false;
        if !self.spares.iter().any(|spare| spare.capacity >= need_bytes) {
            let need = align_up(need_bytes, PAGE_BYTES);
            let wanted = if self.is_short { need } else { fitting(&*self.vfs, &self.dir, capacity).max(need) };
            let mut prepared = self.prepare(wanted, in_time);
            if is_full(&prepared) && wanted > need {
                prepared = self.prepare(need, in_time);
            }
            if is_full(&prepared) && self.give_up_rest()? {
                prepared = self.prepare(need, in_time);
            }
            prepared?;
        }
        let fit = self.spares.iter().position(|spare| spare.capacity >= need_bytes);
        let too_small: Vec<_> = self.spares.drain(..fit.unwrap_or(0)).collect();
        let taken = self.spares.pop_front().ok_or(Failure::Refused(Error::Internal("no spare was made")))?;
        for spare in too_small {
            let path = journal_path(&self.dir, spare.number);
            drop(spare.handle);
            self.adopt(&path, spare.capacity)?;
        }
        Ok(taken)
    }

    /// Frees the rest; returns whether there was one.
    fn give_up_rest(&mut self) -> Result<bool, Failure> {
        let Some(rest) = self.rest.take() else { return Ok(false) };
        let path = journal_path(&self.dir, rest.number);
        let file = match self.vfs.open(&path, OpenHow::ReadWrite) {
            // It was recycled in between.
            Err(error) if error.is_not_found() => return Ok(false),
            opened => opened.map_err(Failure::refused)?,
        };
        file.set_len(rest.len).map_err(Failure::refused)?;
        Ok(true)
    }

    fn prepare(&mut self, capacity: u64, in_time: &dyn Fn() -> bool) -> Result<(), Failure> {
        while !self.prepare_slice(capacity)? {
            if !in_time() {
                return Err(Failure::Refused(Error::NotInTime));
            }
        }
        Ok(())
    }

    /// Turns a file that is no longer needed into a spare: renames it to the next number, which its header does not carry, and
    /// flushes the folder. When the pool is full the smallest spare is removed.
    pub(crate) fn adopt(&mut self, path: &Path, capacity: u64) -> Result<(), Failure> {
        let mut spare = self.put_in_place(path, capacity)?;
        // Its rest may have been freed.
        let len = spare.handle.len().map_err(Failure::refused)?;
        spare.capacity = capacity.min(len - len % PAGE_BYTES);
        self.spares.push_back(spare);
        self.remove_surplus()
    }

    /// Whether a file of this size would remain a spare when those of the sizes `later` follow: adopting one costs a rename and
    /// a flush of the folder.
    pub(crate) fn wants(&self, capacity: u64, later: &[u64]) -> bool {
        let spares = self.spares.iter().map(|spare| spare.capacity);
        spares.chain(later.iter().copied()).filter(|other| *other >= capacity).count() < POOL_LIMIT
    }

    /// Removes a file that is no longer needed. Needs no flush: if it comes back, it is as old as before.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), Failure> {
        self.vfs.remove_file(path).map_err(Failure::refused)
    }

    /// Prepares the next piece of a file, which is as large as the device has room for, `least` bytes or more. A complete file
    /// joins the pool. A failure while no caller waits is not repeated until a commit needs a file.
    pub(crate) fn prepare_in_advance(&mut self, capacity: u64, least: u64) -> Result<(), Failure> {
        let outcome = match &self.unfinished {
            Some(_) => self.prepare_slice(0),
            None => match fitting(&*self.vfs, &self.dir, capacity) {
                fitting if fitting < least => {
                    self.is_short = true;
                    let error = std::io::ErrorKind::StorageFull.into();
                    Err(Failure::refused(FileError::new("statvfs", &self.dir, error)))
                }
                fitting => self.prepare_slice(fitting),
            },
        };
        self.gave_up = outcome.is_err();
        if matches!(outcome, Ok(true)) {
            self.is_short = false;
        }
        outcome.map(drop)
    }

    fn prepare_slice(&mut self, capacity: u64) -> Result<bool, Failure> {
        match self.try_prepare_slice(capacity) {
            Ok(done) => Ok(done),
            Err(failure) => {
                self.is_short |= matches!(failure, Failure::Refused(Error::NoSpace(_)));
                // Best effort: the next attempt overwrites a leftover, and the next opening removes it.
                if let Some(unfinished) = self.unfinished.take() {
                    let path = unfinished.aside.path().to_path_buf();
                    drop(unfinished);
                    let _ = self.vfs.remove_file(&path);
                }
                Err(failure)
            }
        }
    }

    fn try_prepare_slice(&mut self, capacity: u64) -> Result<bool, Failure> {
        if self.unfinished.is_none() {
            let aside = Aside::create(&*self.vfs, &self.dir.join(UNFINISHED_SPARE)).map_err(Failure::refused)?;
            self.unfinished = Some(Unfinished { aside, capacity, written: 0 });
        }
        let Some(unfinished) = &mut self.unfinished else { return Ok(false) };
        unfinished.capacity = unfinished.capacity.max(capacity);
        let zeros = zeros(unfinished.capacity - unfinished.written);
        let len = zeros.len() as u64;
        // Bypasses the cache: a later write to these pages that bypasses it would first have to evict each from it.
        unfinished.aside.file.write_all_direct_at(zeros, unfinished.written).map_err(Failure::of_write)?;
        self.counts.bytes += len;
        self.counts.flushes += 1;
        unfinished.aside.file.sync_data().map_err(Failure::of_flush)?;
        unfinished.written += len;
        if unfinished.written < unfinished.capacity {
            return Ok(false);
        }
        let (path, capacity) = (unfinished.aside.path().to_path_buf(), unfinished.capacity);
        // Closes its handle first: if only one is left, the next steps can use it.
        self.unfinished = None;
        let spare = self.put_in_place(&path, capacity)?;
        self.spares.push_back(spare);
        Ok(true)
    }

    fn put_in_place(&mut self, path: &Path, capacity: u64) -> Result<PreparedFile, Failure> {
        let number = self.next_number;
        let target = journal_path(&self.dir, number);
        self.vfs.rename(path, &target).map_err(Failure::of_write)?;
        self.next_number = number.saturating_add(1);
        self.counts.flushes += 1;
        let flushed = self.vfs.sync_dir(&self.dir).map_err(Failure::of_flush);
        match flushed.and_then(|()| self.vfs.open(&target, OpenHow::ReadWrite).map_err(Failure::refused)) {
            Ok(handle) => Ok(PreparedFile { number, capacity, handle }),
            Err(failure) => {
                // It would never be used, and takes space. Best effort: the next opening removes it too.
                let _ = self.vfs.remove_file(&target);
                Err(failure)
            }
        }
    }

    /// Keeps the largest spares.
    fn remove_surplus(&mut self) -> Result<(), Failure> {
        while self.spares.len() > POOL_LIMIT {
            let smallest = self.spares.iter().enumerate().min_by_key(|(_, spare)| spare.capacity).map(|(at, _)| at);
            let Some(spare) = smallest.and_then(|at| self.spares.remove(at)) else { break };
            drop(spare.handle);
            self.remove(&journal_path(&self.dir, spare.number))?;
        }
        Ok(())
    }
}
