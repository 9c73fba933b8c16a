//! The values that `getMany` answers with.

use crate::{
    error::Failure,
    hot::{
        page::{Filling, MISSING, head_fits, len_u32},
        pool::Pool,
    },
};

/// The answers of `getMany`: `[u32 len, or 0xffffffff for missing][bytes]` padded to 4.
pub(crate) struct PackedValues {
    filling: Filling,
}

impl PackedValues {
    pub(crate) fn new(pool: Pool) -> Result<Self, Failure> {
        // The first four bytes say the size of a value that does not fit.
        head_fits(&pool, 4)?;
        Ok(Self { filling: Filling { pool, used: 0, count: 0, needed: 0 } })
    }

    /// `false`: this value does not fit and was not taken.
    pub(crate) fn put(&mut self, value: &[u8]) -> bool {
        let Some(len) = len_u32(value) else { return false };
        let Some(start) = self.filling.reserve(4 + value.len(), 4) else { return false };
        self.filling.pool.put_u32(start, len) && self.filling.pool.put(start + 4, value)
    }

    pub(crate) fn put_missing(&mut self) -> bool {
        self.filling.reserve(4, 4).is_some_and(|start| self.filling.pool.put_u32(start, MISSING))
    }

    /// How many keys were answered; 0: the first value did not fit, and the first four bytes say what it needs.
    pub(crate) fn finish(&self) -> u32 {
        if self.filling.count == 0 && self.filling.needed > 0 {
            self.filling.pool.put_u32(0, u32::try_from(self.filling.needed).unwrap_or(MISSING));
        }
        self.filling.count
    }
}
