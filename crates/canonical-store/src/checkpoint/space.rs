//! Distinguishes a full device from a failing one. LMDB reports EIO for both: it treats a page that it could write only in
//! part, which is how a file system reports that it is full, as failed.

use std::{io, path::Path};

use ledgerstone_vfs::{Aside, FileError, Vfs};

use crate::Error;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// More than a file system can still find here and there when it has just refused a larger write.
const PROBE_BYTES: u64 = 1 << 20;
/// The probe is made beside this name: `space-probe.tmp`.
const PROBE_FILE: &str = "space-probe";
/// The beginning of each piece, so that a left-over probe is recognised.
const PROBE_MAGIC: &[u8] = b"LGST-TMP";

/// The same error; or that of a full device, if there is no room for `write_bytes`, the most that the whole write may have
/// needed, plus a margin. Only for a write that leaves nothing behind: it is repeated from its beginning.
pub(super) fn told_apart(error: Error, write_bytes: u64, vfs: &dyn Vfs, dir: &Path) -> Error {
    match error {
        Error::Io(failure) if cfg!(unix) && failure.errno() == Some(EIO) && is_full(write_bytes, vfs, dir) => {
            Error::NoSpace(FileError::new(failure.syscall, failure.path, io::Error::from_raw_os_error(ENOSPC)))
        }
        other => other,
    }
}

/// Whether a file somewhat larger than `write_bytes` finds no room in `dir`.
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
    // If this fails, the next probe removes it.
    let _ = vfs.remove_file(aside.path());
    written.is_err_and(|error| error.is_no_space())
}
