//! The only step of recovery that changes files: makes the tail durable, retires cut files, returns a journal.
//!
//! Order matters, because a crash may come between any two steps. A cut file is renamed aside and the folder flushed before a
//! file is made that continues the chain. The tail's new file is complete and flushed before it is named, so a second recovery
//! sees the old tail or the new one, never half of it.

use std::{path::Path, sync::Arc};

use ledgerstone_format::{PAGE_BYTES, PlantedFault, align_up, memory::copied, planted};
use ledgerstone_vfs::{Aside, Clock, FileError, OpenHow, Vfs, VfsFile};

use crate::{
    Error, Frame, Journal, JournalOptions, Poison, Position, Result, Scan,
    error::Failure,
    file_header::{FRAMES_START, FileHeader, HEADER_BYTES, make_salt},
    file_name::{UNFINISHED_TAIL, journal_path},
    folder::{Folder, InUse, SpareFound},
    frame_head::FrameHead,
    journal::Parts,
    pending_frames::{FileEntry, JournalFile, Origin},
    prepared_file::{POOL_LIMIT, PreparedFile, Rest, fitting, zeros},
    recovery::{Found, remove_unfinished},
};

/// Room after a copy on a full device: for a frame that frees space, and for its header if it comes after another opening,
/// which writes to a new file.
const REST_PAGES: u64 = 2;
/// Maximum bytes per write.
const SLICE_BYTES: usize = 1 << 20;

impl Scan {
    /// Opens the journal for writing. Everything found is durable when this returns. A failure loses nothing: scanning again
    /// finds the same frames.
    pub fn open(self, clock: Arc<dyn Clock>, options: JournalOptions, poison: Arc<Poison>) -> Result<Arc<Journal>> {
        let Found { vfs, dir, store_id, mut folder, mut position, mut last_crc, tail, crc_before_tail, anchor } =
            self.found;
        vfs.create_dir_all(&dir)?;
        remove_unfinished(&*vfs, &dir)?;

        // A file that was begun and has no valid frame.
        let cut =
            folder.in_use.pop_if(|file| file.header.first_seq > self.last_seq && anchor != Some(file.header.number));
        let tail_number = folder.next_number;
        let sorted = Shelf::of(&*vfs, &dir, &mut folder, cut, !tail.is_empty(), options)?;
        let (mut spares, next_number) = (sorted.keep, sorted.next_number);

        let mut files: Vec<_> = folder
            .in_use
            .iter()
            .map(|file| FileEntry { number: file.header.number, first_seq: file.header.first_seq, capacity: file.len })
            .collect();
        let salt_base = vfs.random();
        let mut current = None;
        if let Some(first) = tail.first() {
            let used_bytes = files.iter().map(|file| file.capacity).sum();
            let mut header = FileHeader {
                store_id,
                number: tail_number,
                first_seq: first.seq(),
                salt: 0,
                previous_crc: crc_before_tail,
            };
            header.salt = make_salt(&header, salt_base);
            let file = TailFile { vfs: &*vfs, header, dir: &dir, tail: &tail };
            let wanted = fitting(&*vfs, &dir, options.next_file_bytes(used_bytes));
            let copy = file.make_in(wanted, options.left_room_bytes(), &mut || {
                shorten(&*vfs, folder.in_use.last(), files.last_mut(), position)?;
                for spare in spares.drain(..) {
                    drop(spare.handle);
                    vfs.remove_file(&journal_path(&dir, spare.number))?;
                }
                Ok(())
            })?;
            files.push(FileEntry { number: tail_number, first_seq: first.seq(), capacity: copy.file.capacity });
            last_crc = copy.last_crc;
            position = Some(Position { file: tail_number, offset: copy.end, crc: copy.last_crc });
            current = Some((Arc::new(copy.file), align_up(copy.end, PAGE_BYTES)));
        }
        if planted(PlantedFault::TornTailKept) && current.is_none() {
            current = go_on_behind_torn_tail(&*vfs, folder.in_use.last(), position, self.bytes_cut)?;
        }
        let rest = if current.is_some() { None } else { rest_of(folder.in_use.last(), position) };
        let origin = Origin {
            store_id,
            last_seq: self.last_seq,
            next_event_id: self.next_event_id,
            last_crc,
            position,
            current,
            files,
            salt_base,
        };
        Ok(Journal::assemble(Parts { vfs, dir, origin, spares, next_number, rest }, clock, options, poison))
    }
}

/// Sorts the files that are not in use.
struct Shelf<'a> {
    vfs: &'a dyn Vfs,
    dir: &'a Path,
    next_number: u64,
    changed: bool,
    keep: Vec<PreparedFile>,
}

