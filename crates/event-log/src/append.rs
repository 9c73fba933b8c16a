//! Appending: splits events into frames and frames into segments, and keeps the rest after a failure.
//!
//! Many frames are written at once, and published as soon as they are written. An append that fails half way has appended
//! exactly the events below `next_event_id`.

use std::sync::{Arc, atomic::Ordering};

use ledgerstone_format::{PAGE_BYTES, align_up};
use ledgerstone_vfs::{FileError, remove_leftovers};
use parking_lot::MutexGuard;

use crate::{
    Error, EventIn, EventLog, Result,
    error::WriteFailure,
    frame::{MAX_EVENT_BYTES, MAX_EVENT_ID, Place},
    frame_builder::{FrameBatch, FrameBuilder},
    segment::{Segment, header::SegmentHeader, segment_name, writer::SegmentWriter},
};

/// The end of the log as the appender sees it.
#[derive(Debug)]
pub(crate) struct Appender {
    pub(crate) tail: Tail,
    pub(crate) next_id: u64,
    pub(crate) last_timestamp_ms: u64,
    /// The total file size of all segments except the active one, in bytes.
    pub(crate) sealed_bytes: u64,
    /// Every event below it was flushed.
    flushed_id: u64,
    /// A write failed for lack of space: the end must be restored before the next write.
    needs_restore: bool,
    /// The first failure that only opening again heals (I5).
    failure: Option<Arc<Error>>,
    /// The unwritten part of the append under way.
    batch: FrameBatch,
}

/// The newest segment.
#[derive(Debug)]
pub(crate) enum Tail {
    /// It takes appends.
    Active(SegmentWriter),
    /// It has its footer; the next frame begins a new one.
    Sealed,
    /// It got a footer when the log was closed. If the next frame fits, its footer is removed and it continues.
    Resting,
    /// No writing is allowed.
    ReadOnly,
}

impl Appender {
    /// An appender at an end that was flushed.
    pub(crate) fn new(tail: Tail, next_id: u64, last_timestamp_ms: u64, sealed_bytes: u64) -> Self {
        Self {
            tail,
            next_id,
            last_timestamp_ms,
            sealed_bytes,
            flushed_id: next_id,
            needs_restore: false,
            failure: None,
            batch: FrameBatch::default(),
        }
    }

    pub(crate) fn file_bytes(&self) -> u64 {
        match &self.tail {
            Tail::Active(writer) => self.sealed_bytes.saturating_add(writer.file_len()),
            Tail::Sealed | Tail::Resting | Tail::ReadOnly => self.sealed_bytes,
        }
    }

    /// The next event's id and the last one's timestamp, unwritten events included.
    fn end(&self) -> (u64, u64) {
        let last = self.batch.frames().last();
        last.map_or((self.next_id, self.last_timestamp_ms), |last| {
            (last.first_id.saturating_add(last.count), last.last_timestamp_ms)
        })
    }

    pub(crate) fn check(&self) -> Result<()> {
        if matches!(self.tail, Tail::ReadOnly) {
            let message = "the log was opened for reading only: argument=`readOnly`".to_owned();
            return Err(Error::InvalidArgument { argument: "readOnly", message });
        }
        self.failure.as_ref().map_or(Ok(()), |failure| Err(Error::Poisoned(Arc::clone(failure))))
    }

    /// Records a failure: a lack of space is healed by restoring the end, anything else poisons.
    pub(crate) fn failed(&mut self, failure: WriteFailure) -> Error {
        if failure.can_heal() {
            self.needs_restore = true;
        } else {
            self.poison(failure.error.clone());
        }
        failure.error
    }

    pub(crate) fn poison(&mut self, error: Error) {
        self.failure.get_or_insert_with(|| Arc::new(error));
    }

    /// Flushes the appended events, with at most one flush.
    pub(crate) fn sync(&mut self) -> Result<()> {
        if let Tail::Active(writer) = &mut self.tail
            && let Err(failure) = writer.sync()
        {
            return Err(self.failed(failure));
        }
        self.flushed_id = self.next_id;
        Ok(())
    }

