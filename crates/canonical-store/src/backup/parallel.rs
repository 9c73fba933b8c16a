//! The same work on many files, by a few threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering},
    thread::{self, Builder},
};

use parking_lot::Mutex;

use super::job::{Halt, Step};
use crate::Error;

/// More do not help: they share the device.
const MAX_THREADS: usize = 4;

/// How many threads there are for so many files.
pub(super) fn threads_for(files: usize) -> usize {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    files.clamp(1, processors.min(MAX_THREADS))
}

/// Does `work` for each number below `count`; what came of each, in order, or the first failure, after which nothing more is begun. One thread is the
/// caller's own: without another it does everything.
pub(super) fn each<T: Send>(count: usize, threads: usize, work: &(dyn Fn(usize) -> Step<T> + Sync)) -> Step<Vec<T>> {
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(count)));
    let failure = Mutex::new(None);
    let work_off = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count || failure.lock().is_some() {
                return;
            }
            let panicked = |_| Err(Halt::Failed(Error::internal("a thread of a backup panicked")));
            match catch_unwind(AssertUnwindSafe(|| work(number))).unwrap_or_else(panicked) {
                Ok(outcome) => outcomes.lock().push((number, outcome)),
                Err(halt) => {
                    failure.lock().get_or_insert(halt);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(count) {
            if Builder::new().name("ledgerstone-backup".into()).spawn_scoped(scope, work_off).is_err() {
                break;
            }
        }
        work_off();
    });
    if let Some(halt) = failure.into_inner() {
        return Err(halt);
    }
    let mut outcomes = outcomes.into_inner();
    outcomes.sort_unstable_by_key(|(number, _)| *number);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}