impl<'a> Shelf<'a> {
    /// Sorts the spares of a folder, and the file that was `cut`, which is one from now on. The tail's new file has the first free number.
    fn of(
        vfs: &'a dyn Vfs,
        dir: &'a Path,
        folder: &mut Folder,
        cut: Option<InUse>,
        has_tail: bool,
        options: JournalOptions,
    ) -> Result<Self> {
        let next_number = folder.next_number + u64::from(has_tail);
        let mut shelf = Shelf { vfs, dir, next_number, changed: false, keep: Vec::new() };
        let above = if has_tail { u64::MAX } else { folder.in_use.last().map_or(0, |file| file.header.number) };
        let cut_number = cut.as_ref().map(|file| file.header.number);
        let mut spares = std::mem::take(&mut folder.spares);
        spares.extend(cut.map(|file| SpareFound {
            number: file.header.number,
            path: file.path,
            len: file.len,
            is_ours: true,
        }));
        shelf.sort_out(spares, options, above, cut_number)?;
        Ok(shelf)
    }

    /// Keeps the largest spares and removes the others. Those numbered `above` or lower, and the `cut` one, get new numbers:
    /// under its old number the cut file would still be in use.
    fn sort_out(
        &mut self,
        mut spares: Vec<SpareFound>,
        options: JournalOptions,
        above: u64,
        cut: Option<u64>,
    ) -> Result<()> {
        // A file that is not known to be ours stays untouched.
        spares.retain(|spare| spare.is_ours);
        let sizes = options.spare_sizes();
        spares.sort_by_key(|spare| std::cmp::Reverse(if sizes.contains(&spare.len) { spare.len } else { 0 }));
        let fit = spares.iter().take(POOL_LIMIT).take_while(|spare| sizes.contains(&spare.len)).count();
        for unfit in spares.drain(fit..) {
            self.vfs.remove_file(&unfit.path)?;
            self.changed |= cut == Some(unfit.number);
        }
        spares.sort_by_key(|spare| spare.number);
        // A spare that keeps its number must not follow one that gets a new number.
        let renumber = spares.iter().any(|spare| spare.number <= above || cut == Some(spare.number));
        let mut kept = Vec::new();
        for spare in spares {
            let mut number = spare.number;
            if renumber {
                number = self.next_number;
                self.vfs.rename(&spare.path, &journal_path(self.dir, number))?;
                self.next_number += 1;
                self.changed = true;
            }
            kept.push((number, spare.len));
        }
        // The process that made a spare may have died before it flushed the name. A clean close leaves no spares.
        self.changed |= !kept.is_empty();
        if self.changed && !planted(PlantedFault::RetiredNotFlushed) {
            self.vfs.sync_dir(self.dir)?;
        }
        for (number, len) in kept {
            let handle = self.vfs.open(&journal_path(self.dir, number), OpenHow::ReadWrite)?;
            self.keep.push(PreparedFile { number, capacity: len - len % PAGE_BYTES, handle });
        }
        Ok(())
    }
}

/// Frees the rest of the file that holds the tail: it contains nothing valid.
fn shorten(
    vfs: &dyn Vfs,
    newest: Option<&InUse>,
    entry: Option<&mut FileEntry>,
    position: Option<Position>,
) -> Result<()> {
    if let (Some(newest), Some(entry), Some(rest)) = (newest, entry, rest_of(newest, position)) {
        vfs.open(&newest.path, OpenHow::ReadWrite)?.set_len(rest.len)?;
        entry.capacity = rest.len;
    }
    Ok(())
}

/// A planted fault: what is torn stays, and the next frame is written behind it.
fn go_on_behind_torn_tail(
    vfs: &dyn Vfs,
    newest: Option<&InUse>,
    position: Option<Position>,
    bytes_cut: u64,
) -> Result<Option<(Arc<JournalFile>, u64)>> {
    let (Some(newest), Some(end)) = (newest, position) else { return Ok(None) };
    if newest.header.number != end.file {
        return Ok(None);
    }
    let handle = vfs.open(&newest.path, OpenHow::ReadWrite)?;
    let capacity = newest.len - newest.len % PAGE_BYTES;
    let file = JournalFile { number: end.file, salt: newest.header.salt, capacity, handle };
    Ok(Some((Arc::new(file), align_up(end.offset + bytes_cut, PAGE_BYTES))))
}

