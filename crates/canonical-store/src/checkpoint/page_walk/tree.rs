//! The walk down one tree. Total over any bytes: a page is visited once, and a tree is no deeper than its record says.

use std::cmp::Ordering;

use super::{
    Contents, Counts, Data, Node, PageWalk, TreeRecord,
    page::{self, Kind, PAGE_HEADER_BYTES},
};

/// Two needed pages with at most this many between them are read together.
const GAP_PAGES: u64 = 8;
/// The maximum bytes per read.
const RUN_BYTES: u64 = 256 * 1024;

/// How the keys of a tree are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyOrder {
    Bytes,
    /// Numbers of 8 bytes.
    Numbers,
}

impl KeyOrder {
    fn accepts(self, key: &[u8]) -> bool {
        if self == Self::Numbers { key.len() == 8 } else { !key.is_empty() }
    }

    fn compare(self, left: &[u8], right: &[u8]) -> Ordering {
        let number = |key: &[u8]| key.try_into().map_or(0, u64::from_le_bytes);
        if self == Self::Numbers { number(left).cmp(&number(right)) } else { left.cmp(right) }
    }
}

/// A page below a branch page, with the keys that bound its keys.
#[derive(Clone, Copy, Debug)]
struct Child<'a> {
    page: u64,
    /// Inclusive.
    from: Option<&'a [u8]>,
    /// Exclusive.
    to: Option<&'a [u8]>,
}

/// The walk of one tree.
struct Pass<'a> {
    order: KeyOrder,
    contents: &'a mut dyn Contents,
    counted: Counts,
}

