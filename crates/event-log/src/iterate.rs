//! Reading: one event, a range of events in either direction, the first event at a time.
//!
//! Bytes are read as whole blocks of bounded size, not through a map: a failing device must give an error, not end the process.
//! No lock is held while a visitor runs.

use std::ops::ControlFlow;

use ledgerstone_format::memory::copied;
use ledgerstone_vfs::FileError;

use crate::{
    Error, EventLog, Result,
    frame::EventRef,
    segment::{
        index::{Span, TimeSearch},
        read_buffer::{ReadBuffer, with_read_buffer},
        reader::SegmentReader,
    },
};

/// The order in which events are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the lowest id up.
    Forward,
    /// From the highest id down.
    Backward,
}

/// The first read of an iteration without a hint; each further one doubles, so that a short range is cheap.
pub(crate) const FIRST_READ_BYTES: u64 = 32 * 1024;
/// The maximum size of a read, unless a single frame is larger.
const MAX_READ_BYTES: u64 = 256 * 1024;

/// Called for each event: id, timestamp in milliseconds, payload.
pub(crate) type Visit<'v> = dyn FnMut(u64, u64, &[u8]) -> ControlFlow<()> + 'v;

impl EventLog {
    /// The event `id`: its timestamp in milliseconds and its payload. `None` when the log does not hold this id, also when it
    /// was trimmed.
    pub fn get(&self, id: u64) -> Result<Option<(u64, Vec<u8>)>> {
        match self.get_with(id, |timestamp_ms, bytes| (timestamp_ms, copied(bytes)))? {
            None => Ok(None),
            Some((timestamp_ms, bytes)) => Ok(Some((timestamp_ms, bytes.ok_or_else(|| self.no_memory())?))),
        }
    }

