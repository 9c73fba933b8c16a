//! The keys that `getMany` is called with.

use crate::{
    error::{ErrorRecord, Failure},
    hot::{page::padded, pool::Pool},
};

/// The keys of `getMany`: `[u32 len][bytes]` padded to 4, read one after another.
pub(crate) struct PackedKeys {
    pool: Pool,
    at: usize,
    end: usize,
}

impl PackedKeys {
    pub(crate) fn new(pool: Pool, at: usize, end: usize) -> Result<Self, Failure> {
        if at > end || end > pool.len() {
            return Err(ErrorRecord::invalid("keys", "the packed keys reach beyond their buffer"));
        }
        Ok(Self { pool, at, end })
    }

    /// Copies the next key into `into`. `Ok(None)` at the end; a key longer than `into` is skipped and given as empty, which
    /// no stored key is.
    pub(crate) fn next<'a>(&mut self, into: &'a mut [u8]) -> Result<Option<&'a [u8]>, Failure> {
        if self.at >= self.end {
            return Ok(None);
        }
        let malformed = || ErrorRecord::invalid("keys", "the packed keys are malformed");
        let len = self.pool.u32_at(self.at).ok_or_else(malformed)?;
        let len = usize::try_from(len).map_err(|_| malformed())?;
        let from = self.at + 4;
        if self.end < from || len > self.end - from {
            return Err(malformed());
        }
        self.at = padded(from + len, 4);
        let Some(key) = into.get_mut(..len) else { return Ok(Some(&[])) };
        if !self.pool.take(from, key) {
            return Err(malformed());
        }
        Ok(Some(key))
    }
}
