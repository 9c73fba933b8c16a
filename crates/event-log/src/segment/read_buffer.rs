//! The memory that blocks are read into: one for each thread, used again for each read, so that a read neither asks for
//! memory nor clears it.

use std::cell::Cell;

/// What a single large event has taken beyond this is given back.
const KEPT_BYTES: usize = 512 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Runs `read` with this thread's buffer, whose content is anything. A reading inside of a reading has one of its own.
pub(crate) fn with_read_buffer<R>(read: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = BUFFER.take();
    let result = read(&mut buffer);
    if buffer.capacity() <= KEPT_BYTES {
        BUFFER.set(buffer);
    }
    result
}
