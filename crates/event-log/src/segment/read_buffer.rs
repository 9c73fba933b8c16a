//! The memory for reading blocks: one buffer per thread, reused for each read, so that a read neither allocates nor clears memory.

use std::{cell::Cell, ops::Deref};

/// Memory beyond this, needed by a single large event, is freed.
const KEPT_BYTES: usize = 512 * 1024;
/// A block begins at a cache line of the processor: the kernel copies a page there a twentieth faster.
const LINE_BYTES: usize = 64;

thread_local! {
    static BUFFER: Cell<ReadBuffer> = const { Cell::new(ReadBuffer::new()) };
}

/// The bytes of a block, and their memory.
#[derive(Debug)]
pub(crate) struct ReadBuffer {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl ReadBuffer {
    pub(crate) const fn new() -> Self {
        Self { memory: Vec::new(), start: 0, len: 0 }
    }

    /// Resizes it to `len` bytes of undefined content; `None` when there is no memory for them.
    pub(crate) fn resize(&mut self, len: usize) -> Option<&mut [u8]> {
        let taken = len.saturating_add(LINE_BYTES);
        if self.memory.len() < taken {
            self.memory.try_reserve(taken - self.memory.len()).ok()?;
            self.memory.resize(taken, 0);
        }
        (self.start, self.len) = (self.memory.as_ptr().align_offset(LINE_BYTES).min(LINE_BYTES), len);
        self.memory.get_mut(self.start..).and_then(|bytes| bytes.get_mut(..len))
    }
}

impl Deref for ReadBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.memory.get(self.start..).and_then(|bytes| bytes.get(..self.len)).unwrap_or_default()
    }
}

/// Runs `read` with this thread's buffer, whose content is undefined. A nested read gets a separate buffer.
pub(crate) fn with_read_buffer<R>(read: impl FnOnce(&mut ReadBuffer) -> R) -> R {
    let mut buffer = BUFFER.replace(ReadBuffer::new());
    let result = read(&mut buffer);
    if buffer.memory.capacity() <= KEPT_BYTES {
        BUFFER.set(buffer);
    }
    result
}
