//! What a closed journal leaves on disk: its end, and no more.
//!
//! Every frame is in the checkpoint, so a recovery needs only the place after the last one. That is the end of the newest file
//! or, if that is too large, the head of a file without frames that continues it. A crash between any two steps leaves files
//! that open; a failure leaves files that are larger than necessary.

use std::path::Path;

use ledgerstone_format::{PAGE_BYTES, align_up};
use ledgerstone_vfs::{Aside, OpenHow, Vfs};

use super::Journal;
use crate::{
    Result,
    error::Failure,
    file_header::{FRAMES_START, FileHeader, HEADER_BYTES, make_salt},
    file_name::{UNFINISHED_SPARE, journal_path},
    pending_frames::{FileEntry, Origin},
    prepared_file::zeros,
    recovery::remove_unfinished,
};

impl Journal {
    /// Frees what only an open journal needs: afterwards it takes no more than its first file did. Called after
    /// [`close`](Self::close) without an error, when the checkpoint has every frame. Space that cannot be freed stays, which is
    /// harmless and no error; a failed flush is one, and poison: names that come after it may never be stored (I5).
    pub fn shrink(&self) -> Result<()> {
        self.give_up_spares();
        if self.options.keep_bytes > 0 {
            return Ok(());
        }
        let (vfs, next_number) = {
            let pool = self.pool.lock();
            (pool.vfs(), pool.next_number())
        };
        // No handle may keep a removed file.
        self.io.lock().let_go();
        let mut group = self.group.lock();
        let origin = group.origin_mut();
        origin.current = None;
        let shrunk = self.shrink_newest(&*vfs, origin, next_number);
        // The newest file is all that a recovery needs. No flush: an older one that comes back is as old as before.
        let older = origin.files.len().saturating_sub(1);
        for file in origin.files.drain(..older) {
            let _ = vfs.remove_file(&journal_path(&self.dir, file.number));
        }
        drop(group);
        match shrunk {
            Err(failure @ Failure::Fatal(_)) => self.judge(Err(failure)),
            Ok(()) | Err(Failure::Refused(_)) => Ok(()),
        }
    }

    fn give_up_spares(&self) {
        let reserved = self.group.lock().take_reserved();
        let mut pool = self.pool.lock();
        for spare in pool.drain().into_iter().chain(reserved) {
            drop(spare.handle);
            let _ = pool.remove(&journal_path(&self.dir, spare.number));
        }
        self.show(&pool);
        let _ = remove_unfinished(&*pool.vfs(), &self.dir);
    }

    /// Cuts the newest file after its last frame, to whole pages; if that leaves too much, begins another one.
    fn shrink_newest(&self, vfs: &dyn Vfs, origin: &mut Origin, next_number: u64) -> std::result::Result<(), Failure> {
        let Some(newest) = origin.files.last_mut() else { return Ok(()) };
        let position = origin.position.filter(|position| position.file == newest.number);
        let len = position.map_or(FRAMES_START, |position| align_up(position.offset, PAGE_BYTES));
        if len > self.options.first_file_bytes {
            return self.begin_anew(vfs, origin, next_number);
        }
        if len < newest.capacity {
            // Needs no flush: the bytes after the last frame mean nothing, whether they remain or not.
            let file = vfs.open(&journal_path(&self.dir, newest.number), OpenHow::ReadWrite);
            file.and_then(|file| file.set_len(len)).map_err(Failure::refused)?;
            newest.capacity = len;
        }
        Ok(())
    }

    /// Makes a file without frames that continues the journal: it is flushed and named, and the folder flushed, before any
    /// other file is removed.
    fn begin_anew(&self, vfs: &dyn Vfs, origin: &mut Origin, number: u64) -> std::result::Result<(), Failure> {
        let (store_id, first_seq, previous_crc) = (origin.store_id, origin.last_seq + 1, origin.last_crc);
        let mut header = FileHeader { store_id, number, first_seq, salt: 0, previous_crc };
        header.salt = make_salt(&header, origin.salt_base);
        make_headed(vfs, &self.dir, &header)?;
        origin.files.push(FileEntry { number, first_seq, capacity: FRAMES_START });
        Ok(())
    }
}

/// Makes a file that has a header and no frames; durable with its name when this returns.
pub(crate) fn make_headed(vfs: &dyn Vfs, dir: &Path, header: &FileHeader) -> std::result::Result<(), Failure> {
    let mut page = header.encode().to_vec();
    page.extend_from_slice(zeros(FRAMES_START - HEADER_BYTES as u64));
    let aside = Aside::create(vfs, &dir.join(UNFINISHED_SPARE)).map_err(Failure::refused)?;
    let unfinished = aside.path().to_path_buf();
    let written = aside.file.write_all_at(&page, 0).map_err(Failure::refused);
    let flushed = written.and_then(|()| aside.file.sync_data().map_err(Failure::of_flush));
    let named =
        flushed.and_then(|()| aside.put_in_place(vfs, &journal_path(dir, header.number)).map_err(Failure::refused));
    named.inspect_err(|_| {
        // Best effort, as the next opening does the same.
        let _ = vfs.remove_file(&unfinished);
    })?;
    vfs.sync_dir(dir).map_err(Failure::of_flush)
}
