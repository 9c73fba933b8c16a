//! Planned failures of calls.

use std::{io, path::Path};

/// A kind of call on the simulated disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimOp {
    /// `read_at`.
    Read,
    /// `write_at`.
    Write,
    /// `sync_data`.
    Sync,
    /// `rename`.
    Rename,
    /// `sync_dir`.
    SyncDir,
    /// `open` that makes or empties a file, `try_lock` that makes one, each folder that `create_dir_all` makes.
    Create,
    /// `remove_file`, `remove_dir`.
    Remove,
    /// `set_len`.
    SetLen,
    /// `open` of a file that exists.
    Open,
    /// `read_dir`.
    List,
    /// Each of the above.
    Any,
}

impl SimOp {
    /// Whether it may change the disk. Only these count as operations, and only these can be hit by a power cut.
    pub(super) fn changes(self) -> bool {
        !matches!(self, Self::Read | Self::Open | Self::List)
    }
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// EIO. A write may have stored a part of its bytes; a flush fails as with `SyncFails`; anything else did not happen.
    Io,
    /// ENOSPC; nothing happened, but a flush fails as with `SyncFails`. Does not apply to reads.
    NoSpace,
    /// EMFILE from any call that opens a file or a folder, also to flush it; nothing happened.
    NoHandles,
    /// No error, but fewer bytes written (or read) than requested. Only for writes and reads.
    ShortWrite,
    /// EIO from a flush, and the kernel forgets that the pages were dirty: reads still show them, a later flush succeeds
    /// without storing them, a power cut loses or garbles them. After a failed folder flush no later one stores what was
    /// pending, nor what came after it in that folder. Only for flushes.
    SyncFails,
}

impl Fault {
    fn fits(self, op: SimOp) -> bool {
        match self {
            Self::Io => true,
            Self::NoSpace => op.changes(),
            Self::NoHandles => matches!(op, SimOp::Open | SimOp::Create | SimOp::List | SimOp::SyncDir),
            Self::ShortWrite => matches!(op, SimOp::Read | SimOp::Write),
            Self::SyncFails => matches!(op, SimOp::Sync | SimOp::SyncDir),
        }
    }

    pub(super) fn error(self) -> io::Error {
        match self {
            Self::NoSpace => no_space(),
            Self::NoHandles => os_error(24, 4),
            Self::Io | Self::ShortWrite | Self::SyncFails => os_error(5, 1117),
        }
    }
}

pub(super) fn no_space() -> io::Error {
    os_error(28, 112)
}

/// The error of a write through a handle opened for reading.
pub(super) fn not_writable() -> io::Error {
    os_error(9, 5)
}

fn os_error(unix: i32, windows: i32) -> io::Error {
    io::Error::from_raw_os_error(if cfg!(windows) { windows } else { unix })
}

/// What follows a failed call, before the engine can react.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aftermath {
    /// How many of the next calls that may change the disk fail too (EIO), except flushes of folders.
    pub more: u64,
    /// Then the power is cut: nothing after that happens, not even in part.
    pub cut: bool,
}

/// The planned failures.
#[derive(Default)]
pub(super) struct Faults {
    planned: Vec<Planned>,
    /// The aftermath of a failure that has begun.
    under_way: Option<Aftermath>,
}

/// A failure of a call.
pub(super) struct Struck {
    pub(super) fault: Fault,
    /// The power is cut with it.
    pub(super) cut: bool,
}

pub(super) struct Planned {
    pub(super) op: SimOp,
    /// The prefix that the file's name must have.
    pub(super) name_prefix: String,
    /// How many matching calls are left, this one included.
    pub(super) countdown: u64,
    pub(super) fault: Fault,
    /// Whether all later calls fail too.
    pub(super) lasting: bool,
    /// What follows it.
    pub(super) aftermath: Aftermath,
}

impl Faults {
    pub(super) fn plan(&mut self, planned: Planned) {
        self.planned.push(planned);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Counts a call; returns its failure, if one is planned for it.
    pub(super) fn strike(&mut self, op: SimOp, path: &Path) -> Option<Struck> {
        let begun = self.begin(op, path);
        if let Some((fault, aftermath)) = begun {
            self.under_way = Some(aftermath).filter(|aftermath| aftermath.more > 0);
            return Some(Struck { fault, cut: aftermath.cut && aftermath.more == 0 });
        }
        let follows = op.changes() && op != SimOp::SyncDir;
        let aftermath = self.under_way.as_mut().filter(|_| follows)?;
        aftermath.more -= 1;
        let struck = Struck { fault: Fault::Io, cut: aftermath.cut && aftermath.more == 0 };
        self.under_way = self.under_way.filter(|aftermath| aftermath.more > 0);
        Some(struck)
    }

    /// A planned failure that is due.
    fn begin(&mut self, op: SimOp, path: &Path) -> Option<(Fault, Aftermath)> {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let mut struck = None;
        self.planned.retain_mut(|planned| {
            let fits = (planned.op == SimOp::Any || planned.op == op)
                && planned.fault.fits(op)
                && name.starts_with(planned.name_prefix.as_bytes());
            if !fits {
                return true;
            }
            planned.countdown = planned.countdown.saturating_sub(1);
            if planned.countdown > 0 {
                return true;
            }
            struck.get_or_insert((planned.fault, planned.aftermath));
            planned.lasting
        });
        struck
    }
}
