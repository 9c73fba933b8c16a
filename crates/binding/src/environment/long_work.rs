//! Threads for work that may take long or hang: opening, closing, and all that waits for a store's gate or for a device. Each piece of
//! work has a thread, up to a bound; the rest waits in line, so no work may wait for other work to begin. A thread ends when nothing
//! is left to do: an idle process has none.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::{
    environment::threads,
    error::{ErrorRecord, Failure},
};

/// Takes the reason why it is not done when no thread can be started.
pub(crate) type Work = Box<dyn FnOnce(Option<Failure>) + Send>;

/// How many pieces of work are under way at once in the process.
const THREADS: usize = 32;

struct Line {
    threads: usize,
    waiting: VecDeque<Work>,
}

static LINE: Mutex<Line> = Mutex::new(Line { threads: 0, waiting: VecDeque::new() });

/// Has `work` done. Returns at once.
pub(crate) fn begin(work: Work) {
    let mut line = LINE.lock();
    line.waiting.push_back(work);
    if line.threads == THREADS {
        return;
    }
    match threads::start("ledgerstone-work", work_off) {
        Ok(()) => line.threads += 1,
        // Those that are at work come to it when they are done.
        Err(_) if line.threads > 0 => {}
        Err(error) => {
            let refused = std::mem::take(&mut line.waiting);
            drop(line);
            for work in refused {
                work(Some(ErrorRecord::no_thread(&error)));
            }
        }
    }
}

fn work_off() {
    loop {
        let work = {
            let mut line = LINE.lock();
            let Some(work) = line.waiting.pop_front() else {
                line.threads -= 1;
                return;
            };
            work
        };
        work(None);
    }
}
