//! Where a restored store is made: beside its place, under another name with a mark in it, and renamed when it is complete. A process that dies on
//! the way leaves that folder; the next restore to the same place knows it by its mark and clears it.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_format::{PlantedFault, planted};
use ledgerstone_vfs::{FolderLock, OwnedFolder, Vfs, aside_of, asides_of, read_small_file, write_atomically};

use super::reason::{BackupReason, unreadable};
use crate::{Error, error::Result};

/// The mark: the first file in the folder, the last to go.
const MARK_NAME: &str = "RESTORING";
const MARK: &[u8] = b"LGST-RST a store is being restored here\n";
const SUFFIX: &str = ".restoring";
/// What a folder in the making may hold beside the mark.
const FILES: [&str; 5] = [MARK_NAME, "IDENTITY", "CLEAN", "LOCK", "LOCK.owner"];
const PARTS: [(&str, &[&str]); 3] =
    [("journal", &["journal-"]), ("events", &["events-", "horizon"]), ("state", &["data.mdb", "lock.mdb", "twin"])];

/// The place where a store is to be, which is free.
pub(super) struct Target {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    parent: PathBuf,
    building: PathBuf,
}

/// The folder beside it, which is ours until this is dropped or the store is in its place.
pub(super) struct Claimed {
    target: Target,
    lock: Option<FolderLock>,
    /// Nothing is left to clear.
    is_in_place: bool,
}

impl Target {
    /// Judges the place, and changes nothing. `from`: the backup, in which no store can be.
    pub(super) fn judge(vfs: &Arc<dyn Vfs>, from: &Path, to: &Path) -> Result<Self> {
        let refused = |what: &str| Err(BackupReason::Target.error(to, what));
        let path = resolved(&**vfs, to);
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return refused("a store cannot be restored to this place");
        };
        if path.starts_with(resolved(&**vfs, from)) {
            return refused("a store cannot be restored into its backup");
        }
        if vfs.exists(&path)? {
            match vfs.read_dir(&path) {
                Ok(names) if names.is_empty() => {}
                Ok(_) => return refused("the folder is not empty"),
                Err(error) if error.is_shortage() => return Err(error.into()),
                Err(_) => return refused("something that is no folder is in the way"),
            }
        }
        let folder = OwnedFolder::of_store(&**vfs, &path);
        if folder.check_not_part_of_store(&**vfs).is_err() {
            return refused("this is a folder of a store");
        }
        folder.check_file_system(false)?;
        let mut building = name.to_os_string();
        building.push(SUFFIX);
        let (building, parent) = (parent.join(building), parent.to_path_buf());
        Ok(Self { vfs: Arc::clone(vfs), path, parent, building })
    }

    /// Makes the folder beside the place, or clears what is left of one, and marks it, durably.
    pub(super) fn claim(self) -> Result<Claimed> {
        let vfs = Arc::clone(&self.vfs);
        vfs.create_dir_all(&self.parent)?;
        let folder = &self.building;
        let in_the_way = |what: &str| BackupReason::Target.error(folder, what);
        let is_there = vfs.exists(folder)?;
        if is_there && vfs.read_dir(folder).is_err() {
            return Err(in_the_way("something that is no folder is in the way"));
        }
        vfs.create_dir(folder)?;
        let lock = FolderLock::take(&*vfs, folder)?.map_err(|by| Error::Locked { path: folder.clone(), by })?;
        if is_there {
            clear(&*vfs, folder)?;
        }
        let claimed = Claimed { target: self, lock: Some(lock), is_in_place: false };
        claimed.mark()?;
        Ok(claimed)
    }
}

impl Claimed {
    /// The folder to build in.
    pub(super) fn building(&self) -> &Path {
        &self.target.building
    }

    fn mark(&self) -> Result<()> {
        let vfs = &*self.target.vfs;
        let path = self.building().join(MARK_NAME);
        write_atomically(vfs, &path, MARK)?;
        // From here on the folder is known to be ours: what a power cut has made of an attempt before goes, whatever it is by now.
        for aside in asides_of(vfs, &path)? {
            if vfs.exists(&aside)? {
                vfs.remove_file(&aside)?;
            }
        }
        Ok(vfs.sync_dir(&self.target.parent)?)
    }

