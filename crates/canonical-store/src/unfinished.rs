//! Judges the content of a store's folder and its inner folders before the store has an identity. Changes nothing.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use ledgerstone_event_log::remains_of_events;
use ledgerstone_format::FolderKind;
use ledgerstone_journal::is_journal_file;
use ledgerstone_vfs::{Remains, Unfinished, Vfs, kind_of};

use crate::{Error, checkpoint::remains_of_state, error::Result, layout::Layout};

/// Judges everything that a store would overwrite or adopt. `None`: nothing of ours is there.
///
/// # Errors
/// [`Error::Corrupt`] for data, [`Error::Foreign`] for a foreign file with one of our names.
pub(crate) fn judge_unfinished(vfs: &dyn Vfs, layout: &Layout) -> Result<Option<Unfinished>> {
    if kind_of(vfs, &layout.events())? == Some(FolderKind::Log) {
        let expected = "the events of a store, or nothing".to_owned();
        return Err(Error::Foreign { path: layout.events(), found: "an event log on its own".to_owned(), expected });
    }
    let folder = layout.folder(vfs);
    folder.judge_unfinished(|making| {
        let making = making.map(|identity| identity.id);
        let of_journal = |folder: &Path, name: &OsStr| {
            Ok(if is_journal_file(vfs, &folder.join(name))? { Remains::Data } else { Remains::Foreign })
        };
        let of_events = |folder: &Path, name: &OsStr| {
            // The folder is the store's alone, so files that a log would leave alone are in the way.
            Ok(match remains_of_events(vfs, folder, name, making)? {
                Remains::Unknown => Remains::Foreign,
                remains => remains,
            })
        };
        let of_state = |folder: &Path, name: &OsStr| remains_of_state(vfs, folder, name, making.is_some());
        let parts: [(PathBuf, &Look<'_>); 3] =
            [(layout.journal(), &of_journal), (layout.events(), &of_events), (layout.state(), &of_state)];
        let mut found = Vec::new();
        for (part, look) in parts {
            for name in names_in(vfs, &part)? {
                found.push((look(&part, &name)?, part.join(name)));
            }
        }
        found.extend(folder.clean_mark_remains()?.map(|remains| (remains, folder.clean_mark_path())));
        Ok(found)
    })
}

type Look<'a> = dyn Fn(&Path, &OsStr) -> Result<Remains> + 'a;

fn names_in(vfs: &dyn Vfs, folder: &Path) -> Result<Vec<OsString>> {
    match vfs.read_dir(folder) {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        names => Ok(names?),
    }
}
