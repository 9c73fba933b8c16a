//! The content of a disk after a power cut: of everything unflushed, a part that the seed chooses. Invariant: a sector that no
//! unflushed or failed write touched is exactly what the last flush stored, and so is a folder without pending operations.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    content::{Content, SECTOR_BYTES, Sector},
    inode::Inode,
    random::Random,
    tree::{NameOp, Node, NodeId, ROOT, Tree},
};

/// The tree as found afterwards: everything in it is durable.
pub(super) fn tree_after(tree: &Tree, random: &mut Random) -> Tree {
    let mut after = tree.clone();
    keep_name_ops(&mut after, random);
    let mut reachable = BTreeSet::from([ROOT]);
    let mut folders = vec![ROOT];
    while let Some(id) = folders.pop() {
        for child in after.folder(id).into_iter().flat_map(|folder| folder.durable.values()) {
            if reachable.insert(*child) && after.folder(*child).is_some() {
                folders.push(*child);
            }
        }
    }
    after.nodes.retain(|id, _| reachable.contains(id));
    for node in after.nodes.values_mut() {
        match node {
            Node::Folder(folder) => folder.now = folder.durable.clone(),
            Node::Other(_) => {}
            Node::File(inode) => *inode = Inode { linked: true, ..Inode::stored(content_after(inode, random)) },
        }
    }
    after
}

/// Keeps the first few of each folder's pending operations, each together with its parts in other folders.
fn keep_name_ops(tree: &mut Tree, random: &mut Random) {
    let ops = std::mem::take(&mut tree.ops);
    let mut left: BTreeMap<NodeId, u64> = BTreeMap::new();
    for folder in ops.iter().flat_map(NameOp::folders) {
        *left.entry(folder).or_default() += 1;
    }
    for kept in left.values_mut() {
        *kept = match random.below(4) {
            0 => 0,
            1 => *kept,
            _ => random.below(*kept + 1),
        };
    }
    for op in &ops {
        let folders = op.folders();
        let keep = folders.iter().all(|folder| left.get(folder).is_some_and(|left| *left > 0));
        for folder in folders {
            left.entry(folder).and_modify(|left| *left = if keep { *left - 1 } else { 0 });
        }
        if keep {
            tree.store(op);
        }
    }
}

/// What happens to the unflushed changes of one file.
enum Fate {
    Nothing,
    Everything,
    /// The first changes arrived, and the next one in part.
    Prefix(usize),
    /// Each write arrived or not, in any order.
    Writes(Vec<bool>),
    /// Each sector separately.
    Sectors,
    /// As `Sectors`, and the device was writing at the power cut: some sectors hold neither old nor new bytes.
    Garbage,
}

impl Fate {
    fn draw(changes: usize, random: &mut Random) -> Self {
        match random.below(8) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2 | 3 => Self::Prefix(index_below(changes + 1, random)),
            4 | 5 => Self::Writes((0..changes).map(|_| random.one_in(2)).collect()),
            6 => Self::Sectors,
            _ => Self::Garbage,
        }
    }

    /// How many of the length changes arrived. They are metadata and keep their order.
    fn lengths_kept(&self, changes: usize, random: &mut Random) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Everything => changes,
            Self::Prefix(kept) => (kept + index_below(2, random)).min(changes),
            Self::Writes(_) | Self::Sectors | Self::Garbage if random.one_in(2) => changes,
            Self::Writes(_) | Self::Sectors | Self::Garbage => index_below(changes + 1, random),
        }
    }

    /// The last of the changes `touching` a sector (counted from 0, in order) that arrived there.
    fn sector(&self, touching: &[usize], random: &mut Random) -> Arrived {
        let newest = |kept: &dyn Fn(usize) -> bool| touching.iter().rev().copied().find(|change| kept(*change));
        let change = match self {
            Self::Nothing => None,
            Self::Everything => touching.last().copied(),
            Self::Prefix(kept) if touching.contains(kept) => match random.below(8) {
                0 => return Arrived::Garbage(*kept),
                1..4 => Some(*kept),
                _ => newest(&|change| change < *kept),
            },
            Self::Prefix(kept) => newest(&|change| change < *kept),
            Self::Writes(arrived) => newest(&|change| arrived.get(change).is_some_and(|arrived| *arrived)),
            Self::Garbage if random.one_in(4) => match touching.last() {
                Some(last) => return Arrived::Garbage(*last),
                None => None,
            },
            Self::Sectors | Self::Garbage => {
                index_below(touching.len() + 1, random).checked_sub(1).and_then(|index| touching.get(index).copied())
            }
        };
        change.map_or(Arrived::Old, Arrived::Change)
    }
}