    /// Gives the store its place: the one step by which it is there. Everything in it is durable.
    pub(super) fn put_in_place(mut self) -> Result<()> {
        let Target { vfs, path, parent, building } = &self.target;
        vfs.sync_dir(building)?;
        if cfg!(not(unix)) {
            // There no open file may be in a folder that is renamed, nor an empty folder in its way.
            self.lock = None;
            if vfs.exists(path)? {
                vfs.remove_dir(path)?;
            }
        }
        if let Err(error) = vfs.rename(building, path) {
            let is_taken = vfs.read_dir(path).is_ok_and(|names| !names.is_empty());
            let refused = |what: &str| Err(BackupReason::Target.error(path, what));
            return match error.source.kind() {
                _ if is_taken => refused("the folder is not empty any more"),
                // A volume that is mounted there cannot be exchanged.
                io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices => {
                    refused("a volume is mounted at this place: restore into a folder in it")
                }
                _ => Err(error.into()),
            };
        }
        if !planted(PlantedFault::RestoredNameNotFlushed)
            && let Err(error) = vfs.sync_dir(parent)
        {
            // Nobody knows what the device holds: nothing may count as restored.
            let _ = vfs.rename(path, building);
            return Err(error.into());
        }
        self.is_in_place = true;
        // The store is there. A mark that stays harms nobody.
        let _ = vfs.remove_file(&path.join(MARK_NAME)).and_then(|()| vfs.sync_dir(path));
        Ok(())
    }
}

impl Drop for Claimed {
    /// What did not come to its place goes. The next one does it where this cannot.
    fn drop(&mut self) {
        let Target { vfs, parent, building, .. } = &self.target;
        if !self.is_in_place && clear(&**vfs, building).is_ok() {
            if cfg!(not(unix)) {
                self.lock = None;
                let _ = vfs.remove_file(&building.join("LOCK"));
            }
            let _ = vfs.remove_dir(building).and_then(|()| vfs.sync_dir(parent));
        }
    }
}

/// Empties a folder in which a store was being made. Only what a restore makes is removed, the mark last; anything else is an error, and
/// everything stays.
fn clear(vfs: &dyn Vfs, folder: &Path) -> Result<()> {
    let foreign = |path: &Path| BackupReason::Target.error(path, "a file that was not made by a restore is in the way");
    let names = vfs.read_dir(folder)?;
    let mark_path = folder.join(MARK_NAME);
    let mark = read_small_file(vfs, &mark_path, MARK.len() + 1).map_err(|error| unreadable(&mark_path, error))?;
    let may_be_marked = |name: &OsStr| name == "LOCK" || aside_of(name).is_some_and(|mark| mark == MARK_NAME);
    match &mark {
        Some(found) if found == MARK => {}
        // The restore before did not come to the end of marking it, and made nothing else.
        None if names.iter().all(|name| may_be_marked(name)) => return Ok(()),
        _ => return Err(foreign(folder)),
    }
    let mut files = Vec::new();
    let mut folders = Vec::new();
    for name in names.iter().filter(|name| *name != MARK_NAME) {
        let path = folder.join(name);
        if let Some((_, prefixes)) = PARTS.iter().find(|(part, _)| name == part) {
            for file in vfs.read_dir(&path)? {
                let text = file.to_string_lossy();
                if !prefixes.iter().any(|prefix| text.starts_with(prefix)) {
                    return Err(foreign(&path.join(&file)));
                }
                files.push(path.join(&file));
            }
            folders.push(path);
        } else if is_own(name) {
            files.push(path);
        } else {
            return Err(foreign(&path));
        }
    }
    for file in files.iter().filter(|file| cfg!(unix) || !file.ends_with("LOCK")) {
        vfs.remove_file(file)?;
    }
    for folder in folders {
        vfs.remove_dir(&folder)?;
    }
    // Without the mark what is left would be nobody's.
    vfs.sync_dir(folder)?;
    Ok(vfs.remove_file(&mark_path)?)
}

fn is_own(name: &OsStr) -> bool {
    let name = aside_of(name).unwrap_or(name);
    FILES.iter().any(|own| name == *own)
}

/// A path without links as far as it exists, with what does not exist yet behind.
pub(super) fn resolved(vfs: &dyn Vfs, path: &Path) -> PathBuf {
    let existing = path.ancestors().find(|ancestor| vfs.exists(ancestor).unwrap_or(false));
    let Some(existing) = existing else { return path.to_path_buf() };
    let real = vfs.real_path(existing);
    path.strip_prefix(existing)
        .map_or_else(|_| real.clone(), |rest| if rest == Path::new("") { real.clone() } else { real.join(rest) })
}
