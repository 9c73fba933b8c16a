//! The journal thread: sleeps until called, then makes a step. The one place of this crate that starts a thread.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use crate::{Error, Journal, Result, bell::Call, journal::SPACE_RETRY};

/// How long what nobody waits for may stay unwritten.
const PATIENCE: Duration = Duration::from_millis(10);

impl Journal {
    /// Starts the journal thread, which lives until [`close`](Journal::close). Without it the caller makes the
    /// [`step`](Journal::step)s.
    pub fn spawn(self: &Arc<Self>) -> Result<()> {
        if self.has_thread() {
            return Err(Error::Internal("the journal thread was started twice"));
        }
        let journal = Arc::clone(self);
        let thread = std::thread::Builder::new().name("ledgerstone-journal".into()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| journal.run())).is_err() {
                journal.poison_with(Error::Internal("the journal thread panicked"));
            }
        });
        match thread {
            Ok(thread) => {
                self.set_thread(thread);
                Ok(())
            }
            Err(error) => {
                Err(Error::Io(ledgerstone_vfs::FileError::new("pthread_create", "ledgerstone-journal", error)))
            }
        }
    }

    /// Until stopped or poisoned.
    fn run(&self) {
        loop {
            let call = if self.is_starved() {
                self.bell.wait(Some(SPACE_RETRY), SPACE_RETRY)
            } else if self.wants_spare() {
                self.bell.poll()
            } else {
                self.bell.wait(None, PATIENCE)
            };
            if call == Call::Stop || self.step().is_err() {
                return;
            }
        }
    }
}
