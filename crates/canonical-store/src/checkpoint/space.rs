//! Telling a full device from a failing one. LMDB says EIO for both: a page that it could write only in part, which is how a
//! file system says that it is full, counts as a failed one.

use std::{io, path::Path};

use ledgerstone_vfs::{FileError, OpenHow, Vfs};

use crate::Error;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// More than a file system still finds, here and there, when it has just refused a larger write.
const PROBE_BYTES: u64 = 1 << 20;
const PROBE_FILE: &str = "space-probe.tmp";

/// The same error, or that of a full device if that is what it comes from: when there is no room for `write_bytes`, what the
/// whole write may have needed, and some more. Only for a write that leaves nothing behind: what failed is done again from its
/// beginning.
pub(super) fn told_apart(error: Error, write_bytes: u64, vfs: &dyn Vfs, dir: &Path) -> Error {
    match error {
        Error::Io(failure) if cfg!(unix) && failure.errno() == Some(EIO) && is_full(write_bytes, vfs, dir) => {
            Error::NoSpace(FileError::new(failure.syscall, failure.path, io::Error::from_raw_os_error(ENOSPC)))
        }
        other => other,
    }
}

/// Whether a file that is somewhat larger than `write_bytes` finds no room in `dir`.
fn is_full(write_bytes: u64, vfs: &dyn Vfs, dir: &Path) -> bool {
    let path = dir.join(PROBE_FILE);
    let piece = vec![0xff; 1 << 20];
    let pieces = write_bytes.saturating_add(PROBE_BYTES).div_ceil(piece.len() as u64);
    let written = vfs
        .open(&path, OpenHow::CreateOrTruncate)
        .and_then(|file| (0..pieces).try_for_each(|number| file.write_all_at(&piece, number * piece.len() as u64)));
    // What cannot be removed now is emptied by the next probe.
    let _ = vfs.remove_file(&path);
    written.is_err_and(|error| error.is_no_space())
}
