//! A page of events, upwards or downwards.

use std::ops::ControlFlow;

use crate::{
    error::Failure,
    hot::{
        page::{DONE, Filling, Page, len_u32},
        pool::Pool,
    },
    number::number,
};

const ASCII_PAYLOADS: u32 = 2;

/// `[u32 count][u32 flags: 1 done, 2 all payloads ASCII][f64 first id]`, then `[u32 len][u32 0][f64 timestamp][payload]` padded
/// to 8. The ids of one page are contiguous, upwards or downwards.
pub(crate) struct EventPage {
    filling: Filling,
    first_id: u64,
    ascii: u32,
}

impl EventPage {
    const HEAD: usize = 16;
    const ENTRY_HEAD: usize = 16;

    pub(crate) fn new(pool: Pool) -> Result<Self, Failure> {
        Ok(Self { filling: Filling::after(pool, Self::HEAD)?, first_id: 0, ascii: ASCII_PAYLOADS })
    }

    /// A page of what `read` shows to its visitor, as far as there is room.
    pub(crate) fn filled(
        pool: Pool,
        read: impl FnOnce(&mut dyn FnMut(u64, u64, &[u8]) -> ControlFlow<()>) -> Result<(), Failure>,
    ) -> Result<Page, Failure> {
        let mut page = Self::new(pool)?;
        let mut done = true;
        let outcome = read(&mut |id, timestamp_ms, payload| {
            done = page.put(id, timestamp_ms, payload);
            if done { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        match outcome {
            // What was read before the failure comes first; the next page begins with what failed.
            Err(failure) if page.filling.count == 0 => Err(failure),
            Err(_) => Ok(page.finish(false)),
            Ok(()) => Ok(page.finish(done)),
        }
    }

    /// `false`: this event does not fit and was not taken.
    pub(crate) fn put(&mut self, id: u64, timestamp_ms: u64, payload: &[u8]) -> bool {
        let Some(len) = len_u32(payload) else { return false };
        let Some(start) = self.filling.reserve(Self::ENTRY_HEAD + payload.len(), 8) else { return false };
        if self.filling.count == 1 {
            self.first_id = id;
        }
        if self.ascii != 0 && !payload.is_ascii() {
            self.ascii = 0;
        }
        let pool = self.filling.pool;
        pool.put_u32(start, len)
            && pool.put_u32(start + 4, 0)
            && pool.put_f64(start + 8, number(timestamp_ms))
            && pool.put(start + Self::ENTRY_HEAD, payload)
    }

    pub(crate) fn finish(&self, done: bool) -> Page {
        let page = self.filling.finish(self.ascii | if done { DONE } else { 0 });
        if let Page::Filled(_) = page {
            self.filling.pool.put_f64(8, number(self.first_id));
        }
        page
    }
}
