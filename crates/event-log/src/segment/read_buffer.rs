//! The memory that blocks are read into: one for each thread, used again for each read, so that a read neither asks for
//! memory nor clears it.

use std::{cell::Cell, ops::Deref};

/// What a single large event has taken beyond this is given back.
const KEPT_BYTES: usize = 512 * 1024;
/// A block begins with a line of the processor's cache: the kernel copies a page there a twentieth faster than beside it.
const LINE_BYTES: usize = 64;

thread_local! {
    static BUFFER: Cell<ReadBuffer> = const { Cell::new(ReadBuffer::new()) };
}

/// Bytes of a block, and the memory that they take.
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

    /// Becomes `len` bytes, whose content is anything; `None` when there is no memory for so many.
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

/// Runs `read` with this thread's buffer, whose content is anything. A reading inside of a reading has one of its own.
pub(crate) fn with_read_buffer<R>(read: impl FnOnce(&mut ReadBuffer) -> R) -> R {
    let mut buffer = BUFFER.replace(ReadBuffer::new());
    let result = read(&mut buffer);
    if buffer.memory.capacity() <= KEPT_BYTES {
        BUFFER.set(buffer);
    }
    result
}
