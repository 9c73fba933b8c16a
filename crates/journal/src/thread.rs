//! The journal thread: sleeps until woken, then makes a step. Only this file of the crate starts a thread.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::{
    Error, Journal, Result,
    group_timing::{Call, UNAWAITED_WAIT},
    journal::SPACE_RETRY,
};

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
        let mut seen = 0;
        loop {
            let is_led = || std::mem::replace(&mut seen, self.groups_taken()) != self.groups_taken();
            let call = if self.is_starved() {
                self.timing.wait(Some(SPACE_RETRY), SPACE_RETRY, || false)
            } else if self.wants_spare() {
                self.timing.poll(is_led)
            } else {
                self.timing.wait(None, UNAWAITED_WAIT, is_led)
            };
            let done = match call {
                Call::Stop => return,
                Call::Work => self.step(),
                Call::Nothing => self.prepare_spare(),
            };
            if done.is_err() {
                return;
            }
            if call == Call::Work {
                seen = self.groups_taken();
            }
        }
    }
}
