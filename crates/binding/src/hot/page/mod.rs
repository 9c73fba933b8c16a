//! The packed layouts in which many records cross in one call: a page of a range, a page of events, and the keys and
//! answers of `getMany`. Little endian, written straight into the caller's pool. Nothing here is allocated per record.

use std::ops::ControlFlow;

use crate::{
    error::{ErrorRecord, Failure},
    hot::pool::Pool,
    number::number,
};

const DONE: u32 = 1;
const ASCII_KEYS: u32 = 2;
const ASCII_VALUES: u32 = 4;
const ASCII_PAYLOADS: u32 = 2;
const MISSING: u32 = u32::MAX;

/// What a call that fills a page tells JavaScript.
#[derive(Debug, PartialEq)]
pub(crate) enum Page {
    /// This many bytes of the pool are in use.
    Filled(usize),
    /// The next entry alone needs a larger pool; the number of bytes stands at its start.
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
            // What was read before the failure comes first; whoever reads on begins with what failed.
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

/// The answers of `getMany`: `[u32 len, or 0xffffffff for missing][bytes]` padded to 4.
pub(crate) struct PackedValues {
    filling: Filling,
}

impl PackedValues {
    pub(crate) fn new(pool: Pool) -> Result<Self, Failure> {
        // The size of a value that does not fit is told in the first four bytes.
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

    /// How many keys were answered; 0: the first value did not fit, and what it needs stands at the start.
    pub(crate) fn finish(&self) -> u32 {
        if self.filling.count == 0 && self.filling.needed > 0 {
            self.filling.pool.put_u32(0, u32::try_from(self.filling.needed).unwrap_or(MISSING));
        }
        self.filling.count
    }
}

#[cfg(test)]
mod tests {
    use super::{EventPage, PackedKeys, PackedValues, Page, RangePage};
    use crate::hot::pool::Pool;

    fn pool(bytes: &mut [u8]) -> Pool {
        #[allow(unsafe_code, reason = "the array outlives the pool and is read only after its last use")]
        // SAFETY: as the reason says.
        unsafe {
            Pool::new(bytes.as_mut_ptr(), bytes.len())
        }
    }

    fn u32_at(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn a_range_page_packs_entries_and_knows_ascii() {
        let mut bytes = [0xee; 64];
        let mut page = RangePage::new(pool(&mut bytes)).unwrap();
        assert!(page.put(b"key", b"va") && page.put(b"k", b""));
        assert_eq!(page.finish(true), Page::Filled(8 + 16 + 12));
        assert_eq!([u32_at(&bytes, 0), u32_at(&bytes, 4), u32_at(&bytes, 8), u32_at(&bytes, 12)], [2, 7, 3, 2]);
        assert_eq!(&bytes[16..21], b"keyva");
        assert_eq!([u32_at(&bytes, 24), u32_at(&bytes, 28)], [1, 0]);

        let mut page = RangePage::new(pool(&mut bytes)).unwrap();
        assert!(page.put("é".as_bytes(), b"\xff"));
        assert_eq!(page.finish(false), Page::Filled(20));
        assert_eq!(u32_at(&bytes, 4), 0);
        let mut page = RangePage::new(pool(&mut bytes)).unwrap();
        assert!(page.put(b"k", "é".as_bytes()) && page.put(b"l", b"ascii"));
        assert_eq!(page.finish(false), Page::Filled(8 + 12 + 16));
        assert_eq!(u32_at(&bytes, 4), 2);
    }

    #[test]
    fn an_entry_that_does_not_fit_is_told_by_its_size() {
        let mut bytes = [0; 24];
        let mut page = RangePage::new(pool(&mut bytes)).unwrap();
        assert!(!page.put(b"k", &[7; 9]));
        assert_eq!(page.finish(false), Page::TooSmall);
        assert_eq!(u32_at(&bytes, 0), 28);
        // After something that fits it is only a full page.
        let mut page = RangePage::new(pool(&mut bytes)).unwrap();
        assert!(page.put(b"k", &[7; 7]) && !page.put(b"l", &[7; 9]));
        assert_eq!(page.finish(false), Page::Filled(24));
    }

    #[test]
    fn an_event_page_begins_with_its_first_id() {
        let mut bytes = [0; 64];
        let mut page = EventPage::new(pool(&mut bytes)).unwrap();
        assert!(page.put(41, 1000, b"abc") && page.put(42, 1001, b""));
        assert_eq!(page.finish(true), Page::Filled(16 + 24 + 16));
        assert_eq!([u32_at(&bytes, 0), u32_at(&bytes, 4), u32_at(&bytes, 16)], [2, 3, 3]);
        assert_eq!(bytes[8..16], 41_f64.to_le_bytes());
        assert_eq!(bytes[24..32], 1000_f64.to_le_bytes());
        assert_eq!(&bytes[32..35], b"abc");
    }

    #[test]
    fn pools_too_short_for_a_head_are_refused() {
        assert!(RangePage::new(pool(&mut [0; 7])).is_err());
        assert!(EventPage::new(pool(&mut [0; 15])).is_err());
        assert!(PackedValues::new(pool(&mut [0; 3])).is_err());
    }

    #[test]
    fn packed_keys_are_read_back_and_checked() {
        let mut bytes = [3, 0, 0, 0, b'a', b'b', b'c', 0, 0, 0, 0, 0, 200, 0, 0, 0];
        let mut buffer = [0; 8];
        let mut keys = PackedKeys::new(pool(&mut bytes), 0, 12).unwrap();
        assert_eq!(keys.next(&mut buffer).unwrap(), Some(b"abc".as_slice()));
        assert_eq!(keys.next(&mut buffer).unwrap(), Some([].as_slice()));
        assert_eq!(keys.next(&mut buffer).unwrap(), None);
        assert!(PackedKeys::new(pool(&mut bytes), 12, 16).unwrap().next(&mut buffer).is_err());
        assert!(PackedKeys::new(pool(&mut bytes), 14, 16).unwrap().next(&mut buffer).is_err());
        assert!(PackedKeys::new(pool(&mut bytes), 0, 17).is_err());
        assert!(PackedKeys::new(pool(&mut bytes), 9, 8).is_err());
    }

    #[test]
    fn packed_values_answer_as_many_as_fit() {
        let mut bytes = [0; 16];
        let mut values = PackedValues::new(pool(&mut bytes)).unwrap();
        assert!(values.put_missing() && values.put(b"abcde") && !values.put_missing());
        assert_eq!(values.finish(), 2);
        assert_eq!([u32_at(&bytes, 0), u32_at(&bytes, 4)], [u32::MAX, 5]);
        let mut values = PackedValues::new(pool(&mut bytes)).unwrap();
        assert!(!values.put(&[1; 13]));
        assert_eq!((values.finish(), u32_at(&bytes, 0)), (0, 20));
    }
}
