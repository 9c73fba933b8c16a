//! Files in the making, beside their final place: `<name>.tmp`. A process that dies leaves one behind; the next attempt removes it.
//!
//! Only files that look like ours are removed: empty ones, and ones that begin with zeros or with the magic of our formats. Any
//! other file with such a name is left alone, and the next name is used (`<name>.tmp1` up to `<name>.tmp7`).

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{FileError, OpenHow, Result, Vfs, VfsFile};

/// The beginning of the magic of each of our formats.
const MAGIC: &[u8; 5] = b"LGST-";
const SUFFIX: &str = ".tmp";
/// The number of names to try.
const NAMES: u32 = 8;

/// A new file that will be renamed into place.
#[derive(Debug)]
pub struct Aside {
    /// Open for reading and writing, empty at first.
    pub file: Arc<dyn VfsFile>,
    path: PathBuf,
}

/// What had the name of a file in the making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leftover {
    Missing,
    /// A file of ours; it was removed.
    Removed,
    /// Something foreign; it is still there.
    Foreign,
}

impl Aside {
    /// Makes the file beside `target`. Removes what an earlier attempt has left there.
    pub fn create(vfs: &dyn Vfs, target: &Path) -> Result<Self> {
        for path in aside_paths(target) {
            let made = match vfs.open(&path, OpenHow::CreateNew) {
                Err(error) if is_taken(&error) => match remove_leftover(vfs, &path)? {
                    Leftover::Foreign => continue,
                    Leftover::Missing | Leftover::Removed => vfs.open(&path, OpenHow::CreateNew)?,
                },
                made => made?,
            };
            return Ok(Self { file: made, path });
        }
        Err(FileError::foreign(aside_path(target, 0), "a file that was not made here", "no file, or one of ours"))
    }

    /// Makes the file, lets `fill` write and flush it, and renames it to `target`. If a step fails, the file is removed.
    /// Durable when the folder is flushed.
    pub fn fill_and_place<E: From<FileError>>(
        vfs: &dyn Vfs,
        target: &Path,
        fill: impl FnOnce(&dyn VfsFile) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let aside = Self::create(vfs, target)?;
        let path = aside.path.clone();
        let placed = fill(&*aside.file).and_then(|()| Ok(aside.put_in_place(vfs, target)?));
        placed.inspect_err(|_| {
            // Best effort: the next opening does the same.
            let _ = vfs.remove_file(&path);
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes it and renames it to `target`, replacing any file there. Durable when the folder is flushed.
    pub fn put_in_place(self, vfs: &dyn Vfs, target: &Path) -> Result<()> {
        let Self { file, path } = self;
        drop(file);
        vfs.rename(&path, target)
    }
}

/// Removes files in the making beside `target`; returns whether there were any.
pub fn remove_leftovers(vfs: &dyn Vfs, target: &Path) -> Result<bool> {
    let mut removed = false;
    for path in asides_of(vfs, target)? {
        removed |= remove_leftover(vfs, &path)? == Leftover::Removed;
    }
    Ok(removed)
}

/// The name of the file that is being made under `name`, if it is such a name.
pub fn aside_of(name: &OsStr) -> Option<&OsStr> {
    let name = name.to_str()?;
    let number_taken_off = name.strip_suffix(|last: char| ('1'..'8').contains(&last)).unwrap_or(name);
    number_taken_off.strip_suffix(SUFFIX).map(OsStr::new)
}

fn remove_leftover(vfs: &dyn Vfs, path: &Path) -> Result<Leftover> {
    let file = match vfs.open(path, OpenHow::Read) {
        Err(error) if error.is_not_found() => return Ok(Leftover::Missing),
        Err(error) if error.as_foreign().is_some() => return Ok(Leftover::Foreign),
        opened => opened?,
    };
    let mut head = [0; 8];
    let read = file.read_full_at(&mut head, 0)?;
    let head = head.get(..read).unwrap_or_default();
    let is_ours = head.iter().all(|byte| *byte == 0) || head.iter().zip(MAGIC).all(|(found, ours)| found == ours);
    if !is_ours {
        return Ok(Leftover::Foreign);
    }
    vfs.remove_file(path)?;
    Ok(Leftover::Removed)
}

/// Where a file that will be `target` may be in the making: the first name, and those of the others that are taken. A gap
/// before them means nothing: a file there, ours or not, may have been removed.
pub fn asides_of(vfs: &dyn Vfs, target: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for path in aside_paths(target) {
        if paths.is_empty() || vfs.exists(&path)? {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// All names that a file in the making can have, in the order of use.
fn aside_paths(target: &Path) -> impl Iterator<Item = PathBuf> {
    (0..NAMES).map(|number| aside_path(target, number))
}

fn aside_path(target: &Path, number: u32) -> PathBuf {
    let mut aside = target.file_name().unwrap_or_default().to_os_string();
    aside.push(SUFFIX);
    if number > 0 {
        aside.push(number.to_string());
    }
    target.with_file_name(aside)
}

fn is_taken(error: &FileError) -> bool {
    error.source.kind() == io::ErrorKind::AlreadyExists
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::aside_of;

    #[test]
    fn names_of_files_in_the_making_are_told_from_others() {
        for (name, target) in [("a.tmp", Some("a")), ("a.log.tmp7", Some("a.log")), ("a.tmp8", None), ("a.tmp11", None)]
        {
            assert_eq!(aside_of(OsStr::new(name)), target.map(OsStr::new), "{name}");
        }
        assert_eq!(aside_of(OsStr::new("tmp")), None);
    }
}
