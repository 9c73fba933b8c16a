//! How far the journal is written and durable, in commits and in events, and up to where callers want it durable. Invariant:
//! every mark only grows (I8).

use ledgerstone_format::Durability;

use crate::sync::{AtomicU64, Ordering};

/// A mark that only grows.
#[derive(Debug)]
struct Mark(AtomicU64);

impl Mark {
    fn new(seq: u64) -> Self {
        Self(AtomicU64::new(seq))
    }

    /// Acquire: a reader that sees a seq here sees everything that was done before it was published.
    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn raise(&self, seq: u64) {
        self.0.fetch_max(seq, Ordering::AcqRel);
    }
}

/// A place in the journal: after a commit, and so after all events up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) seq: u64,
    pub(crate) next_event_id: u64,
}

#[derive(Debug)]
struct ReachMark {
    seq: Mark,
    next_event_id: Mark,
}

impl ReachMark {
    fn new(reach: Reach) -> Self {
        Self { seq: Mark::new(reach.seq), next_event_id: Mark::new(reach.next_event_id) }
    }

    fn raise(&self, reach: Reach) {
        self.seq.raise(reach.seq);
        self.next_event_id.raise(reach.next_event_id);
    }
}

#[derive(Debug)]
pub(crate) struct Watermarks {
    written: ReachMark,
    durable: ReachMark,
    wanted_durable: Mark,
}

impl Watermarks {
    /// Everything that exists so far is durable.
    pub(crate) fn new(reach: Reach) -> Self {
        Self { written: ReachMark::new(reach), durable: ReachMark::new(reach), wanted_durable: Mark::new(0) }
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.seq.get()
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable.seq.get()
    }

    /// Every event below this one is Written.
    pub(crate) fn written_events(&self) -> u64 {
        self.written.next_event_id.get()
    }

    /// Every event below this one is Durable.
    pub(crate) fn durable_events(&self) -> u64 {
        self.durable.next_event_id.get()
    }

    pub(crate) fn reached(&self, level: Durability, seq: u64) -> bool {
        match level {
            Durability::Applied => true,
            Durability::Written => self.written() >= seq,
            Durability::Durable => self.durable() >= seq,
        }
    }

    pub(crate) fn publish_written(&self, reach: Reach) {
        self.written.raise(reach);
    }

    pub(crate) fn publish_durable(&self, reach: Reach) {
        self.durable.raise(reach);
    }

    /// A caller waits for `seq` to be durable. (Waiting for Written needs no mark: every round writes all.)
    pub(crate) fn want_durable(&self, seq: u64) {
        self.wanted_durable.raise(seq);
    }

    /// The highest seq that a caller has wanted durable.
    pub(crate) fn wanted_durable(&self) -> u64 {
        self.wanted_durable.get()
    }
}
