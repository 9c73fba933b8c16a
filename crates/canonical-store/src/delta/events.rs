//! The events of a delta, by commit. They stay in their frames.

use std::{ops::Range, sync::Arc};

use ledgerstone_journal::Frame;
use parking_lot::RwLock;

#[derive(Clone, Debug)]
struct Block {
    first_id: u64,
    frame: Frame,
    /// The end of each event, counted from the first one's start; empty for a single event.
    ends: Option<Arc<[u32]>>,
    count: u32,
    start: u32,
}

impl Block {
    fn end_id(&self) -> u64 {
        self.first_id + u64::from(self.count)
    }

    fn range(&self, id: u64) -> Option<Range<usize>> {
        let index = usize::try_from(id.checked_sub(self.first_id)?).ok()?;
        match &self.ends {
            None if index == 0 => self.frame.events().next(),
            None => None,
            Some(ends) => {
                let start = self.start as usize;
                let from = if index == 0 { 0 } else { *ends.get(index - 1)? as usize };
                Some(start + from..start + *ends.get(index)? as usize)
            }
        }
    }
}

/// Events of consecutive ids, oldest first.
#[derive(Debug)]
pub(crate) struct DeltaEvents {
    first_id: u64,
    blocks: RwLock<Vec<Block>>,
}

/// Consecutive events, held without a lock.
#[derive(Debug, Default)]
pub(crate) struct EventPage {
    blocks: Vec<Block>,
}

impl EventPage {
    /// The event `id`: its timestamp and bytes.
    pub(crate) fn get(&self, id: u64) -> Option<(u64, &[u8])> {
        let index = self.blocks.partition_point(|block| block.end_id() <= id);
        let block = self.blocks.get(index)?;
        Some((block.frame.timestamp_ms(), block.frame.bytes().get(block.range(id)?)?))
    }
}

impl DeltaEvents {
    pub(super) fn starting_at(first_id: u64) -> Self {
        Self { first_id, blocks: RwLock::default() }
    }

    pub(super) fn begin_at(&mut self, first_id: u64) {
        self.first_id = first_id;
    }

    /// The first event that is here and not in the log; without any, the next id of the store.
    pub(crate) fn first_id(&self) -> u64 {
        self.first_id
    }

    pub(super) fn push(&self, frame: &Frame) -> u64 {
        let count = frame.event_count();
        let mut events = frame.events();
        let Some(first) = events.next() else { return 0 };
        let start = first.start;
        let ends = (count > 1).then(|| {
            std::iter::once(first.end)
                .chain(events.map(|event| event.end))
                .map(|end| u32::try_from(end - start).unwrap_or(u32::MAX))
                .collect::<Arc<[u32]>>()
        });
        let kept = 112 + ends.as_ref().map_or(0, |ends| ends.len() as u64 * 4);
        let start = u32::try_from(start).unwrap_or(u32::MAX);
        let block = Block { first_id: frame.first_event_id(), frame: frame.clone(), ends, count, start };
        self.blocks.write().push(block);
        kept
    }

    /// The blocks that hold `from..to`, at most `limit` of them from the front or, if `backward`, from the end.
    pub(crate) fn page(&self, from: u64, to: u64, limit: usize, backward: bool) -> EventPage {
        let blocks = self.blocks.read();
        let start = blocks.partition_point(|block| block.end_id() <= from);
        let end = blocks.partition_point(|block| block.first_id < to).max(start);
        let (start, end) = if backward {
            (start.max(end.saturating_sub(limit)), end)
        } else {
            (start, end.min(start.saturating_add(limit)))
        };
        EventPage { blocks: blocks.get(start..end).unwrap_or_default().to_vec() }
    }

    /// The first id with a timestamp of at least `timestamp_ms`, if it is here.
    pub(crate) fn first_at(&self, timestamp_ms: u64) -> Option<u64> {
        let blocks = self.blocks.read();
        let index = blocks.partition_point(|block| block.frame.timestamp_ms() < timestamp_ms);
        blocks.get(index).map(|block| block.first_id)
    }

    /// The frames with events from `from` on.
    pub(crate) fn frames_from(&self, from: u64) -> Vec<Frame> {
        let blocks = self.blocks.read();
        let start = blocks.partition_point(|block| block.end_id() <= from);
        blocks.get(start..).unwrap_or_default().iter().map(|block| block.frame.clone()).collect()
    }
}
