//! Telling a full device from a failing one. LMDB says EIO for both: a page that it could write only in part, which is how a
//! file system says that it is full, counts as a failed one.

use std::{io, path::Path};

use ledgerstone_vfs::{Aside, FileError, Vfs};

use crate::Error;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// More than a file system still finds, here and there, when it has just refused a larger write.
const PROBE_BYTES: u64 = 1 << 20;
/// What the probe is made beside: `space-probe.tmp`.
const PROBE_FILE: &str = "space-probe";
/// The beginning of each piece, so that a probe that is left behind is known for what it is.
const PROBE_MAGIC: &[u8] = b"LGST-TMP";

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
    let mut piece = vec![0xff; 1 << 20];
    piece.splice(..PROBE_MAGIC.len(), PROBE_MAGIC.iter().copied());
    let pieces = write_bytes.saturating_add(PROBE_BYTES).div_ceil(piece.len() as u64);
    let aside = match Aside::create(vfs, &dir.join(PROBE_FILE)) {
        Ok(aside) => aside,
        Err(error) => return error.is_no_space(),
    };
    let mut numbers = 0..pieces;
    let written = numbers.try_for_each(|number| aside.file.write_all_at(&piece, number * piece.len() as u64));
    // What cannot be removed now is removed by the next probe.
    let _ = vfs.remove_file(aside.path());
    written.is_err_and(|error| error.is_no_space())
}
