//! Prefetches pages before their entries are read. Leaves are in no order in the file, and entries in a leaf are in the order
//! of insertion: a scan would wait for memory at each leaf and each entry. While the entries of one leaf are shown, the next
//! leaf is prefetched, a few lines per entry. Only a hint: nothing is read.

use super::leaf_order::LeafOrder;
use crate::cache_line::{LINE_BYTES, fetch};

/// A scan that has shown this many entries starts to prefetch; before, it may be a short one.
const LONG: usize = 8;

/// The position of a scan, and how much it has prefetched.
pub(super) struct Prefetch<'a> {
    page_bytes: usize,
    reverse: bool,
    leaves: &'a dyn Fn() -> Option<LeafOrder<'a>>,
    order: Option<LeafOrder<'a>>,
    /// Its current leaf.
    leaf: usize,
    shown: usize,
    /// The next leaf, if known.
    next: usize,
    /// The bytes of the next leaf, from its beginning, that are still to be prefetched.
    left: usize,
}

impl<'a> Prefetch<'a> {
    /// `leaves` is called once the scan is a long one.
    pub(super) fn new(page_bytes: usize, reverse: bool, leaves: &'a dyn Fn() -> Option<LeafOrder<'a>>) -> Self {
        Self { page_bytes, reverse, leaves, order: None, leaf: 0, shown: 0, next: 0, left: 0 }
    }

    /// Called at each entry of the scan; the key is in the entry's leaf.
    pub(super) fn step(&mut self, key: &[u8], stored: &[u8]) {
        let leaf = key.as_ptr().addr() & !(self.page_bytes - 1);
        self.shown += 1;
        if leaf != self.leaf {
            self.leaf = leaf;
            if leaf != self.next {
                (leaf..leaf + self.page_bytes).step_by(LINE_BYTES).for_each(fetch);
            }
            self.look_ahead(key);
        } else if self.shown == LONG {
            self.order = (self.leaves)();
            self.look_ahead(key);
        }
        // The size of the entry, and the same again for the free space in most leaves.
        let lines = 1 + (key.len() + stored.len()) / (LINE_BYTES / 2);
        for _ in 0..lines.min(self.left / LINE_BYTES) {
            self.left -= LINE_BYTES;
            fetch(self.next + self.left);
        }
    }

    fn look_ahead(&mut self, key: &[u8]) {
        let next = self.order.as_mut().and_then(|order| order.next(self.leaf, key, self.reverse));
        (self.next, self.left) = next.map_or((0, 0), |next| (next, self.page_bytes));
        // LMDB reads a page's beginning first, and its entries from the end on.
        if self.next != 0 {
            fetch(self.next);
        }
    }
}
