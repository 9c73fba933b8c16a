//! Keys that divide LMDB's tree into parts of about the same size: those of its branch pages, from the root down as far as there are too few.

use super::{
    mapped_tree::{MappedTree, key_of},
    page_walk::BRANCH,
};

/// So many keys for each part are looked at: children are half full or full.
const KEYS_PER_PART: usize = 16;

/// Full keys, ascending; fewer, or none, where the tree has no more leaves, or is not what LMDB writes.
pub(super) fn divide(tree: &MappedTree, parts: usize) -> Vec<Vec<u8>> {
    let mut level: Vec<u64> = tree.root.into_iter().collect();
    let mut keys = Vec::new();
    for _ in 1..tree.depth {
        let (mut below, mut found) = (Vec::new(), Vec::new());
        for page in &level {
            let Some(nodes) = tree.nodes(*page, BRANCH) else { return evenly(keys, parts) };
            for place in 0..nodes.len() {
                below.extend(nodes.child(place));
                // The first key of a branch means nothing; the one above it does.
                if place > 0
                    && let Some((key, _)) = nodes.node(place).and_then(key_of)
                {
                    found.push(key.to_vec());
                }
            }
        }
        keys.extend(found);
        keys.sort_unstable();
        if keys.len() >= parts.saturating_mul(KEYS_PER_PART) {
            break;
        }
        level = below;
    }
    evenly(keys, parts)
}

/// Up to `parts - 1` of `keys`, which are sorted, as far apart from each other as can be.
pub(super) fn evenly(mut keys: Vec<Vec<u8>>, parts: usize) -> Vec<Vec<u8>> {
    keys.dedup();
    let (all, wanted) = (keys.len(), parts.saturating_sub(1));
    if all <= wanted {
        return keys;
    }
    let at = |part: usize| (part * all) / (wanted + 1);
    let places: Vec<usize> = (1..=wanted).map(at).collect();
    places.into_iter().filter_map(|place| keys.get_mut(place).map(std::mem::take)).collect()
}

#[cfg(test)]
mod tests {
    use super::evenly;

    #[test]
    fn keys_are_taken_as_far_apart_as_can_be_and_none_twice() {
        let keys: Vec<Vec<u8>> = (0..100).map(|n| vec![n]).collect();
        assert_eq!(evenly(keys.clone(), 4), [[25], [50], [75]]);
        assert_eq!(evenly(keys.clone(), 1), Vec::<Vec<u8>>::new());
        assert_eq!(evenly(keys.clone(), 1_000), keys);
        for parts in 2..100 {
            let divided = evenly(keys.clone(), parts);
            assert!(divided.len() == parts - 1 && divided.is_sorted_by(|a, b| a < b), "{parts}");
        }
        assert_eq!(evenly(vec![vec![1], vec![1]], 9), [[1]]);
    }
}
