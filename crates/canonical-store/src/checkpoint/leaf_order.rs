//! Which leaf comes next in LMDB's tree, for a scan that asks for its memory in time. Looks at branch pages only, and only at those
//! that LMDB's cursor has come through to the leaf where it stands. An answer that is wrong costs time and nothing else.

use std::{marker::PhantomData, ptr};

use ledgerstone_format::ByteReader;

use super::page_walk::{PAGE_HEADER_BYTES, TreeRecord};

const BRANCH: u16 = 0x01;

/// A tree as one read transaction sees it, and where in it a scan is.
pub(super) struct LeafOrder<'transaction> {
    /// The address of the map.
    base: usize,
    map_bytes: usize,
    page_bytes: usize,
    root: u64,
    depth: u16,
    /// The branch above the leaf, and the leaf's place in it.
    parent: Option<(Branch<'transaction>, usize)>,
    transaction: PhantomData<&'transaction [u8]>,
}

impl<'transaction> LeafOrder<'transaction> {
    /// `record` is the tree's, where it lies in the map. `None` when there is but one leaf.
    #[allow(unsafe_code, reason = "the number of a page in LMDB's map")]
    pub(super) fn new(record: &'transaction [u8], page_bytes: usize, map_bytes: usize) -> Option<Self> {
        let TreeRecord { depth, root, .. } = TreeRecord::read(&mut ByteReader::new(record))?;
        let page = record.as_ptr().addr() & !(page_bytes - 1);
        // SAFETY: the page of an entry, which begins with its number, is mapped and not written to as long as the transaction
        // lasts. It is memory of LMDB's, which no reference of ours was ever made to.
        let number = unsafe { ptr::with_exposed_provenance::<u64>(page).read() };
        let base = page.checked_sub(usize::try_from(u64::from_le(number)).ok()?.checked_mul(page_bytes)?)?;
        let order = Self { base, map_bytes, page_bytes, root: root?, depth, parent: None, transaction: PhantomData };
        (depth > 1).then_some(order)
    }

    /// The address of the leaf behind the one at `leaf`, in which the entry with `key` is; before it, in `reverse`. `None` where
    /// another branch begins.
    pub(super) fn next(&mut self, leaf: usize, key: &[u8], reverse: bool) -> Option<usize> {
        if !self.is_at(leaf) {
            self.parent = self.find(key);
            if !self.is_at(leaf) {
                return None;
            }
        }
        let (branch, index) = self.parent.as_mut()?;
        let next = if reverse { index.checked_sub(1)? } else { *index + 1 };
        let (child, _) = branch.node(next)?;
        *index = next;
        self.address(child)
    }

    fn is_at(&self, leaf: usize) -> bool {
        let child = self.parent.as_ref().and_then(|(branch, index)| branch.node(*index));
        child.is_some_and(|(child, _)| self.address(child) == Some(leaf))
    }

    fn find(&self, key: &[u8]) -> Option<(Branch<'transaction>, usize)> {
        let mut number = self.root;
        for _ in 2..self.depth {
            let branch = self.branch(number)?;
            (number, _) = branch.node(branch.place_of(key)?)?;
        }
        let branch = self.branch(number)?;
        let index = branch.place_of(key)?;
        Some((branch, index))
    }

    /// Where a page is, if it is in the map.
    fn address(&self, number: u64) -> Option<usize> {
        let offset = usize::try_from(number).ok()?.checked_mul(self.page_bytes)?;
        (offset <= self.map_bytes - self.page_bytes).then_some(self.base + offset)
    }

    #[allow(unsafe_code, reason = "a page in LMDB's map")]
    fn branch(&self, number: u64) -> Option<Branch<'transaction>> {
        let page = ptr::with_exposed_provenance(self.address(number)?);
        // SAFETY: inside the map, which stays where it is as long as a transaction lasts; LMDB's cursor has read the page on its
        // way to the same key, and no page that a transaction can come to is written to.
        Branch::new(unsafe { std::slice::from_raw_parts(page, self.page_bytes) })
    }
}

/// A branch page: number, flags, bounds; the offsets of its nodes; the nodes.
struct Branch<'a> {
    page: &'a [u8],
    offsets: &'a [u8],
}

impl<'a> Branch<'a> {
    fn new(page: &'a [u8]) -> Option<Self> {
        let mut header = ByteReader::new(page);
        header.take(10)?;
        let (flags, lower) = (header.u16()?, header.u16()?);
        let offsets = page.get(PAGE_HEADER_BYTES..usize::from(lower))?;
        (flags == BRANCH).then_some(Self { page, offsets })
    }

