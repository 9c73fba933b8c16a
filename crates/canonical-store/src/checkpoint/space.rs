//! Telling a full device from a failing one. LMDB says EIO for both: a page that it could write only in part, which is how a
//! file system says that it is full, counts as a failed one.

use std::{io, path::Path};

use ledgerstone_vfs::{FileError, OpenHow, Vfs};

use crate::Error;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// More than a file system keeps in reserve for one small file.
const PROBE_BYTES: usize = 64 * 1024;
const PROBE_FILE: &str = "space-probe.tmp";

/// The same error, or that of a full device if that is what it comes from. Only for a write that leaves nothing behind: what
/// failed is done again from its beginning.
pub(super) fn told_apart(error: Error, vfs: &dyn Vfs, dir: &Path) -> Error {
    match error {
        Error::Io(failure) if cfg!(unix) && failure.errno() == Some(EIO) && is_full(vfs, dir) => {
            Error::NoSpace(FileError::new(failure.syscall, failure.path, io::Error::from_raw_os_error(ENOSPC)))
        }
        other => other,
    }
}

/// Whether a small file finds no room in `dir`.
fn is_full(vfs: &dyn Vfs, dir: &Path) -> bool {
    let path = dir.join(PROBE_FILE);
    let probe = vec![0xff; PROBE_BYTES];
    let written = vfs.open(&path, OpenHow::CreateOrTruncate).and_then(|file| file.write_all_at(&probe, 0));
    // What cannot be removed now is emptied by the next probe.
    let _ = vfs.remove_file(&path);
    written.is_err_and(|error| error.is_no_space())
}
