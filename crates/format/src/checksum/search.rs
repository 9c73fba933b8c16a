//! Searches a stretch of a file for parts that carry their own checksum and whose places are unknown. One pass verifies all of
//! them, however many there seem to be and however they overlap: the work depends on the length of the stretch alone, never on
//! its contents.
//!
//! A part is verified without reading its bytes again. Let `R(p)` be the running checksum of the stretch up to `p`. A part over
//! `a..b` that starts from `seed` has the checksum `crc` exactly when `R(b) = crc ^ shift(seed ^ R(a), b - a)`, all not
//! inverted. So the claim at the beginning of a part gives the value that `R` must have at its end, and the pass compares them there.

use std::{cmp::Reverse, collections::BinaryHeap, ops::ControlFlow, ops::Range};

use super::{crc32c_append, shift::shift};

/// Bytes per read.
const WINDOW_BYTES: usize = if cfg!(test) { 4096 } else { 1 << 20 };
/// Claims that wait for their ends. If more parts seem to begin, another pass looks for the rest.
const WAITING: usize = if cfg!(test) { 32 } else { 1 << 20 };
/// Parts begin at multiples of this.
const ALIGN: usize = 8;
/// Bytes of a part that its checksum does not cover: its length and the checksum itself.
const UNCOVERED: u64 = 8;

/// What the head of a part claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Length of the part in bytes, from its beginning. The checksum covers them from the eighth on.
    pub length: u32,
    /// The checksum of the bytes that are assumed before the covered ones.
    pub seed: u32,
    /// The checksum that the part carries.
    pub crc: u32,
    /// Passed back to the caller when the claim proves true.
    pub tag: u64,
}

impl Claim {
    fn fits(&self, at: u64, head_bytes: usize, end: u64) -> bool {
        u64::from(self.length) >= UNCOVERED.max(head_bytes as u64) && at + u64::from(self.length) <= end
    }
}

/// The cost of a search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchCost {
    /// Number of reads.
    pub reads: u64,
    /// Bytes read; each was checksummed once.
    pub bytes: u64,
}

/// End, beginning, the state expected at the end, tag. `Reverse` makes the heap yield the nearest end.
type Waiting = BinaryHeap<Reverse<(u64, u64, u32, u64)>>;

/// Calls `found` with each part in `range` that verifies, in order of their ends, until it breaks off. `read` fills a buffer
/// with the bytes at an offset. `claim` looks at the bytes from a place on, at least `head_bytes` of them, and says what part
/// would begin there; only parts that end within `range` count.
pub fn search_sealed<E>(
    range: Range<u64>,
    head_bytes: usize,
    mut read: impl FnMut(&mut [u8], u64) -> Result<(), E>,
    mut claim: impl FnMut(u64, &[u8]) -> Option<Claim>,
    mut found: impl FnMut(Range<u64>, u64) -> ControlFlow<()>,
) -> Result<SearchCost, E> {
    let mut cost = SearchCost::default();
    let mut from = Some(range.start);
    while let Some(start) = from.take() {
        let mut pass = Pass { state: 0, at: start, waiting: Waiting::new() };
        let mut buffer = Vec::new();
        let mut offset = start;
        while offset < range.end && !(from.is_some() && pass.waiting.is_empty()) {
            let len = usize::try_from(range.end - offset).unwrap_or(usize::MAX).min(WINDOW_BYTES);
            buffer.resize(len, 0);
            read(&mut buffer, offset)?;
            cost.reads += 1;
            let is_last = offset + len as u64 == range.end;
            let places = len.checked_sub(head_bytes).map_or(0, |rest| rest / ALIGN + 1);
            let looked_at = if from.is_some() { 0 } else { places };
            for place in 0..looked_at {
                let at = offset + (place * ALIGN) as u64;
                let claim = buffer.get(place * ALIGN..).and_then(|bytes| claim(at, bytes));
                let Some(claim) = claim.filter(|claim| claim.fits(at, head_bytes, range.end)) else { continue };
                if pass.is_full() {
                    // Claims already kept are followed to their ends; the next pass begins here.
                    from = Some(at);
                    break;
                }
                if pass.go(at + UNCOVERED, offset, &buffer, &mut found).is_break() {
                    return Ok(cost);
                }
                pass.wait_for(at, claim);
            }
            // The last places of a window are looked at again together with the bytes after them.
            let next = if is_last { range.end } else { offset + (places * ALIGN) as u64 };
            if pass.go(next, offset, &buffer, &mut found).is_break() {
                return Ok(cost);
            }
            cost.bytes += next - offset;
            offset = next;
        }
    }
    Ok(cost)
}

struct Pass {
    /// The running checksum up to `at`, not inverted, from 0.
    state: u32,
    at: u64,
    waiting: Waiting,
}

impl Pass {
    /// Whether no further claim can be kept, also for lack of memory.
    fn is_full(&mut self) -> bool {
        let waiting = self.waiting.len();
        waiting == WAITING || (waiting > 0 && self.waiting.try_reserve(1).is_err())
    }

