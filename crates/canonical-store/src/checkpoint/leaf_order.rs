//! Predicts the next leaf of LMDB's tree, so that a scan can prefetch it. A wrong prediction costs only time.

use super::{
    mapped_tree::{MappedTree, Nodes},
    page_walk::BRANCH,
};

/// The position of a scan in a tree.
pub(super) struct LeafOrder<'a> {
    tree: &'a MappedTree,
    root: u64,
    /// The branch above the leaf, and the leaf's place in it.
    parent: Option<(Nodes<'a>, usize)>,
}

impl<'a> LeafOrder<'a> {
    /// `None` when there is only one leaf.
    pub(super) fn new(tree: &'a MappedTree) -> Option<Self> {
        let root = tree.root.filter(|_| tree.depth > 1)?;
        Some(Self { tree, root, parent: None })
    }

    /// The address of the leaf after the one at `leaf` (in `reverse`, before it), which contains the entry with `key`. `None`
    /// where another branch begins.
    pub(super) fn next(&mut self, leaf: usize, key: &[u8], reverse: bool) -> Option<usize> {
        if !self.is_at(leaf) {
            self.parent = self.find(key);
            if !self.is_at(leaf) {
                return None;
            }
        }
        let (branch, place) = self.parent.as_mut()?;
        let next = if reverse { place.checked_sub(1)? } else { *place + 1 };
        let child = branch.child(next)?;
        *place = next;
        self.tree.address(child)
    }

    fn is_at(&self, leaf: usize) -> bool {
        let child = self.parent.as_ref().and_then(|(branch, place)| branch.child(*place));
        child.is_some_and(|child| self.tree.address(child) == Some(leaf))
    }

    fn find(&self, key: &[u8]) -> Option<(Nodes<'a>, usize)> {
        let mut branch = self.tree.nodes(self.root, BRANCH)?;
        for _ in 2..self.tree.depth {
            branch = self.tree.nodes(branch.child(branch.place_of_child(key)?)?, BRANCH)?;
        }
        Some((branch, branch.place_of_child(key)?))
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a folder of its own")]
mod tests {
    use std::env::temp_dir;

    use heed::{CommitOrAbort, Database, EnvOpenOptions, types::Bytes};

    use super::{LeafOrder, MappedTree};

    const ENTRIES: u32 = 20_000;

    /// Entries in random order, on leaves that are split anywhere.
    fn key(n: u32) -> Vec<u8> {
        let mixed = n.wrapping_mul(0x9e37_79b1);
        [mixed.to_be_bytes().as_slice(), &vec![b'k'; (mixed >> 27) as usize]].concat()
    }

    #[test]
    #[allow(unsafe_code, reason = "records are where LMDB has them")]
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
        let pages = || env.info().last_page_number as u64 + 1;
        let order_is_known = |entries: u32| {
            let mut write = env.write_txn().unwrap();
            (0..entries).for_each(|n| tree.put(&mut write, &key(n), &[7; 60]).unwrap());
            write.commit().unwrap();
            let read = env.read_txn().unwrap();
            let record = names.get(&read, b"tree").unwrap().unwrap();
            // SAFETY: the transaction ends after it.
            let tree = unsafe { MappedTree::new(record, page_bytes, pages()) }.unwrap();
            LeafOrder::new(&tree).is_some()
        };
        assert!(!order_is_known(1), "one leaf is in no order");
        assert!(order_is_known(ENTRIES));

        let read = env.read_txn().unwrap();
        let record = names.get(&read, b"tree").unwrap().unwrap();
        // The leaves in LMDB's order, and a key of each.
        let mut leaves: Vec<(usize, &[u8])> = Vec::new();
        for entry in tree.iter(&read).unwrap() {
            let (key, _) = entry.unwrap();
            let leaf = key.as_ptr().addr() & !(page_bytes - 1);
            if leaves.last().is_none_or(|(last, _)| *last != leaf) {
                leaves.push((leaf, key));
            }
        }
        // SAFETY: the transaction ends after all that uses it.
        let mut mapped = unsafe { MappedTree::new(record, page_bytes, pages()) }.unwrap();
        for reverse in [false, true] {
            let mut order = LeafOrder::new(&mapped).unwrap();
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
        // A file without any of the tree's pages.
        mapped.pages = 1;
        assert_eq!(LeafOrder::new(&mapped).unwrap().next(leaves[0].0, leaves[0].1, false), None);
        drop(read);
        env.prepare_for_closing().wait();
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
