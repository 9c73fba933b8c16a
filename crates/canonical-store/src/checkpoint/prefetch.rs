//! Asks the processor for pages before their entries are looked at. Leaves lie in the file in no order, and entries in a leaf in the
//! order in which they came: a scan would wait for memory at each leaf and each entry. While the entries of one leaf are shown, the
//! next one is asked for, a few lines at each. Only a hint: nothing is read.

use super::leaf_order::LeafOrder;
use crate::cache_line::{LINE_BYTES, fetch};

/// A scan that has shown so many entries looks ahead; before, it may be a short one.
const LONG: usize = 8;

/// Where a scan is, and what it has asked for.
pub(super) struct Prefetch<'a> {
    page_bytes: usize,
    reverse: bool,
    leaves: &'a dyn Fn() -> Option<LeafOrder<'a>>,
    order: Option<LeafOrder<'a>>,
    /// The leaf that it stands in.
    leaf: usize,
    shown: usize,
    /// The next leaf, if it is known.
    next: usize,
    /// How much of the next leaf, from its beginning, is still to be asked for.
    left: usize,
}

impl<'a> Prefetch<'a> {
    /// `leaves` is asked once the scan is a long one.
    pub(super) fn new(page_bytes: usize, reverse: bool, leaves: &'a dyn Fn() -> Option<LeafOrder<'a>>) -> Self {
        Self { page_bytes, reverse, leaves, order: None, leaf: 0, shown: 0, next: 0, left: 0 }
    }

    /// The scan has come to an entry, whose key lies in its leaf.
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
        // As much as the entry takes, and as much again for the room that is free in most leaves.
        let lines = 1 + (key.len() + stored.len()) / (LINE_BYTES / 2);
        for _ in 0..lines.min(self.left / LINE_BYTES) {
            self.left -= LINE_BYTES;
            fetch(self.next + self.left);
        }
    }

    fn look_ahead(&mut self, key: &[u8]) {
        let next = self.order.as_mut().and_then(|order| order.next(self.leaf, key, self.reverse));
        (self.next, self.left) = next.map_or((0, 0), |next| (next, self.page_bytes));
        // LMDB looks at a page's beginning first, at its entries from the end on.
        if self.next != 0 {
            fetch(self.next);
        }
    }
}
