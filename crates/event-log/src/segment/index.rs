//! The sparse index of a segment: where a reader starts for an id or a timestamp.
//!
//! It divides the frames into blocks: small frames, as appends of single events make, share a block of about [`STRIDE_BYTES`];
//! any other frame is a block by itself. A read takes whole blocks, so one bounded read finds any event. Entries ascend
//! strictly; the first one is the segment's first frame.

use ledgerstone_format::ByteReader;

use super::header::SEGMENT_HEADER_BYTES;
use crate::frame::FrameFacts;

/// Blocks start at least this far apart, unless the events of a frame take that much.
const STRIDE_BYTES: u64 = 2 * 1024;
/// Bytes of one entry in a sealed segment: id u64, offset u64, timestamp u64.
pub(crate) const INDEX_ENTRY_BYTES: u64 = 24;

/// The start of a block: the first event of a frame. As the end of an index: the place of the next frame's event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) id: u64,
    pub(crate) offset: u64,
    /// The timestamp of that event; at the end of an index, of the last event.
    pub(crate) timestamp_ms: u64,
}

/// Consecutive whole blocks, for one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first_id: u64,
    /// Exclusive.
    pub(crate) end_id: u64,
    pub(crate) offset: u64,
    /// Exclusive.
    pub(crate) end_offset: u64,
}

/// Where to search for a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeSearch {
    /// This event is the first at or after it.
    Id(u64),
    /// It is in this block, or it is the first event after it.
    Block(Span),
}

/// The blocks of one segment.
#[derive(Clone, Debug)]
pub(crate) struct SegmentIndex {
    entries: Vec<IndexEntry>,
    end: IndexEntry,
    frames: u64,
    last_frame_is_block: bool,
}

impl SegmentIndex {
    /// The index of a segment without frames; `timestamp_ms` is that of the last event before it.
    pub(crate) const fn empty(first_id: u64, timestamp_ms: u64) -> Self {
        let end = IndexEntry { id: first_id, offset: SEGMENT_HEADER_BYTES, timestamp_ms };
        Self { entries: Vec::new(), end, frames: 0, last_frame_is_block: false }
    }

    /// Adds the frame after the last one.
    pub(crate) fn push(&mut self, frame: &FrameFacts) {
        let large = frame.raw_bytes >= STRIDE_BYTES;
        let apart = self.entries.last().is_none_or(|last| frame.offset.saturating_sub(last.offset) >= STRIDE_BYTES);
        if apart || large || self.last_frame_is_block {
            let timestamp_ms = frame.first_timestamp_ms;
            self.entries.push(IndexEntry { id: frame.first_id, offset: frame.offset, timestamp_ms });
        }
        self.last_frame_is_block = large;
        self.frames += 1;
        self.end = IndexEntry {
            id: frame.first_id.saturating_add(frame.count),
            offset: frame.offset.saturating_add(frame.stored_bytes),
            timestamp_ms: frame.last_timestamp_ms,
        };
    }

    pub(crate) const fn end(&self) -> IndexEntry {
        self.end
    }

    pub(crate) const fn frames(&self) -> u64 {
        self.frames
    }

    pub(crate) fn entries(&self) -> &[IndexEntry] {
        &self.entries
    }

    /// The block that holds `id`, and those after it up to `limit_bytes` that hold ids below `end_id`.
    pub(crate) fn span_from(&self, id: u64, end_id: u64, limit_bytes: u64) -> Option<Span> {
        let first = self.block_of(id)?;
        let start = *self.entries.get(first)?;
        let mut end = self.entry(first + 1);
        for next in first + 1..self.entries.len() {
            let further = self.entry(next + 1);
            if end.id >= end_id || further.offset.saturating_sub(start.offset) > limit_bytes {
                break;
            }
            end = further;
        }
        Some(span(start, end))
    }

    /// The block that holds `id`, and those before it up to `limit_bytes` that hold ids from `first_id` on.
    pub(crate) fn span_upto(&self, id: u64, first_id: u64, limit_bytes: u64) -> Option<Span> {
        let last = self.block_of(id)?;
        let end = self.entry(last + 1);
        let mut start = *self.entries.get(last)?;
        for earlier in self.entries.iter().take(last).rev() {
            if start.id <= first_id || end.offset.saturating_sub(earlier.offset) > limit_bytes {
                break;
            }
            start = *earlier;
        }
        Some(span(start, end))
    }

    /// Where the first event at or after `timestamp_ms` is; `None` when all are before it.
    pub(crate) fn search_time(&self, timestamp_ms: u64) -> Option<TimeSearch> {
        if self.end.timestamp_ms < timestamp_ms {
            return None;
        }
        let later = self.entries.partition_point(|entry| entry.timestamp_ms < timestamp_ms);
        let Some(block) = later.checked_sub(1) else {
            return self.entries.first().map(|entry| TimeSearch::Id(entry.id));
        };
        Some(TimeSearch::Block(span(*self.entries.get(block)?, self.entry(later))))
    }

