//! Small files that are replaced as a whole: a reader sees the old bytes or the new ones, also after power loss.

use std::path::Path;

use crate::{Aside, OpenHow, Result, Vfs};

/// Replaces the file at `path` by `bytes`: writes `<name>.tmp`, flushes it, renames it, flushes the folder.
pub fn write_atomically(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) -> Result<()> {
    Aside::fill_and_place(vfs, path, |file| {
        file.write_all_at(bytes, 0)?;
        file.sync_data()
    })?;
    vfs.sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// The whole file at `path`, at most `limit_bytes` of it; `None` when it is missing.
pub fn read_small_file(vfs: &dyn Vfs, path: &Path, limit_bytes: usize) -> Result<Option<Vec<u8>>> {
    let file = match vfs.open(path, OpenHow::Read) {
        Ok(file) => file,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let len = usize::try_from(file.len()?).unwrap_or(usize::MAX).min(limit_bytes);
    let mut bytes = vec![0; len];
    let read = file.read_full_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(Some(bytes))
}
