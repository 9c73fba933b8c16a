//! Iterating over a log that may grow during the iteration.

use std::{collections::VecDeque, ops::ControlFlow};

use ledgerstone_format::memory::copied;
use ledgerstone_vfs::FileError;

use super::OwnedLog;
use crate::{Direction, Error, Result};

/// Bytes of events to read ahead.
const PAGE_BYTES: usize = 64 * 1024;

/// An event with its own memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: u64,
    /// When it was appended, in milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
    /// Its payload.
    pub bytes: Vec<u8>,
}

/// Visits the events that existed at the beginning, in the order of their ids. Ends after the first error:
/// [`crate::Error::Trimmed`] if events were trimmed before they were reached.
#[derive(Debug)]
pub struct Events<'l> {
    log: &'l OwnedLog,
    next_id: u64,
    end_id: u64,
    page: VecDeque<Event>,
    /// Returned after the events that were read before it.
    failure: Option<Error>,
}

impl<'l> Events<'l> {
    pub(crate) fn new(log: &'l OwnedLog, start: u64, end: u64) -> Self {
        let next_id = if start == 0 { log.oldest_event_id() } else { start };
        Self { log, next_id, end_id: end.min(log.next_event_id()), page: VecDeque::new(), failure: None }
    }

    fn fill(&mut self) -> Result<()> {
        let (mut room, page, mut is_short) = (PAGE_BYTES, &mut self.page, false);
        self.log.read(self.next_id, self.end_id, Direction::Forward, &mut |id, timestamp_ms, payload| {
            let Some(bytes) = copied(payload) else {
                // Events that fit are returned first.
                is_short = page.is_empty();
                return ControlFlow::Break(());
            };
            page.push_back(Event { id, timestamp_ms, bytes });
            room = room.saturating_sub(payload.len());
            if room > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if is_short { Err(FileError::no_memory("pread", self.log.path()).into()) } else { Ok(()) }
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Result<Event>> {
        if self.page.is_empty() && self.next_id < self.end_id {
            self.failure = self.fill().err();
            let read_upto = self.page.back().map_or(self.end_id, |event| event.id + 1);
            self.next_id = if self.failure.is_some() { self.end_id } else { read_upto };
        }
        self.page.pop_front().map(Ok).or_else(|| self.failure.take().map(Err))
    }
}
