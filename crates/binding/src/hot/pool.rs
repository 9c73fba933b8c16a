//! The bytes of a JavaScript buffer for the length of one native call. Access goes through raw copies inside bounds, never
//! through a slice, so that two arguments may name the same memory and nothing of ours points into it when Node runs again.

#![allow(unsafe_code, reason = "copies between native memory and a buffer that JavaScript owns")]

use std::ptr;

/// Where a buffer argument lay when it was asked for. Valid until JavaScript runs again: it must not outlive the call, and
/// no Node-API call that can run JavaScript may stand between its making and its last use.
#[derive(Clone, Copy)]
pub(crate) struct Pool {
    data: *mut u8,
    len: usize,
}

impl Pool {
    /// # Safety
    ///
    /// `data` must be readable and writable for `len` bytes as long as the pool is used, or `len` must be 0.
    pub(crate) unsafe fn new(data: *mut u8, len: usize) -> Self {
        Self { data, len }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn holds(&self, offset: usize, len: usize) -> bool {
        offset <= self.len && len <= self.len - offset
    }

    /// Copies `bytes` to `offset`; `false`, and nothing is written, when they do not fit.
    #[must_use]
    pub(crate) fn put(&self, offset: usize, bytes: &[u8]) -> bool {
        if bytes.is_empty() || !self.holds(offset, bytes.len()) {
            return bytes.is_empty() && offset <= self.len;
        }
        // SAFETY: the destination lies inside the buffer (`holds`); `ptr::copy` allows an overlap with `bytes`.
        unsafe { ptr::copy(bytes.as_ptr(), self.data.add(offset), bytes.len()) };
        true
    }

    /// Copies out of `offset`; `false`, and `into` is as it was, when the buffer is too short.
    #[must_use]
    pub(crate) fn take(&self, offset: usize, into: &mut [u8]) -> bool {
        if into.is_empty() || !self.holds(offset, into.len()) {
            return into.is_empty() && offset <= self.len;
        }
        // SAFETY: the source lies inside the buffer (`holds`); `ptr::copy` allows an overlap with `into`.
        unsafe { ptr::copy(self.data.add(offset), into.as_mut_ptr(), into.len()) };
        true
    }

    pub(crate) fn put_u32(&self, offset: usize, value: u32) -> bool {
        self.put(offset, &value.to_le_bytes())
    }

    pub(crate) fn put_f64(&self, offset: usize, value: f64) -> bool {
        self.put(offset, &value.to_le_bytes())
    }

    pub(crate) fn u32_at(&self, offset: usize) -> Option<u32> {
        let mut bytes = [0; 4];
        self.take(offset, &mut bytes).then(|| u32::from_le_bytes(bytes))
    }

    /// A slice of the buffer.
    ///
    /// # Safety
    ///
    /// As long as the slice lives nothing may write to the buffer: no Node-API call, no `put`, and no other thread (the
    /// buffer must not be shared memory).
    pub(crate) unsafe fn slice(&self, from: usize, to: usize) -> Option<&[u8]> {
        let len = to.checked_sub(from)?;
        if len == 0 || !self.holds(from, len) {
            return (len == 0 && from <= self.len).then_some(&[]);
        }
        // SAFETY: inside the buffer (`holds`), and unchanged while it lives (the caller's promise).
        Some(unsafe { std::slice::from_raw_parts(self.data.add(from), len) })
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::Pool;

    #[test]
    fn copies_stay_inside_the_buffer() {
        let mut bytes = [0_u8; 8];
        // SAFETY: the array outlives the pool and is touched through it only.
        let pool = unsafe { Pool::new(bytes.as_mut_ptr(), bytes.len()) };
        assert!(pool.put(6, &[1, 2]) && pool.put(8, &[]));
        assert!(!pool.put(7, &[1, 2]) && !pool.put(9, &[]) && !pool.put(usize::MAX, &[1]));
        assert_eq!((pool.u32_at(4), pool.u32_at(5), pool.u32_at(usize::MAX)), (Some(0x0201_0000), None, None));
        // SAFETY: nothing writes while the slices live.
        let slices = unsafe { (pool.slice(6, 8), pool.slice(8, 8), pool.slice(7, 9), pool.slice(3, 2)) };
        assert_eq!(slices, (Some([1, 2].as_slice()), Some([].as_slice()), None, None));
    }

    #[test]
    fn a_detached_buffer_is_empty() {
        // SAFETY: the length is 0.
        let pool = unsafe { Pool::new(ptr::null_mut(), 0) };
        assert!(pool.put(0, &[]) && !pool.put(0, &[1]) && !pool.take(0, &mut [0]));
    }
}
