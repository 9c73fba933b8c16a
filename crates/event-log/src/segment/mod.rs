//! One segment file: a header page, frames, and once sealed a sparse index and a footer.
//!
//! A segment's place in the log is its first id, which is in its name and in its header.

pub(crate) mod footer;
pub(crate) mod header;
pub(crate) mod index;
pub(crate) mod read_buffer;
pub(crate) mod reader;
pub(crate) mod reader_cache;
mod rewrite;
pub(crate) mod walk;
pub(crate) mod writer;

use std::{ffi::OsStr, path::PathBuf};

use ledgerstone_vfs::{OpenHow, Vfs};
use parking_lot::RwLock;

use crate::{Result, frame::MAX_EVENT_ID};
use footer::Footer;
use header::SegmentHeader;
use index::{IndexEntry, SegmentIndex};

/// What the log knows about a segment. Replaced, not changed, when the segment is sealed or cut.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) header: SegmentHeader,
    pub(crate) body: Body,
}

/// Where the index of a segment is.
#[derive(Debug)]
pub(crate) enum Body {
    /// In the file, described by a verified footer; loaded when a reader needs it.
    Sealed(Footer),
    /// In memory: for the active segment, and for one that was scanned because its footer was damaged.
    Indexed(RwLock<SegmentIndex>),
}

impl Segment {
    pub(crate) fn first_id(&self) -> u64 {
        self.header.first_id
    }

    /// The length of its file.
    pub(crate) fn file_bytes(&self, vfs: &dyn Vfs) -> Result<u64> {
        match &self.body {
            Body::Sealed(footer) => Ok(footer.file_bytes()),
            Body::Indexed(_) => Ok(vfs.open(&self.path, OpenHow::Read)?.len()?),
        }
    }

    /// The length of its file as known without a system call: exact unless the footer was damaged.
    pub(crate) fn known_bytes(&self) -> u64 {
        match &self.body {
            Body::Sealed(footer) => footer.file_bytes(),
            Body::Indexed(index) => index.read().end().offset,
        }
    }

    /// The end of its frames: the id after its last event, the offset after its last frame, the last timestamp.
    pub(crate) fn end(&self) -> IndexEntry {
        match &self.body {
            Body::Sealed(footer) => footer.end,
            Body::Indexed(index) => index.read().end(),
        }
    }
}

const PREFIX: &str = "events-";
const SUFFIX: &str = ".log";

/// The file name of the segment that starts with `first_id`.
pub(crate) fn segment_name(first_id: u64) -> String {
    format!("{PREFIX}{first_id:020}{SUFFIX}")
}

/// The first id in a segment's name; `None` for any other file.
pub(crate) fn parse_segment_name(name: &OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let canonical = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|id| canonical && *id <= MAX_EVENT_ID + 1)
}

#[cfg(test)]
mod tests {
    use super::{parse_segment_name, segment_name};

    #[test]
    fn names_are_read_back_and_foreign_ones_ignored() {
        assert_eq!(segment_name(17), "events-00000000000000000017.log");
        assert_eq!(parse_segment_name(segment_name(17).as_ref()), Some(17));
        for foreign in [
            "events-00000000000000000017.log.tmp",
            "events-17.log",
            "events-+0000000000000000017.log",
            "events-99999999999999999999.log",
            "events-00009007199254740994.log",
            "events-.log",
            "notes.txt",
        ] {
            assert_eq!(parse_segment_name(foreign.as_ref()), None, "{foreign}");
        }
    }
}