/// The rest of the newest file, which contains nothing valid.
fn rest_of(newest: Option<&InUse>, position: Option<Position>) -> Option<Rest> {
    let (newest, end) = (newest?, position?);
    let len = align_up(end.offset, PAGE_BYTES);
    (newest.header.number == end.file && len < newest.len).then_some(Rest { number: end.file, len })
}

struct TailFile<'a> {
    vfs: &'a dyn Vfs,
    header: FileHeader,
    dir: &'a Path,
    tail: &'a [Frame],
}

struct TailMade {
    file: JournalFile,
    end: u64,
    last_crc: u32,
}

impl TailFile<'_> {
    /// Makes it with `capacity` bytes or more. If the device has no room for that, `make_room` is called and the file gets as
    /// small as possible, with two pages and `left_bytes` for frames that free space, if they fit. A failure leaves no file.
    fn make_in(&self, capacity: u64, left_bytes: u64, make_room: &mut dyn FnMut() -> Result<()>) -> Result<TailMade> {
        let frames_bytes: u64 = self.tail.iter().map(|frame| frame.bytes().len() as u64).sum();
        let least = align_up(FRAMES_START + frames_bytes, PAGE_BYTES);
        let is_full = |made: &Result<TailMade>| matches!(made, Err(Error::NoSpace(_)));
        let with_rest = least + REST_PAGES * PAGE_BYTES + align_up(left_bytes, PAGE_BYTES);
        let mut made = self.make(align_up(capacity.max(with_rest), PAGE_BYTES));
        if is_full(&made) {
            make_room()?;
            made = self.make(with_rest);
        }
        if is_full(&made) { self.make(least) } else { made }
    }

    fn make(&self, capacity: u64) -> Result<TailMade> {
        let aside = Aside::create(self.vfs, &self.dir.join(UNFINISHED_TAIL))?;
        let path = aside.path().to_path_buf();
        self.make_aside(aside, capacity).inspect_err(|_| {
            // Best effort: the next opening does the same.
            let _ = self.vfs.remove_file(&path);
        })
    }

    /// Writes header, frames and zeros aside, flushes, puts the file in place and flushes the folder.
    fn make_aside(&self, aside: Aside, capacity: u64) -> Result<TailMade> {
        let mut writer = TailWriter { handle: &*aside.file, buffer: Vec::new(), offset: 0 };
        writer.buffer.extend_from_slice(&self.header.encode());
        writer.buffer.extend_from_slice(zeros(FRAMES_START - HEADER_BYTES as u64));
        let mut crc = self.header.previous_crc;
        for frame in self.tail {
            let mut bytes = copied(frame.bytes()).ok_or_else(|| FileError::no_memory("pwrite", aside.path()))?;
            let head = FrameHead::parse(&bytes).ok_or(Error::Internal("a frame without a head"))?;
            // When this file has its name, all of it is durable: the next opening need not copy it again.
            let mut head = FrameHead { previous_crc: crc, durable_upto: frame.seq(), ..head };
            head.stamp(&mut bytes, self.header.salt)?;
            crc = head.crc;
            writer.push(&bytes)?;
        }
        let end = writer.offset + writer.buffer.len() as u64;
        writer.fill_to(capacity)?;
        // A failed flush is never repeated, whatever its code (I5), not even after a lack of space.
        let unflushed = |error| Failure::of_flush(error).into_error();
        if !planted(PlantedFault::TailNotFlushed) {
            aside.file.sync_data().map_err(unflushed)?;
        }
        let path = journal_path(self.dir, self.header.number);
        aside.put_in_place(self.vfs, &path)?;
        self.vfs.sync_dir(self.dir).map_err(unflushed)?;
        let handle = self.vfs.open(&path, OpenHow::ReadWrite)?;
        let file = JournalFile { number: self.header.number, salt: self.header.salt, capacity, handle };
        Ok(TailMade { file, end, last_crc: crc })
    }
}

struct TailWriter<'a> {
    handle: &'a dyn VfsFile,
    buffer: Vec<u8>,
    offset: u64,
}

impl TailWriter<'_> {
    /// Large frames are not buffered.
    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.len() >= SLICE_BYTES {
            self.write_out()?;
            self.handle.write_all_at(bytes, self.offset)?;
            self.offset += bytes.len() as u64;
            return Ok(());
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= SLICE_BYTES { self.write_out() } else { Ok(()) }
    }

    fn fill_to(&mut self, capacity: u64) -> Result<()> {
        self.write_out()?;
        while self.offset < capacity {
            let zeros = zeros(capacity - self.offset);
            self.handle.write_all_at(zeros, self.offset)?;
            self.offset += zeros.len() as u64;
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<()> {
        self.handle.write_all_at(&self.buffer, self.offset)?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
