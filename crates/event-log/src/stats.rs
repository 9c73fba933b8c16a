//! The figures of the log: exact at any time, also right after a crash, and O(1).

/// The figures of an event log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventLogStats {
    /// Events that can be read.
    pub count: u64,
    /// Bytes of all segment files, headers, padding, indexes and footers included.
    pub bytes: u64,
    /// Segment files.
    pub segments: u64,
}