    /// Continues from another end of the log, which was flushed.
    pub(crate) fn move_to(&mut self, tail: Tail, next_id: u64, last_timestamp_ms: u64, sealed_bytes: u64) {
        self.tail = tail;
        (self.next_id, self.last_timestamp_ms) = (next_id, last_timestamp_ms);
        (self.flushed_id, self.sealed_bytes) = (next_id, sealed_bytes);
    }
}

impl EventLog {
    /// Appends events with contiguous ids from `first_id` on, without a flush. Segments that fill up are sealed and flushed.
    ///
    /// # Errors
    /// [`Error::EventIdGap`] when `first_id` is not [`EventLog::next_event_id`]; [`Error::Limit`], [`Error::TimestampOrder`];
    /// [`Error::NoSpace`] (see [`EventLog::restore_end`]); every other failure poisons. After a failure half way,
    /// `next_event_id` shows how many of the events were appended.
    pub fn append(&self, events: &mut dyn Iterator<Item = EventIn<'_>>, first_id: u64) -> Result<()> {
        let mut appender = self.ready_appender()?;
        if first_id != appender.next_id {
            return Err(Error::EventIdGap { expected: appender.next_id, actual: first_id });
        }
        // The rest of an append that failed.
        appender.batch.clear();
        self.append_frames(&mut appender, events)?;
        self.write_batch(&mut appender).map_err(|failure| appender.failed(failure))
    }

    fn append_frames(&self, appender: &mut Appender, events: &mut dyn Iterator<Item = EventIn<'_>>) -> Result<()> {
        let mut frame = FrameBuilder::new(self.options.compression);
        for event in events {
            let (next_id, last_ms) = appender.end();
            let last_ms = frame.last_timestamp_ms().unwrap_or(last_ms);
            self.check_event(&event, next_id.saturating_add(frame.count()), last_ms)?;
            if !frame.accepts(&event) {
                self.add_frame(appender, &frame).map_err(|failure| appender.failed(failure))?;
                frame.clear();
            }
            frame.push(event);
        }
        if frame.count() == 0 {
            return Ok(());
        }
        self.add_frame(appender, &frame).map_err(|failure| appender.failed(failure))
    }

    /// Flushes everything appended so far, with at most one flush.
    ///
    /// # Errors
    /// A failed flush poisons the log, whatever its cause: it is never repeated (I5).
    pub fn sync(&self) -> Result<()> {
        let mut appender = self.ready_appender()?;
        appender.sync()
    }

    /// After [`Error::NoSpace`]: cuts what the failed write left after the last whole frame, and flushes. Appending also does
    /// this before it writes again. Harmless without a failure.
    pub fn restore_end(&self) -> Result<()> {
        self.ready_appender().map(drop)
    }

