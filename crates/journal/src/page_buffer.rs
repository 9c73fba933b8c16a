//! Gathers frames before they are written, in memory aligned to a page, so that whole pages of it can go to a device without a copy.

/// Memory, offsets and lengths must be multiples of this to go to a device without a copy.
const PAGE: usize = 4096;

/// Bytes per write.
const CAPACITY: usize = 1 << 20;

#[derive(Debug, Default)]
pub(crate) struct PageBuffer {
    /// A page more than the capacity, allocated when it is first filled.
    memory: Vec<u8>,
    /// Where the first page begins in it.
    start: usize,
    len: usize,
}

impl PageBuffer {
    /// Takes as much of `bytes` as fits; returns the rest.
    pub(crate) fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.memory.is_empty() {
            self.memory = vec![0; CAPACITY + PAGE];
            self.start = self.memory.as_ptr().align_offset(PAGE).min(PAGE);
        }
        let (taken, left) = bytes.split_at(bytes.len().min(CAPACITY - self.len));
        let at = self.start + self.len;
        if let Some(place) = self.memory.get_mut(at..at + taken.len()) {
            place.copy_from_slice(taken);
        }
        self.len += taken.len();
        left
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.start + self.len).unwrap_or_default()
    }

    pub(crate) const fn clear(&mut self) {
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_format::PAGE_BYTES;

    use super::*;

    #[test]
    fn its_pages_are_those_of_the_format() {
        assert_eq!(PAGE as u64, PAGE_BYTES);
    }

    #[test]
    fn it_begins_at_a_page_takes_what_fits_and_keeps_it_in_order() {
        let mut buffer = PageBuffer::default();
        assert!(buffer.bytes().is_empty());
        let bytes: Vec<u8> = (0..=250).cycle().take(CAPACITY + 1000).collect();
        assert!(buffer.fill(&bytes[..700]).is_empty());
        let left = buffer.fill(&bytes[700..]);
        assert_eq!(left, &bytes[CAPACITY..]);
        assert_eq!(buffer.bytes(), &bytes[..CAPACITY]);
        assert_eq!(buffer.bytes().as_ptr().align_offset(PAGE), 0);
        assert_eq!(buffer.fill(left), left, "full");
        buffer.clear();
        assert!(buffer.bytes().is_empty() && buffer.fill(left).is_empty());
        assert_eq!(buffer.bytes(), left);
    }
}
