//! The integers of a log's files, for tests that set each to its extremes.

use std::{ops::Range, path::Path, rc::Rc};

use ledgerstone_format::{
    FileField, PAGE_BYTES, Reseal, align_up,
    checksum::{crc32c, crc32c_append},
    integers_read, record_fields,
};

use crate::{
    frame::{CRC_AT, FRAME_ALIGNMENT, Frame, FrameHeader, Place, checksum},
    horizon::HorizonFile,
    segment::{
        footer::{CRC_OFFSET, FOOTER_BYTES, Footer, INDEX_CRC_OFFSET},
        header::{ALL_FIELD_BYTES, FIELD_BYTES, SEGMENT_HEADER_BYTES, SegmentHeader},
        index::SegmentIndex,
    },
};

/// The integers of the file `name` of a log; none for an unknown name.
pub fn file_fields(name: &str, file: &[u8]) -> Vec<FileField> {
    match name {
        "horizon" => FileField::of_part("horizon", integers_read(file, HorizonFile::read_fields), &sealed_at_the_end()),
        "IDENTITY" | "CLEAN" => record_fields("record of a log", file),
        _ if name.starts_with("events-") => segment_fields(file).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn sealed_at_the_end() -> Reseal {
    Rc::new(|file| {
        if let Some((covered, crc)) = file.split_last_chunk_mut::<4>() {
            *crc = crc32c(covered).to_le_bytes();
        }
    })
}

fn segment_fields(file: &[u8]) -> Option<Vec<FileField>> {
    let head = file.get(..ALL_FIELD_BYTES)?;
    let header = SegmentHeader::decode(head, Path::new("")).ok()??;
    let seal_header: Reseal = Rc::new(|file| {
        seal(file, 0..FIELD_BYTES - 4, FIELD_BYTES - 4, crc32c);
        seal(file, 0..ALL_FIELD_BYTES - 4, ALL_FIELD_BYTES - 4, crc32c);
    });
    let places = integers_read(head, |head| SegmentHeader::decode(head, Path::new("")));
    let mut fields = FileField::of_part("segment header", places, &seal_header);
    let mut at = SEGMENT_HEADER_BYTES;
    while let Some((found, len)) = frame_at(file, at, header.salt).or_else(|| {
        at = align_up(at, PAGE_BYTES);
        frame_at(file, at, header.salt)
    }) {
        fields.extend(found);
        at += len;
    }
    fields.extend(footer_fields(file, &header).unwrap_or_default());
    Some(fields)
}

fn frame_at(file: &[u8], offset: u64, salt: u64) -> Option<(Vec<FileField>, u64)> {
    let start = usize::try_from(offset).ok()?;
    let place = Place { salt, offset };
    let bytes = file.get(start..)?;
    let header = FrameHeader::parse(bytes)?;
    Frame::verify(bytes, place).ok()??;
    let whole = bytes.get(..usize::try_from(header.length_bytes()).ok()?)?;
    let places = integers_read(whole, |whole| Frame::verify(whole, place).ok().flatten().map(|frame| frame.facts()));
    let seal: Reseal = Rc::new(move |file| {
        let Some(rest) = file.get_mut(start..) else { return };
        let Some(length) = rest.first_chunk::<4>().copied() else { return };
        let end = (u32::from_le_bytes(length) as usize).min(rest.len());
        let crc = checksum(place, length, rest.get(8..end).unwrap_or_default());
        put(rest, CRC_AT, crc);
    });
    let places = places.into_iter().map(|place| place.start + start..place.end + start).collect();
    Some((FileField::of_part("frame of events", places, &seal), align_up(header.length_bytes(), FRAME_ALIGNMENT)))
}

/// The integers of the index and of the footer.
fn footer_fields(file: &[u8], header: &SegmentHeader) -> Option<Vec<FileField>> {
    let start = file.len().checked_sub(FOOTER_BYTES)?;
    let salt = header.salt;
    let read = |bytes: &[u8]| Footer::decode(bytes.first_chunk()?, header, start as u64);
    let footer = read(file.get(start..)?)?;
    let shifted = |places: Vec<Range<usize>>, by: usize| places.into_iter().map(move |p| p.start + by..p.end + by);
    let seal_footer: Reseal = Rc::new(move |file| {
        let seed = Place { salt, offset: start as u64 }.seed();
        seal(file, start..start + CRC_OFFSET, start + CRC_OFFSET, |bytes| crc32c_append(seed, bytes));
    });
    let places = shifted(integers_read(file.get(start..)?, read), start).collect();
    let mut fields = FileField::of_part("footer", places, &seal_footer);
    let index_start = usize::try_from(footer.index_offset).ok()?;
    let seal_index: Reseal = Rc::new(move |file| {
        let seed = Place { salt, offset: footer.index_offset }.seed();
        seal(file, index_start..start, start + INDEX_CRC_OFFSET, |bytes| crc32c_append(seed, bytes));
        seal_footer(file);
    });
    let index = file.get(index_start..start)?;
    let places = integers_read(index, |index| SegmentIndex::decode_piece(&mut Vec::new(), header.first_id, index));
    fields.extend(FileField::of_part("index", shifted(places, index_start).collect(), &seal_index));
    Some(fields)
}

/// Writes the checksum of `covered` at `at`.
fn seal(file: &mut [u8], covered: Range<usize>, at: usize, checksum: impl Fn(&[u8]) -> u32) {
    if let Some(crc) = file.get(covered).map(checksum) {
        put(file, at, crc);
    }
}

fn put(bytes: &mut [u8], at: usize, crc: u32) {
    if let Some(place) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = crc.to_le_bytes();
    }
}
