//! The content of a log's folder before the log exists: leftovers of an attempt to make it, files that only a finished log has,
//! and foreign files.

use std::{ffi::OsStr, path::Path};

use ledgerstone_format::StoreId;
use ledgerstone_vfs::{Remains, Vfs, aside_of, remove_leftovers};

use crate::{
    Error, Result,
    horizon::{HORIZON_NAME, HorizonFile},
    recovery::{Names, is_own_name},
    segment::{
        header::{SEGMENT_HEADER_BYTES, SegmentHeader},
        parse_segment_name, segment_name,
    },
};

/// Found where a foreign file is in the way.
const NOT_MADE_HERE: &str = "a file that was not made here";

/// What the file `name` in `dir` is to a log. `making`: the id of the log that was being made there, if known.
pub fn remains_of_events(vfs: &dyn Vfs, dir: &Path, name: &OsStr, making: Option<StoreId>) -> Result<Remains> {
    let path = dir.join(name);
    if parse_segment_name(name).is_some() {
        return match SegmentHeader::at(vfs, &path) {
            Ok(Some((header, len))) if len <= SEGMENT_HEADER_BYTES && making == Some(header.store_id) => {
                Ok(Remains::HalfMade)
            }
            Ok(Some(_)) | Err(Error::Format { .. }) => Ok(Remains::Data),
            Ok(None) => Ok(Remains::Foreign),
            Err(error) => Err(error),
        };
    }
    if name == HORIZON_NAME {
        return Ok(if HorizonFile::is_ours(vfs, dir)? { Remains::Data } else { Remains::Foreign });
    }
    let in_the_making = aside_of(name).is_some_and(is_own_name);
    Ok(if in_the_making && making.is_some() { Remains::HalfMade } else { Remains::Unknown })
}

/// Makes room for a new log: removes its segments without events, and files in the making.
pub(crate) fn remove_segments_without_events(vfs: &dyn Vfs, dir: &Path, store_id: StoreId) -> Result<()> {
    let names = Names::read(vfs, dir)?;
    for id in &names.ids {
        let path = dir.join(segment_name(*id));
        match remains_of_events(vfs, dir, segment_name(*id).as_ref(), Some(store_id))? {
            Remains::HalfMade => vfs.remove_file(&path)?,
            Remains::Foreign | Remains::Unknown => return Err(Error::foreign(path, NOT_MADE_HERE, "a segment")),
            Remains::Data => {
                let what = "an event log is there already".to_owned();
                return Err(Error::Corrupt { file: path, offset: 0, what });
            }
        }
    }
    for target in &names.leftovers {
        remove_leftovers(vfs, &dir.join(target))?;
    }
    // The removals of an earlier attempt are flushed with the first segment's name.
    if !names.ids.is_empty() || !names.leftovers.is_empty() {
        vfs.sync_dir(dir)?;
    }
    Ok(())
}
