//! The memory of frames until nothing refers to them any more. Many small ones are consecutive in a shared piece: a commit
//! needs no allocation, and reading them in order reads memory in order.

use bytes::{Bytes, BytesMut};

use crate::frame_head::MAX_FRAME_BYTES;

/// Small enough for the allocator to keep it on its heap.
const PIECE_BYTES: usize = 64 << 10;
/// A frame from this size on gets a separate piece, so that little of a shared one is ever wasted.
const OWN_FROM_BYTES: usize = 8 << 10;

/// The piece being filled.
#[derive(Debug, Default)]
pub(crate) struct FrameMemory(BytesMut);

impl FrameMemory {
    /// Empty memory for one frame alone; `None` when there is none.
    pub(crate) fn of_its_own(frame_bytes: u64) -> Option<BytesMut> {
        let bytes = usize::try_from(frame_bytes.min(MAX_FRAME_BYTES)).unwrap_or(OWN_FROM_BYTES);
        if bytes < OWN_FROM_BYTES {
            return Some(BytesMut::with_capacity(bytes));
        }
        let mut memory = Vec::new();
        memory.try_reserve_exact(bytes).ok()?;
        // Handed over without a copy: it has no other owner.
        Some(BytesMut::from(Bytes::from(memory)))
    }

    /// Empty memory for a frame of the expected length; `None` when there is none.
    pub(crate) fn take(&mut self, frame_bytes: u64) -> Option<BytesMut> {
        if frame_bytes >= OWN_FROM_BYTES as u64 {
            return Self::of_its_own(frame_bytes);
        }
        if (self.0.capacity() as u64) < frame_bytes {
            self.0 = BytesMut::with_capacity(PIECE_BYTES);
        }
        Some(std::mem::take(&mut self.0))
    }

    /// Returns the part of the memory that a frame did not use.
    pub(crate) fn give_back(&mut self, rest: BytesMut) {
        if rest.capacity() > self.0.capacity() {
            self.0 = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_frames_lie_one_behind_the_other_and_large_ones_alone() {
        let mut memory = FrameMemory::default();
        let mut take = |bytes: usize| {
            let mut taken = memory.take(bytes as u64).unwrap();
            taken.resize(bytes, 1);
            let frame = taken.split().freeze();
            memory.give_back(taken);
            frame
        };
        let (first, second) = (take(400), take(408));
        assert_eq!(first.as_ptr().addr() + 400, second.as_ptr().addr());
        let large = take(OWN_FROM_BYTES);
        let third = take(8);
        assert_eq!(second.as_ptr().addr() + 408, third.as_ptr().addr(), "a large one takes nobody's place");
        // The piece is full: the next frame begins another.
        let more: Vec<_> = (0..2 * PIECE_BYTES / 800).map(|_| take(800)).collect();
        let places: std::collections::BTreeSet<_> = more.iter().map(|frame| frame.as_ptr().addr()).collect();
        assert_eq!(places.len(), more.len());
        assert!([first, second, large, third].iter().chain(&more).all(|frame| frame.iter().all(|byte| *byte == 1)));
    }

    #[test]
    fn what_a_failed_commit_took_is_not_missed() {
        let mut memory = FrameMemory::default();
        drop(memory.take(100));
        assert!(memory.take(100).unwrap().capacity() >= 100);
    }

    #[test]
    fn a_large_frame_gets_the_memory_that_was_asked_for() {
        for bytes in [100, OWN_FROM_BYTES - 1, OWN_FROM_BYTES, 1 << 20] {
            let mut memory = FrameMemory::of_its_own(bytes as u64).unwrap();
            let at = memory.as_ptr();
            assert!(memory.is_empty() && memory.capacity() >= bytes, "{bytes}");
            memory.resize(bytes, 1);
            assert_eq!(memory.as_ptr(), at, "it was moved");
        }
    }
}
