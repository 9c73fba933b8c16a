//! Writes groups to disk: one contiguous write per group and file, and one flush when a caller waits for it.
//!
//! Invariants: all of this happens under the one I/O mutex, on any thread. A completed file is flushed before the first byte
//! goes to the next one, so only one file ever has unflushed frames (I4). A failed flush is never repeated (I5). Runs that
//! could not be written for lack of space stay here, whole, and are written again at the same place.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use ledgerstone_format::{PAGE_BYTES, PlantedFault, align_up, planted};
use ledgerstone_vfs::{Clock, FileError, VfsFile};

use crate::{
    Error, Result,
    error::Failure,
    file_header::HEADER_BYTES,
    listeners::WrittenGroup,
    page_buffer::PageBuffer,
    pending_frames::{JournalFile, Run},
    prepared_file::zeros,
    stats::Counters,
    watermarks::{Reach, Watermarks},
};

/// A run of this size bypasses the operating system's cache even when no caller waits for it: a separate request costs less
/// than copying it and collecting its pages at the flush.
const LARGE_RUN_BYTES: usize = 128 << 10;

/// When a round flushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushing {
    /// When a caller wants more durable than is.
    IfWanted,
    /// Never: the process is about to exit.
    Never,
    /// Whenever something is not durable.
    Always,
}

/// The result of a round.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Something was written or flushed.
    pub(crate) progress: bool,
    /// Something still waits for space, or for the system's memory.
    pub(crate) no_space: Option<FileError>,
    /// The group that was written, if one was.
    pub(crate) group: Option<WrittenGroup>,
}

/// The state behind the I/O mutex.
#[derive(Debug)]
pub(crate) struct Io {
    /// The file that was written last, and whether it has unflushed writes.
    file: Option<Arc<JournalFile>>,
    unflushed: bool,
    /// Runs that were taken and are not written: at most those that one failure left, and the group just taken.
    backlog: VecDeque<Run>,
    /// The last frame in `file` or before: what a flush would make durable now.
    written: Reach,
    buffer: PageBuffer,
}

/// The tools of a round.
pub(crate) struct Tools<'a> {
    pub(crate) marks: &'a Watermarks,
    pub(crate) counters: &'a Counters,
    pub(crate) clock: &'a dyn Clock,
    /// Checked again before anything is published (I5).
    pub(crate) check: &'a dyn Fn() -> Result<()>,
}

impl Io {
    pub(crate) fn new(file: Option<Arc<JournalFile>>, written: Reach) -> Self {
        Self { file, unflushed: false, backlog: VecDeque::new(), written, buffer: PageBuffer::default() }
    }

    /// Closes the file. Everything is written and flushed, and nothing more will be.
    pub(crate) fn let_go(&mut self) {
        self.file = None;
    }

    /// Whether everything that was taken is written.
    pub(crate) fn is_drained(&self) -> bool {
        self.backlog.is_empty()
    }

    /// Writes what is pending, then flushes if necessary; `take` takes the group. Every error is poison.
    pub(crate) fn round(&mut self, take: &dyn Fn() -> Vec<Run>, flushing: Flushing, tools: &Tools) -> Result<Round> {
        let mut round = Round::default();
        let mut group = WrittenGroup::default();
        self.write_pending(take, flushing, &mut round, &mut group, tools)?;
        // During the write another caller began to wait for more: the same flush covers it too.
        let is_behind = round.no_space.is_none() && tools.marks.wanted_durable() > self.written.seq;
        if is_behind && Self::wants_flush(flushing, tools.marks) {
            self.write_pending(take, flushing, &mut round, &mut group, tools)?;
        }
        if group.commits > 0 {
            tools.counters.group(group.commits);
        }
        if self.written.seq > tools.marks.durable() && Self::wants_flush(flushing, tools.marks) {
            group.flush += self.flush(tools)?;
            round.progress = true;
        }
        if group.commits > 0 {
            let last_seq = self.written.seq;
            round.group = Some(WrittenGroup { last_seq, is_durable: tools.marks.durable() >= last_seq, ..group });
        }
        Ok(round)
    }

    /// Writes earlier runs and the current group, and publishes the result.
    fn write_pending(
        &mut self,
        take: &dyn Fn() -> Vec<Run>,
        flushing: Flushing,
        round: &mut Round,
        group: &mut WrittenGroup,
        tools: &Tools,
    ) -> Result<()> {
        self.backlog.extend(take());
        let before = group.commits;
        while let Some(run) = self.backlog.front() {
            let (file, reach, count) = (Arc::clone(&run.file), run.reach(), run.frames.len() as u64);
            group.flush += self.change_file(&file, tools)?;
            let is_flushed = Self::wants_flush(flushing, tools.marks);
            let Some(run) = self.backlog.front() else { break };
            // From here on, also after a failure, the file has bytes that no flush has covered.
            self.unflushed = true;
            match write_run(&mut self.buffer, run, is_flushed, tools.counters) {
                Ok(bytes) => {
                    self.backlog.pop_front();
                    self.written = reach;
                    group.commits += count;
                    group.bytes += bytes;
                    round.progress = true;
                }
                Err(error) if error.can_heal() => {
                    round.no_space = Some(error);
                    break;
                }
                Err(error) => return Err(Error::Io(error)),
            }
        }
        if group.commits > before {
            if !Self::wants_flush(flushing, tools.marks) {
                self.check_in_place()?;
            }
            (tools.check)()?;
            tools.marks.publish_written(self.written);
        }
        Ok(())
    }

