//! Searches several keys at the same time. A search waits for memory at each page and node; here it prefetches what it looks at
//! next, and the others make their steps during that time. The result is only a hint: the caller still compares the key.

use std::{array, cmp::Ordering, ops::Range};

use super::{
    Place,
    mapped_tree::{MappedTree, Nodes},
    page_walk::{BRANCH, LEAF, NODE_HEADER_BYTES},
};
use crate::cache_line::LINE_BYTES;

/// Enough that each step's memory has arrived at its turn, while all prefetched lines fit into the nearest cache.
const AT_ONCE: usize = 16;
/// The number of lines of an entry to prefetch after the one in which its key begins.
const ENTRY_LINES: usize = 2;
/// This part of a key decides most comparisons: a collection's id and sixteen bytes.
const COMPARED_BYTES: usize = 20;

/// The places of those `keys` that exist.
pub(super) fn locate(tree: &MappedTree, keys: &[&[u8]], places: &mut [Option<Place>]) {
    let Some(root) = tree.root else { return };
    for (keys, places) in keys.chunks(AT_ONCE).zip(places.chunks_mut(AT_ONCE)) {
        let mut searches: [Option<Search<'_>>; AT_ONCE] = array::from_fn(|_| Some(Search::new(tree, root)));
        let mut going = true;
        while going {
            going = false;
            for ((search, key), place) in searches.iter_mut().zip(keys).zip(places.iter_mut()) {
                let step = search.as_mut().map(|search| search.step(key));
                match step {
                    Some(Step::Going) => going = true,
                    Some(Step::Over(found)) => {
                        *place = found;
                        *search = None;
                    }
                    None => {}
                }
            }
        }
    }
}

/// A search between two steps.
struct Search<'a> {
    tree: &'a MappedTree,
    /// The number of its current page, and how many levels are below.
    number: u64,
    below: u16,
    /// The nodes on the page, and where the key can be among them; `None` before it has been read.
    page: Option<(Nodes<'a>, Range<usize>)>,
}

enum Step {
    Going,
    Over(Option<Place>),
}

impl<'a> Search<'a> {
    fn new(tree: &'a MappedTree, root: u64) -> Self {
        Self { tree, number: root, below: tree.depth.saturating_sub(1), page: None }
    }

    /// Advances to the next point where it would wait.
    fn step(&mut self, key: &[u8]) -> Step {
        let Some((nodes, places)) = &mut self.page else { return self.look_at_page() };
        if !Range::is_empty(places) {
            let middle = middle_of(places);
            match nodes.compare_at(middle, key) {
                Some(Ordering::Less) => places.start = middle + 1,
                Some(Ordering::Equal) => return self.found(middle),
                Some(Ordering::Greater) => places.end = middle,
                None => return Step::Over(None),
            }
        }
        if !Range::is_empty(places) {
            expect(nodes, middle_of(places));
            return Step::Going;
        }
        // In a branch, the child before the first greater key.
        match places.start.checked_sub(1) {
            Some(place) if self.below > 0 => self.go_down(place),
            _ => Step::Over(None),
        }
    }

    fn look_at_page(&mut self) -> Step {
        let is_leaf = self.below == 0;
        let Some(nodes) = self.tree.nodes(self.number, if is_leaf { LEAF } else { BRANCH }) else {
            return Step::Over(None);
        };
        // The first key of a branch has no meaning.
        let places = usize::from(!is_leaf)..nodes.len();
        expect(&nodes, middle_of(&places));
        self.page = Some((nodes, places));
        Step::Going
    }

    fn found(&mut self, node: usize) -> Step {
        if self.below > 0 {
            return self.go_down(node);
        }
        let Some((nodes, _)) = &self.page else { return Step::Over(None) };
        (1..=ENTRY_LINES).for_each(|line| nodes.expect_at(node, line * LINE_BYTES));
        Step::Over(Some(Place { page: self.number, node }))
    }

    fn go_down(&mut self, place: usize) -> Step {
        let child = self.page.as_ref().and_then(|(nodes, _)| nodes.child(place));
        let Some(child) = child else { return Step::Over(None) };
        self.number = child;
        self.below -= 1;
        self.page = None;
        self.tree.expect(child);
        Step::Going
    }
}

fn middle_of(places: &Range<usize>) -> usize {
    usize::midpoint(places.start, places.end)
}

/// Prefetches the node of the next step.
fn expect(nodes: &Nodes<'_>, place: usize) {
    nodes.expect_at(place, 0);
    nodes.expect_at(place, NODE_HEADER_BYTES + COMPARED_BYTES);
}