    /// The child's number and the key from which on it has entries; of the first one that key means nothing.
    fn node(&self, index: usize) -> Option<(u64, &'a [u8])> {
        let offset = self.offsets.get(index.checked_mul(2)?..)?.first_chunk()?;
        let mut node = ByteReader::new(self.page.get(usize::from(u16::from_le_bytes(*offset))..)?);
        let (low, high, highest) = (node.u16()?, node.u16()?, node.u16()?);
        let key_len = node.u16()?;
        let child = u64::from(low) | u64::from(high) << 16 | u64::from(highest) << 32;
        Some((child, node.take(usize::from(key_len))?))
    }

    /// The index of the child that has `key`, if any has.
    fn place_of(&self, key: &[u8]) -> Option<usize> {
        let (mut from, mut to) = (1, self.offsets.len() / 2);
        while from < to {
            let middle = usize::midpoint(from, to);
            if self.node(middle)?.1 <= key {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        Some(from - 1)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a folder of its own")]
mod tests {
    use std::env::temp_dir;

    use heed::{CommitOrAbort, Database, EnvOpenOptions, types::Bytes};

    use super::LeafOrder;

    const ENTRIES: u32 = 20_000;

    /// Entries in no order, on leaves that are split at any place.
    fn key(n: u32) -> Vec<u8> {
        let mixed = n.wrapping_mul(0x9e37_79b1);
        [mixed.to_be_bytes().as_slice(), &vec![b'k'; (mixed >> 27) as usize]].concat()
    }

    #[test]
    fn the_next_leaf_is_known_in_both_directions_and_never_a_wrong_one() {
        let dir = temp_dir().join(format!("ledgerstone-leaf-order-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let map_bytes = 64 << 20;
        #[allow(unsafe_code, reason = "nobody else knows the folder")]
        // SAFETY: as the reason says.
        let env = unsafe { EnvOpenOptions::new().max_dbs(1).map_size(map_bytes).open(&dir) }.unwrap();
        let CommitOrAbort::<_, ()>::Commit((names, tree)) = env
            .create_databases_and_commit(env.write_txn().unwrap(), |opener, transaction| {
                let names: Database<'_, Bytes, Bytes> = opener.create_database(transaction, None)?;
                let tree: Database<'_, Bytes, Bytes> = opener.create_database(transaction, Some("tree"))?;
                Ok::<_, heed::Error>(CommitOrAbort::Commit((names, tree)))
            })
            .unwrap()
        else {
            unreachable!()
        };
        let page_bytes = env.unnamed_database_stat().page_size as usize;
        let order_is_known = |entries: u32| {
            let mut write = env.write_txn().unwrap();
            (0..entries).for_each(|n| tree.put(&mut write, &key(n), &[7; 60]).unwrap());
            write.commit().unwrap();
            let read = env.read_txn().unwrap();
            LeafOrder::new(names.get(&read, b"tree").unwrap().unwrap(), page_bytes, map_bytes).is_some()
        };
        assert!(!order_is_known(1), "one leaf is in no order");
        assert!(order_is_known(ENTRIES));

        let read = env.read_txn().unwrap();
        let record = names.get(&read, b"tree").unwrap().unwrap();
        // The leaves as LMDB comes through them, and a key of each.
        let mut leaves: Vec<(usize, &[u8])> = Vec::new();
        for entry in tree.iter(&read).unwrap() {
            let (key, _) = entry.unwrap();
            let leaf = key.as_ptr().addr() & !(page_bytes - 1);
            if leaves.last().is_none_or(|(last, _)| *last != leaf) {
                leaves.push((leaf, key));
            }
        }
        for reverse in [false, true] {
            let mut order = LeafOrder::new(record, page_bytes, map_bytes).unwrap();
            let mut known = 0;
            for pair in leaves.windows(2) {
                if let Some(next) = order.next(pair[0].0, pair[0].1, reverse) {
                    assert_eq!(next, pair[1].0);
                    known += 1;
                }
            }
            assert!(known > leaves.len() * 9 / 10, "{known} of {}", leaves.len());
            assert_eq!(order.next(leaves[0].0, leaves[1].1, reverse), None, "the key is in another leaf");
            leaves.reverse();
        }
        // A record that contradicts itself, and one that leads nowhere.
        assert!(LeafOrder::new(&record[..47], page_bytes, map_bytes).is_none());
        let mut order = LeafOrder::new(record, page_bytes, page_bytes).unwrap();
        assert_eq!(order.next(leaves[0].0, leaves[0].1, false), None);
        drop(read);
        env.prepare_for_closing().wait();
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
