//! Checks every segment: header, index and footer, and every frame with its events. Only reads, and continues after damage to
//! report which events it affects.

use std::{path::Path, sync::Arc};

use ledgerstone_format::{Damage, DamageKind, StoreId};
use ledgerstone_vfs::{OpenHow, Vfs, VfsFile};

use crate::{
    Error, EventLog, Result,
    horizon::{HORIZON_NAME, HorizonFile},
    recovery::{Names, Scan},
    segment::{
        Body, Segment,
        footer::{FOOTER_BYTES, Footer},
        header::{SEGMENT_HEADER_BYTES, SegmentHeader},
        index::Span,
        read_buffer::ReadBuffer,
        reader::SegmentReader,
    },
};

/// How much was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Segments.
    pub files: u64,
    /// Bytes of headers, frames, indexes and footers.
    pub bytes: u64,
    /// Valid events.
    pub events: u64,
    /// The first id of the oldest segment that could be read; 0 if none could.
    pub oldest_event_id: u64,
    /// The id after the last event of the newest segment; 0 if that could not be read.
    pub next_event_id: u64,
    /// The horizon file of a closed log: events below were trimmed.
    pub horizon: Option<u64>,
}

const FOOTER_LOST: &str = "the footer of the segment is damaged, no event is affected";

type Found<'f> = &'f mut dyn FnMut(Damage);

impl EventLog {
    /// Checks the open log, as of now. Segments that are removed during the check are left out.
    pub fn verify(&self, found: Found<'_>, cancelled: &dyn Fn() -> bool) -> Verified {
        let next_id = self.next_event_id();
        let segments = self.segments.read().clone();
        let mut check = Check { vfs: &*self.vfs, cancelled, verified: Verified::default() };
        check.verified.oldest_event_id = segments.first().map_or(0, |segment| segment.first_id());
        for (segment, following) in segments.iter().zip(segments.iter().skip(1).map(Some).chain([None])) {
            let (mut segment, before) = (Arc::clone(segment), check.verified);
            loop {
                let mut damages = Vec::new();
                check.verified = before;
                if following.is_some_and(|following| following.first_id() != segment.end().id) {
                    damages.push(missing(&self.dir, segment.end().id));
                }
                check.segment(&segment, next_id, &mut |damage| damages.push(damage));
                let now = self.segments.read().iter().find(|other| other.first_id() == segment.first_id()).cloned();
                match now {
                    // Its footer was added or removed in between, each at most once.
                    Some(now) if !Arc::ptr_eq(&now, &segment) && !cancelled() => segment = now,
                    Some(_) => break damages.into_iter().for_each(&mut *found),
                    None => break,
                }
            }
            if cancelled() {
                break;
            }
        }
        check.verified.next_event_id = next_id;
        check.verified
    }
}

/// Checks a log that is not open; judges its end as opening it does.
pub fn verify(
    vfs: &Arc<dyn Vfs>,
    dir: &Path,
    store_id: StoreId,
    found: Found<'_>,
    cancelled: &dyn Fn() -> bool,
) -> Verified {
    let mut check = Check { vfs: &**vfs, cancelled, verified: Verified::default() };
    let names = match Names::read(&**vfs, dir) {
        Ok(names) => names,
        Err(error) => {
            found(of_error(error, dir));
            return check.verified;
        }
    };
    let horizon = look_at_horizon(&**vfs, dir, store_id, found);
    check.verified.horizon = horizon.known().map(|horizon| horizon.id);
    let mut scan = Scan::new(vfs, dir, store_id, &names, horizon);
    for (first_id, next_first_id) in names.in_use(horizon) {
        if cancelled() {
            break;
        }
        check.verified.next_event_id = 0;
        if let Some(end) = scan.segments.last().map(|before| before.end().id).filter(|end| *end != first_id) {
            found(missing(dir, end));
            scan.segments.clear();
        }
        if let Err(error) = scan.add(first_id, next_first_id) {
            found(of_error(error, dir));
            // The next segment has nothing to continue.
            scan.segments.clear();
            continue;
        }
        let Some(segment) = scan.segments.last() else { continue };
        if check.verified.oldest_event_id == 0 {
            check.verified.oldest_event_id = first_id;
        }
        check.verified.next_event_id = segment.end().id;
        if let (Body::Indexed(_), Some(_)) = (&segment.body, next_first_id) {
            let (kind, file) = (DamageKind::Checksum, segment.path.clone());
            found(Damage { kind, file, offset: Some(segment.end().offset), what: FOOTER_LOST.to_owned() });
        }
        check.segment(segment, u64::MAX, found);
    }
    check.verified
}

/// Reads the horizon file, which says which segments were trimmed.
pub(crate) fn look_at_horizon(vfs: &dyn Vfs, dir: &Path, store_id: StoreId, found: Found<'_>) -> HorizonFile {
    let path = dir.join(HORIZON_NAME);
    let horizon = HorizonFile::read(vfs, dir, store_id).unwrap_or_else(|error| {
        found(of_error(error, &path));
        HorizonFile::Missing
    });
    if horizon == HorizonFile::Damaged {
        let what = "the horizon file is damaged: what was trimmed is not known from it".to_owned();
        found(Damage { kind: DamageKind::Checksum, file: path, offset: Some(0), what });
    }
    horizon
}

