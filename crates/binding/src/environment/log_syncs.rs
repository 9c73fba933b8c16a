//! The flushes that are asked of one event log: one thread for all of them, from the first until the log is closed. What is asked for while a
//! flush is under way is one more flush, however often it is asked for.

use std::sync::Arc;

use ledgerstone_event_log::OwnedLog;
use parking_lot::{Condvar, Mutex};

use crate::{
    contain::contained,
    environment::threads,
    error::{ErrorRecord, Failure},
};

/// An open log, and the promises that wait for flushes of it.
pub(crate) struct LogEntry {
    pub(crate) log: Arc<OwnedLog>,
    pub(crate) syncs: Arc<LogSyncs>,
}

impl LogEntry {
    /// Does what was asked for, then closes the log. Blocks.
    pub(crate) fn close(&self) -> ledgerstone_event_log::Result<()> {
        self.syncs.finish();
        self.log.close()
    }
}

/// Hears how a flush has ended.
type Told = Box<dyn FnOnce(Result<(), Failure>) + Send>;

#[derive(Default)]
struct Line {
    waiting: Vec<Told>,
    has_thread: bool,
    /// A flush is under way.
    is_working: bool,
    /// Nobody asks any more.
    is_over: bool,
}

/// See the module.
pub(crate) struct LogSyncs {
    log: Arc<OwnedLog>,
    line: Mutex<Line>,
    changed: Condvar,
}

impl LogSyncs {
    pub(crate) fn new(log: Arc<OwnedLog>) -> Arc<Self> {
        Arc::new(Self { log, line: Mutex::default(), changed: Condvar::new() })
    }

    /// Has the log flushed by a flush that begins from now on. Returns at once.
    pub(crate) fn ask(self: &Arc<Self>, told: Told) {
        let mut line = self.line.lock();
        line.waiting.push(told);
        if line.has_thread {
            self.changed.notify_all();
            return;
        }
        let syncs = Arc::clone(self);
        match threads::start("ledgerstone-sync", move || syncs.work()) {
            Ok(()) => line.has_thread = true,
            Err(error) => {
                let refused = std::mem::take(&mut line.waiting);
                drop(line);
                for told in refused {
                    told(Err(ErrorRecord::no_thread(&error)));
                }
            }
        }
    }

    /// What was asked for is done when this returns, and the thread ends. Takes as long as two flushes at most. To be called before the log is closed,
    /// when nobody can ask any more.
    pub(crate) fn finish(&self) {
        let mut line = self.line.lock();
        line.is_over = true;
        self.changed.notify_all();
        while line.is_working || !line.waiting.is_empty() {
            self.changed.wait(&mut line);
        }
    }

    fn work(&self) {
        let mut line = self.line.lock();
        loop {
            while line.waiting.is_empty() && !line.is_over {
                self.changed.wait(&mut line);
            }
            let waiting = std::mem::take(&mut line.waiting);
            if waiting.is_empty() {
                return;
            }
            line.is_working = true;
            drop(line);
            let outcome = contained(|| Ok(self.log.sync()));
            for told in waiting {
                told(match &outcome {
                    Ok(synced) => synced.clone().map_err(Failure::from),
                    Err(_) => Err(ErrorRecord::panicked(&"a flush of the event log")),
                });
            }
            line = self.line.lock();
            line.is_working = false;
            self.changed.notify_all();
        }
    }
}
