//! Truncation, for recovery only: removes the events from an id on, the newest segment first.
//!
//! At any moment the folder is a log that ends at or after the cut, so a crash leaves one that opens and can be truncated
//! again. Events below the cut are never overwritten: a cut at a page only changes the length, any other writes the kept part
//! of the segment aside and puts it in place by one rename.

use std::sync::Arc;

use ledgerstone_format::PAGE_BYTES;
use ledgerstone_vfs::{FileError, OpenHow};
use parking_lot::RwLock;

use crate::{
    Error, EventIn, EventLog, Result,
    append::{Appender, Tail},
    frame::{FrameFacts, Place},
    frame_builder::{FrameBatch, FrameBuilder},
    recovery::open_tail,
    segment::{Body, Segment, read_buffer::ReadBuffer, walk::walk},
};

impl EventLog {
    /// Removes the events from `id` on. For recovery only: concurrent readers may get [`Error::Corrupt`] for removed ids.
    ///
    /// # Errors
    /// [`Error::EventIdGap`] when `id` is outside the log. Every failure after that poisons; opening and truncating again heals.
    pub fn truncate_from(&self, id: u64) -> Result<()> {
        let _trim = self.trim.lock();
        let mut appender = self.ready_appender()?;
        // Trimmed events whose files remain may be truncated too: a store may trim events that its log must give back.
        let oldest = self.segments.read().first().map_or(0, |segment| segment.first_id());
        let next = appender.next_id;
        if id < oldest || id > next {
            return Err(Error::EventIdGap { expected: id.clamp(oldest, next), actual: id });
        }
        if id == next {
            return Ok(());
        }
        self.truncate(&mut appender, id).inspect_err(|error| appender.poison(error.clone()))
    }

    fn truncate(&self, appender: &mut Appender, id: u64) -> Result<()> {
        // Hides the events before they are removed; the writer's handle must not outlive its file's length.
        appender.move_to(Tail::Sealed, id, 0, 0);
        self.publish(appender);
        let newest = self.remove_later_segments(id)?;
        let newest = if newest.end().id > id { self.cut(&newest, id)? } else { newest };
        self.readers.clear();
        let tail = open_tail(&*self.vfs, &newest)?;
        self.replace_newest(Arc::clone(&newest));
        let sealed_bytes = self.sealed_bytes(&tail)?;
        appender.move_to(tail, id, newest.end().timestamp_ms, sealed_bytes);
        self.publish(appender);
        Ok(())
    }

    /// Each removal is durable before the next: a gap between segments would be damage.
    fn remove_later_segments(&self, id: u64) -> Result<Arc<Segment>> {
        loop {
            let newest = self.segments.read().last().cloned().ok_or_else(|| self.missing(id))?;
            if newest.first_id() <= id {
                return Ok(newest);
            }
            self.vfs.remove_file(&newest.path)?;
            self.vfs.sync_dir(&self.dir)?;
            self.segments.write().pop();
        }
    }

    fn cut(&self, segment: &Arc<Segment>, id: u64) -> Result<Arc<Segment>> {
        let reader = self.readers.reader(&*self.vfs, segment)?;
        let missing = || self.missing(id);
        let span = reader.with_index(|index| index.span_from(id, id, 0)).ok_or_else(missing)?;
        let mut buffer = ReadBuffer::new();
        reader.load(span, &mut buffer)?;
        let frames = reader.frames(span, &buffer).collect::<Result<Vec<_>>>()?;
        let cut = frames.iter().find(|frame| id < frame.facts().first_id.saturating_add(frame.facts().count));
        let cut = cut.ok_or_else(missing)?;
        let mut kept = FrameBuilder::new(self.options.compression);
        for event in cut.events().take_while(|event| event.id < id) {
            kept.push(EventIn { timestamp_ms: event.timestamp_ms, bytes: event.bytes });
        }
        let frame = cut.facts();
        if frame.offset.is_multiple_of(PAGE_BYTES) && kept.count() == 0 {
            // Flushed when the segment is opened for appending, before anything else happens to it.
            self.vfs.open(&segment.path, OpenHow::ReadWrite)?.set_len(frame.offset)?;
        } else {
            self.rewrite(segment, &frame, &kept)?;
        }
        self.reindexed(segment, id)
    }

    /// Copies the segment up to `frame`, and the events of that frame in `kept`, to a file that then replaces it.
    fn rewrite(&self, segment: &Segment, frame: &FrameFacts, kept: &FrameBuilder<'_>) -> Result<()> {
        let mut batch = FrameBatch::default();
        if kept.count() > 0 {
            let place = Place { salt: segment.header.salt, offset: frame.offset };
            let no_memory = || FileError::no_memory("pwrite", &segment.path);
            let packed = kept.pack(&mut batch).ok_or_else(no_memory)?;
            batch.complete(&packed, place, frame.first_id, frame.flushed_upto);
        }
        // No handle may keep the replaced file.
        self.readers.clear();
        segment.rewrite(&*self.vfs, &self.dir, frame.offset, batch.bytes())
    }

    /// The segment after the cut, read through: recovery builds only on verified data.
    fn reindexed(&self, segment: &Segment, id: u64) -> Result<Arc<Segment>> {
        let last_ms = {
            let segments = self.segments.read();
            segments.iter().rev().nth(1).map_or(0, |before| before.end().timestamp_ms)
        };
        let file = self.vfs.open(&segment.path, OpenHow::Read)?;
        let walked = walk(&*file, &segment.header, last_ms)?;
        if walked.index.end().id != id {
            return Err(walked.damage(&*file)?);
        }
        let body = Body::Indexed(RwLock::new(walked.index));
        Ok(Arc::new(Segment { path: segment.path.clone(), header: segment.header, body }))
    }

    fn sealed_bytes(&self, tail: &Tail) -> Result<u64> {
        let segments = self.segments.read().clone();
        let active = usize::from(matches!(tail, Tail::Active(_)));
        let sealed = segments.iter().rev().skip(active);
        sealed
            .map(|segment| segment.file_bytes(&*self.vfs))
            .try_fold(0, |sum: u64, bytes| Ok(sum.saturating_add(bytes?)))
    }
}
