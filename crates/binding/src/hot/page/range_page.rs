//! A page of a range: entries with their keys and values.

use crate::{
    error::Failure,
    hot::{
        page::{DONE, Filling, Page, len_u32},
        pool::Pool,
    },
};

const ASCII_KEYS: u32 = 2;
const ASCII_VALUES: u32 = 4;

/// `[u32 count][u32 flags: 1 done, 2 all keys ASCII, 4 all values ASCII]`, then `[u32 key len][u32 value len][key][value]` padded to 4.
pub(crate) struct RangePage {
    filling: Filling,
    ascii: u32,
}

impl RangePage {
    const HEAD: usize = 8;
    const ENTRY_HEAD: usize = 8;

    pub(crate) fn new(pool: Pool) -> Result<Self, Failure> {
        Ok(Self { filling: Filling::after(pool, Self::HEAD)?, ascii: ASCII_KEYS | ASCII_VALUES })
    }

    /// `false`: this entry does not fit and was not taken.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) -> bool {
        let (Some(key_len), Some(value_len)) = (len_u32(key), len_u32(value)) else { return false };
        let Some(start) = self.filling.reserve(Self::ENTRY_HEAD + key.len() + value.len(), 4) else { return false };
        let pool = self.filling.pool;
        let mut head = [0; Self::ENTRY_HEAD];
        let (first, second) = head.split_at_mut(4);
        first.copy_from_slice(&key_len.to_le_bytes());
        second.copy_from_slice(&value_len.to_le_bytes());
        let key_at = start + Self::ENTRY_HEAD;
        for (flag, bytes) in [(ASCII_KEYS, key), (ASCII_VALUES, value)] {
            if self.ascii & flag != 0 && !bytes.is_ascii() {
                self.ascii &= !flag;
            }
        }
        pool.put(start, &head) && pool.put(key_at, key) && pool.put(key_at + key.len(), value)
    }

    pub(crate) fn finish(&self, done: bool) -> Page {
        self.filling.finish(self.ascii | if done { DONE } else { 0 })
    }
}
