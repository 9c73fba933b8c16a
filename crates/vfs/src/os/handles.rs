//! File handles in reserve. The engine opens files and folders in the middle of its work (the next journal file, a folder to
//! flush); that must not fail because the rest of the process has used up the handles. Handles that are only cached are closed
//! first, and refill the reserve.

use std::{
    fs::{File, OpenOptions},
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{error::is_out_of_handles, handle_budget::give_way};

/// The reserve that the process always keeps.
const RESERVED: usize = 8;
/// The reserve for each open store or log: handles that it may need beyond those it has open.
const RESERVED_FOR_EACH: usize = 4;

/// Free handles needed to open a store or log: those of the opening, and some for the rest of the process.
const NEEDED_TO_OPEN: usize = 16;

static RESERVE: Mutex<Reserve> = Mutex::new(Reserve { files: Vec::new(), shares: 0 });

#[derive(Debug)]
struct Reserve {
    files: Vec<File>,
    shares: usize,
}

impl Reserve {
    /// Opens and closes handles until the reserve has its size, as far as handles are available.
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

/// The share of a store or log in the reserve, until it is dropped.
#[derive(Debug)]
pub(super) struct Share(());

impl Share {
    /// Fails if handles are short: a store that could not continue should not start.
    pub(super) fn take() -> io::Result<Self> {
        let mut reserve = reserve();
        reserve.shares += 1;
        let needed = RESERVED + RESERVED_FOR_EACH * reserve.shares + NEEDED_TO_OPEN;
        let filled = reserve.fill_to(needed);
        // Surplus handles are closed again.
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
        // Handles missing now are tried again at the next opening.
        let _ = reserve.fill();
    }
}

/// Calls `open`, which opens a file. If no handle is free, it closes a cached one, or else a reserved one, for it.
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
