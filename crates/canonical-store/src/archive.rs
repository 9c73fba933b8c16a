//! The closed segments of the event log, for whoever archives them: held, so that neither a trim nor retention takes a file
//! away while it is being copied.

use ledgerstone_event_log::{Pin, SegmentInfo};

use crate::{Store, error::Result};

/// Closed segments whose files stay until this is dropped.
#[derive(Debug)]
pub struct HeldSegments {
    segments: Vec<SegmentInfo>,
    pin: Pin,
}

impl HeldSegments {
    /// Oldest first. Their files do not change any more.
    pub fn segments(&self) -> &[SegmentInfo] {
        &self.segments
    }

    /// CRC-32C over the whole file of one of them. Reads it.
    pub fn checksum_of(&self, segment: &SegmentInfo) -> Result<u32> {
        Ok(self.pin.checksum_of(segment)?)
    }
}

impl Store {
    /// Holds the closed segments with events that are kept.
    pub fn hold_segments(&self) -> Result<HeldSegments> {
        self.check_open()?;
        // Pinned first: what is listed after that stays.
        let pin = self.log.pin(0)?;
        Ok(HeldSegments { segments: self.log.sealed_segments(), pin })
    }

    /// Gives the files of segments back that were trimmed while they were held.
    pub fn reclaim_segments(&self) {
        self.log.reclaim();
    }
}
