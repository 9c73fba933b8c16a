//! Which of the oldest segments a policy no longer wants. A function of what is known in memory: no file is read, none is
//! changed.

use crate::{EventLog, SegmentInfo};

/// What a log is to keep; whole closed segments go, oldest first, as soon as one of these allows it. `None`: no such bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// A segment goes when at least this many events are behind it: none of the newest `max_events` ever does.
    pub max_events: Option<u64>,
    /// A segment goes when its newest event is older than this, in milliseconds.
    pub max_age_ms: Option<u64>,
    /// A segment goes while all files together take more than this.
    pub max_bytes: Option<u64>,
}

impl RetentionPolicy {
    /// The id below which events are to go, given the `closed` segments in order, the log's `next_id` and its files'
    /// `total_bytes`. `None`: all stay. O(segments).
    pub fn horizon(&self, closed: &[SegmentInfo], next_id: u64, total_bytes: u64, now_ms: u64) -> Option<u64> {
        let (mut horizon, mut bytes) = (None, total_bytes);
        for segment in closed {
            let end_id = segment.last_id.saturating_add(1);
            let enough_behind = self.max_events.is_some_and(|max| next_id.saturating_sub(end_id) >= max);
            let too_old = self.max_age_ms.is_some_and(|max| segment.last_timestamp_ms.saturating_add(max) < now_ms);
            let too_large = self.max_bytes.is_some_and(|max| bytes > max);
            if !(enough_behind || too_old || too_large) {
                break;
            }
            bytes = bytes.saturating_sub(segment.bytes);
            horizon = Some(end_id);
        }
        horizon
    }
}

impl EventLog {
    /// The id below which `policy` wants events gone; `None` when that takes away nothing. Whole closed segments only: never
    /// an event of the segment that is being written.
    pub fn horizon_for(&self, policy: &RetentionPolicy, now_ms: u64) -> Option<u64> {
        let closed = self.closed_segments();
        let bytes = self.stats().bytes;
        policy.horizon(&closed, self.next_event_id(), bytes, now_ms).filter(|id| *id > self.oldest_event_id())
    }
}
