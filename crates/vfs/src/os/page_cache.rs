//! Decides which writes bypass the page cache (`O_DIRECT`): those that are flushed right after. The device gets the bytes from
//! the caller's memory in one request, where the cache would copy them, mark each page and collect them again.
//!
//! Correctness does not depend on it. A flush of the ordinary handle covers these writes, and its reads see them. A write that
//! cannot bypass the cache (another system, a file system that refuses it, unaligned memory) goes through it.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use super::positioned;

/// Memory, offset and length are multiples of this, in bytes. Devices with larger blocks refuse, and get ordinary writes.
const ALIGN: usize = 4096;

/// A second handle of a file, opened at its first use.
#[derive(Debug)]
pub(super) struct DirectHandle {
    opened: OnceLock<Option<File>>,
    refused: AtomicBool,
}

impl DirectHandle {
    pub(super) const fn new(is_writable: bool) -> Self {
        Self { opened: OnceLock::new(), refused: AtomicBool::new(!is_writable) }
    }

    /// Writes at `offset` of `file`, which was opened under `path`. Returns how many bytes went this way, 0 if none can.
    pub(super) fn write_at(&self, file: &File, path: &Path, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let is_aligned = bytes.as_ptr().align_offset(ALIGN) == 0
            && bytes.len().is_multiple_of(ALIGN)
            && offset.is_multiple_of(ALIGN as u64);
        if bytes.is_empty() || !is_aligned || self.refused.load(Ordering::Relaxed) {
            return Ok(0);
        }
        let Some(direct) = self.opened.get_or_init(|| open(file, path)) else { return Ok(0) };
        match positioned::write_at(direct, bytes, offset) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.refused.store(true, Ordering::Relaxed);
                Ok(0)
            }
            done => done,
        }
    }
}

/// `None` where the file system does not offer it, and if something else has the name by now.
#[cfg(target_os = "linux")]
fn open(file: &File, path: &Path) -> Option<File> {
    use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt};

    use super::identity::Identity;

    let flags = libc::O_DIRECT | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    // Not from the reserve: that is for indispensable handles.
    let direct = OpenOptions::new().write(true).custom_flags(flags).open(path).ok()?;
    let (ours, opened) = (file.metadata().ok()?, direct.metadata().ok()?);
    (Identity::of(&ours) == Identity::of(&opened)).then_some(direct)
}

#[cfg(not(target_os = "linux"))]
fn open(_file: &File, _path: &Path) -> Option<File> {
    None
}