    /// The appender, ready to write.
    pub(crate) fn ready_appender(&self) -> Result<MutexGuard<'_, Appender>> {
        let mut appender = self.appender.lock();
        appender.check()?;
        if appender.needs_restore {
            self.restore(&mut appender).map_err(|failure| appender.failed(failure))?;
            appender.needs_restore = false;
            appender.flushed_id = appender.next_id;
            self.publish(&appender);
        }
        Ok(appender)
    }

    /// Checks that the newest segment is where the next opening will look for it. A failure poisons.
    pub(crate) fn check_in_place(&self) -> Result<()> {
        let mut appender = self.appender.lock();
        match &appender.tail {
            Tail::Active(writer) => writer.check_in_place().map_err(|failure| appender.failed(failure)),
            Tail::Sealed | Tail::Resting | Tail::ReadOnly => Ok(()),
        }
    }

    fn restore(&self, appender: &mut Appender) -> Result<(), WriteFailure> {
        match &mut appender.tail {
            Tail::Active(writer) => writer.restore(),
            Tail::ReadOnly => Ok(()),
            Tail::Sealed | Tail::Resting => {
                // A leftover of the next segment in the making.
                if remove_leftovers(&*self.vfs, &self.dir.join(segment_name(appender.next_id)))? {
                    self.vfs.sync_dir(&self.dir).map_err(WriteFailure::flush)?;
                }
                Ok(())
            }
        }
    }

    fn check_event(&self, event: &EventIn<'_>, event_id: u64, last_ms: u64) -> Result<()> {
        let (size, max) = (event.bytes.len() as u64, self.options.max_event_bytes.min(MAX_EVENT_BYTES));
        if size > max {
            return Err(Error::Limit { limit: "eventBytes", size, max });
        }
        if event_id > MAX_EVENT_ID {
            return Err(Error::Limit { limit: "eventId", size: event_id, max: MAX_EVENT_ID });
        }
        if event.timestamp_ms < last_ms {
            return Err(Error::TimestampOrder { event_id, last_ms, actual_ms: event.timestamp_ms });
        }
        Ok(())
    }

    /// Adds a frame to the batch, which is written when it is full and at the end of a segment.
    fn add_frame(&self, appender: &mut Appender, frame: &FrameBuilder<'_>) -> Result<(), WriteFailure> {
        let no_memory = || FileError::no_memory("pwrite", &self.dir);
        let mut packed = frame.pack(&mut appender.batch).ok_or_else(no_memory)?;
        if matches!(appender.tail, Tail::Resting) {
            self.go_on(appender, packed.stored_bytes())?;
        }
        if let Appender { tail: Tail::Active(writer), batch, .. } = appender {
            let offset = batch.settle(&mut packed, writer.next_place().offset);
            let end = offset.saturating_add(packed.stored_bytes());
            let is_last = end > self.options.segment_bytes && !(writer.is_empty() && batch.frames().is_empty());
            if is_last || batch.is_full_at(offset) {
                self.write_frames(appender)?;
                packed = appender.batch.begin_with(&packed);
            }
            if is_last {
                self.seal(appender)?;
            }
        }
        if matches!(appender.tail, Tail::Sealed) {
            self.start_segment(appender, packed.first_timestamp_ms)?;
        }
        let (next_id, _) = appender.end();
        let Appender { tail: Tail::Active(writer), flushed_id, batch, .. } = appender else { return Ok(()) };
        let Place { salt, offset } = writer.next_place();
        let offset = batch.settle(&mut packed, offset);
        batch.complete(&packed, Place { salt, offset }, next_id, *flushed_id);
        if appender.batch.is_full() { self.write_batch(appender) } else { Ok(()) }
    }

    fn write_batch(&self, appender: &mut Appender) -> Result<(), WriteFailure> {
        self.write_frames(appender)?;
        appender.batch.clear();
        Ok(())
    }

    /// Writes the complete frames of the batch and publishes them.
    fn write_frames(&self, appender: &mut Appender) -> Result<(), WriteFailure> {
        let Appender { tail: Tail::Active(writer), batch, .. } = appender else { return Ok(()) };
        if batch.frames().is_empty() {
            return Ok(());
        }
        writer.write(batch.bytes(), batch.frames())?;
        (appender.next_id, appender.last_timestamp_ms) = appender.end();
        self.publish(appender);
        Ok(())
    }

    pub(crate) fn seal(&self, appender: &mut Appender) -> Result<(), WriteFailure> {
        let Tail::Active(writer) = &mut appender.tail else { return Ok(()) };
        let sealed = writer.seal()?;
        appender.sealed_bytes = appender.sealed_bytes.saturating_add(writer.file_len());
        appender.tail = Tail::Sealed;
        appender.flushed_id = appender.next_id;
        self.replace_newest(sealed);
        self.publish(appender);
        Ok(())
    }

    /// Removes the footer of the newest segment if a frame of `frame_bytes` bytes still fits after its frames.
    fn go_on(&self, appender: &mut Appender, frame_bytes: u64) -> Result<(), WriteFailure> {
        let newest = self.segments.read().last().cloned();
        let fits = |newest: &Arc<Segment>| {
            let end = align_up(newest.end().offset, PAGE_BYTES).saturating_add(frame_bytes);
            end <= self.options.segment_bytes
        };
        let Some(newest) = newest.filter(fits) else {
            appender.tail = Tail::Sealed;
            return Ok(());
        };
        let writer = SegmentWriter::go_on(&*self.vfs, &newest)?;
        appender.sealed_bytes = appender.sealed_bytes.saturating_sub(newest.known_bytes());
        self.replace_newest(Arc::clone(writer.segment()));
        appender.tail = Tail::Active(writer);
        self.publish(appender);
        Ok(())
    }

    /// Ends writing until the next event: everything is flushed, and the newest segment gets index and footer, so that the next
    /// opening knows its end without reading it. More events may follow.
    ///
    /// # Errors
    /// [`Error::NoSpace`]: there is no footer, and the next opening reads the whole segment; nothing is lost. Otherwise as
    /// [`EventLog::sync`].
    pub fn rest(&self) -> Result<()> {
        let mut appender = self.ready_appender()?;
        if !matches!(&appender.tail, Tail::Active(writer) if !writer.is_empty()) {
            return appender.sync();
        }
        if let Err(failure) = self.seal(&mut appender) {
            let error = appender.failed(failure);
            drop(appender);
            // A partial footer looks like a torn tail. Best effort: the next opening cuts it too.
            let _ = self.restore_end();
            return Err(error);
        }
        appender.tail = Tail::Resting;
        Ok(())
    }

    pub(crate) fn start_segment(&self, appender: &mut Appender, timestamp_ms: u64) -> Result<(), WriteFailure> {
        let header = SegmentHeader::new(self.store_id, appender.next_id, timestamp_ms)
            .begun_at(self.wall_ms.load(Ordering::Relaxed));
        let writer = SegmentWriter::create(&*self.vfs, &self.dir, header, appender.last_timestamp_ms)?;
        self.segments.write().push(Arc::clone(writer.segment()));
        appender.tail = Tail::Active(writer);
        self.publish(appender);
        Ok(())
    }

    /// Readers that hold the old description of the newest segment may continue: its frames do not move.
    pub(crate) fn replace_newest(&self, segment: Arc<Segment>) {
        if let Some(newest) = self.segments.write().last_mut() {
            *newest = segment;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use ledgerstone_format::{StoreId, compression::Compression};
    use ledgerstone_vfs::{Vfs, sim::SimDisk};

    use crate::{Direction, EventIn, EventLog, EventLogOptions, frame_builder::FrameBuilder, scan};

    /// Frames of up to 64 KiB, as versions before the 4 KiB limit wrote them, among current ones.
    #[test]
    fn frames_as_earlier_versions_cut_them_are_read() {
        let (disk, dir, store_id): (Arc<dyn Vfs>, _, _) =
            (Arc::new(SimDisk::new(1)), Path::new("/log"), StoreId::from_random([3; 16]));
        let payloads: Vec<Vec<u8>> = (0..900_u32).map(|n| n.to_le_bytes().repeat(50)).collect();
        for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
            let dir = &dir.join(format!("{compression:?}"));
            let options = EventLogOptions { segment_bytes: 128 * 1024, max_event_bytes: 1 << 20, compression };
            let log = EventLog::create(Arc::clone(&disk), dir, store_id, options, 1).unwrap();
            let mut events = payloads.iter().map(|bytes| EventIn { timestamp_ms: 7, bytes });
            for _ in 0..2 {
                let mut frame = FrameBuilder::new(compression);
                events.by_ref().take(300).for_each(|event| frame.push(event));
                let mut appender = log.appender.lock();
                log.add_frame(&mut appender, &frame).unwrap();
                log.write_batch(&mut appender).unwrap();
            }
            log.append(&mut events, 601).unwrap();
            log.rotate().unwrap();
            drop(log);
            let log = scan(&disk, dir, store_id).unwrap().open(options, None).unwrap();
            for (id, payload) in (1..).zip(&payloads) {
                assert_eq!(log.get(id).unwrap().as_ref(), Some(&(7, payload.clone())), "{id}");
            }
            for direction in [Direction::Forward, Direction::Backward] {
                let mut found = Vec::new();
                log.read(1, 901, direction, &mut |id, _, bytes| {
                    found.push((id, bytes.to_vec()));
                    std::ops::ControlFlow::Continue(())
                })
                .unwrap();
                found.sort_unstable();
                assert!(found.into_iter().eq((1..).zip(payloads.iter().cloned())));
            }
        }
    }
}
