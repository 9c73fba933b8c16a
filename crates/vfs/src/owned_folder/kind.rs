//! The kind of a folder: a store or an event log on its own. Both have a file `IDENTITY`, finished or in the making, that says so. One folder
//! is never both, nor a snapshot set too, and the folders within a store are none of the three themselves.

use std::path::Path;

use ledgerstone_format::FolderKind;

use super::{
    OwnedFolder,
    identity::IDENTITY_NAME,
    owner::{Occupied, Owner},
};
use crate::{FileError, Result, Vfs, asides_of, read_small_file};

/// The folders within a store, and the message for each that is opened as something else.
const PARTS: [(&str, &str); 3] = [
    ("events", "the folder `events` of a store"),
    ("journal", "the folder `journal` of a store"),
    ("state", "the folder `state` of a store"),
];

/// How the small files of all of ours begin.
const OURS: &[u8] = b"LGST-";

/// The kind of `folder`; `None`: neither, as far as can be seen.
///
/// # Errors
/// [`FileError`].
pub fn kind_of(vfs: &dyn Vfs, folder: &Path) -> Result<Option<FolderKind>> {
    Ok(match occupied(vfs, folder)? {
        Some(Occupied::By(kind)) => Some(kind),
        Some(Occupied::Unclear) | None => None,
    })
}

/// The owner of `folder` by its identity, finished or in the making; `None`: nobody, as far as can be seen.
fn occupied(vfs: &dyn Vfs, folder: &Path) -> Result<Option<Occupied>> {
    let identity = folder.join(IDENTITY_NAME);
    if let Some(head) = read_small_file(vfs, &identity, FolderKind::HEAD_BYTES)? {
        return Ok(of_head(&head));
    }
    let mut unclear = None;
    for path in asides_of(vfs, &identity)? {
        match read_small_file(vfs, &path, FolderKind::HEAD_BYTES) {
            Ok(head) => match head.and_then(|head| of_head(&head)) {
                Some(Occupied::By(kind)) => return Ok(Some(Occupied::By(kind))),
                found => unclear = unclear.or(found),
            },
            Err(error) if error.as_foreign().is_some() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(unclear)
}

fn of_head(head: &[u8]) -> Option<Occupied> {
    match FolderKind::of_head(head) {
        Some(kind) => Some(Occupied::By(kind)),
        None => head.starts_with(OURS).then_some(Occupied::Unclear),
    }
}

impl<O: Owner> OwnedFolder<'_, O> {
    /// Refuses a folder that is of another kind, and says how to open it.
    ///
    /// # Errors
    /// A foreign [`FileError`].
    pub fn check_kind(&self) -> Result<()> {
        let refusal = occupied(self.vfs, self.path)?.and_then(|found| self.kind.refusal(found));
        refusal.map_or(Ok(()), |(found, expected)| Err(FileError::foreign(self.path, found, expected)))
    }

    /// Refuses a folder inside a store. `around`: the file system around the folder.
    ///
    /// # Errors
    /// A foreign [`FileError`].
    pub fn check_not_part_of_store(&self, around: &dyn Vfs) -> Result<()> {
        let folder = around.real_path(self.path);
        let name = folder.file_name().and_then(|name| name.to_str());
        let part = PARTS.iter().find(|(part, _)| Some(*part) == name);
        let (Some((_, found)), Some(outer)) = (part, folder.parent()) else { return Ok(()) };
        // If the surrounding folder cannot be examined, it is none of ours.
        if !matches!(occupied(around, outer), Ok(Some(Occupied::By(FolderKind::Store) | Occupied::Unclear))) {
            return Ok(());
        }
        let expected = "a folder of its own (the store and its events: `open()` of the folder around it)";
        Err(FileError::foreign(folder, found, expected))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::OwnedFolder;
    use crate::sim::{SimDisk, Stranger};

    /// Bug: a log could be made in the folder `events` of a store whose identity was damaged. Mechanism: what began as ours and was of no
    /// known kind counted as nobody's. Fix: it is somebody's, whose is not known.
    #[test]
    fn the_folders_of_a_store_are_a_stores_also_when_its_identity_is_damaged() {
        for (identity, is_refused) in
            [(&b"LGST-STO"[..], true), (b"LGST-ST\0", true), (b"LGST-EVI", false), (b"my", false)]
        {
            let disk = SimDisk::new(1);
            disk.write_file("/store/IDENTITY", identity);
            let path = Path::new("/store/events");
            let checked = [
                OwnedFolder::of_log(&disk, path).check_not_part_of_store(&disk),
                OwnedFolder::of_store(&disk, path).check_not_part_of_store(&disk),
                OwnedFolder::of_snapshot_set(&disk, path).check_not_part_of_store(&disk),
            ];
            assert!(checked.iter().all(|checked| checked.is_err() == is_refused), "{identity:?} {checked:?}");
        }
    }

    #[test]
    fn a_folder_is_one_owners_alone() {
        let path = Path::new("/folder");
        for (identity, refused) in [
            (&b"LGST-STO"[..], [false, true, true]),
            (b"LGST-EVI", [true, false, true]),
            // A store and a log say themselves what is wrong with it.
            (b"LGST-ST\0", [false, false, true]),
            (b"my", [false; 3]),
        ] {
            for name in ["/folder/IDENTITY", "/folder/IDENTITY.tmp"] {
                let disk = SimDisk::new(1);
                disk.write_file(name, identity);
                let checked = [
                    OwnedFolder::of_store(&disk, path).check_kind(),
                    OwnedFolder::of_log(&disk, path).check_kind(),
                    OwnedFolder::of_snapshot_set(&disk, path).check_kind(),
                ];
                assert_eq!(checked.map(|checked| checked.is_err()), refused, "{name} {identity:?}");
            }
        }
        let disk = SimDisk::new(1);
        disk.write_file("/folder/x", b"");
        disk.put_stranger("/folder/IDENTITY", Stranger::Link);
        assert!(OwnedFolder::of_snapshot_set(&disk, path).check_kind().unwrap_err().as_foreign().is_some());
    }
}
