//! The parsers of the checkpoint as tests show any bytes to them: LMDB's pages by our own search, and the records in its entries.

use super::{
    Place, batch,
    group_search::locate,
    mapped_tree::{MappedTree, PAGE_BYTES, Page, key_of, u16_at},
    page_walk::{LEAF, PAGE_HEADER_BYTES},
    point_search::{Search, find, find_at},
    unfinished_flush, value,
};
use crate::meta::MetaRecord;

/// A record that an entry of LMDB's holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateRecord {
    /// How far the checkpoint has come.
    Meta,
    /// A collection.
    Catalog,
    /// How far a flush of several transactions goes.
    UnfinishedFlush,
}

/// What `bytes` say as such a record, in words, and written anew; `None` when they are none, or of another version.
pub fn read_record(record: StateRecord, bytes: &[u8]) -> Option<(String, Vec<u8>)> {
    const ID: u32 = 2;
    Some(match record {
        StateRecord::Meta => {
            let meta = MetaRecord::decode(bytes).ok()??;
            (format!("{meta:?}"), meta.encode())
        }
        StateRecord::Catalog => {
            let entry = batch::decode_entry(ID, bytes)?;
            (format!("{entry:?}"), batch::encode_entry(&entry))
        }
        StateRecord::UnfinishedFlush => {
            let seq = unfinished_flush::decode(bytes).ok()??;
            (format!("{seq}"), unfinished_flush::encode(seq))
        }
    })
}

/// At pages of memory, as in a map.
#[repr(align(4096))]
#[expect(dead_code, reason = "read by its address")]
struct Aligned(Page);

/// What is found for each of `keys` in these pages, one by one and together, in a tree of that root and depth.
pub fn search_pages(bytes: &[u8], root: u64, depth: u16, keys: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
    let (pages, _) = bytes.as_chunks::<PAGE_BYTES>();
    let map: Vec<Aligned> = pages.iter().map(|page| Aligned(*page)).collect();
    let tree =
        MappedTree { base: map.as_ptr().expose_provenance(), pages: pages.len() as u64, root: Some(root), depth };
    let mut places: Vec<Option<Place>> = vec![None; keys.len()];
    locate(&tree, keys, &mut places);
    let found = keys.iter().zip(places).map(|(key, place)| {
        let at_place = place.and_then(|place| find_at(&tree, key, place));
        match find(&tree, key) {
            Search::Found(value) => Some(value.to_vec()),
            Search::Missing | Search::Unknown => at_place.map(<[u8]>::to_vec),
        }
    });
    found.collect()
}

/// Makes the checksum right of every entry on a page that looks like a leaf.
pub fn reseal_pages(bytes: &mut [u8]) {
    for page in bytes.as_chunks_mut::<PAGE_BYTES>().0 {
        reseal_page(page);
    }
}

fn reseal_page(page: &mut Page) {
    const LOWER_AT: usize = 12;
    let is_leaf = u16_at(page, LOWER_AT - 2) == Some(LEAF);
    let Some(lower) = u16_at(page, LOWER_AT).filter(|_| is_leaf) else { return };
    for at in (PAGE_HEADER_BYTES..usize::from(lower)).step_by(2) {
        let Some(node) = u16_at(page, at).and_then(|offset| page.get_mut(usize::from(offset)..)) else { continue };
        let Some((key, data)) = key_of(node) else { continue };
        let (key, start) = (key.to_vec(), node.len() - data.len());
        let len = u16_at(node, 0).map_or(0, usize::from);
        if let Some(stored) = node.get_mut(start..).and_then(|data| data.get_mut(..len)) {
            value::reseal(&key, stored);
        }
    }
}