    /// Advances to `upto`, stopping at each end that a claim waits for. `buffer` holds the bytes from `offset` on.
    fn go(
        &mut self,
        upto: u64,
        offset: u64,
        buffer: &[u8],
        found: &mut impl FnMut(Range<u64>, u64) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        while let Some(Reverse((end, begin, expected, tag))) =
            self.waiting.peek().copied().filter(|next| next.0.0 <= upto)
        {
            self.checksum(end, offset, buffer);
            self.waiting.pop();
            if self.state == expected {
                found(begin..end, tag)?;
            }
        }
        self.checksum(upto, offset, buffer);
        ControlFlow::Continue(())
    }

    fn checksum(&mut self, upto: u64, offset: u64, buffer: &[u8]) {
        let place = |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
        let bytes = buffer.get(place(self.at)..place(upto)).unwrap_or_default();
        self.state = !crc32c_append(!self.state, bytes);
        self.at = self.at.max(upto);
    }

    /// A part begins at `begin`; the pass is where its checksum begins.
    fn wait_for(&mut self, begin: u64, claim: Claim) {
        let covered = claim.length.saturating_sub(8);
        let expected = !claim.crc ^ shift(!claim.seed ^ self.state, covered);
        self.waiting.push(Reverse((begin + u64::from(claim.length), begin, expected, claim.tag)));
    }
}

#[cfg(test)]
mod tests {
    use std::ops::{ControlFlow, Range};

    use super::{Claim, search_sealed};
    use crate::checksum::{crc32c, crc32c_append};

    const HEAD_BYTES: usize = 16;
    const SEED: u32 = 0x1234_5678;

    /// `length u32 | crc u32 | 7 u64 | …`: a part as in the files, seeded with its length.
    fn claim_at(bytes: &[u8]) -> Option<Claim> {
        let (length, crc) = (bytes[..4].try_into().unwrap(), bytes[4..8].try_into().unwrap());
        let is_head = bytes[8..16] == 7_u64.to_le_bytes();
        let claim = Claim {
            length: u32::from_le_bytes(length),
            seed: crc32c_append(SEED, &length),
            crc: u32::from_le_bytes(crc),
            tag: 9,
        };
        is_head.then_some(claim)
    }

    fn put(file: &mut [u8], at: usize, len: usize) {
        file[at..at + 4].copy_from_slice(&u32::try_from(len).unwrap().to_le_bytes());
        file[at + 8..at + 16].copy_from_slice(&7_u64.to_le_bytes());
    }

    fn seal(file: &mut [u8], at: usize, len: usize) {
        put(file, at, len);
        let crc = crc32c_append(crc32c_append(SEED, &file[at..at + 4]), &file[at + 8..at + len]);
        file[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
    }

    fn search(file: &[u8], range: Range<u64>) -> (Vec<Range<u64>>, super::SearchCost) {
        let mut parts = Vec::new();
        let read = |buffer: &mut [u8], at: u64| {
            let at = usize::try_from(at).unwrap();
            buffer.copy_from_slice(&file[at..at + buffer.len()]);
            Ok::<_, ()>(())
        };
        let cost = search_sealed(
            range,
            HEAD_BYTES,
            read,
            |_, bytes| claim_at(bytes),
            |part, tag| {
                assert_eq!(tag, 9);
                parts.push(part);
                ControlFlow::Continue(())
            },
        );
        parts.sort_unstable_by_key(|part| part.start);
        (parts, cost.unwrap())
    }

    fn noise(len: usize, mut state: u32) -> Vec<u8> {
        std::iter::repeat_with(|| {
            state = crc32c(&state.to_le_bytes());
            state.to_le_bytes()[0]
        })
        .take(len)
        .collect()
    }

    #[test]
    fn every_part_is_found_whatever_claims_lie_over_it() {
        for seed in 0..40 {
            let mut file = noise(40_000, seed);
            // Heads that claim long parts, all over; then true parts over some of them, the inner one of two first.
            for at in (0..39_900).step_by(24) {
                put(&mut file, at, (8 * (at % 4000)).clamp(16, 40_000 - at));
            }
            let mut parts = vec![(512, 40), (8, 80), (3000, 9001), (20_000, 16), (20_016, 17_000), (39_976, 24)];
            for (at, len) in &parts {
                seal(&mut file, *at, *len);
            }
            parts.sort_unstable();
            let (found, _) = search(&file, 0..40_000);
            let expected: Vec<_> = parts.iter().map(|(at, len)| *at as u64..(*at + *len) as u64).collect();
            assert_eq!(found, expected, "seed {seed}");
            // A flipped bit anywhere in a part makes it invalid.
            file[12_000] ^= 1 << (seed % 8);
            assert_eq!(search(&file, 0..40_000).0.len(), parts.len() - 1);
            // A part that reaches beyond the end of the stretch does not count.
            assert_eq!(search(&file, 16..37_015).0, [512..552, 20_000..20_016]);
        }
    }

    #[test]
    fn a_stretch_without_claims_is_read_once_and_one_full_of_them_once_for_each_batch() {
        let (_, quiet) = search(&noise(1 << 20, 5), 0..1 << 20);
        assert_eq!((quiet.bytes, quiet.reads), (1 << 20, 257));
        let mut file = noise(64 << 10, 6);
        let heads = (0..file.len() - 64).step_by(24);
        let passes = (heads.len() / 32 + 1) as u64;
        for at in heads {
            let len = (file.len() - at) / 16 * 8;
            put(&mut file, at, len.max(16));
        }
        let (_, cost) = search(&file, 0..64 << 10);
        assert!(cost.bytes <= passes * (64 << 10), "{cost:?}");
    }
}
