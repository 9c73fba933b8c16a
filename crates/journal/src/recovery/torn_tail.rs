//! Tells a torn tail from damage: looks behind the first frame that is not there for anything that shows it was durable (I6).
//!
//! Witnesses are what others promise, a later file (begun only when everything before it was durable, I4), a later frame
//! that had seen the missing one durable, and such frames in a file that lost its header.

use ledgerstone_format::{PAGE_BYTES, align_up};

use super::{Walk, damaged};
use crate::{
    Result,
    file_header::FRAMES_START,
    folder::SpareFound,
    frame_head::{FRAME_ALIGN, FrameHead},
    reader::FileReader,
};

impl Walk<'_> {
    /// Decides what the break is. Torn tail: how many bytes of it there are.
    pub(super) fn judge_break(&mut self) -> Result<u64> {
        let missing = self.next_seq;
        let (path, offset) = match &self.current {
            Some((_, reader)) => (reader.path(), self.offset),
            None => (self.dir.to_path_buf(), 0),
        };
        let lost =
            |witness: &str| Err(damaged(&path, offset, format!("a durable frame is missing: seq={missing} {witness}")));
        if self.promised.seq >= missing {
            return lost(&format!("promised_seq={}", self.promised.seq));
        }
        if self.promised.next_event_id > self.next_event_id {
            return lost(&format!("promised_event_id={}", self.promised.next_event_id));
        }
        if let Some((_, next)) = self.next_file() {
            return lost(&format!("later_file={}", next.header.number));
        }
        let number = match &self.current {
            Some((index, _)) => self.file(*index)?.header.number,
            None => 0,
        };
        let end = self.read_rest()?;
        match end {
            Err(witness) => return lost(&format!("witness_offset={witness}")),
            Ok(_) => {
                for spare in self.folder.spares.iter().filter(|spare| spare.number > number) {
                    if self.is_hidden_continuation(spare)? {
                        return lost(&format!("lost_header_of={}", spare.number));
                    }
                }
            }
        }
        Ok(end.unwrap_or(offset).saturating_sub(offset))
    }

    /// Tries every place of the rest of the file. `Err`: where a frame stands that shows the missing one was durable.
    /// `Ok`: where the torn tail ends.
    fn read_rest(&mut self) -> Result<std::result::Result<u64, u64>> {
        let (missing, crc) = (self.next_seq, self.crc);
        let Some((index, reader)) = &mut self.current else { return Ok(Ok(self.offset)) };
        let salt = self.folder.in_use.get(*index).map_or(0, |file| file.header.salt);
        let mut end = self.offset;
        let mut from = self.offset;
        while let Some((at, head)) = reader.next_head(from)? {
            from = at + FRAME_ALIGN;
            if head.seq < missing {
                continue;
            }
            if reader.frame_at(at, salt)?.is_some() {
                if head.durable_upto >= missing {
                    return Ok(Err(at));
                }
                from = at + u64::from(head.length);
                end = end.max(from);
            } else if head.seq == missing && head.previous_crc == crc {
                end = end.max(at + u64::from(head.length));
            }
        }
        Ok(Ok(end))
    }

    /// Whether a file that looks like a spare continues the journal with frames that were durable, so that only its header
    /// was lost. Without the header's salt nothing verifies: what stands there must be chained to the last frame, and on from
    /// frame to frame, up to one that saw the missing seq durable. Anything less is met by chance in what users store.
    fn is_hidden_continuation(&self, spare: &SpareFound) -> Result<bool> {
        let mut reader = FileReader::open(self.vfs, &spare.path)?;
        let (mut offset, mut seq, mut crc) = (FRAMES_START, self.next_seq, self.crc);
        while let Some((at, head)) = next_chained(&mut reader, offset, seq, crc)? {
            if head.durable_upto >= self.next_seq {
                return Ok(true);
            }
            (offset, seq, crc) = (at + u64::from(head.length), seq.saturating_add(1), head.crc);
        }
        Ok(false)
    }
}

/// What stands at `offset`, or on the page behind, with the structure of the frame `seq` that follows the checksum `crc`.
fn next_chained(reader: &mut FileReader, offset: u64, seq: u64, crc: u32) -> Result<Option<(u64, FrameHead)>> {
    for at in [offset, align_up(offset, PAGE_BYTES)] {
        if let Some(head) = reader.head_at(at)?
            && head.seq == seq
            && head.previous_crc == crc
            && reader.looks_whole_at(at, &head)?
        {
            return Ok(Some((at, head)));
        }
    }
    Ok(None)
}
