//! Which part of the state and of the events goes into which file.

use std::ops::Bound;

use ledgerstone_event_log::SegmentInfo;

/// The most files that the state, and the events, are divided into.
pub(super) const MAX_PARTS: u32 = 1_024;
/// Where nobody asks for a number, there is a file for so many bytes …
const BYTES_PER_PART: u64 = 256 << 20;
/// … up to so many files.
const USUAL_PARTS: u64 = 64;

/// How many files something of this size is divided into.
pub(super) fn parts_for(bytes: u64) -> u32 {
    u32::try_from((bytes / BYTES_PER_PART + 1).min(USUAL_PARTS)).unwrap_or(1)
}

/// Where the files of the events begin: at the first event, and at segments that divide the rest into `parts` of about the same size.
pub(super) fn event_firsts(oldest: u64, next: u64, segments: &[SegmentInfo], parts: u32) -> Vec<u64> {
    if oldest >= next {
        return Vec::new();
    }
    let mut firsts = vec![oldest];
    let total: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let part_bytes = (total / u64::from(parts.max(1))).max(1);
    let mut bytes = 0;
    for segment in segments {
        bytes += segment.bytes;
        let first = segment.last_id + 1;
        let is_next = firsts.last().is_some_and(|last| first > *last) && first < next;
        if bytes >= part_bytes && is_next && firsts.len() < parts as usize {
            firsts.push(first);
            bytes = 0;
        }
    }
    firsts
}

/// Of the keys of a collection.
pub(super) type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// What of a collection lies between two full keys; `None`: nothing can.
pub(super) fn within(collection: u32, from: &[u8], to: Option<&[u8]>) -> Option<Bounds> {
    let id = collection.to_be_bytes();
    let lower = match from.strip_prefix(&id) {
        Some(key) => Bound::Included(key.to_vec()),
        None if from > id.as_slice() => return None,
        None => Bound::Unbounded,
    };
    let upper = match to {
        None => Bound::Unbounded,
        Some(to) => match to.strip_prefix(&id) {
            Some(key) => Bound::Excluded(key.to_vec()),
            None if to < id.as_slice() => return None,
            None => Bound::Unbounded,
        },
    };
    Some((lower, upper))
}

#[cfg(test)]
mod tests {
    use std::{ops::Bound, path::PathBuf};

    use ledgerstone_event_log::SegmentInfo;

    use super::{event_firsts, within};
    use crate::delta::full_key;

    /// Each key is in one part of one collection, whatever divides them.
    #[test]
    fn parts_hold_every_key_once() {
        let keys: Vec<(u32, &[u8])> =
            vec![(1, b"a"), (1, b"b"), (2, b""), (2, b"\xff"), (256, b"k"), (u32::MAX - 1, b"z")];
        let mut ends: Vec<Vec<u8>> = keys.iter().map(|(id, key)| full_key(*id, key)).collect();
        ends.extend([full_key(2, b""), full_key(3, b"x"), full_key(257, b"")]);
        ends.sort_unstable();
        ends.dedup();
        let mut froms = vec![Vec::new()];
        froms.extend(ends);
        for (id, key) in keys {
            let mut found = 0;
            for (place, from) in froms.iter().enumerate() {
                let to = froms.get(place + 1).map(Vec::as_slice);
                let Some((lower, upper)) = within(id, from, to) else { continue };
                let is_above = match &lower {
                    Bound::Included(lower) => key >= lower.as_slice(),
                    _ => true,
                };
                let is_below = match &upper {
                    Bound::Excluded(upper) => key < upper.as_slice(),
                    _ => true,
                };
                found += usize::from(is_above && is_below);
            }
            assert_eq!(found, 1, "{id} {key:?}");
        }
    }

    #[test]
    fn events_are_divided_at_segments() {
        let segments: Vec<_> = (0..10)
            .map(|n| SegmentInfo {
                path: PathBuf::new(),
                first_id: n * 10 + 1,
                last_id: n * 10 + 10,
                last_timestamp_ms: 0,
                bytes: 100,
                begun_ms: 0,
            })
            .collect();
        assert_eq!(event_firsts(1, 150, &segments, 3), [1, 41, 81]);
        assert_eq!(event_firsts(35, 150, &segments, 1), [35]);
        assert_eq!(event_firsts(35, 95, &segments, 1_000).len(), 7);
        assert_eq!(event_firsts(7, 7, &segments, 3), Vec::<u64>::new());
        assert_eq!(event_firsts(120, 150, &segments, 9), [120]);
    }
}
