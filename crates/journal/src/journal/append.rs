//! How a commit enters the journal: a place is reserved while failing is still allowed, then the frame is queued.

use std::{sync::atomic::Ordering, time::Duration};

use ledgerstone_format::PAGE_BYTES;
use parking_lot::MutexGuard;

use super::Journal;
use crate::{
    Error, Frame, FrameBuilder, FrameKind, Position, Result, Stamp, file_header::FRAMES_START, file_name::journal_path,
    pending_frames::Room, prepared_file::Pool,
};

/// How long a commit waits for a file on a slow device.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a copy of the tail needs beside header and frames: a page for a frame that frees space, and the unfilled parts of pages.
const COPY_PAGES: u64 = 4;
/// How often it checks the clock during the wait.
const GLANCE: Duration = Duration::from_millis(20);

/// What [`Journal::append`] made.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The frame, in memory for as long as something refers to it.
    pub frame: Frame,
    /// The place after the frame.
    pub position: Position,
}

/// The end of the journal in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The last seq appended, 0 before the first.
    pub seq: u64,
    /// The place after its frame; `None` if this journal never had a frame.
    pub position: Option<Position>,
}

impl Journal {
    /// As [`reserve`](Self::reserve), for a frame that may not take the last room: some is left for frames that seal, or free
    /// space on a full device. If no spare can be prepared, as much is left as a recovery needs, which gives up the rest of the
    /// file for a copy of its tail.
    pub fn reserve_and_leave_room(&self, frame_len: u64) -> Result<()> {
        let mut bytes = frame_len.saturating_add(self.options.left_room_bytes());
        let is_short = self.is_short.load(Ordering::Relaxed);
        if is_short {
            let tail_bytes = self.group.lock().tail_bytes(self.marks.durable());
            bytes = bytes.saturating_add(FRAMES_START + COPY_PAGES * PAGE_BYTES + tail_bytes).saturating_add(frame_len);
        }
        let outcome = self.reserve(bytes);
        if is_short && matches!(outcome, Err(Error::NoSpace(_))) {
            // Durable frames need no copy, once a later frame records that they are durable.
            self.marks.want_durable(self.group.lock().last_seq());
            self.timing.write_now();
        }
        outcome
    }

    /// Makes sure that a frame of `frame_len` bytes has a place, preparing a file here if none is ready. Called by the gate's
    /// owner, before [`append`](Self::append). [`Error::NoSpace`] also while an earlier commit still waits for space;
    /// [`Error::NotInTime`] when the device has not made a file within five seconds plus the piece that was under way.
    pub fn reserve(&self, frame_len: u64) -> Result<()> {
        self.check_open()?;
        if self.starved.load(Ordering::Acquire)
            && let Some(error) = self.no_space()
        {
            return Err(error.into());
        }
        let (need_bytes, used_bytes, unfit) = {
            let mut group = self.group.lock();
            match group.room(frame_len) {
                Room::Ready => return Ok(()),
                Room::NeedsFile { need_bytes, used_bytes } => (need_bytes, used_bytes, group.take_reserved()),
            }
        };
        let deadline = self.clock.monotonic().saturating_add(PATIENCE);
        let taken = {
            let mut pool = self.pool_before(deadline)?;
            if let Some(unfit) = unfit {
                let path = journal_path(&self.dir, unfit.number);
                drop(unfit.handle);
                self.judge(pool.adopt(&path, unfit.capacity))?;
            }
            let in_time = || self.clock.monotonic() < deadline;
            let taken = pool.take(need_bytes, self.options.next_file_bytes(used_bytes), &in_time);
            self.show(&pool);
            taken
        };
        let file = self.judge(taken)?;
        self.group.lock().reserve(file);
        Ok(())
    }

    /// The pool, which is locked while a piece of a spare is written and flushed.
    fn pool_before(&self, deadline: Duration) -> Result<MutexGuard<'_, Pool>> {
        loop {
            if let Some(pool) = self.pool.try_lock_for(GLANCE) {
                return Ok(pool);
            }
            if self.clock.monotonic() >= deadline {
                return Err(Error::NotInTime);
            }
        }
    }

    /// Begins a frame, as [`FrameBuilder::new`], in memory shared with other frames. Called by the gate's owner.
    pub fn frame<'a, E>(&self, kind: FrameKind, frame_bytes: u64, events: E) -> Result<FrameBuilder>
    where
        E: Iterator<Item = &'a [u8]> + Clone,
    {
        let memory = self.group.lock().memory.take(frame_bytes);
        FrameBuilder::new_in(memory, kind, events)
    }

    /// Gives a frame its place and queues it. Called under the caller's commit lock, after [`reserve`](Self::reserve) of its
    /// length; then it cannot fail. A breach of that is a defect: it poisons the store and nothing is appended.
    pub fn append(&self, builder: FrameBuilder, stamp: Stamp) -> Result<Appended> {
        let mut group = self.group.lock();
        match group.append(builder, stamp, self.marks.durable()) {
            Ok((frame, position)) => {
                self.pending_bytes.store(group.pending_bytes(), Ordering::Release);
                Ok(Appended { frame, position })
            }
            Err(what) => {
                drop(group);
                self.poison.set(Error::Internal(what));
                // The thread announces it: the caller holds a lock.
                self.timing.write_now();
                Err(Error::Internal(what))
            }
        }
    }

    /// Wakes the journal thread, soon, for what was appended. Called after [`append`](Self::append), outside the commit lock.
    pub fn after_append(&self) {
        match self.pending_bytes.load(Ordering::Acquire) {
            0 => {}
            bytes if bytes >= self.options.group_wake_bytes => self.timing.write_large_group(),
            _ => self.timing.write_soon(),
        }
    }

    /// The end of the journal, pending frames included.
    pub fn end(&self) -> End {
        let group = self.group.lock();
        End { seq: group.last_seq(), position: group.position() }
    }
}
