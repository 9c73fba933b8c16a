//! Checks the frames that the journal promises, and those before them that still exist: checksums, chain, contiguous seqs and
//! event ids. Only reads, blocks nobody, and continues after damage to report its extent.
//!
//! Frames after the last flush are promised. The checkpoint has those before it, so a break among them is harmless. Spares
//! contain nothing and are not checked.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_format::{Damage, DamageKind, PAGE_BYTES, StoreId, align_up};
use ledgerstone_vfs::Vfs;

use crate::{
    Error, Frame, Journal, Result, ScanFrom,
    file_header::{FORMAT, FRAMES_START, FileHeader, HeaderFound},
    file_name::journal_path,
    folder::journal_files,
    frame_head::FrameHead,
    reader::FileReader,
    recovery::scan,
};

/// How much was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files in use.
    pub files: u64,
    /// The bytes in them that hold headers and frames.
    pub bytes: u64,
    /// Valid frames.
    pub frames: u64,
}

type Found<'f> = &'f mut dyn FnMut(Damage);

/// A file in use, as it should be.
#[derive(Clone, Copy, Debug)]
struct Listed {
    number: u64,
    first_seq: u64,
}

impl Journal {
    /// Checks what the open journal has written, as of now; `applied_seq` is the last seq in the checkpoint. Files that are
    /// given up during the check are left out. Once poisoned only durable frames count.
    pub fn verify(&self, applied_seq: u64, found: Found<'_>, cancelled: &dyn Fn() -> bool) -> Verified {
        let upto = if self.check_poison().is_ok() { self.written() } else { self.durable() };
        let (store_id, files): (_, Vec<_>) = {
            let group = self.group.lock();
            let listed = group.files().iter().map(|file| Listed { number: file.number, first_seq: file.first_seq });
            (group.store_id(), listed.filter(|file| file.first_seq <= upto).collect())
        };
        let vfs = self.pool.lock().vfs();
        let mut check = Check::new(&*vfs, &self.dir, store_id, applied_seq..=upto, cancelled);
        check.files(&files, &mut |number, damage| {
            // A file leaves the list before it is renamed, so one that is still listed was not touched.
            if number.is_none_or(|number| self.group.lock().files().iter().any(|file| file.number == number)) {
                found(damage);
            }
        });
        check.verified
    }
}

/// Checks a journal that is not open; judges its end as opening it does. `from` is `None` when the end of the checkpoint is
/// unknown: then only gaps within the journal are found.
pub fn verify(
    vfs: &Arc<dyn Vfs>,
    dir: &Path,
    store_id: StoreId,
    from: Option<ScanFrom>,
    found: Found<'_>,
    cancelled: &dyn Fn() -> bool,
) -> Verified {
    let mut sound = true;
    let mut note = |damage| {
        sound = false;
        found(damage);
    };
    let files = match files_in_use(&**vfs, dir, &mut note) {
        Ok(files) => files,
        Err(error) => {
            note(of_error(error, dir));
            return Verified::default();
        }
    };
    let first = files.first().map_or(0, |file| file.first_seq.saturating_sub(1));
    let applied = from.map_or(first, |from| from.applied_seq);
    let last_header = files.last().map_or(0, |file| file.first_seq.saturating_sub(1));
    let upto = from.map_or(0, |from| from.promised.seq).max(last_header);
    let mut check = Check::new(&**vfs, dir, store_id, applied..=upto, cancelled);
    check.files(&files, &mut |_, damage| note(damage));
    let verified = check.verified;
    if let (true, Some(from), false) = (sound, from, cancelled())
        && let Err(error) = scan(Arc::clone(vfs), dir, store_id, from)
    {
        found(of_error(error, dir));
    }
    verified
}

/// The files whose header has the number in their name. Reports files of an unknown format.
fn files_in_use(vfs: &dyn Vfs, dir: &Path, found: Found<'_>) -> Result<Vec<Listed>> {
    let mut files = Vec::new();
    for (number, path) in journal_files(vfs, dir)? {
        match FileReader::open(vfs, &path).and_then(|mut reader| reader.header()) {
            Ok(HeaderFound::Valid(header)) if header.number == number => {
                files.push(Listed { number, first_seq: header.first_seq });
            }
            Ok(HeaderFound::Foreign(format)) => found(foreign_format(path, format)),
            Ok(_) => {}
            Err(error) => found(of_error(error, &path)),
        }
    }
    Ok(files)
}

