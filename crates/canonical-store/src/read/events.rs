//! Events by id: first those of the active and the frozen generation; the log only for ids below both. Looked up again for each
//! page, so that a long iteration pins nothing.

use std::ops::ControlFlow;

use super::Snapshot;
use crate::{Error, Store, error::Result};

/// The order of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

/// The number of commits read while the lock is held.
const BLOCKS_PER_PAGE: usize = 1_024;

/// The first read of the log for a visitor without a hint, in bytes.
const FIRST_READ_BYTES: u64 = 32 * 1024;

type Visit<'a> = dyn FnMut(u64, u64, &[u8]) -> ControlFlow<()> + 'a;

impl Store {
    /// The id that the next event will get.
    pub fn next_event_id(&self) -> u64 {
        self.next_event_id.load(std::sync::atomic::Ordering::Acquire)
    }

    /// The oldest kept event; without events the next id.
    pub fn oldest_event_id(&self) -> u64 {
        self.oldest_event_id.load(std::sync::atomic::Ordering::Acquire)
    }

    /// The kept part of `from..to`. Fails when reading would reach trimmed events; 0 means the oldest event.
    fn kept(&self, from: u64, to: u64, direction: Direction) -> Result<(u64, u64)> {
        let oldest = self.oldest_event_id();
        let requested = match direction {
            Direction::Forward => from,
            Direction::Backward => to.saturating_sub(1).max(from),
        };
        if from < to && (1..oldest).contains(&requested) {
            return Err(Error::EventsTrimmed { requested, oldest });
        }
        Ok((from.max(oldest), to))
    }

    /// Calls `visit` with the events `from..to` and their timestamps, until it breaks. [`Error::EventsTrimmed`] when they are
    /// no longer kept.
    pub fn read_events(&self, from: u64, to: u64, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        self.read_events_ahead(from, to, direction, FIRST_READ_BYTES, visit)
    }

    /// As [`Store::read_events`], for a visitor that will take about `first_bytes` before it breaks.
    pub fn read_events_ahead(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        first_bytes: u64,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        self.check_open()?;
        let (mut from, mut to) = self.kept(from, to.min(self.next_event_id()), direction)?;
        while from < to {
            let view = self.coordinator.view();
            let frozen = view.frozen.as_ref();
            let in_active = view.active.events().first_id();
            let in_deltas = frozen.map_or(in_active, |frozen| frozen.events().first_id());
            let newest_first = direction == Direction::Backward;
            let probe = if newest_first { to - 1 } else { from };
            if probe < in_deltas {
                let end = to.min(in_deltas);
                if self.read_log(from, end, direction, first_bytes, visit)?.is_break() {
                    return Ok(());
                }
                if newest_first {
                    to = from;
                } else {
                    from = end;
                }
                continue;
            }
            let (delta, first, end) = match frozen {
                Some(frozen) if probe < in_active => (frozen, in_deltas, in_active),
                _ => (&view.active, in_active, u64::MAX),
            };
            let (start, end) = (from.max(first), to.min(end));
            let page = delta.events().page(start, end, BLOCKS_PER_PAGE, newest_first);
            let mut id = probe;
            while let Some((timestamp_ms, bytes)) = page.get(id).filter(|_| (start..end).contains(&id)) {
                if visit(id, timestamp_ms, bytes).is_break() {
                    return Ok(());
                }
                if newest_first {
                    id -= 1;
                } else {
                    id += 1;
                }
            }
            if id == probe {
                return Err(self.missing_event(id));
            }
            if newest_first {
                to = id + 1;
            } else {
                from = id;
            }
        }
        Ok(())
    }

    /// Calls `take` with the timestamp and the bytes of the event `id`, in the read buffer; `None` when it does not exist, also
    /// when it was trimmed.
    pub fn event<R>(&self, id: u64, take: impl FnOnce(u64, &[u8]) -> R) -> Result<Option<R>> {
        self.check_open()?;
        if id < self.oldest_event_id() || id >= self.next_event_id() {
            return Ok(None);
        }
        let view = self.coordinator.view();
        let frozen = view.frozen.as_ref().map(|frozen| frozen.events());
        let active = view.active.events();
        if id < frozen.unwrap_or(active).first_id() {
            return Ok(self.log.get_with(id, take)?);
        }
        let events = frozen.filter(|_| id < active.first_id()).unwrap_or(active);
        let page = events.page(id, id + 1, 1, false);
        match page.get(id) {
            Some((timestamp_ms, bytes)) => Ok(Some(take(timestamp_ms, bytes))),
            None => Err(self.missing_event(id)),
        }
    }

    fn missing_event(&self, id: u64) -> Error {
        Error::corrupt(&self.path, 0, format!("an event is missing in memory: id={id}"))
    }

    fn read_log(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        first_bytes: u64,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        let direction = match direction {
            Direction::Forward => ledgerstone_event_log::Direction::Forward,
            Direction::Backward => ledgerstone_event_log::Direction::Backward,
        };
        let mut flow = ControlFlow::Continue(());
        self.log.read_ahead(from, to, direction, first_bytes, &mut |id, timestamp_ms, bytes| {
            flow = visit(id, timestamp_ms, bytes);
            flow
        })?;
        Ok(flow)
    }

    /// The first kept event whose timestamp is at least `timestamp_ms`; the next id when there is none.
    pub fn first_event_at(&self, timestamp_ms: u64) -> Result<u64> {
        self.check_open()?;
        loop {
            let view = self.coordinator.view();
            let in_active = view.active.events().first_id();
            let in_deltas = view.frozen.as_ref().map_or(in_active, |frozen| frozen.events().first_id());
            let in_log = self.log.first_at(timestamp_ms)?;
            if self.coordinator.version() != view.version {
                continue;
            }
            if in_log < in_deltas {
                return Ok(in_log);
            }
            let mut deltas = [view.frozen.as_ref(), Some(&view.active)].into_iter().flatten();
            let found = deltas.find_map(|delta| delta.events().first_at(timestamp_ms));
            // A generation keeps its trimmed events until it is flushed.
            return Ok(found.map_or_else(|| self.next_event_id(), |id| id.max(self.oldest_event_id())));
        }
    }
}

impl Snapshot {
    /// Calls `visit` with the events `from..to` of the snapshot.
    pub fn read_events(&self, from: u64, to: u64, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        self.read_events_ahead(from, to, direction, FIRST_READ_BYTES, visit)
    }

    /// As [`Snapshot::read_events`], for a visitor that will take about `first_bytes` before it breaks.
    pub fn read_events_ahead(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        first_bytes: u64,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        self.with(|_| Ok(()))?;
        self.store().read_events_ahead(from, to.min(self.next_event_id()), direction, first_bytes, visit)
    }

    /// The first event of the snapshot whose timestamp is at least `timestamp_ms`.
    pub fn first_event_at(&self, timestamp_ms: u64) -> Result<u64> {
        self.with(|_| Ok(()))?;
        Ok(self.store().first_event_at(timestamp_ms)?.min(self.next_event_id()))
    }
}
