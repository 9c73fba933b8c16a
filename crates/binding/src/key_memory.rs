//! Where JavaScript puts a short key, so that it crosses as its length: taking a string or a typed array apart costs several
//! calls into Node, and touches the array's memory once more. Belongs to one environment; never handed to users.

use std::{
    array,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

const WORDS: usize = 8;

/// Native memory that JavaScript sees as a `Uint8Array`. In words that are read and written whole, for both sides are on one
/// thread and neither may keep a reference.
pub(crate) struct KeyMemory(Arc<[AtomicU64; WORDS]>);

impl KeyMemory {
    pub(crate) const BYTES: usize = WORDS * 8;

    pub(crate) fn new() -> Self {
        Self(Arc::new(array::from_fn(|_| AtomicU64::new(0))))
    }

    /// The memory itself, for as long as anybody sees it.
    pub(crate) fn share(&self) -> Arc<[AtomicU64; WORDS]> {
        Arc::clone(&self.0)
    }

    /// Copies the first `len` bytes into `into`; `None` when there are not so many.
    pub(crate) fn take<'a>(&self, len: usize, into: &'a mut [u8]) -> Option<&'a [u8]> {
        for (to, word) in into.chunks_exact_mut(8).zip(self.0.iter()) {
            to.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        if len <= Self::BYTES { into.get(..len) } else { None }
    }
}
