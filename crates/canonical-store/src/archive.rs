//! The closed segments of the event log, for whoever archives them: held, so that neither a trim nor retention takes a file
//! away while it is being copied.

use ledgerstone_event_log::{Pin, SegmentInfo};

use crate::{Store, error::Result};

/// Closed segments whose files stay until this is dropped.
#[derive(Debug)]
pub struct HeldSegments {
    segments: Vec<SegmentInfo>,
    _pin: Pin,
}

impl HeldSegments {
    /// Oldest first. Their files do not change any more.
    pub fn segments(&self) -> &[SegmentInfo] {
        &self.segments
    }
}

impl Store {
    /// Holds the closed segments with events that are kept.
    pub fn hold_segments(&self) -> Result<HeldSegments> {
        self.check_open()?;
        // Pinned first: what is listed after that stays.
        let pin = self.log.pin(0)?;
        Ok(HeldSegments { segments: self.log.sealed_segments(), _pin: pin })
    }

    /// Gives the files of segments back that were trimmed while they were held.
    pub fn reclaim_segments(&self) {
        self.log.reclaim();
    }

    /// CRC-32C over a segment's whole file. Reads it.
    pub fn segment_checksum(&self, segment: &SegmentInfo) -> Result<u32> {
        self.check_open()?;
        Ok(self.log.checksum_of(segment)?)
    }
}
