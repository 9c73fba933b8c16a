//! Looks one key up in the pages that LMDB has mapped. LMDB's own search waits for memory at each key that it compares; this one asks
//! for all that a leaf may have it look at as soon as it knows the leaf, and needs no cursor. Total over any bytes: where a page is not
//! what LMDB writes, or a value lies elsewhere, LMDB is to say.

use std::{cmp::Ordering, ptr};

use ledgerstone_format::ByteReader;

use super::page_walk::{PAGE_HEADER_BYTES, TreeRecord};
use crate::cache_line::{LINE_BYTES, fetch};

/// The only size that is searched here: no map begins in the middle of such a page.
const PAGE_BYTES: usize = 4096;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const NODE_HEADER_BYTES: usize = 8;
/// So many entries of a leaf are asked for, spread over it.
const ASKED_FOR: usize = 32;

type Page = [u8; PAGE_BYTES];

/// What a search has come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Search<'a> {
    Found(&'a [u8]),
    Missing,
    /// LMDB is to say.
    Unknown,
}

/// A tree as one read transaction sees it.
#[derive(Debug)]
pub(super) struct PointSearch {
    /// The address of the map.
    base: usize,
    /// How many of its pages there are in the file.
    pages: u64,
    root: Option<u64>,
    depth: u16,
}

impl PointSearch {
    /// `record` is the tree's, and `pages` one more than the number of the last page. `None` when its pages are of another size, or its
    /// keys in another order.
    ///
    /// # Safety
    ///
    /// `record` is where LMDB has it in the map, as it gave it to a read transaction that lasts as long as the search is used.
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

    /// The data of `key`.
    pub(super) fn find(&self, key: &[u8]) -> Search<'_> {
        let Some(mut number) = self.root else { return Search::Missing };
        for _ in 1..self.depth {
            let child = self.nodes(number, BRANCH).and_then(|branch| branch.child(key));
            let Some(child) = child else { return Search::Unknown };
            number = child;
        }
        let Some(leaf) = self.nodes(number, LEAF) else { return Search::Unknown };
        leaf.ask_for_entries();
        match leaf.place_of(key, 0) {
            Some(Ok(place)) => leaf.data(place).map_or(Search::Unknown, Search::Found),
            Some(Err(_)) => Search::Missing,
            None => Search::Unknown,
        }
    }

    #[allow(unsafe_code, reason = "a page in LMDB's map")]
    fn nodes(&self, number: u64, kind: u16) -> Option<Nodes<'_>> {
        if number >= self.pages {
            return None;
        }
        let address = self.base.checked_add(usize::try_from(number).ok()?.checked_mul(PAGE_BYTES)?)?;
        fetch(address);
        fetch(address + LINE_BYTES);
        // SAFETY: the file has the page and the map has all of the file; no page that a transaction can come to is written to as long
        // as it lasts, and those that it cannot come to are of a kind or a number that `Nodes` refuses, or are not being written to
        // through this map at all. Any bytes will do.
        let page = unsafe { &*ptr::with_exposed_provenance::<Page>(address) };
        Nodes::new(page, number, kind)
    }
}

/// A page: number, flags, bounds; the offsets of its nodes, in the order of their keys; the nodes.
struct Nodes<'a> {
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

    fn ask_for_entries(&self) {
        let page = self.page.as_ptr().addr();
        for offset in self.offsets.iter().step_by(self.offsets.len().div_ceil(ASKED_FOR)) {
            fetch(page + usize::from(u16::from_le_bytes(*offset)) + NODE_HEADER_BYTES);
        }
    }

    /// A node from its header on, to the end of the page.
    fn node(&self, place: usize) -> Option<&'a [u8]> {
        self.page.get(usize::from(u16::from_le_bytes(*self.offsets.get(place)?))..)
    }

    /// The place of `key` from `from` on; otherwise that of the first greater one.
    fn place_of(&self, key: &[u8], from: usize) -> Option<Result<usize, usize>> {
        let (mut from, mut to) = (from, self.offsets.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            let (found, _) = key_of(self.node(middle)?)?;
            match compare(found, key) {
                Ordering::Less => from = middle + 1,
                Ordering::Equal => return Some(Ok(middle)),
                Ordering::Greater => to = middle,
            }
        }
        Some(Err(from))
    }

    /// The page that has `key`, if any has. The first key of a branch means nothing.
    fn child(&self, key: &[u8]) -> Option<u64> {
        let place = match self.place_of(key, 1)? {
            Ok(place) => place,
            Err(greater) => greater.checked_sub(1)?,
        };
        let node = self.node(place)?;
        let part = |at| u16_at(node, at).map(u64::from);
        Some(part(0)? | part(2)? << 16 | part(4)? << 32)
    }

    /// `None` also where the data has pages of its own.
    fn data(&self, place: usize) -> Option<&'a [u8]> {
        let node = self.node(place)?;
        let (low, high, flags) = (u16_at(node, 0)?, u16_at(node, 2)?, u16_at(node, 4)?);
        let len = usize::try_from(u32::from(low) | u32::from(high) << 16).ok()?;
        let (_, data) = key_of(node)?;
        if flags == 0 { data.get(..len) } else { None }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

/// The key of a node, and what follows.
fn key_of(node: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = usize::from(u16_at(node, 6)?);
    node.get(NODE_HEADER_BYTES..)?.split_at_checked(len)
}

/// As bytes compare; the first sixteen without a call.
fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let Some((left_head, left_rest)) = left.split_first_chunk() else { return left.cmp(right) };
    let Some((right_head, right_rest)) = right.split_first_chunk() else { return left.cmp(right) };
    let heads = u128::from_be_bytes(*left_head).cmp(&u128::from_be_bytes(*right_head));
    heads.then_with(|| left_rest.cmp(right_rest))
}

#[cfg(test)]
mod tests;
