//! What a reader id stands for: a store, read as it is now, or a snapshot. Both answer the same questions.

use std::{ops::ControlFlow, rc::Rc, sync::Arc};

use ledgerstone_canonical_store::{Direction, KeyBatch, KeyBounds, RangeCursor, ReadCache, ShowValue, Snapshot};

use crate::{
    environment::{slab::Handle, store::StoreEntry},
    error::Failure,
};

/// Takes an event's id, timestamp and payload.
type VisitEvent<'a> = dyn FnMut(u64, u64, &[u8]) -> ControlFlow<()> + 'a;

pub(crate) enum Reader {
    Store { entry: Rc<StoreEntry>, cache: Arc<ReadCache> },
    Snapshot { entry: Rc<StoreEntry>, snapshot: Arc<Snapshot> },
}

/// An open range, and whose.
pub(crate) struct Cursor {
    pub(crate) range: RangeCursor,
    pub(crate) keys_only: bool,
    pub(crate) reader: Handle,
}

impl Reader {
    pub(crate) fn entry(&self) -> &Rc<StoreEntry> {
        match self {
            Self::Store { entry, .. } | Self::Snapshot { entry, .. } => entry,
        }
    }

    #[inline]
    pub(crate) fn get<R>(&self, slot: usize, key: &[u8], take: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Failure> {
        self.entry().with_slot(slot, |collection| match self {
            Self::Store { entry, cache } => entry.handle().get(cache, collection, key, take),
            Self::Snapshot { snapshot, .. } => snapshot.get(collection, key, take),
        })
    }

    pub(crate) fn get_many(&self, slot: usize, keys: &mut KeyBatch, show: &mut ShowValue<'_>) -> Result<(), Failure> {
        self.entry().with_slot(slot, |collection| match self {
            Self::Store { entry, cache } => entry.handle().get_many(cache, collection, keys, show),
            Self::Snapshot { snapshot, .. } => snapshot.get_many(collection, keys, show),
        })
    }

    #[inline]
    pub(crate) fn has(&self, slot: usize, key: &[u8]) -> Result<bool, Failure> {
        self.entry().with_slot(slot, |collection| match self {
            Self::Store { entry, cache } => entry.handle().has(cache, collection, key),
            Self::Snapshot { snapshot, .. } => snapshot.has(collection, key),
        })
    }

    pub(crate) fn range(&self, slot: usize, bounds: KeyBounds) -> Result<RangeCursor, Failure> {
        self.entry().with_slot(slot, |collection| match self {
            Self::Store { entry, .. } => entry.handle().range(collection, bounds),
            Self::Snapshot { snapshot, .. } => snapshot.range(collection, bounds),
        })
    }

    pub(crate) fn read_events(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        first_bytes: u64,
        visit: &mut VisitEvent<'_>,
    ) -> Result<(), Failure> {
        Ok(match self {
            Self::Store { entry, .. } => entry.handle().read_events_ahead(from, to, direction, first_bytes, visit),
            Self::Snapshot { snapshot, .. } => snapshot.read_events_ahead(from, to, direction, first_bytes, visit),
        }?)
    }

    pub(crate) fn first_event_at(&self, timestamp_ms: u64) -> Result<u64, Failure> {
        Ok(match self {
            Self::Store { entry, .. } => entry.handle().first_event_at(timestamp_ms),
            Self::Snapshot { snapshot, .. } => snapshot.first_event_at(timestamp_ms),
        }?)
    }

    /// Answers what `read` reads as of one point in time. When a commit comes in between it reads again, and at last from a
    /// snapshot. `read` may be called again and starts over each time.
    pub(crate) fn at_one_point<R>(&self, read: impl Fn(&Self) -> Result<R, Failure>) -> Result<R, Failure> {
        const ATTEMPTS: usize = 2;
        let Self::Store { entry, .. } = self else { return read(self) };
        let applied = || entry.handle().marks().applied;
        for _ in 0..ATTEMPTS {
            let before = applied();
            let answer = read(self)?;
            if applied() == before {
                return Ok(answer);
            }
        }
        let held = Self::Snapshot { entry: Rc::clone(entry), snapshot: entry.handle().snapshot()? };
        read(&held)
    }

    /// The first event to be read: what is kept now, or was kept when the snapshot was taken.
    pub(crate) fn oldest_event_id(&self) -> u64 {
        match self {
            Self::Store { entry, .. } => entry.handle().oldest_event_id(),
            Self::Snapshot { snapshot, .. } => snapshot.oldest_event_id(),
        }
    }

    /// Gives back what a snapshot holds; a store's reader holds only its cache.
    pub(crate) fn release(&self) {
        if let Self::Snapshot { snapshot, .. } = self {
            snapshot.release();
        }
    }
}
