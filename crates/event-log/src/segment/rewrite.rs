//! Rewrites a segment's file up to an offset: writes it aside, flushes it, puts it in place by one rename. Kept bytes are never
//! overwritten, and a crash leaves the old file or the new one.

use std::path::Path;

use ledgerstone_vfs::{Aside, OpenHow, Vfs, VfsFile};

use super::Segment;
use crate::{Error, Result};

/// Bytes per copy.
const COPY_BYTES: u64 = 256 * 1024;

impl Segment {
    /// Keeps the bytes of the file below `end_offset`, and puts `bytes` after them.
    pub(crate) fn rewrite(&self, vfs: &dyn Vfs, dir: &Path, end_offset: u64, bytes: &[u8]) -> Result<()> {
        Aside::fill_and_place(vfs, &self.path, |file| {
            copy(&*vfs.open(&self.path, OpenHow::Read)?, file, end_offset)?;
            if !bytes.is_empty() {
                file.write_all_at(bytes, end_offset)?;
            }
            Ok::<_, Error>(file.sync_data()?)
        })?;
        vfs.sync_dir(dir)?;
        Ok(())
    }
}

fn copy(source: &dyn VfsFile, target: &dyn VfsFile, len: u64) -> Result<()> {
    let (mut offset, mut buffer) = (0, Vec::new());
    while offset < len {
        let wanted = COPY_BYTES.min(len - offset);
        buffer.resize(usize::try_from(wanted).unwrap_or_default(), 0);
        if source.read_full_at(&mut buffer, offset)? as u64 != wanted {
            let what = "the file ends within its frames".to_owned();
            return Err(Error::Corrupt { file: source.path().to_path_buf(), offset, what });
        }
        target.write_all_at(&buffer, offset)?;
        offset += wanted;
    }
    Ok(())
}