/// The content of a sector.
enum Arrived {
    /// As the last flush stored it.
    Old,
    /// As it was after that change.
    Change(usize),
    /// Garbage, instead of that change.
    Garbage(usize),
}

fn content_after(inode: &Inode, random: &mut Random) -> Content {
    let changes = &inode.pending;
    let fate = Fate::draw(changes.len(), random);
    let lengths_kept = fate.lengths_kept(changes.len(), random);
    let mut content = inode.durable.clone();
    for change in changes.iter().take(lengths_kept) {
        content.set_len(change.len);
    }

    let mut touched: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (index, change) in changes.iter().enumerate() {
        for sector in change.sectors() {
            touched.entry(sector).or_default().push(index);
        }
    }
    for (sector, touching) in &touched {
        let start = sector * SECTOR_BYTES as u64;
        if start >= content.len() {
            continue;
        }
        let freed = freed_later(inode, lengths_kept, start);
        let touching: Vec<usize> = touching.iter().copied().filter(|index| *index < freed).collect();
        let (index, garbage) = match fate.sector(&touching, random) {
            Arrived::Old => continue,
            Arrived::Change(index) => (index, false),
            Arrived::Garbage(index) => (index, true),
        };
        let Some(change) = changes.get(index) else { continue };
        let mut bytes = change.sector(*sector);
        if garbage {
            garble(&mut bytes, random);
        }
        for cut in changes.iter().take(lengths_kept).skip(index + 1) {
            zero_from(&mut bytes, start, cut.len);
        }
        zero_from(&mut bytes, start, content.len());
        content.put_sector(*sector, &bytes);
    }
    let forgotten = inode.failed.iter().copied().filter(|sector| !touched.contains_key(sector));
    lose_failed(inode, &mut content, forgotten, random);
    content
}

/// The first change that cut off the sector at `start` and did not arrive. Blocks that a cut freed are reused only once the cut
/// is durable: bytes written there later cannot show without it.
fn freed_later(inode: &Inode, lengths_kept: usize, start: u64) -> usize {
    let later = inode.pending.iter().skip(lengths_kept).position(|change| change.len <= start);
    later.map_or(usize::MAX, |position| lengths_kept + position)
}

/// Sectors of a failed flush are lost or garbled; among several, some may have arrived.
fn lose_failed(inode: &Inode, content: &mut Content, sectors: impl Iterator<Item = u64>, random: &mut Random) {
    let all_lost = random.one_in(2);
    let mut hurt = false;
    for sector in sectors {
        let start = sector * SECTOR_BYTES as u64;
        let mut bytes = inode.now.sector(sector);
        match if all_lost { 3 } else { random.below(4) } {
            0 => garble(&mut bytes, random),
            1 if hurt => {}
            _ => {
                hurt = true;
                continue;
            }
        }
        hurt = true;
        zero_from(&mut bytes, start, content.len());
        if start < content.len() {
            content.put_sector(sector, &bytes);
        }
    }
}

fn garble(bytes: &mut Sector, random: &mut Random) {
    let from = if random.one_in(2) { 0 } else { index_below(SECTOR_BYTES, random) };
    if let Some(tail) = bytes.get_mut(from..) {
        random.fill(tail);
    }
}

/// Zeros the bytes of the sector at `start` that are behind the length `len`.
fn zero_from(bytes: &mut Sector, start: u64, len: u64) {
    let from = usize::try_from(len.saturating_sub(start)).unwrap_or(usize::MAX);
    if let Some(tail) = bytes.get_mut(from..) {
        tail.fill(0);
    }
}

fn index_below(bound: usize, random: &mut Random) -> usize {
    usize::try_from(random.below(bound as u64)).unwrap_or_default()
}
