//! The packed layouts in which many records cross in one call: a page of a range, a page of events, and the keys and
//! answers of `getMany`. Little endian, written straight into the caller's pool. Nothing here is allocated per record.

pub(crate) mod event_page;
pub(crate) mod packed_keys;
pub(crate) mod packed_values;
pub(crate) mod range_page;
#[cfg(test)]
mod tests;

use crate::{
    error::{ErrorRecord, Failure},
    hot::pool::Pool,
};

const DONE: u32 = 1;
const MISSING: u32 = u32::MAX;

/// What a call that fills a page answers.
#[derive(Debug, PartialEq)]
pub(crate) enum Page {
    /// This many bytes of the pool are in use.
    Filled(usize),
    /// The next entry alone needs a larger pool; the first four bytes of the pool say of how many.
    TooSmall,
}

fn padded(len: usize, unit: usize) -> usize {
    len.saturating_add(unit - 1) & !(unit - 1)
}

fn len_u32(bytes: &[u8]) -> Option<u32> {
    // `MISSING` is no length.
    u32::try_from(bytes.len()).ok().filter(|len| *len != MISSING)
}

fn head_fits(pool: &Pool, head: usize) -> Result<(), Failure> {
    if pool.len() < head { Err(ErrorRecord::invalid("pool", "the pool is too short or detached")) } else { Ok(()) }
}

/// The shared bookkeeping: where the next entry goes, and what it would have needed.
struct Filling {
    pool: Pool,
    used: usize,
    count: u32,
    needed: usize,
}

impl Filling {
    fn after(pool: Pool, head: usize) -> Result<Self, Failure> {
        head_fits(&pool, head)?;
        Ok(Self { pool, used: head, count: 0, needed: 0 })
    }

    /// Room for an entry of `len` bytes, or `None`, and the entry has to come again.
    fn reserve(&mut self, len: usize, unit: usize) -> Option<usize> {
        let end = padded(self.used.saturating_add(len), unit);
        if end > self.pool.len() {
            self.needed = end;
            return None;
        }
        let start = self.used;
        self.used = end;
        self.count += 1;
        Some(start)
    }

    fn finish(&self, flags: u32) -> Page {
        if self.count == 0 && self.needed > 0 {
            self.pool.put_u32(0, u32::try_from(self.needed).unwrap_or(MISSING));
            return Page::TooSmall;
        }
        self.pool.put_u32(0, self.count);
        self.pool.put_u32(4, flags);
        Page::Filled(self.used)
    }
}
