//! How far the journal is written and durable, and how far somebody wants it. Invariant: every mark only grows (I8).

use ledgerstone_format::Durability;

use crate::sync::{AtomicU64, Ordering};

/// A mark that only grows.
#[derive(Debug)]
struct Mark(AtomicU64);

impl Mark {
    fn new(seq: u64) -> Self {
        Self(AtomicU64::new(seq))
    }

    /// Acquire: who sees a seq here sees everything that was done before it was published.
    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn raise(&self, seq: u64) {
        self.0.fetch_max(seq, Ordering::AcqRel);
    }
}

#[derive(Debug)]
pub(crate) struct Watermarks {
    written: Mark,
    durable: Mark,
    wanted_durable: Mark,
}

impl Watermarks {
    /// All that exists so far is durable.
    pub(crate) fn new(seq: u64) -> Self {
        Self { written: Mark::new(seq), durable: Mark::new(seq), wanted_durable: Mark::new(0) }
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.get()
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable.get()
    }

    pub(crate) fn reached(&self, level: Durability, seq: u64) -> bool {
        match level {
            Durability::Applied => true,
            Durability::Written => self.written() >= seq,
            Durability::Durable => self.durable() >= seq,
        }
    }

    pub(crate) fn publish_written(&self, seq: u64) {
        self.written.raise(seq);
    }

    pub(crate) fn publish_durable(&self, seq: u64) {
        self.durable.raise(seq);
    }

    /// Somebody waits for `seq` to be durable. (What is merely to be written needs no mark: every round writes all.)
    pub(crate) fn want_durable(&self, seq: u64) {
        self.wanted_durable.raise(seq);
    }

    /// Whether a flush would bring somebody nearer to what he waits for.
    pub(crate) fn flush_wanted(&self) -> bool {
        let durable = self.durable();
        durable < self.written() && durable < self.wanted_durable.get()
    }
}
