//! The integers of a log's files, for tests that set each to its extremes; and checksums that vouch for anything.

use std::{ops::Range, path::Path, rc::Rc};

use ledgerstone_format::{
    ByteReader, FileField, PAGE_BYTES, Reseal, align_up,
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
    let seal_header: Reseal = Rc::new(seal_header);
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
    let seal: Reseal = Rc::new(move |file| seal_frame(file, place));
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
    let seal_footer: Reseal = Rc::new(move |file| seal_footer(file, salt, start));
    let places = shifted(integers_read(file.get(start..)?, read), start).collect();
    let mut fields = FileField::of_part("footer", places, &seal_footer);
    let index_start = usize::try_from(footer.index_offset).ok()?;
    let seal_index: Reseal = Rc::new(move |file| seal_index(file, salt, footer.index_offset, start));
    let index = file.get(index_start..start)?;
    let places = integers_read(index, |index| SegmentIndex::decode_piece(&mut Vec::new(), header.first_id, index));
    fields.extend(FileField::of_part("index", shifted(places, index_start).collect(), &seal_index));
    Some(fields)
}

/// Makes the checksums right of the file `name` of a log: of a segment, of every part that has the structure of one.
pub fn reseal_file(name: &str, file: &mut [u8]) {
    if name.starts_with("events-") { reseal_segment(file) } else { sealed_at_the_end()(file) }
}

fn reseal_segment(file: &mut [u8]) {
    seal_header(file);
    let head = file.get(..ALL_FIELD_BYTES).unwrap_or_default();
    let Ok(Some(header)) = SegmentHeader::decode(head, Path::new("")) else { return };
    let mut at = SEGMENT_HEADER_BYTES;
    while let Some(end) = [at, align_up(at, PAGE_BYTES)].into_iter().find_map(|at| reseal_frame(file, at, header.salt))
    {
        at = end;
    }
    let Some(start) = file.len().checked_sub(FOOTER_BYTES) else { return };
    let index_offset = file.get(start..).and_then(|footer| {
        let mut reader = ByteReader::new(footer);
        reader.take(8).and_then(|_| reader.u64())
    });
    if let Some(index_offset) = index_offset.filter(|offset| *offset <= start as u64) {
        seal_index(file, header.salt, index_offset, start);
    }
}

/// Where the frame at `offset` ends.
fn reseal_frame(file: &mut [u8], offset: u64, salt: u64) -> Option<u64> {
    let start = usize::try_from(offset).ok()?;
    let header = FrameHeader::parse(file.get(start..)?)?;
    let end = start.checked_add(usize::try_from(header.length_bytes()).ok()?)?;
    file.get(start..end)?;
    seal_frame(file, Place { salt, offset });
    Some(align_up(end as u64, FRAME_ALIGNMENT))
}

fn seal_header(file: &mut [u8]) {
    seal(file, 0..FIELD_BYTES - 4, FIELD_BYTES - 4, crc32c);
    seal(file, 0..ALL_FIELD_BYTES - 4, ALL_FIELD_BYTES - 4, crc32c);
}

/// Over as much as the frame claims to be.
fn seal_frame(file: &mut [u8], place: Place) {
    let Some(rest) = usize::try_from(place.offset).ok().and_then(|start| file.get_mut(start..)) else { return };
    let Some(length) = rest.first_chunk::<4>().copied() else { return };
    let end = (u32::from_le_bytes(length) as usize).min(rest.len());
    let crc = checksum(place, length, rest.get(8..end).unwrap_or_default());
    put(rest, CRC_AT, crc);
}

/// The index, which ends where the footer starts, and the footer.
fn seal_index(file: &mut [u8], salt: u64, index_offset: u64, footer_start: usize) {
    let Ok(index_start) = usize::try_from(index_offset) else { return };
    let seed = Place { salt, offset: index_offset }.seed();
    let crc_at = footer_start + INDEX_CRC_OFFSET;
    seal(file, index_start..footer_start, crc_at, |bytes| crc32c_append(seed, bytes));
    seal_footer(file, salt, footer_start);
}

fn seal_footer(file: &mut [u8], salt: u64, start: usize) {
    let seed = Place { salt, offset: start as u64 }.seed();
    seal(file, start..start + CRC_OFFSET, start + CRC_OFFSET, |bytes| crc32c_append(seed, bytes));
}

/// Puts the checksum of `covered` at `at`.
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
