//! File handles kept in reserve. The engine opens files and folders in the middle of its work (a journal file that is due, a
//! folder to be flushed); that must not fail because the rest of the process has used up its handles.

use std::{
    fs::{File, OpenOptions},
    io,
    sync::{Mutex, PoisonError},
};

/// More than the engine's threads of a few stores open at once.
const RESERVED: usize = 8;

static RESERVE: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// Calls what opens a file, at the cost of a reserved handle when there is no other.
pub(super) fn with_reserve<T>(mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut outcome = open();
    while let Err(error) = &outcome {
        if !is_exhausted(error) || !give_up_one() {
            break;
        }
        outcome = open();
    }
    if outcome.is_ok() {
        replenish();
    }
    outcome
}

/// Out of handles: this process (EMFILE) or the whole system (ENFILE).
fn is_exhausted(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    cfg!(unix) && matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

fn give_up_one() -> bool {
    RESERVE.lock().unwrap_or_else(PoisonError::into_inner).pop().is_some()
}

/// What cannot be reserved now is tried again at the next opening.
fn replenish() {
    if !cfg!(unix) {
        return;
    }
    let mut reserve = RESERVE.lock().unwrap_or_else(PoisonError::into_inner);
    while reserve.len() < RESERVED {
        match OpenOptions::new().read(true).open("/dev/null") {
            Ok(file) => reserve.push(file),
            Err(_) => break,
        }
    }
}
