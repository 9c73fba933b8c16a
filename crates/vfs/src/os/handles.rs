//! File handles kept in reserve. The engine opens files and folders in the middle of its work (a journal file that is due, a
//! folder to be flushed); that must not fail because the rest of the process has used up its handles. What is kept open for
//! later only gives way first, and fills the reserve again.

use std::{
    fs::{File, OpenOptions},
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{error::is_out_of_handles, handle_budget::give_way};

/// What the process keeps in any case.
const RESERVED: usize = 8;
/// So many more for each store or log that is open: what it may come to need, over what it has open already.
const RESERVED_FOR_EACH: usize = 4;

/// So many must be left for a store or log to be opened: what opening takes, and some for whoever else is in the process.
const NEEDED_TO_OPEN: usize = 16;

static RESERVE: Mutex<Reserve> = Mutex::new(Reserve { files: Vec::new(), shares: 0 });

#[derive(Debug)]
struct Reserve {
    files: Vec<File>,
    shares: usize,
}

impl Reserve {
    /// Opens and closes until it has what it should, as far as handles are to be had.
    fn fill(&mut self) -> io::Result<()> {
        let wanted = RESERVED + RESERVED_FOR_EACH * self.shares;
        self.files.truncate(wanted);
        self.fill_to(wanted)
    }

    fn fill_to(&mut self, wanted: usize) -> io::Result<()> {
        while cfg!(unix) && self.files.len() < wanted {
            match OpenOptions::new().read(true).open("/dev/null") {
                Ok(file) => self.files.push(file),
                Err(error) if is_out_of_handles(&error) && give_way() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn reserve() -> MutexGuard<'static, Reserve> {
    RESERVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part of the reserve that belongs to a store or log, until it is dropped.
#[derive(Debug)]
pub(super) struct Share(());

impl Share {
    /// Fails for want of handles: what could not go on working had better not begin.
    pub(super) fn take() -> io::Result<Self> {
        let mut reserve = reserve();
        reserve.shares += 1;
        let needed = RESERVED + RESERVED_FOR_EACH * reserve.shares + NEEDED_TO_OPEN;
        let filled = reserve.fill_to(needed);
        // What is too much is closed again.
        let share = filled.and_then(|()| reserve.fill());
        drop(reserve);
        let taken = Self(());
        share.map(|()| taken)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut reserve = reserve();
        reserve.shares = reserve.shares.saturating_sub(1);
        // What cannot be had now is tried again at the next opening.
        let _ = reserve.fill();
    }
}

/// Calls what opens a file, at the cost of a handle that is only kept, or else a reserved one, when there is no other.
pub(super) fn with_reserve<T>(mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut outcome = open();
    while let Err(error) = &outcome {
        if !is_out_of_handles(error) || !(give_way() || give_up_one()) {
            break;
        }
        outcome = open();
    }
    if outcome.is_ok() {
        let _ = reserve().fill();
    }
    outcome
}

fn give_up_one() -> bool {
    reserve().files.pop().is_some()
}
