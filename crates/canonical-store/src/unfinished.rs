//! A folder without an identity: an attempt to make a store that was cut short, a store that has lost its identity, or somebody
//! else's files. The identity is prepared, durably, before anything else is made (`IDENTITY.tmp`), so what is found tells which.
//! Nothing is changed here.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use ledgerstone_event_log::{FolderKind, Remains};
use ledgerstone_journal::is_journal_file;
use ledgerstone_vfs::Vfs;

use crate::{
    Error,
    checkpoint::remains_of_state,
    clean_mark::CleanMark,
    error::{NOT_MADE_HERE, Result},
    identity::Identity,
    layout::Layout,
};

/// An attempt to make the store that can be finished.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(crate) identity: Identity,
    /// Where the identity is in the making.
    pub(crate) prepared: PathBuf,
}

/// Looks at everything that a store would write over or count as its own. `None`: there is nothing of it.
///
/// # Errors
/// [`Error::Corrupt`] for data, [`Error::Foreign`] for what stands in the way.
pub(crate) fn judge_unfinished(vfs: &dyn Vfs, layout: &Layout) -> Result<Option<Unfinished>> {
    if FolderKind::of(vfs, &layout.events())? == Some(FolderKind::Log) {
        let expected = "the events of a store, or nothing".to_owned();
        return Err(Error::Foreign { path: layout.events(), found: "an event log on its own".to_owned(), expected });
    }
    let prepared = Identity::prepared(vfs, &layout.identity())?;
    let making = prepared.as_ref().map(|(identity, _)| identity.store_id);
    let of_journal = |folder: &Path, name: &OsStr| {
        Ok(if is_journal_file(vfs, &folder.join(name))? { Remains::Data } else { Remains::Foreign })
    };
    let of_events = |folder: &Path, name: &OsStr| Ok(Remains::of(vfs, folder, name, making)?);
    let of_state = |folder: &Path, name: &OsStr| remains_of_state(vfs, folder, name, making.is_some());
    let parts: [(PathBuf, &Look<'_>); 3] =
        [(layout.journal(), &of_journal), (layout.events(), &of_events), (layout.state(), &of_state)];
    let mut found = Vec::new();
    for (folder, look) in parts {
        for name in names_in(vfs, &folder)? {
            found.push((look(&folder, &name)?, folder.join(name)));
        }
    }
    if vfs.exists(&layout.clean_mark())? {
        let is_ours = CleanMark::is_ours(vfs, &layout.clean_mark())?;
        found.push((if is_ours { Remains::Data } else { Remains::Foreign }, layout.clean_mark()));
    }
    if found.iter().any(|(remains, _)| *remains == Remains::Data) {
        let what = "the identity file is missing from a store that has data";
        return Err(Error::corrupt(layout.identity(), 0, what));
    }
    let in_the_way = |(remains, _): &&(Remains, PathBuf)| *remains != Remains::HalfMade;
    if let Some((_, path)) = found.iter().find(in_the_way) {
        return Err(Error::foreign(path, NOT_MADE_HERE, "a file of the store, or nothing"));
    }
    // Without files nobody knows whether the identity was made durable: it is prepared anew.
    Ok(prepared.filter(|_| !found.is_empty()).map(|(identity, prepared)| Unfinished { identity, prepared }))
}

type Look<'a> = dyn Fn(&Path, &OsStr) -> Result<Remains> + 'a;

fn names_in(vfs: &dyn Vfs, folder: &Path) -> Result<Vec<OsString>> {
    match vfs.read_dir(folder) {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        names => Ok(names?),
    }
}
