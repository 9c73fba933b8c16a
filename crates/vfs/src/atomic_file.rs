//! Small files that are replaced whole: a reader sees the old bytes or the new ones, also after power loss.

use std::{io, path::Path};

use crate::{FileError, OpenHow, Result, Vfs};

/// Replaces the file at `path` by `bytes`: written aside as `<name>.tmp`, flushed, renamed, folder flushed.
pub fn write_atomically(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) -> Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(FileError::new("open", path, io::ErrorKind::InvalidInput.into()));
    };
    let mut aside_name = name.to_os_string();
    aside_name.push(".tmp");
    let aside = folder.join(aside_name);
    let file = vfs.open(&aside, OpenHow::CreateOrTruncate)?;
    file.write_all_at(bytes, 0)?;
    file.sync_data()?;
    drop(file);
    vfs.rename(&aside, path)?;
    vfs.sync_dir(folder)
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
