//! The memory in which hot reads find their arguments and leave their answer. It saves calls into Node: one for each number, several
//! for a string or a typed array. It belongs to one environment and is never handed to users.

use std::sync::{
    Arc,
    atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering},
};

use crate::{
    environment::slab::Handle,
    error::{ErrorRecord, Failure},
    number::safe_integer,
};

/// Longer than any key can be.
const KEY_WORDS: usize = 256;

/// Native memory that JavaScript sees, laid out as `src/native/call-memory.ts` has it. It
/// consists of words that are read and written whole: both sides are on one thread, and neither may keep a reference.
#[repr(C)]
pub(crate) struct CallMemory {
    /// A store or a snapshot, f64.
    reader: AtomicU64,
    /// An event, f64.
    id: AtomicU64,
    slot: AtomicU32,
    key_bytes: AtomicU32,
    offset: AtomicU32,
    answer: AtomicI32,
    key: [AtomicU64; KEY_WORDS],
}

impl CallMemory {
    pub(crate) const KEY_BYTES: usize = KEY_WORDS * 8;
    /// All of it.
    pub(crate) const BYTES: usize = size_of::<Self>();

    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            reader: AtomicU64::new(0),
            id: AtomicU64::new(0),
            slot: AtomicU32::new(0),
            key_bytes: AtomicU32::new(0),
            offset: AtomicU32::new(0),
            answer: AtomicI32::new(0),
            key: [const { AtomicU64::new(0) }; KEY_WORDS],
        })
    }

    pub(crate) fn reader(&self) -> Handle {
        Handle::from_number(f64::from_bits(self.reader.load(Ordering::Relaxed)))
    }

    pub(crate) fn id(&self) -> Result<u64, Failure> {
        safe_integer(f64::from_bits(self.id.load(Ordering::Relaxed)))
            .ok_or_else(|| ErrorRecord::invalid("id", "an integer from 0 to 2^53 - 1 is needed"))
    }

    pub(crate) fn slot(&self) -> usize {
        self.slot.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn answer(&self, answer: i32) {
        self.answer.store(answer, Ordering::Relaxed);
    }

    /// Copies the key into `into`, which has room for [`KEY_BYTES`](Self::KEY_BYTES); `None` when it is empty.
    pub(crate) fn key<'a>(&self, into: &'a mut [u8]) -> Result<Option<&'a [u8]>, Failure> {
        let len = self.key_bytes.load(Ordering::Relaxed) as usize;
        for (to, word) in into.chunks_exact_mut(8).zip(&self.key).take(len.div_ceil(8)) {
            to.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        match into.get(..len) {
            Some(key) if len <= Self::KEY_BYTES => Ok(if key.is_empty() { None } else { Some(key) }),
            _ => Err(ErrorRecord::invalid("key", "the key's memory is not so long")),
        }
    }
}
