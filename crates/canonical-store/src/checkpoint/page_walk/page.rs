//! Parses an untrusted page of one of LMDB's trees. Accepts exactly what LMDB writes: its entries are consecutive from `upper`
//! to the page's end. LMDB moves bytes by these offsets and sizes when it changes a page.

use ledgerstone_format::ByteReader;

pub(crate) const PAGE_HEADER_BYTES: usize = 16;
pub(crate) const BRANCH: u16 = 0x01;
pub(crate) const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
/// The node's data is the number of the page where the value begins.
const DATA_IS_ELSEWHERE: u16 = 0x01;
/// The node's data is the record of a tree.
const DATA_IS_A_TREE: u16 = 0x02;
pub(crate) const NODE_HEADER_BYTES: usize = 8;

/// The kind of a tree's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Branch,
    Leaf,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    pub(super) key: &'a [u8],
    pub(super) data: Data<'a>,
}

/// The data of a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Data<'a> {
    Child(u64),
    Here(&'a [u8]),
    /// The record of a tree.
    Tree(&'a [u8]),
    /// On separate pages.
    Elsewhere {
        page: u64,
        len: usize,
    },
}

/// The sizes that LMDB derives from the page size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) page: usize,
    /// The largest node that contains its data; a larger one has its data elsewhere.
    node: usize,
    pub(super) key: usize,
}

impl Sizes {
    pub(super) fn new(page_bytes: u64) -> Self {
        let page = usize::try_from(page_bytes).unwrap_or_default();
        let node = ((page.saturating_sub(PAGE_HEADER_BYTES) / 2) & !1).saturating_sub(2);
        Self { page, node, key: node.saturating_sub(NODE_HEADER_BYTES + super::TREE_RECORD_BYTES) }
    }
}

/// Checks number and flags; the rest of the page's header follows.
fn header(page: &[u8], number: u64, flags: u16) -> Result<ByteReader<'_>, &'static str> {
    let mut reader = ByteReader::new(page);
    match (reader.u64(), reader.u16(), reader.u16()) {
        (Some(own), _, _) if own != number => Err("a page has the number of another one"),
        (Some(_), Some(0), Some(found)) if found == flags => Ok(reader),
        _ => Err("a page is not of the kind that its place asks for"),
    }
}

/// The nodes of page `number`, in the order of their keys.
pub(super) fn nodes(page: &[u8], number: u64, kind: Kind, sizes: Sizes) -> Result<Vec<Node<'_>>, &'static str> {
    const BOUNDS: &str = "the bounds of a page cannot be right";
    let (flags, fewest) = if kind == Kind::Leaf { (LEAF, 1) } else { (BRANCH, 2) };
    let mut reader = header(page, number, flags)?;
    let (lower, upper) = (reader.u16().ok_or(BOUNDS)?, reader.u16().ok_or(BOUNDS)?);
    let (lower, upper) = (usize::from(lower), usize::from(upper));
    let offsets = page.get(PAGE_HEADER_BYTES..lower).ok_or(BOUNDS)?;
    if page.len() != sizes.page || !lower.is_multiple_of(2) || lower > upper || upper > page.len() {
        return Err(BOUNDS);
    }
    if offsets.len() / 2 < fewest {
        return Err("a page has too few entries");
    }
    let mut spans = Vec::with_capacity(offsets.len() / 2);
    let mut nodes = Vec::with_capacity(offsets.len() / 2);
    for offset in offsets.chunks_exact(2) {
        let offset = offset.try_into().map_or(0, u16::from_le_bytes);
        let (node, bytes) = node(page, usize::from(offset), kind, sizes).ok_or("an entry of a page cannot be right")?;
        spans.push((usize::from(offset), bytes));
        nodes.push(node);
    }
    spans.sort_unstable();
    let end = spans.iter().try_fold(upper, |at, (offset, bytes)| (at == *offset).then_some(offset + bytes));
    if end == Some(page.len()) { Ok(nodes) } else { Err("the entries of a page overlap or leave gaps") }
}

/// Two halves of a size or a page number, flags, key size, key, data; and its length, padding included.
fn node(page: &[u8], offset: usize, kind: Kind, sizes: Sizes) -> Option<(Node<'_>, usize)> {
    let mut reader = ByteReader::new(page.get(offset..)?);
    let (low, high) = (reader.u16()?, reader.u16()?);
    let (flags, key_len) = (reader.u16()?, usize::from(reader.u16()?));
    let number = u64::from(low) | u64::from(high) << 16;
    let key = reader.take(key_len)?;
    let data = match kind {
        Kind::Branch => Data::Child(number | u64::from(flags) << 32),
        Kind::Leaf => {
            let len = usize::try_from(number).ok()?;
            match flags {
                0 => Data::Here(reader.take(len)?),
                DATA_IS_A_TREE => Data::Tree(reader.take(len)?),
                DATA_IS_ELSEWHERE => Data::Elsewhere { page: reader.u64()?, len },
                _ => return None,
            }
        }
    };
    let bytes = reader.position();
    (key_len <= sizes.key && bytes <= sizes.node).then_some((Node { key, data }, bytes.next_multiple_of(2)))
}

/// The number of pages in the run that begins with `page`.
pub(super) fn overflow_pages(page: &[u8], number: u64) -> Result<u64, &'static str> {
    let mut reader = header(page, number, OVERFLOW)?;
    reader.u32().map(u64::from).ok_or("a page is too short")
}