    /// Whether this round flushes what it writes.
    fn wants_flush(flushing: Flushing, marks: &Watermarks) -> bool {
        match flushing {
            Flushing::IfWanted => marks.durable() < marks.wanted_durable(),
            Flushing::Never => false,
            Flushing::Always => true,
        }
    }

    /// Flushes the completed file; returns how long that took.
    fn change_file(&mut self, next: &Arc<JournalFile>, tools: &Tools) -> Result<Duration> {
        if self.file.as_ref().is_some_and(|file| Arc::ptr_eq(file, next)) {
            return Ok(Duration::ZERO);
        }
        let took = if self.unflushed { self.flush(tools)? } else { Duration::ZERO };
        self.file = Some(Arc::clone(next));
        Ok(took)
    }

    /// Written frames count only where the next opening finds them. Checked once for each group, before it is published.
    fn check_in_place(&self) -> Result<()> {
        match &self.file {
            Some(file) => Ok(file.handle.check_in_place()?),
            None => Ok(()),
        }
    }

    /// Returns how long it took.
    fn flush(&mut self, tools: &Tools) -> Result<Duration> {
        let Some(file) = &self.file else { return Ok(Duration::ZERO) };
        let begun = tools.clock.monotonic();
        if planted(PlantedFault::DurableBeforeFlush) {
            tools.marks.publish_written(self.written);
            tools.marks.publish_durable(self.written);
        }
        let mut flushed = file.handle.sync_data();
        if planted(PlantedFault::FlushRetried) && flushed.is_err() {
            flushed = file.handle.sync_data();
        }
        flushed.map_err(|error| Failure::of_flush(error).into_error())?;
        self.check_in_place()?;
        let took = tools.clock.monotonic().saturating_sub(begun);
        tools.counters.flushed(took);
        self.unflushed = false;
        (tools.check)()?;
        tools.marks.publish_written(self.written);
        tools.marks.publish_durable(self.written);
        Ok(took)
    }
}

/// Writes one run: the header page if it is the file's first, frames, zeros to the end of the page. Returns the bytes written.
/// Large runs, and runs that are flushed right after, bypass the operating system's cache.
fn write_run(
    buffer: &mut PageBuffer,
    run: &Run,
    is_flushed: bool,
    counters: &Counters,
) -> ledgerstone_vfs::Result<u64> {
    let start = if run.header.is_some() { 0 } else { run.offset };
    let is_direct = is_flushed || run.frames.iter().map(|frame| frame.bytes().len()).sum::<usize>() >= LARGE_RUN_BYTES;
    let mut writer = RunWriter { file: &*run.file.handle, buffer, is_direct, offset: start };
    writer.buffer.clear();
    if let Some(header) = &run.header {
        writer.push(&header.encode())?;
        writer.push(zeros(run.offset - HEADER_BYTES as u64))?;
    }
    for frame in &run.frames {
        writer.push(frame.bytes())?;
    }
    writer.pad()?;
    writer.write_out()?;
    let bytes = writer.offset - start;
    counters.wrote(bytes);
    Ok(bytes)
}

struct RunWriter<'a> {
    file: &'a dyn VfsFile,
    buffer: &'a mut PageBuffer,
    /// Bypasses the cache.
    is_direct: bool,
    /// Where the first byte of the buffer goes: a page boundary, since only whole buffers are written before the end.
    offset: u64,
}

impl RunWriter<'_> {
    fn push(&mut self, mut bytes: &[u8]) -> ledgerstone_vfs::Result<()> {
        loop {
            bytes = self.buffer.fill(bytes);
            if bytes.is_empty() {
                return Ok(());
            }
            self.write_out()?;
        }
    }

    fn pad(&mut self) -> ledgerstone_vfs::Result<()> {
        let end = self.offset + self.buffer.bytes().len() as u64;
        self.push(zeros(align_up(end, PAGE_BYTES) - end))
    }

    fn write_out(&mut self) -> ledgerstone_vfs::Result<()> {
        let bytes = self.buffer.bytes();
        if self.is_direct {
            self.file.write_all_direct_at(bytes, self.offset)?;
        } else {
            self.file.write_all_at(bytes, self.offset)?;
        }
        self.offset += bytes.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
