//! The journal's upkeep: rounds, spares, files that are no longer needed, figures, the end.

use std::sync::atomic::Ordering;

use super::Journal;
use crate::{JournalStats, Result, file_name::journal_path, prepared_file::Pool, writer::Flushing};

impl Journal {
    /// One round of the thread's work. Writes what is pending, and flushes it if a caller waits. Then, if there is no spare,
    /// prepares a piece of one, also while commits keep coming: otherwise rounds would write only a frame or two each, and the
    /// committer would have to prepare its file. False: there was nothing to do, or it waits for space.
    pub fn step(&self) -> Result<bool> {
        let round = self.round(self.io.lock(), Flushing::IfWanted)?;
        // Free space goes first to the commits that wait for it.
        if round.no_space.is_some() {
            return Ok(round.progress);
        }
        Ok(self.prepare_spare()? || round.progress)
    }

    /// Prepares a piece of a spare, if there is none. False: there was nothing to do, or it waits for space.
    pub(crate) fn prepare_spare(&self) -> Result<bool> {
        if !self.wants_spare() {
            return Ok(false);
        }
        let used_bytes = self.group.lock().files().iter().map(|file| file.capacity).sum();
        let outcome = {
            let mut pool = self.pool.lock();
            let outcome =
                pool.prepare_in_advance(self.options.next_file_bytes(used_bytes), self.options.first_file_bytes);
            self.show(&pool);
            outcome
        };
        match self.judge(outcome) {
            Ok(()) => Ok(true),
            Err(_) => self.check_poison().map(|()| false),
        }
    }

    pub(crate) fn wants_spare(&self) -> bool {
        self.pool.lock().is_low()
    }

    /// Gives up the files that end at or below `upto_seq`: they become spares or are removed (I7). `upto_seq` must be durable
    /// elsewhere, and no backup may need anything at or below it.
    pub fn recycle(&self, upto_seq: u64) -> Result<()> {
        self.check_open()?;
        let released = self.group.lock().release(upto_seq, self.marks.durable(), self.options.keep_bytes);
        let spare_sizes = self.options.spare_sizes();
        let sizes: Vec<_> =
            released.iter().map(|file| file.capacity).filter(|size| spare_sizes.contains(size)).collect();
        let mut later = sizes.as_slice();
        for file in released {
            let is_odd = !spare_sizes.contains(&file.capacity);
            later = if is_odd { later } else { later.get(1..).unwrap_or_default() };
            let path = journal_path(&self.dir, file.number);
            let mut pool = self.pool.lock();
            let is_wanted = !is_odd && pool.wants(file.capacity, later);
            let outcome = if is_wanted { pool.adopt(&path, file.capacity) } else { pool.remove(&path) };
            self.show(&pool);
            drop(pool);
            self.judge(outcome)?;
        }
        Ok(())
    }

    /// The current figures. Takes no lock that is held during device I/O.
    pub fn stats(&self) -> JournalStats {
        let mut stats = JournalStats::default();
        self.counters.fill(&mut stats);
        {
            let group = self.group.lock();
            stats.files = group.files().len() as u64;
            stats.bytes = group.files().iter().map(|file| file.capacity).sum();
        }
        let pool = *self.pool_figures.lock();
        stats.spares = pool.spares;
        stats.bytes += pool.spare_bytes;
        stats.preparation_flushes = pool.flushes;
        stats.preparation_bytes = pool.bytes;
        stats
    }

    /// Copies the current state of the pool into the statistics.
    pub(super) fn show(&self, pool: &Pool) {
        let figures = pool.figures();
        self.is_short.store(figures.is_short, Ordering::Relaxed);
        *self.pool_figures.lock() = figures;
    }

    /// Writes and flushes what is pending, ends the thread and refuses everything afterwards. When poisoned or out of space it
    /// ends the thread too, and says why not everything was kept.
    pub fn close(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return self.poison.check();
        }
        let drained = self.round(self.io.lock(), Flushing::Always);
        self.closed.store(true, Ordering::Release);
        self.timing.stop();
        if let Some(thread) = self.thread.lock().take() {
            // The thread catches its own panics.
            let _ = thread.join();
        }
        match drained?.no_space {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}