    /// As [`EventLog::get`], but `take` gets the event in the read buffer.
    pub fn get_with<R>(&self, id: u64, take: impl FnOnce(u64, &[u8]) -> R) -> Result<Option<R>> {
        if id < self.oldest_event_id() || id >= self.next_event_id() {
            return Ok(None);
        }
        // An open file can be read whatever happens to its name: only opening one needs a pin.
        if let Some(reader) = self.opened_reader_of(id) {
            return self.take_event(&reader, id, take).map(Some);
        }
        match self.hold(id) {
            Ok(_held) => self.take_event(&*self.reader_of(id)?, id, take).map(Some),
            Err(Error::Trimmed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An event that the log holds and that is pinned.
    pub(crate) fn get_held(&self, id: u64) -> Result<(u64, Vec<u8>)> {
        let (timestamp_ms, bytes) =
            self.take_event(&*self.reader_of(id)?, id, |timestamp_ms, bytes| (timestamp_ms, copied(bytes)))?;
        Ok((timestamp_ms, bytes.ok_or_else(|| self.no_memory())?))
    }

    /// The error for a lack of memory for an event.
    pub(crate) fn no_memory(&self) -> Error {
        FileError::no_memory("pread", &self.dir).into()
    }

    /// One read of the event's block: a frame, or several small ones.
    fn take_event<R>(&self, reader: &SegmentReader, id: u64, take: impl FnOnce(u64, &[u8]) -> R) -> Result<R> {
        let span = self.found(reader.with_index(|index| index.span_from(id, id, 0)), id)?;
        with_read_buffer(|buffer| {
            reader.load(span, buffer)?;
            for frame in reader.frames(span, buffer) {
                if let Some(event) = frame?.event(id) {
                    return Ok(take(event.timestamp_ms, event.bytes));
                }
            }
            Err(reader.corrupt(span.offset, "an indexed event is missing"))
        })
    }

    /// Visits the events from `from` up to but not including `to`, as far as the log holds them at the time of the call, until
    /// `visit` breaks off. With `from` 0 the oldest event is the first. Events that are trimmed in between are still visited:
    /// their segments are pinned until this returns.
    ///
    /// # Errors
    /// [`Error::Trimmed`] when `from` is below the oldest event.
    pub fn read(&self, from: u64, to: u64, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        self.read_ahead(from, to, direction, FIRST_READ_BYTES, visit)
    }

    /// As [`EventLog::read`], for a visitor that will take about `first_bytes` before it breaks off: these are read at once.
    pub fn read_ahead(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        first_bytes: u64,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let held = self.hold(from)?;
        self.read_held(held.from_id, to, direction, first_bytes, visit)
    }

    /// As `read_ahead`, with the events from `from` on pinned.
    pub(crate) fn read_held(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        first_bytes: u64,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let to = to.min(self.next_event_id());
        if from >= to {
            return Ok(());
        }
        let first_bytes = first_bytes.min(MAX_READ_BYTES);
        with_read_buffer(|buffer| match direction {
            Direction::Forward => self.read_forward(from, to, first_bytes, buffer, visit),
            Direction::Backward => self.read_backward(from, to, first_bytes, buffer, visit),
        })
    }

    fn read_forward(
        &self,
        from: u64,
        to: u64,
        first_bytes: u64,
        buffer: &mut ReadBuffer,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let (mut id, mut limit_bytes) = (from, first_bytes);
        while id < to {
            let reader = self.reader_of(id)?;
            let span = self.found(reader.with_index(|index| index.span_from(id, to, limit_bytes)), id)?;
            reader.load(span, buffer)?;
            for frame in reader.frames(span, buffer) {
                let frame = frame?;
                for event in frame.events().filter(|event| event.id >= id) {
                    if event.id >= to || visit(event.id, event.timestamp_ms, event.bytes).is_break() {
                        return Ok(());
                    }
                }
            }
            id = span.end_id;
            limit_bytes = MAX_READ_BYTES.min(limit_bytes * 2);
        }
        Ok(())
    }

    fn read_backward(
        &self,
        from: u64,
        to: u64,
        first_bytes: u64,
        buffer: &mut ReadBuffer,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let (mut end, mut limit_bytes) = (to, first_bytes);
        while let Some(id) = end.checked_sub(1).filter(|id| *id >= from) {
            let reader = self.reader_of(id)?;
            let span = self.found(reader.with_index(|index| index.span_upto(id, from, limit_bytes)), id)?;
            reader.load(span, buffer)?;
            let frames = reader.frames(span, buffer).collect::<Result<Vec<_>>>()?;
            for frame in frames.iter().rev() {
                let events: Vec<EventRef<'_>> = frame.events().filter(|event| event.id < end).collect();
                for event in events.into_iter().rev() {
                    if event.id < from || visit(event.id, event.timestamp_ms, event.bytes).is_break() {
                        return Ok(());
                    }
                }
            }
            end = span.first_id;
            limit_bytes = MAX_READ_BYTES.min(limit_bytes * 2);
        }
        Ok(())
    }

    /// The number of events from `from` up to but not including `to`: ids are contiguous, so nothing is read.
    pub fn count(&self, from: u64, to: u64) -> u64 {
        to.min(self.next_event_id()).saturating_sub(from.max(self.oldest_event_id()))
    }

    /// The first id whose timestamp is at or after `timestamp_ms`; `next_event_id` when there is none. At most one read.
    pub fn first_at(&self, timestamp_ms: u64) -> Result<u64> {
        let next_id = self.next_event_id();
        let held = self.hold(0)?;
        let segment = {
            let segments = self.segments.read();
            let found = segments.partition_point(|segment| segment.end().timestamp_ms < timestamp_ms);
            segments.get(found).cloned()
        };
        let Some(segment) = segment else { return Ok(next_id.max(held.from_id)) };
        let reader = self.readers.reader(&*self.vfs, &segment)?;
        let id = match reader.with_index(|index| index.search_time(timestamp_ms)) {
            None => next_id,
            Some(TimeSearch::Id(id)) => id,
            Some(TimeSearch::Block(span)) => first_in_block(&reader, span, timestamp_ms)?,
        };
        // The active segment may have grown in between.
        Ok(id.min(next_id).max(held.from_id))
    }

    fn found(&self, span: Option<Span>, id: u64) -> Result<Span> {
        span.ok_or_else(|| self.missing(id))
    }
}

fn first_in_block(reader: &SegmentReader, span: Span, timestamp_ms: u64) -> Result<u64> {
    let mut buffer = ReadBuffer::new();
    reader.load(span, &mut buffer)?;
    for frame in reader.frames(span, &buffer) {
        let frame = frame?;
        if let Some(event) = frame.events().find(|event| event.timestamp_ms >= timestamp_ms) {
            return Ok(event.id);
        }
    }
    Ok(span.end_id)
}
