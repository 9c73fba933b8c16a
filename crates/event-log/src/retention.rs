//! Which of the oldest segments a policy no longer keeps. A function of data in memory: it reads and changes no file.

use crate::{EventLog, SegmentInfo};

/// What a log keeps. Whole closed segments are removed, oldest first, as soon as one of these bounds allows it. `None`: no such bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// A segment is removed when at least this many events follow it: never one of the newest `max_events`.
    pub max_events: Option<u64>,
    /// A segment is removed when its newest event is older than this, in milliseconds. If timestamps are in the future, because
    /// a clock was once ahead, the beginning of the next segment counts instead.
    pub max_age_ms: Option<u64>,
    /// A segment is removed while all files together take more than this, in bytes.
    pub max_bytes: Option<u64>,
}

/// The input of a policy.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The closed segments, in order.
    pub closed: &'a [SegmentInfo],
    /// When the newest segment was begun by the wall clock, in ms; 0 if unknown.
    pub newest_begun_ms: u64,
    /// The id of the next event.
    pub next_id: u64,
    /// The total size of all files.
    pub total_bytes: u64,
    /// The current time, in ms.
    pub now_ms: u64,
}

impl RetentionPolicy {
    /// The id below which events are removed. `None`: all stay. O(segments).
    pub fn horizon(&self, kept: &Kept<'_>) -> Option<u64> {
        let (mut horizon, mut bytes) = (None, kept.total_bytes);
        let ends = if self.max_age_ms.is_some() { ends_ms(kept) } else { Vec::new() };
        for (place, segment) in kept.closed.iter().enumerate() {
            let end_id = segment.last_id.saturating_add(1);
            let enough_behind = self.max_events.is_some_and(|max| kept.next_id.saturating_sub(end_id) >= max);
            let end_ms = ends.get(place).copied().unwrap_or(u64::MAX);
            let too_old = self.max_age_ms.is_some_and(|max| end_ms.saturating_add(max) < kept.now_ms);
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

/// When the last event of each closed segment was written, as far as known. Normally that is its timestamp. If the timestamp is
/// still in the future, a clock was once ahead, and timestamps never go back. Later segments were begun later: so it is the
/// earliest beginning of a later segment that is not in the future and not before the last plausible timestamp.
fn ends_ms(kept: &Kept<'_>) -> Vec<u64> {
    let has_come = |ms: u64| ms != 0 && ms <= kept.now_ms;
    let right = kept.closed.iter().map(|segment| segment.last_timestamp_ms).filter(|ms| has_come(*ms)).max();
    let floor_ms = right.unwrap_or_default();
    let witness = |ms: u64| if has_come(ms) && ms >= floor_ms { ms } else { u64::MAX };
    let mut begun_ms = witness(kept.newest_begun_ms);
    let mut ends: Vec<u64> = Vec::with_capacity(kept.closed.len());
    for segment in kept.closed.iter().rev() {
        let said_ms = segment.last_timestamp_ms;
        ends.push(if said_ms > kept.now_ms { said_ms.min(begun_ms) } else { said_ms });
        begun_ms = begun_ms.min(witness(segment.begun_ms));
    }
    ends.reverse();
    ends
}

impl EventLog {
    /// The id below which `policy` removes events; `None` when it removes nothing. Whole closed segments only: never an event
    /// of the segment being written.
    pub fn horizon_for(&self, policy: &RetentionPolicy, now_ms: u64) -> Option<u64> {
        let closed = self.closed_segments();
        let kept = Kept {
            closed: &closed,
            newest_begun_ms: self.newest_begun_ms(),
            next_id: self.next_event_id(),
            total_bytes: self.stats().bytes,
            now_ms,
        };
        policy.horizon(&kept).filter(|id| *id > self.oldest_event_id())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Kept, RetentionPolicy};
    use crate::SegmentInfo;

    const DAY: u64 = 86_400_000;
    const POLICY: RetentionPolicy = RetentionPolicy { max_events: None, max_age_ms: Some(DAY), max_bytes: None };

    /// For each segment: the day of its last timestamp, and the day on which it was begun by the wall clock (0: unknown).
    fn horizon(segments: &[(u64, u64)], newest_begun: u64, now: u64) -> Option<u64> {
        let closed: Vec<_> = (1..)
            .zip(segments)
            .map(|(id, (said, begun))| SegmentInfo {
                path: PathBuf::new(),
                first_id: id,
                last_id: id,
                last_timestamp_ms: said * DAY,
                bytes: 1,
                begun_ms: begun * DAY,
            })
            .collect();
        let (newest_begun_ms, now_ms) = (newest_begun * DAY, now * DAY);
        POLICY.horizon(&Kept { closed: &closed, newest_begun_ms, next_id: 1_000, total_bytes: 9, now_ms })
    }

    #[test]
    fn with_a_clock_that_is_right_timestamps_decide() {
        assert_eq!(horizon(&[(100, 99), (101, 100), (102, 101)], 102, 103), Some(3));
        assert_eq!(horizon(&[(100, 0), (101, 0), (102, 0)], 0, 103), Some(3), "segments of before say nothing");
    }

    #[test]
    fn a_clock_that_was_ahead_once_is_overruled_by_what_came_later() {
        // On day 100 a clock showed 130; all later timestamps are at least that.
        let segments = [(100, 99), (130, 100), (130, 101), (130, 102), (130, 103)];
        assert_eq!(horizon(&segments, 104, 104), Some(4), "the third ended when the fourth was begun, on day 102");
        assert_eq!(horizon(&segments, 104, 105), Some(5));
        // A segment that was begun while the clock was ahead is no witness.
        assert_eq!(horizon(&[(100, 99), (130, 100), (130, 130), (130, 103)], 104, 104), Some(2), "it ended on day 103");
        assert_eq!(horizon(&[(100, 99), (130, 0), (130, 0)], 0, 104), Some(2), "nobody else has seen it");
    }

    #[test]
    fn a_clock_that_was_behind_once_takes_nothing_away() {
        assert_eq!(horizon(&[(100, 99), (100, 1), (100, 100)], 100, 100), None);
        // Ahead on one day and behind on another: a beginning before the last correct timestamp is no witness.
        assert_eq!(horizon(&[(100, 99), (130, 100), (130, 1)], 101, 101), None);
        // And while the clock is behind.
        assert_eq!(horizon(&[(100, 99), (101, 100)], 101, 1), None);
    }
}