    /// Starts where the block would be if all blocks held equally many events, and moves from there in doubling steps: in a
    /// large log each entry that a search reads is a cache miss, and most frames are similar.
    fn block_of(&self, id: u64) -> Option<usize> {
        let first_id = self.entries.first()?.id;
        if id < first_id || id >= self.end.id {
            return None;
        }
        let is_at_or_before = |entry: &IndexEntry| entry.id <= id;
        let guess = proportion(id - first_id, self.end.id - first_id, self.entries.len());
        let (mut low, mut high) = (guess, guess + 1);
        let mut step = 1;
        while !self.entries.get(low).is_none_or(is_at_or_before) {
            (low, high) = (low.saturating_sub(step), low);
            step *= 2;
        }
        while self.entries.get(high).is_some_and(is_at_or_before) {
            (low, high) = (high, high.saturating_add(step));
            step *= 2;
        }
        let bracket = self.entries.get(low..high.min(self.entries.len()))?;
        (low + bracket.partition_point(is_at_or_before)).checked_sub(1)
    }

    fn entry(&self, block: usize) -> IndexEntry {
        self.entries.get(block).copied().unwrap_or(self.end)
    }

    /// The entries as stored in a sealed segment.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let fields = self.entries.iter().flat_map(|entry| [entry.id, entry.offset, entry.timestamp_ms]);
        fields.flat_map(u64::to_le_bytes).collect()
    }

    /// Appends the entries in `bytes` to those before them; `None` when they cannot follow. A caller that decodes piece by
    /// piece takes no more memory than the sound part of an index.
    pub(crate) fn decode_piece(entries: &mut Vec<IndexEntry>, first_id: u64, bytes: &[u8]) -> Option<()> {
        let mut reader = ByteReader::new(bytes);
        while reader.remaining() > 0 {
            let entry = IndexEntry { id: reader.u64()?, offset: reader.u64()?, timestamp_ms: reader.u64()? };
            let follows = match entries.last() {
                None => entry.id == first_id && entry.offset == SEGMENT_HEADER_BYTES,
                Some(last) => last.is_before(&entry),
            };
            if !follows || entries.try_reserve(1).is_err() {
                return None;
            }
            entries.push(entry);
        }
        Some(())
    }

    /// The index of a sealed segment with these entries; `None` when they contradict the footer.
    pub(crate) fn of_entries(entries: Vec<IndexEntry>, end: IndexEntry, frames: u64) -> Option<Self> {
        entries.last()?.is_before(&end).then_some(Self { entries, end, frames, last_frame_is_block: true })
    }
}

impl IndexEntry {
    fn is_before(&self, next: &Self) -> bool {
        self.id < next.id && self.offset < next.offset && self.timestamp_ms <= next.timestamp_ms
    }
}

/// Which of `count` equal parts of `whole` contains the position `part`; the first one if that is undefined.
fn proportion(part: u64, whole: u64, count: usize) -> usize {
    let place = part.checked_mul(count as u64).map_or(0, |product| product / whole.max(1));
    usize::try_from(place).unwrap_or(usize::MAX).min(count.saturating_sub(1))
}

const fn span(start: IndexEntry, end: IndexEntry) -> Span {
    Span { first_id: start.id, end_id: end.id, offset: start.offset, end_offset: end.offset }
}

#[cfg(test)]
mod tests {
    use super::SegmentIndex;
    use crate::frame::FrameFacts;

    /// An index of frames with `counts` events each, a page apart.
    fn index_of(counts: &[u64]) -> SegmentIndex {
        let mut index = SegmentIndex::empty(7, 0);
        for count in counts {
            let end = index.end();
            index.push(&FrameFacts {
                offset: end.offset,
                stored_bytes: 4_096,
                raw_bytes: 4_000,
                first_id: end.id,
                count: *count,
                first_timestamp_ms: 0,
                last_timestamp_ms: 0,
                flushed_upto: 7,
            });
        }
        index
    }

    #[test]
    fn every_event_is_found_in_its_block_however_unequal_blocks_are() {
        let equal = vec![19; 300];
        let rising: Vec<u64> = (1..120).collect();
        let falling: Vec<u64> = (1..120).rev().collect();
        let one_large_first: Vec<u64> = [5_000].into_iter().chain([1; 200]).collect();
        let one_large_last: Vec<u64> = [1; 200].into_iter().chain([5_000]).collect();
        for counts in [vec![1], vec![3, 1], equal, rising, falling, one_large_first, one_large_last] {
            let index = index_of(&counts);
            let mut id = 7;
            for count in &counts {
                let first_id = id;
                for _ in 0..*count {
                    let span = index.span_from(id, id, 0).unwrap();
                    assert_eq!((span.first_id, span.end_id), (first_id, first_id + count), "{id} of {counts:?}");
                    id += 1;
                }
            }
            assert_eq!((index.span_from(6, 6, 0), index.span_from(id, id, 0)), (None, None));
        }
        assert_eq!(SegmentIndex::empty(7, 0).span_from(7, 7, 0), None);
    }
}
