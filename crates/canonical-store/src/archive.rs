//! The closed segments of the event log, for archiving: held, so that neither a trim nor retention removes a file while it is
//! being copied.

use ledgerstone_event_log::{Pin, SegmentInfo};

use crate::{Store, error::Result};

/// Closed segments whose files stay until this is dropped.
#[derive(Debug)]
pub struct HeldSegments {
    segments: Vec<SegmentInfo>,
    pin: Pin,
}

impl HeldSegments {
    /// Oldest first. Their files no longer change.
    pub fn segments(&self) -> &[SegmentInfo] {
        &self.segments
    }

    /// CRC-32C over the whole file of one of them; reads it.
    pub fn checksum_of(&self, segment: &SegmentInfo) -> Result<u32> {
        Ok(self.pin.checksum_of(segment)?)
    }
}

impl Store {
    /// Holds the closed segments with events that are kept.
    pub fn hold_segments(&self) -> Result<HeldSegments> {
        self.check_open()?;
        // Pinned first: segments listed after that stay.
        let pin = self.log.pin(0)?;
        Ok(HeldSegments { segments: self.log.sealed_segments(), pin })
    }

    /// Removes the files of segments that were trimmed while they were held.
    pub fn reclaim_segments(&self) {
        self.log.reclaim();
    }
}
