//! The kinds of owners of a folder, and which folders each of them is refused.

use ledgerstone_format::FolderKind;

/// What owns a folder.
pub trait Owner: Copy {
    /// How a folder is refused that is `found` to be a store's or a log's: what it is, and what was expected. `None`: it is this owner's.
    fn refusal(self, found: Occupied) -> Option<(&'static str, &'static str)>;
}

/// What the file `IDENTITY` of a folder says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupied {
    /// Whose it is.
    By(FolderKind),
    /// It begins as ours do, and is damaged or of a kind that is not known.
    Unclear,
}

/// A snapshot set. It has no identity: its manifest tells what it is.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotSetOwner;

impl Owner for FolderKind {
    fn refusal(self, found: Occupied) -> Option<(&'static str, &'static str)> {
        match (self, found) {
            (Self::Log, Occupied::By(Self::Store)) => {
                Some(("a store", "an event log on its own (a store and its events: `open(folder)`)"))
            }
            (Self::Store, Occupied::By(Self::Log)) => {
                Some(("an event log on its own", "a store (an event log: `EventLog.open(folder)`)"))
            }
            // The code that reads it says what is wrong with it.
            (_, Occupied::By(_) | Occupied::Unclear) => None,
        }
    }
}

impl Owner for SnapshotSetOwner {
    fn refusal(self, found: Occupied) -> Option<(&'static str, &'static str)> {
        let found = match found {
            Occupied::By(FolderKind::Store) => "a store",
            Occupied::By(FolderKind::Log) => "an event log on its own",
            Occupied::Unclear => "a store or an event log",
        };
        Some((found, "the folder of a snapshot set"))
    }
}
