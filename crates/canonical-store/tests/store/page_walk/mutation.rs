//! Damage to a file of pages: bits, numbers, whole pages; more of it in structures.

use crate::page_walk::history::Random;

const PAGE: usize = 4_096;

fn half(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..at + 2).map_or(0, |half| usize::from(u16::from_le_bytes(half.try_into().unwrap())))
}

/// An offset in the structure of a page: its header, its offsets, or the header of one of its entries.
fn structural_offset(bytes: &[u8], page: usize, random: &mut Random) -> usize {
    let start = page * PAGE;
    let entries = half(bytes, start + 12).saturating_sub(16).min(PAGE - 16) / 2;
    let within = match random.below(4) {
        0 => random.index(16),
        1 if page < 2 => 16 + random.index(136),
        1 => 16 + random.index(2 * entries.max(1)),
        _ => half(bytes, start + 16 + 2 * random.index(entries.max(1))) + random.index(8),
    };
    start + within.min(PAGE - 1)
}

/// A damaged copy.
pub(crate) fn apply(sound: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    let pages = bytes.len() / PAGE;
    let (page, other) = (random.index(pages), 2 + random.index(pages - 2));
    let (from, to) = (page * PAGE, other * PAGE);
    match random.below(16) {
        0 => bytes.truncate(random.index(bytes.len())),
        1 => bytes[from..from + PAGE].fill(0),
        2 => bytes.copy_within(from..from + PAGE, to),
        3 => {
            // A page of another place, with the number of this one.
            bytes.copy_within(from..from + PAGE, to);
            bytes[to..to + 8].copy_from_slice(&(other as u64).to_le_bytes());
        }
        4 => {
            let (first, second) = (sound[from..from + PAGE].to_vec(), sound[to..to + PAGE].to_vec());
            bytes[from..from + PAGE].copy_from_slice(&second);
            bytes[to..to + PAGE].copy_from_slice(&first);
        }
        5 => {
            let at = from + random.index(PAGE);
            let end = (at + 1 + random.index(64)).min(bytes.len());
            bytes[at..end].fill(0);
        }
        6 => {
            let at = structural_offset(sound, page, random) & !1;
            let word = u16::try_from(random.below(1 << 16)).unwrap();
            bytes[at..at + 2].copy_from_slice(&word.to_le_bytes());
        }
        7 => bytes[from + random.index(PAGE)] ^= 1 << random.below(8),
        // The meta pages are only two of many.
        8 => bytes[random.index(2) * PAGE + random.index(152)] ^= 1 << random.below(8),
        9 => {
            for _ in 0..4 {
                let at = structural_offset(sound, page, random);
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
        }
        _ => bytes[structural_offset(sound, page, random)] ^= 1 << random.below(8),
    }
    bytes
}

/// The places where they differ.
pub(crate) fn difference(sound: &[u8], damaged: &[u8]) -> String {
    let mut offsets = sound.iter().zip(damaged).enumerate().filter(|(_, (left, right))| left != right);
    let first = offsets.next().map(|(offset, _)| (offset / PAGE, offset % PAGE));
    format!("length={} first={first:?} others={}", damaged.len(), offsets.count())
}