fn missing(dir: &Path, id: u64) -> Damage {
    let what = format!("a segment is missing: first_event_id={id}");
    Damage { kind: DamageKind::Missing, file: dir.to_path_buf(), offset: None, what }
}

pub(crate) fn of_error(error: Error, path: &Path) -> Damage {
    match error {
        Error::Corrupt { file, offset, what } => {
            Damage { kind: DamageKind::Checksum, file, offset: Some(offset), what }
        }
        Error::Foreign { ref path, .. } => {
            Damage { kind: DamageKind::Foreign, file: path.clone(), offset: None, what: error.to_string() }
        }
        Error::Format { file, found, supported } => {
            let what = format!("the file has an unknown format: found={found} supported={supported}");
            Damage { kind: DamageKind::Foreign, file, offset: Some(0), what }
        }
        Error::Io(error) | Error::NoSpace(error) => {
            let kind = if error.is_not_found() { DamageKind::Missing } else { DamageKind::Io };
            Damage { kind, file: error.path.clone(), offset: None, what: error.to_string() }
        }
        other => Damage { kind: DamageKind::Io, file: path.to_path_buf(), offset: None, what: other.to_string() },
    }
}

struct Check<'a> {
    vfs: &'a dyn Vfs,
    cancelled: &'a dyn Fn() -> bool,
    verified: Verified,
}

impl Check<'_> {
    /// Checks the part of a segment below `next_id`.
    fn segment(&mut self, segment: &Arc<Segment>, next_id: u64, found: Found<'_>) {
        self.verified.files += 1;
        if let Err(error) = self.look_through(segment, next_id, found) {
            found(of_error(error, &segment.path));
        }
    }

    fn look_through(&mut self, segment: &Arc<Segment>, next_id: u64, found: Found<'_>) -> Result<()> {
        let file = self.vfs.open(&segment.path, OpenHow::Read)?;
        match SegmentHeader::read(&*file) {
            Ok(Some(header)) if header == segment.header => {}
            Ok(_) => found(damage(&*file, 0, "the segment's header does not verify")),
            Err(error) => found(of_error(error, &segment.path)),
        }
        self.verified.bytes += SEGMENT_HEADER_BYTES;
        if let Body::Sealed(footer) = &segment.body {
            check_footer(&*file, segment, footer, found)?;
            self.verified.bytes += footer.file_bytes().saturating_sub(footer.index_offset);
        }
        let reader = SegmentReader::open(self.vfs, Arc::clone(segment))?;
        let (mut id, mut timestamp_ms, mut buffer) = (segment.first_id(), 0, ReadBuffer::new());
        let end_id = segment.end().id.min(next_id);
        while id < end_id && !(self.cancelled)() {
            let Some(span) = reader.with_index(|index| index.span_from(id, id, 0)) else {
                return Err(reader.corrupt(0, "the index of the segment does not reach its end"));
            };
            self.block(&reader, span, &mut timestamp_ms, &mut buffer, found)?;
            id = span.end_id;
        }
        Ok(())
    }

    /// Checks the frames between two entries of the index.
    fn block(
        &mut self,
        reader: &SegmentReader,
        span: Span,
        timestamp_ms: &mut u64,
        buffer: &mut ReadBuffer,
        found: Found<'_>,
    ) -> Result<()> {
        let mut next_id = span.first_id;
        let mut lost = |error: Error, first: u64| {
            let mut damage = of_error(error, &reader.segment().path);
            damage.what = format!("{}: first_event_id={first} last_event_id={}", damage.what, span.end_id - 1);
            found(damage);
        };
        match reader.load(span, buffer) {
            Ok(()) => {}
            Err(Error::Io(error)) => return Err(Error::Io(error)),
            Err(error) => {
                lost(error, next_id);
                return Ok(());
            }
        }
        for frame in reader.frames(span, buffer) {
            let facts = match frame {
                Ok(frame) => frame.facts(),
                Err(error) => {
                    lost(error, next_id);
                    return Ok(());
                }
            };
            if facts.first_timestamp_ms < *timestamp_ms {
                lost(reader.corrupt(facts.offset, "the timestamps of the frame go back"), next_id);
            }
            *timestamp_ms = facts.last_timestamp_ms;
            next_id = facts.first_id + facts.count;
            self.verified.events += facts.count;
        }
        self.verified.bytes += span.end_offset - span.offset;
        Ok(())
    }
}

/// Damage to index or footer loses no event, since both are rebuilt by reading the segment; but the disk has changed what was written.
fn check_footer(file: &dyn VfsFile, segment: &Segment, footer: &Footer, found: Found<'_>) -> Result<()> {
    if Footer::read(file, footer.file_bytes(), &segment.header)? != Some(*footer) {
        let offset = footer.file_bytes().saturating_sub(FOOTER_BYTES as u64);
        found(damage(file, offset, FOOTER_LOST));
    }
    if footer.read_index(file, &segment.header)?.is_none() {
        found(damage(file, footer.index_offset, "the index of the segment is damaged, no event is affected"));
    }
    Ok(())
}

fn damage(file: &dyn VfsFile, offset: u64, what: &str) -> Damage {
    let (kind, file) = (DamageKind::Checksum, file.path().to_path_buf());
    Damage { kind, file, offset: Some(offset), what: what.to_owned() }
}
