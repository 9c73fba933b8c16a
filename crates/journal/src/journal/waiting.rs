//! Waiting for a level, and doing the work on the waiter's thread where that is faster.

use ledgerstone_format::Durability;

use super::{Journal, SPACE_RETRY};
use crate::{Error, Result, writer::Flushing};

/// Whether [`Journal::try_lead`] did the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Led {
    /// The seq is durable.
    Done,
    /// Another thread is doing it, or space is lacking; the journal thread was woken.
    Busy,
}

impl Journal {
    /// A caller waits for `seq` to reach `level`: wakes the thread at once.
    pub fn want(&self, level: Durability, seq: u64) {
        if self.marks.reached(level, seq) {
            return;
        }
        if level == Durability::Durable {
            self.marks.want_durable(seq);
        }
        self.timing.write_now();
    }

    /// Waits until `seq` has reached `level`; does the work on this thread if no other thread is doing it. Also waits while
    /// space is lacking.
    pub fn wait(&self, level: Durability, seq: u64) -> Result<()> {
        if level == Durability::Durable && !self.marks.reached(level, seq) {
            self.marks.want_durable(seq);
        }
        while !self.marks.reached(level, seq) {
            self.check_open()?;
            if seq > self.group.lock().last_seq() {
                return Err(Error::Internal("a wait for a seq that was never appended"));
            }
            let round = self.round(self.io.lock(), Flushing::IfWanted)?;
            if round.no_space.is_some() {
                std::thread::sleep(SPACE_RETRY);
            }
        }
        Ok(())
    }

    /// Makes `seq` durable on this thread. Unlike [`wait`](Self::wait), returns [`Error::NoSpace`] when space is lacking.
    pub fn flush_to(&self, seq: u64) -> Result<()> {
        if self.marks.reached(Durability::Durable, seq) {
            return Ok(());
        }
        self.check_open()?;
        self.marks.want_durable(seq);
        let round = self.round(self.io.lock(), Flushing::IfWanted)?;
        match round.no_space {
            _ if self.marks.reached(Durability::Durable, seq) => Ok(()),
            Some(error) => Err(error.into()),
            None => Err(Error::Internal("a flush of a seq that was never appended")),
        }
    }

    /// Makes `seq` durable on this thread if no other thread is doing it; never blocks for the I/O mutex.
    pub fn try_lead(&self, seq: u64) -> Result<Led> {
        if self.marks.reached(Durability::Durable, seq) {
            return Ok(Led::Done);
        }
        self.check_open()?;
        self.marks.want_durable(seq);
        if let Some(io) = self.io.try_lock() {
            self.round(io, Flushing::IfWanted)?;
            if self.marks.reached(Durability::Durable, seq) {
                return Ok(Led::Done);
            }
        }
        self.timing.write_now();
        Ok(Led::Busy)
    }

    /// Whether the device flushes fast enough for a thread with other work to lead. False until measured.
    pub fn flush_is_fast(&self) -> bool {
        self.counters.flush_is_fast()
    }

    /// For the exit of the process: everything pending is Written when this returns. Waits for at most one flush.
    pub fn hand_over(&self) {
        if self.check_open().is_ok() {
            // A failure has poisoned the store, and no caller is left to hear of it.
            let _ = self.round(self.io.lock(), Flushing::Never);
        }
    }
}
