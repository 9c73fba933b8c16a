//! A page of one of LMDB's trees, taken apart without trust: `None` where it is not what it should be.

use ledgerstone_format::ByteReader;

use super::meta_page::PAGE_HEADER_BYTES;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
/// The node's data is the number of the page where its data begins.
const DATA_IS_ELSEWHERE: u16 = 0x01;
const NODE_HEADER_BYTES: usize = 8;

/// What a page of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Branch,
    Leaf,
}

#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) key: &'a [u8],
    pub(super) data: Data<'a>,
}

/// What a node has beside its key.
#[derive(Debug)]
pub(super) enum Data<'a> {
    Child(u64),
    Here(&'a [u8]),
    /// On pages of its own.
    Elsewhere {
        page: u64,
        len: usize,
    },
}

/// The nodes of page `number`, if that is its own number and its kind is `kind`.
pub(super) fn nodes(page: &[u8], number: u64, kind: Kind) -> Option<Vec<Node<'_>>> {
    let mut reader = ByteReader::new(page);
    let own_number = reader.u64()?;
    reader.take(2)?;
    let (flags, lower) = (reader.u16()?, usize::from(reader.u16()?));
    let expected = if kind == Kind::Leaf { LEAF } else { BRANCH };
    if own_number != number || flags & (BRANCH | LEAF | OVERFLOW) != expected {
        return None;
    }
    page.get(PAGE_HEADER_BYTES..lower)?.chunks_exact(2).map(|offset| node(page, offset, kind)).collect()
}

/// Two halves of a size or a page number, flags, key size, key, data.
fn node<'a>(page: &'a [u8], offset: &[u8], kind: Kind) -> Option<Node<'a>> {
    let offset = usize::from(u16::from_le_bytes(offset.try_into().ok()?));
    let mut reader = ByteReader::new(page.get(offset..)?);
    let (low, high) = (reader.u16()?, reader.u16()?);
    let (flags, key_len) = (reader.u16()?, usize::from(reader.u16()?));
    debug_assert_eq!(reader.position(), NODE_HEADER_BYTES);
    let number = u64::from(low) | u64::from(high) << 16;
    let key = reader.take(key_len)?;
    let data = match kind {
        Kind::Branch => Data::Child(number | u64::from(flags) << 32),
        Kind::Leaf if flags & DATA_IS_ELSEWHERE != 0 => {
            Data::Elsewhere { page: reader.u64()?, len: usize::try_from(number).ok()? }
        }
        Kind::Leaf => Data::Here(reader.take(usize::try_from(number).ok()?)?),
    };
    Some(Node { key, data })
}

/// The bytes of data that have pages of their own, given those pages.
pub(super) fn overflow_data(pages: &[u8], number: u64, len: usize) -> Option<&[u8]> {
    let mut reader = ByteReader::new(pages);
    let own_number = reader.u64()?;
    reader.take(2)?;
    if own_number != number || reader.u16()? & (BRANCH | LEAF | OVERFLOW) != OVERFLOW {
        return None;
    }
    pages.get(PAGE_HEADER_BYTES..)?.get(..len)
}