impl PageWalk<'_> {
    /// Walks a tree and passes its entries to `contents`. Reports faults; returns what it counted.
    pub(super) fn tree(&mut self, tree: &TreeRecord, order: KeyOrder, contents: &mut dyn Contents) -> Counts {
        let found_before = self.found;
        let mut pass = Pass { order, contents, counted: Counts::default() };
        let Some(root) = tree.root else { return pass.counted };
        self.level(&mut pass, vec![Child { page: root, from: None, to: None }], tree.depth, 0);
        if self.found == found_before && !self.is_cancelled() && pass.counted != tree.counts {
            self.damaged(root, "a tree does not have what its record says");
        }
        pass.counted
    }

    /// Visits the pages named by the page `parent`, in the order of the file.
    fn level(&mut self, pass: &mut Pass<'_>, mut children: Vec<Child<'_>>, depth: u16, parent: u64) {
        children.retain(|child| match self.used.take(child.page, 1) {
            Ok(()) => true,
            Err(what) => {
                self.damaged(parent, what);
                false
            }
        });
        children.sort_unstable_by_key(|child| child.page);
        let page_bytes = self.sizes.page;
        let longest = RUN_BYTES / self.meta.page_bytes;
        let mut bytes = Vec::new();
        let mut rest = children.as_slice();
        while let Some(first) = rest.first().filter(|_| !self.is_cancelled()) {
            let mut end = first.page;
            let count = rest.iter().take_while(|child| {
                let is_near = child.page - end <= GAP_PAGES && child.page - first.page < longest;
                end = if is_near { child.page } else { end };
                is_near
            });
            let (run, others) = rest.split_at(count.count());
            rest = others;
            if self.read(first.page, end + 1 - first.page, &mut bytes) {
                for child in run {
                    let index = usize::try_from(child.page - first.page).unwrap_or(usize::MAX);
                    self.page(pass, bytes.chunks_exact(page_bytes).nth(index).unwrap_or_default(), child, depth);
                }
            }
        }
    }

    fn page(&mut self, pass: &mut Pass<'_>, bytes: &[u8], child: &Child<'_>, depth: u16) {
        let kind = if depth <= 1 { Kind::Leaf } else { Kind::Branch };
        let nodes = match page::nodes(bytes, child.page, kind, self.sizes) {
            Ok(nodes) => nodes,
            Err(what) => return self.damaged(child.page, what),
        };
        if !are_in_order(&nodes, pass.order, kind, child) {
            return self.damaged(child.page, "the keys of a page are not in order, or not below their parent's");
        }
        if kind == Kind::Leaf {
            pass.counted.leaf_pages += 1;
            for node in &nodes {
                self.entry(pass, node, child.page);
            }
            return;
        }
        pass.counted.branch_pages += 1;
        let upper = nodes.iter().skip(1).map(|next| Some(next.key)).chain([child.to]);
        let children = nodes.iter().zip(upper).filter_map(|(node, to)| match node.data {
            Data::Child(page) => {
                Some(Child { page, from: Some(node.key).filter(|key| !key.is_empty()).or(child.from), to })
            }
            _ => None,
        });
        self.level(pass, children.collect(), depth - 1, child.page);
    }

    fn entry(&mut self, pass: &mut Pass<'_>, node: &Node<'_>, page: u64) {
        pass.counted.entries += 1;
        pass.contents.begin(node.key, &node.data);
        match node.data {
            Data::Here(bytes) => pass.contents.piece(bytes),
            Data::Elsewhere { page: first, len } => match self.elsewhere(pass, first, len) {
                Ok(true) => {}
                Ok(false) => return,
                Err(what) => return self.damaged(first, what),
            },
            Data::Child(_) | Data::Tree(_) => {}
        }
        if let Err((kind, what)) = pass.contents.end() {
            self.flawed(kind, page, what);
        }
    }

    /// Passes on data that is on separate pages, piece by piece; returns whether it could be read.
    fn elsewhere(&mut self, pass: &mut Pass<'_>, first: u64, len: usize) -> Result<bool, &'static str> {
        let page_bytes = self.meta.page_bytes;
        let needed = (len as u64).saturating_add(PAGE_HEADER_BYTES as u64).div_ceil(page_bytes);
        if first < 2 || first.saturating_add(needed) > self.file_pages {
            return Err("data is said to be on pages that the file does not have");
        }
        let at_once = RUN_BYTES / page_bytes;
        let mut bytes = Vec::new();
        let (mut done, mut missing, mut skip) = (0, len, PAGE_HEADER_BYTES);
        while done < needed {
            let count = at_once.min(needed - done);
            if self.is_cancelled() || !self.read(first + done, count, &mut bytes) {
                return Ok(false);
            }
            if done == 0 {
                let pages = page::overflow_pages(&bytes, first)?;
                if pages < needed {
                    return Err("data has fewer pages than it needs");
                }
                self.used.take(first, pages)?;
                pass.counted.overflow_pages += pages;
            }
            let data = bytes.get(skip..).unwrap_or_default();
            let data = data.get(..missing).unwrap_or(data);
            pass.contents.piece(data);
            (done, missing, skip) = (done + count, missing - data.len(), 0);
        }
        Ok(true)
    }
}

/// Whether keys ascend within their bounds. The first key of a branch page is ignored: it would be its lower bound.
fn are_in_order(nodes: &[Node<'_>], order: KeyOrder, kind: Kind, child: &Child<'_>) -> bool {
    let is_first_left_out = kind == Kind::Branch;
    if is_first_left_out && nodes.first().is_some_and(|node| !node.key.is_empty()) {
        return false;
    }
    let keys = || nodes.iter().skip(usize::from(is_first_left_out)).map(|node| node.key);
    let is_above = |from: &[u8], key: &[u8]| match order.compare(from, key) {
        Ordering::Less => true,
        Ordering::Equal => kind == Kind::Leaf,
        Ordering::Greater => false,
    };
    keys().all(|key| order.accepts(key))
        && keys().zip(keys().skip(1)).all(|(left, right)| order.compare(left, right) == Ordering::Less)
        && child.from.zip(keys().next()).is_none_or(|(from, first)| is_above(from, first))
        && child.to.zip(keys().next_back()).is_none_or(|(to, last)| order.compare(last, to) == Ordering::Less)
}
