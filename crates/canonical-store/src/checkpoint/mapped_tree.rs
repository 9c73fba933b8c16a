//! A tree of LMDB in the memory that LMDB has mapped, as one read transaction sees it: the addresses of its pages, and their
//! nodes. Total over any bytes: for a page that LMDB does not write like this there is no answer, and the caller asks LMDB.

use std::{cmp::Ordering, ptr};

use ledgerstone_format::ByteReader;

use super::page_walk::{NODE_HEADER_BYTES, PAGE_HEADER_BYTES, TreeRecord};
use crate::cache_line::{LINE_BYTES, fetch};

/// The only page size supported here: no map begins in the middle of such a page.
pub(super) const PAGE_BYTES: usize = 4096;

pub(super) type Page = [u8; PAGE_BYTES];

/// See the module.
#[derive(Debug)]
pub(super) struct MappedTree {
    /// The address of the map.
    pub(super) base: usize,
    /// How many of its pages the file has.
    pub(super) pages: u64,
    pub(super) root: Option<u64>,
    /// The number of pages from the root to a leaf, inclusive.
    pub(super) depth: u16,
}

impl MappedTree {
    /// `record` is the tree's, and `pages` is one more than the number of the last page. `None` when its pages have another
    /// size, or its keys another order.
    ///
    /// # Safety
    ///
    /// `record` is where LMDB has it in the map, as returned to a read transaction that lasts as long as the tree is used.
    #[allow(unsafe_code, reason = "the number of a page in LMDB's map")]
    pub(super) unsafe fn new(record: &[u8], page_bytes: usize, pages: u64) -> Option<Self> {
        let TreeRecord { flags, depth, root, .. } = TreeRecord::read(&mut ByteReader::new(record))?;
        if page_bytes != PAGE_BYTES || flags != 0 {
            return None;
        }
        let page = record.as_ptr().expose_provenance() & !(PAGE_BYTES - 1);
        // SAFETY: the page of an entry, which begins with its number, is mapped as long as the transaction lasts.
        let number = unsafe { ptr::with_exposed_provenance::<u64>(page).read() };
        let offset = usize::try_from(u64::from_le(number)).ok()?.checked_mul(PAGE_BYTES)?;
        Some(Self { base: page.checked_sub(offset)?, pages, root, depth })
    }

    /// The address of a page, if the file has it.
    pub(super) fn address(&self, number: u64) -> Option<usize> {
        if number >= self.pages {
            return None;
        }
        self.base.checked_add(usize::try_from(number).ok()?.checked_mul(PAGE_BYTES)?)
    }

    /// Prefetches the beginning of a page.
    pub(super) fn expect(&self, number: u64) {
        if let Some(address) = self.address(number) {
            fetch(address);
            fetch(address + LINE_BYTES);
        }
    }

    /// The nodes of a page, if it is of this kind.
    #[allow(unsafe_code, reason = "a page in LMDB's map")]
    pub(super) fn nodes(&self, number: u64, kind: u16) -> Option<Nodes<'_>> {
        let address = self.address(number)?;
        fetch(address);
        fetch(address + LINE_BYTES);
        // SAFETY: the file has the page and the map has all of the file. No page that a transaction can reach is written while
        // it lasts. Pages that it cannot reach have a kind or a number that `Nodes` refuses, or are not being written through
        // this map at all. Any bytes will do.
        let page = unsafe { &*ptr::with_exposed_provenance::<Page>(address) };
        Nodes::new(page, number, kind)
    }
}

/// A page: number, flags, bounds; the offsets of its nodes, in the order of their keys; the nodes.
#[derive(Clone, Copy)]
pub(super) struct Nodes<'a> {
    page: &'a Page,
    offsets: &'a [[u8; 2]],
}

impl<'a> Nodes<'a> {
    fn new(page: &'a Page, number: u64, kind: u16) -> Option<Self> {
        let (own, rest) = page.split_first_chunk::<8>()?;
        let (flags, lower) = (u16_at(rest, 2)?, u16_at(rest, 4)?);
        let (offsets, _) = page.get(PAGE_HEADER_BYTES..usize::from(lower))?.as_chunks::<2>();
        let is_right = u64::from_le_bytes(*own) == number && flags == kind && !offsets.is_empty();
        is_right.then_some(Self { page, offsets })
    }

    /// The addresses of `count` of its nodes or fewer, spread over the page.
    pub(super) fn addresses(&self, count: usize) -> impl Iterator<Item = usize> + use<'a> {
        let page = self.page.as_ptr().addr();
        let offsets = self.offsets.iter().step_by(self.offsets.len().div_ceil(count));
        offsets.map(move |offset| page + usize::from(u16::from_le_bytes(*offset)))
    }

    /// A node from its header to the end of the page.
    pub(super) fn node(&self, place: usize) -> Option<&'a [u8]> {
        self.page.get(usize::from(u16::from_le_bytes(*self.offsets.get(place)?))..)
    }

    /// The number of nodes.
    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Prefetches the memory `behind` bytes after the beginning of a node.
    pub(super) fn expect_at(&self, place: usize, behind: usize) {
        if let Some(offset) = self.offsets.get(place) {
            fetch(self.page.as_ptr().addr() + usize::from(u16::from_le_bytes(*offset)) + behind);
        }
    }

    /// How the key at `place` compares with `key`.
    #[inline]
    pub(super) fn compare_at(&self, place: usize, key: &[u8]) -> Option<Ordering> {
        let (found, _) = key_of(self.node(place)?)?;
        Some(compare(found, key))
    }

    /// The place of `key`, searched from `from` on; otherwise that of the first greater key.
    pub(super) fn place_of(&self, key: &[u8], from: usize) -> Option<Result<usize, usize>> {
        let (mut from, mut to) = (from, self.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            match self.compare_at(middle, key)? {
                Ordering::Less => from = middle + 1,
                Ordering::Equal => return Some(Ok(middle)),
                Ordering::Greater => to = middle,
            }
        }
        Some(Err(from))
    }

    /// In a branch: the place of the child that contains `key`, if any. Its first key has no meaning.
    pub(super) fn place_of_child(&self, key: &[u8]) -> Option<usize> {
        match self.place_of(key, 1)? {
            Ok(place) => Some(place),
            Err(greater) => greater.checked_sub(1),
        }
    }

    /// In a branch: the number of a child's page.
    pub(super) fn child(&self, place: usize) -> Option<u64> {
        let node = self.node(place)?;
        let part = |at| u16_at(node, at).map(u64::from);
        Some(part(0)? | part(2)? << 16 | part(4)? << 32)
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

/// The key of a node, and the bytes after it.
pub(super) fn key_of(node: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = usize::from(u16_at(node, 6)?);
    node.get(NODE_HEADER_BYTES..)?.split_at_checked(len)
}

/// Compares as bytes; the first sixteen without a call.
fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let Some((left_head, left_rest)) = left.split_first_chunk() else { return left.cmp(right) };
    let Some((right_head, right_rest)) = right.split_first_chunk() else { return left.cmp(right) };
    let heads = u128::from_be_bytes(*left_head).cmp(&u128::from_be_bytes(*right_head));
    heads.then_with(|| left_rest.cmp(right_rest))
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn keys_compare_as_bytes_do() {
        let keys: Vec<Vec<u8>> =
            (0..40).flat_map(|len| [0, 1, 0xff].map(|last| [vec![7; len], vec![last]].concat())).collect();
        for left in &keys {
            for right in &keys {
                assert_eq!(compare(left, right), left.cmp(right), "{left:?} {right:?}");
            }
        }
    }
}
