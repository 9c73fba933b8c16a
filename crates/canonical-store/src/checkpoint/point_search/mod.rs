//! Searches one key in the pages that LMDB has mapped. LMDB's search waits for memory at each key that it compares. This one
//! needs no cursor, and as soon as it knows the leaf it prefetches everything that it may compare there. For a page that LMDB
//! does not write like this, or a value on other pages, LMDB answers.

use super::{
    Place,
    mapped_tree::{MappedTree, Nodes, key_of, u16_at},
    page_walk::{BRANCH, LEAF, NODE_HEADER_BYTES},
};
use crate::cache_line::fetch;

/// The number of a leaf's entries to prefetch, spread over it.
const ASKED_FOR: usize = 32;

/// The result of a search.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Search<'a> {
    Found(&'a [u8]),
    Missing,
    /// The caller must ask LMDB.
    Unknown,
}

/// The data of `key`.
pub(super) fn find<'a>(tree: &'a MappedTree, key: &[u8]) -> Search<'a> {
    let Some(mut number) = tree.root else { return Search::Missing };
    for _ in 1..tree.depth {
        let branch = tree.nodes(number, BRANCH);
        let child = branch.and_then(|branch| branch.child(branch.place_of_child(key)?));
        let Some(child) = child else { return Search::Unknown };
        number = child;
    }
    let Some(leaf) = tree.nodes(number, LEAF) else { return Search::Unknown };
    leaf.addresses(ASKED_FOR).for_each(|node| fetch(node + NODE_HEADER_BYTES));
    match leaf.place_of(key, 0) {
        Some(Ok(place)) => data(&leaf, place).map_or(Search::Unknown, Search::Found),
        Some(Err(_)) => Search::Missing,
        None => Search::Unknown,
    }
}

/// The data of `key`, if it is where `place` says.
pub(super) fn find_at<'a>(tree: &'a MappedTree, key: &[u8], place: Place) -> Option<&'a [u8]> {
    let leaf = tree.nodes(place.page, LEAF)?;
    let (found, _) = key_of(leaf.node(place.node)?)?;
    if found == key { data(&leaf, place.node) } else { None }
}

/// The value of an entry; `None` also if it is on separate pages.
fn data<'a>(leaf: &Nodes<'a>, place: usize) -> Option<&'a [u8]> {
    let node = leaf.node(place)?;
    let (low, high, flags) = (u16_at(node, 0)?, u16_at(node, 2)?, u16_at(node, 4)?);
    let len = usize::try_from(u32::from(low) | u32::from(high) << 16).ok()?;
    let (_, data) = key_of(node)?;
    if flags == 0 { data.get(..len) } else { None }
}

#[cfg(test)]
mod tests;
