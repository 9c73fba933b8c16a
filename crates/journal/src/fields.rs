//! The integers of a journal file and of its frames, for tests that set each to its extremes; and checksums that vouch for anything.

use std::rc::Rc;

use ledgerstone_format::{FileField, PAGE_BYTES, Reseal, align_up, checksum::crc32c, integers_read};

use crate::{
    file_header::{COVERED_BYTES, FRAMES_START, FileHeader, HEADER_BYTES, HeaderFound},
    frame::check_structure,
    frame_head::{CRC_AT, FrameHead, HEAD_BYTES, PREVIOUS_CRC_AT, frame_crc},
};

/// Where a header names the checksum of the frame before its file.
const PREVIOUS_FILE_CRC_AT: usize = COVERED_BYTES - 4;

/// The integers of the header and of every frame up to the first that does not verify.
pub fn file_fields(file: &[u8]) -> Vec<FileField> {
    let Some(head) = file.get(..HEADER_BYTES) else { return Vec::new() };
    let HeaderFound::Valid(header) = FileHeader::find(head) else { return Vec::new() };
    let seal_header: Reseal = Rc::new(|file| {
        let Some((covered, rest)) = file.split_at_mut_checked(COVERED_BYTES) else { return };
        put(rest, 0, crc32c(covered));
    });
    let mut fields = FileField::of_part("journal header", integers_read(head, FileHeader::find), &seal_header);
    let mut at = FRAMES_START;
    while let Some((found, len)) = frame_at(file, at, header.salt).or_else(|| {
        at = align_up(at, PAGE_BYTES);
        frame_at(file, at, header.salt)
    }) {
        fields.extend(found);
        at += len;
    }
    fields
}

fn frame_at(file: &[u8], at: u64, salt: u64) -> Option<(Vec<FileField>, u64)> {
    let start = usize::try_from(at).ok()?;
    let head = FrameHead::parse(file.get(start..)?)?;
    let frame = file.get(start..)?.get(..usize::try_from(head.length).ok()?)?;
    if frame_crc(frame, salt)? != head.crc {
        return None;
    }
    let mut places = integers_read(frame, |frame| (FrameHead::parse(frame), check_structure(frame, &head)));
    // The lengths of the events are read as a table.
    places.extend((0..head.event_count as usize).map(|event| HEAD_BYTES + 4 * event..HEAD_BYTES + 4 * event + 4));
    let seal: Reseal = Rc::new(move |file| {
        let Some(rest) = file.get_mut(start..) else { return };
        // Over the length that the frame claims.
        let claimed = rest.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
        let len = claimed.min(rest.len());
        if let Some(crc) = rest.get(..len).and_then(|frame| frame_crc(frame, salt)) {
            put(rest, CRC_AT, crc);
        }
    });
    let places = places.into_iter().map(|place| place.start + start..place.end + start).collect();
    Some((FileField::of_part("journal frame", places, &seal), u64::from(head.length)))
}

/// Makes the checksums right of the header and of every frame that has the structure of one; with `chain`, which is the checksum of the
/// frame before, what each names as the one before it too. The checksum of the last frame, if the chain was made right.
pub fn reseal_file(file: &mut [u8], chain: Option<u32>) -> Option<u32> {
    if let Some(crc) = chain {
        put(file, PREVIOUS_FILE_CRC_AT, crc);
    }
    if let Some((covered, rest)) = file.split_at_mut_checked(COVERED_BYTES) {
        put(rest, 0, crc32c(covered));
    }
    let HeaderFound::Valid(header) = FileHeader::find(file) else { return chain };
    let (mut crc, mut at) = (chain, FRAMES_START);
    loop {
        let found = [at, align_up(at, PAGE_BYTES)].into_iter().find_map(|at| {
            let (len, sealed) = reseal_frame(file, at, header.salt, crc)?;
            Some((at + len, sealed))
        });
        let Some((end, sealed)) = found else { return crc };
        at = end;
        crc = crc.and(Some(sealed));
    }
}

/// The length of the frame at `at`, and its checksum.
fn reseal_frame(file: &mut [u8], at: u64, salt: u64, chain: Option<u32>) -> Option<(u64, u32)> {
    let rest = file.get_mut(usize::try_from(at).ok()?..)?;
    let head = FrameHead::parse(rest)?;
    let frame = rest.get_mut(..usize::try_from(head.length).ok()?)?;
    if let Some(crc) = chain {
        put(frame, PREVIOUS_CRC_AT, crc);
    }
    let crc = frame_crc(frame, salt)?;
    put(frame, CRC_AT, crc);
    Some((u64::from(head.length), crc))
}

fn put(bytes: &mut [u8], at: usize, crc: u32) {
    if let Some(place) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = crc.to_le_bytes();
    }
}
