//! Distinguishes a torn tail from damage: searches after the first missing frame for anything that shows it was durable (I6).
//!
//! Witnesses are the promises of other files, a later file (begun only when everything before it was durable, I4), a later
//! frame that had seen the missing one durable, and such frames in a file that lost its header.

use std::ops::ControlFlow;

use ledgerstone_format::{PAGE_BYTES, align_up};

use super::{Walk, damaged};
use crate::{
    Frame, Result,
    file_header::FRAMES_START,
    folder::SpareFound,
    frame_head::{FrameHead, HEAD_BYTES},
    reader::FileReader,
};

impl Walk<'_> {
    /// Judges the break. For a torn tail, returns its length in bytes.
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
        if self.promised.is_end && self.promised.seq == missing - 1 {
            return Ok(0);
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

    /// Searches the rest of the file for frames, in one pass. `Err`: the offset of one that shows the missing one was durable.
    /// `Ok`: where the torn tail ends.
    fn read_rest(&mut self) -> Result<std::result::Result<u64, u64>> {
        let (missing, crc, from, next_event_id) = (self.next_seq, self.crc, self.offset, self.next_event_id);
        let Some((index, reader)) = &mut self.current else { return Ok(Ok(from)) };
        let salt = self.folder.in_use.get(*index).map_or(0, |file| file.header.salt);
        let (mut torn_end, mut whole_end) = (from, from);
        let mut witness = None;
        // At most this many frames and events fit in between: each has at least a head or a length.
        let comes_later = |at: u64, head: &FrameHead| {
            let (frames, events) = ((at - from) / HEAD_BYTES as u64, (at - from) / 4);
            head.seq.checked_sub(missing).is_some_and(|ahead| ahead <= frames)
                && head.first_event_id.checked_sub(next_event_id).is_some_and(|ahead| ahead <= events)
        };
        let is_sought = |at, head: &FrameHead| {
            if !comes_later(at, head) {
                return false;
            }
            if head.seq == missing && head.previous_crc == crc {
                torn_end = torn_end.max(at + u64::from(head.length));
            }
            true
        };
        reader.search(from, salt, is_sought, |frame, durable_upto| {
            if durable_upto >= missing {
                witness = Some(frame.start);
                return ControlFlow::Break(());
            }
            whole_end = whole_end.max(frame.end);
            ControlFlow::Continue(())
        })?;
        Ok(witness.map_or(Ok(torn_end.max(whole_end)), Err))
    }

    /// Whether a file that looks like a spare continues the journal with durable frames, so that only its header was lost.
    /// Without the header's salt nothing verifies: its frames must be chained to a known frame, and from frame to frame, up to
    /// one that saw the missing seq durable. A shorter chain can occur by chance in user data.
    fn is_hidden_continuation(&self, spare: &SpareFound) -> Result<bool> {
        let mut reader = FileReader::open(self.vfs, &spare.path)?;
        let Some(first) = reader.head_at(FRAMES_START)? else { return Ok(false) };
        let Some(crc) = self.crc_before(first.seq) else { return Ok(false) };
        let (mut offset, mut seq, mut crc) = (FRAMES_START, first.seq, crc);
        while let Some((at, head)) = next_chained(&mut reader, offset, seq, crc)? {
            if head.durable_upto >= self.next_seq {
                return Ok(true);
            }
            (offset, seq, crc) = (at + u64::from(head.length), seq.saturating_add(1), head.crc);
        }
        Ok(false)
    }

    /// The checksum before the frame `seq`, if that is the missing one or was read. A file may begin with copies of the last
    /// frames, whose checksums differ from the originals'.
    fn crc_before(&self, seq: u64) -> Option<u32> {
        if seq == self.next_seq {
            return Some(self.crc);
        }
        self.frames.iter().rev().find(|frame| frame.seq() == seq).map(Frame::previous_crc)
    }
}

/// The frame `seq` at `offset` or on the next page, by structure only, if it follows the checksum `crc`.
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