fn foreign_format(file: PathBuf, format: u16) -> Damage {
    let what = format!("a journal file has an unknown format: found={format} supported={FORMAT}");
    Damage { kind: DamageKind::Foreign, file, offset: Some(0), what }
}

fn of_error(error: Error, path: &Path) -> Damage {
    match error {
        Error::Corrupt { file, offset, what } => {
            let kind = if offset == 0 { DamageKind::Structure } else { DamageKind::Checksum };
            Damage { kind, file, offset: Some(offset), what }
        }
        Error::Format { file, found, .. } => foreign_format(file, u16::try_from(found).unwrap_or(u16::MAX)),
        Error::Foreign { ref path, .. } => {
            Damage { kind: DamageKind::Foreign, file: path.clone(), offset: None, what: error.to_string() }
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
    dir: &'a Path,
    store_id: StoreId,
    /// From the last seq that is no longer needed to the last promised one.
    extent: RangeInclusive<u64>,
    cancelled: &'a dyn Fn() -> bool,
    next_seq: u64,
    /// The state after the frame before, if that was valid.
    before: Option<Before>,
    damages: Vec<Damage>,
    verified: Verified,
}

#[derive(Clone, Copy, Debug)]
struct Before {
    crc: u32,
    next_event_id: u64,
}

impl<'a> Check<'a> {
    fn new(
        vfs: &'a dyn Vfs,
        dir: &'a Path,
        store_id: StoreId,
        extent: RangeInclusive<u64>,
        cancelled: &'a dyn Fn() -> bool,
    ) -> Self {
        let next_seq = extent.start().saturating_add(1);
        let (damages, verified) = (Vec::new(), Verified::default());
        Self { vfs, dir, store_id, extent, cancelled, next_seq, before: None, damages, verified }
    }

    /// Checks all files, in order, and reports each damage with its file.
    fn files(&mut self, files: &[Listed], found: &mut dyn FnMut(Option<u64>, Damage)) {
        self.next_seq = files.first().map_or(self.next_seq, |first| first.first_seq.min(self.next_seq));
        let ends = files.iter().skip(1).map(|next| next.first_seq.saturating_sub(1)).chain([u64::MAX]);
        for (file, end_seq) in files.iter().zip(ends) {
            if self.next_seq < file.first_seq {
                self.lose(DamageKind::Missing, self.dir, None, self.next_seq..=file.first_seq - 1);
                self.damages.drain(..).for_each(|damage| found(None, damage));
            }
            (self.next_seq, self.verified.files) = (file.first_seq, self.verified.files + 1);
            let path = journal_path(self.dir, file.number);
            if let Err(error) = self.file(file, &path, end_seq) {
                (self.before, self.next_seq) = (None, end_seq.saturating_add(1));
                self.damages.push(of_error(error, &path));
            }
            self.damages.drain(..).for_each(|damage| found(Some(file.number), damage));
            if (self.cancelled)() {
                return;
            }
        }
        if files.is_empty() {
            self.lose(DamageKind::Missing, self.dir, None, self.next_seq..=*self.extent.end());
            self.damages.drain(..).for_each(|damage| found(None, damage));
        }
    }

    fn file(&mut self, listed: &Listed, path: &Path, end_seq: u64) -> Result<()> {
        let mut reader = FileReader::open(self.vfs, path)?;
        let is_needed = end_seq > *self.extent.start();
        let Some(header) = self.header(listed, path, reader.header()?, is_needed) else {
            self.before = None;
            self.lose(DamageKind::Missing, path, Some(FRAMES_START), self.next_seq..=end_seq);
            return Ok(());
        };
        if self.before.is_some_and(|before| before.crc != header.previous_crc) {
            self.damage(DamageKind::Contradiction, path, 0, "a journal file does not continue the one before it");
        }
        let mut offset = FRAMES_START;
        while self.next_seq <= end_seq && !(self.cancelled)() {
            let next = match next_frame(&mut reader, offset, &header, self.next_seq)? {
                Some(next) => Some(next),
                None if self.next_seq > *self.extent.end() => None,
                None => {
                    let resumed = resume(&mut reader, offset, &header, self.next_seq + 1..=end_seq, self.cancelled)?;
                    let last = resumed.as_ref().map_or(end_seq, |(_, frame)| frame.seq() - 1);
                    self.before = None;
                    self.lose(DamageKind::Checksum, path, Some(offset), self.next_seq..=last);
                    resumed
                }
            };
            let Some((at, frame)) = next else { break };
            self.accept(path, at, &frame);
            offset = at + frame.bytes().len() as u64;
        }
        self.verified.bytes += offset;
        Ok(())
    }

    /// The file's header, if it is the expected one. A file without a header is a spare, which is harmless unless the file is needed.
    fn header(&mut self, listed: &Listed, path: &Path, found: HeaderFound, is_needed: bool) -> Option<FileHeader> {
        match found {
            HeaderFound::Valid(header) if header.store_id != self.store_id => {
                self.damage(DamageKind::Foreign, path, 0, "a journal file belongs to another store");
            }
            HeaderFound::Valid(header) if (header.number, header.first_seq) == (listed.number, listed.first_seq) => {
                return Some(header);
            }
            HeaderFound::Valid(_) => {
                self.damage(DamageKind::Contradiction, path, 0, "a journal file has the header of another one");
            }
            HeaderFound::Foreign(format) => self.damages.push(foreign_format(path.to_path_buf(), format)),
            HeaderFound::Blank | HeaderFound::Damaged if !is_needed => {}
            HeaderFound::Blank | HeaderFound::Damaged => {
                self.damage(DamageKind::Checksum, path, 0, "the header of a journal file is damaged");
            }
        }
        None
    }

    fn accept(&mut self, path: &Path, offset: u64, frame: &Frame) {
        if let Some(before) = self.before {
            if frame.previous_crc() != before.crc && self.next_seq > *self.extent.start() {
                self.damage(DamageKind::Contradiction, path, offset, "a commit does not continue the one before it");
            }
            if frame.first_event_id() != before.next_event_id && self.next_seq > *self.extent.start() {
                self.damage(DamageKind::Contradiction, path, offset, "event ids are not contiguous");
            }
        }
        self.before = Some(Before { crc: frame.crc(), next_event_id: frame.next_event_id() });
        self.next_seq = frame.seq() + 1;
        self.verified.frames += 1;
    }

    fn damage(&mut self, kind: DamageKind, path: &Path, offset: u64, what: &str) {
        let what = format!("{what}: seq={}", self.next_seq);
        self.damages.push(Damage { kind, file: path.to_path_buf(), offset: Some(offset), what });
    }

    /// These commits cannot be read: damage as far as they are promised.
    fn lose(&mut self, kind: DamageKind, path: &Path, offset: Option<u64>, seqs: RangeInclusive<u64>) {
        let first = (*seqs.start()).max(self.extent.start().saturating_add(1));
        let last = (*seqs.end()).min(*self.extent.end());
        if first <= last {
            let what = format!("commits are missing from the journal: first_seq={first} last_seq={last}");
            self.damages.push(Damage { kind, file: path.to_path_buf(), offset, what });
        }
        self.next_seq = seqs.end().saturating_add(1);
    }
}

/// The frame `seq` after `offset` or on the next page.
fn next_frame(reader: &mut FileReader, offset: u64, header: &FileHeader, seq: u64) -> Result<Option<(u64, Frame)>> {
    for at in [offset, align_up(offset, PAGE_BYTES)] {
        if let Some(frame) = reader.frame_at(at, header.salt)?.filter(|frame| frame.seq() == seq) {
            return Ok(Some((at, frame)));
        }
    }
    Ok(None)
}

/// The first frame after `offset` with one of these seqs.
fn resume(
    reader: &mut FileReader,
    offset: u64,
    header: &FileHeader,
    seqs: RangeInclusive<u64>,
    cancelled: &dyn Fn() -> bool,
) -> Result<Option<(u64, Frame)>> {
    let is_sought = |_, head: &FrameHead| seqs.contains(&head.seq) && !cancelled();
    let Some(at) = reader.find_frame(offset, header.salt, is_sought)?.map(|frame| frame.start) else { return Ok(None) };
    Ok(reader.frame_at(at, header.salt)?.map(|frame| (at, frame)))
}
