//! One owner of a folder at a time. What is locked is the folder itself, which its files cannot do without, and its file `LOCK`,
//! where folders have no lock (Windows) and for whoever looks there.

use std::path::Path;

use crate::{Clock, FileLock, OpenHow, Result, Vfs, read_small_file};

/// The file that is locked beside the folder. Empty.
pub const LOCK_NAME: &str = "LOCK";
/// A hint at who has the lock: process id and time in milliseconds, each on a line.
pub const OWNER_NAME: &str = "LOCK.owner";
const OWNER_BYTES: usize = 64;

/// The lock of a folder, held until it is dropped.
#[derive(Debug)]
pub struct FolderLock {
    _folder: Box<dyn FileLock>,
    file: Option<Box<dyn FileLock>>,
}

/// Somebody has the folder: the process, as far as it could say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its process id.
    pub pid: Option<u32>,
}

impl FolderLock {
    /// Locks the folder, without making anything in it where folders can be locked. `Err` within: somebody else has it.
    pub fn take(vfs: &dyn Vfs, folder: &Path) -> Result<std::result::Result<Self, Taken>> {
        let Some(lock) = vfs.try_lock_folder(folder)? else { return Ok(Err(Taken::in_folder(vfs, folder))) };
        let is_exclusive = lock.is_exclusive();
        let only_folder = Self { _folder: lock, file: None };
        if is_exclusive { Ok(Ok(only_folder)) } else { only_folder.with_file(vfs, folder) }
    }

    fn with_file(mut self, vfs: &dyn Vfs, folder: &Path) -> Result<std::result::Result<Self, Taken>> {
        if self.file.is_none() {
            self.file = vfs.try_lock(&folder.join(LOCK_NAME))?;
        }
        Ok(if self.file.is_some() { Ok(self) } else { Err(Taken::in_folder(vfs, folder)) })
    }

    /// Takes the file `LOCK` too, and says in `LOCK.owner` who that is. For a folder that was found to be ours.
    pub fn announce(self, vfs: &dyn Vfs, clock: &dyn Clock, folder: &Path) -> Result<std::result::Result<Self, Taken>> {
        let locked = self.with_file(vfs, folder)?;
        if locked.is_ok() {
            // For whoever is refused. Nothing depends on it: a lack of room or of rights leaves the old hint, or none.
            let _ = leave_hint(vfs, &folder.join(OWNER_NAME), clock.wall_ms());
        }
        Ok(locked)
    }
}

impl Taken {
    fn in_folder(vfs: &dyn Vfs, folder: &Path) -> Self {
        let hint = read_small_file(vfs, &folder.join(OWNER_NAME), OWNER_BYTES).ok().flatten().unwrap_or_default();
        Self { pid: String::from_utf8_lossy(&hint).lines().next().and_then(|pid| pid.trim().parse().ok()) }
    }
}

/// Writes the hint into a file that is new, or holds one.
fn leave_hint(vfs: &dyn Vfs, path: &Path, wall_ms: u64) -> Result<()> {
    let hint = format!("{}\n{wall_ms}\n", std::process::id());
    let file = match vfs.open(path, OpenHow::ReadWrite) {
        Err(error) if error.is_not_found() => vfs.open(path, OpenHow::CreateNew)?,
        opened => opened?,
    };
    let mut found = [0; OWNER_BYTES + 1];
    let read = file.read_full_at(&mut found, 0)?;
    let is_hint = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'\n' | 0);
    if read > OWNER_BYTES || !found.iter().take(read).all(is_hint) {
        return Ok(());
    }
    if read > hint.len() {
        file.set_len(hint.len() as u64)?;
    }
    file.write_all_at(hint.as_bytes(), 0)
}
