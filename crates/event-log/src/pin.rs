//! Pins: a reader of a segment's file holds one, so that trimming moves the log's beginning at once and unlinks the segments
//! only when no reader uses them.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use crate::{
    Direction, Error, EventLog, Result, SegmentInfo,
    iterate::{FIRST_READ_BYTES, Visit},
};

/// The ids from which segments are needed, each with its number of pins.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    by_id: Mutex<BTreeMap<u64, usize>>,
}

impl Pins {
    /// Runs `take` with the lowest pinned id (`u64::MAX` when there is none) while no pin can be added.
    pub(crate) fn with_lowest<R>(&self, take: impl FnOnce(u64) -> R) -> R {
        let pins = self.by_id.lock();
        take(pins.keys().next().copied().unwrap_or(u64::MAX))
    }

    fn release(&self, id: u64) {
        let mut pins = self.by_id.lock();
        if let Some(count) = pins.get_mut(&id) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&id);
            }
        }
    }
}

/// A pin for the duration of one call.
#[derive(Debug)]
pub(crate) struct Held<'l> {
    pins: &'l Pins,
    pub(crate) from_id: u64,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.pins.release(self.from_id);
    }
}

/// Keeps the segments with events from an id on from being unlinked, until it is dropped. Events that are trimmed in between
/// can be read only through the pin; their space is freed by the next trim, rotation, or [`EventLog::reclaim`].
#[derive(Debug)]
pub struct Pin {
    log: Arc<EventLog>,
    from_id: u64,
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.log.pins.release(self.from_id);
    }
}

impl EventLog {
    /// Pins the segments with events from `from_id` on; 0 means the oldest event.
    ///
    /// # Errors
    /// [`Error::Trimmed`] when `from_id` is below the oldest event.
    pub fn pin(self: &Arc<Self>, from_id: u64) -> Result<Pin> {
        let from_id = self.add_pin(from_id)?;
        Ok(Pin { log: Arc::clone(self), from_id })
    }

    pub(crate) fn hold(&self, from_id: u64) -> Result<Held<'_>> {
        Ok(Held { pins: &self.pins, from_id: self.add_pin(from_id)? })
    }

    /// Unlinking moves the horizon first and checks the pins after; here the horizon is checked with the pins locked. So one of
    /// the two sees the other.
    fn add_pin(&self, from_id: u64) -> Result<u64> {
        let mut pins = self.pins.by_id.lock();
        let oldest = self.oldest_event_id();
        let id = if from_id == 0 { oldest } else { from_id };
        if id < oldest {
            return Err(Error::Trimmed { requested: id, oldest });
        }
        *pins.entry(id).or_default() += 1;
        Ok(id)
    }
}

impl Pin {
    /// The first id that is kept.
    pub const fn from_id(&self) -> u64 {
        self.from_id
    }

    /// As [`EventLog::get`], from the beginning of this pin on.
    pub fn get(&self, id: u64) -> Result<Option<(u64, Vec<u8>)>> {
        if id < self.from_id || id >= self.log.next_event_id() { Ok(None) } else { self.log.get_held(id).map(Some) }
    }

    /// As [`EventLog::checksum_of`], for the segments that this pin keeps.
    pub fn checksum_of(&self, segment: &SegmentInfo) -> Result<u32> {
        if segment.last_id < self.from_id {
            return Err(Error::Trimmed { requested: segment.last_id, oldest: self.from_id });
        }
        self.log.checksum_held(segment)
    }

    /// As [`EventLog::read`], from the beginning of this pin on, which `from` 0 means.
    pub fn read(&self, from: u64, to: u64, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        let from = if from == 0 { self.from_id } else { from };
        if from < self.from_id {
            return Err(Error::Trimmed { requested: from, oldest: self.from_id });
        }
        self.log.read_held(from, to, direction, FIRST_READ_BYTES, visit)
    }
}
