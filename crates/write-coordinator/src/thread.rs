//! The flusher's thread: a loop over [`Coordinator::step`] that blocks nowhere else. A panic in it is a failed flush.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::Builder,
};

use crate::{Coordinator, Delta, Flusher, Pacing, Step};

impl<D: Delta, E: Clone + Send + Sync + 'static> Coordinator<D, E> {
    /// Starts the thread `ledgerstone-flusher`.
    pub fn spawn(self: &Arc<Self>, flusher: Arc<dyn Flusher<D, Error = E>>) -> io::Result<()> {
        let coordinator = Arc::clone(self);
        let thread = Builder::new().name("ledgerstone-flusher".into()).spawn(move || {
            let run = AssertUnwindSafe(|| coordinator.run(&*flusher));
            if let Err(panic) = catch_unwind(run) {
                let what = panic.downcast_ref::<&str>().map(ToString::to_string);
                let what = what.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                coordinator.fail(&*flusher, None, &format!("the flusher panicked: {what}"));
            }
        })?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// Flushes what is left and joins the thread. On a full device or after a failure the rest stays unflushed.
    pub fn close(&self) {
        {
            let mut state = self.state.lock();
            state.closing = true;
            self.work.notify_all();
        }
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }

    fn run(&self, flusher: &dyn Flusher<D, Error = E>) {
        loop {
            let step = self.step(flusher);
            let mut state = self.state.lock();
            match step {
                Step::Worked => {}
                Step::Failed => return,
                Step::Blocked if state.closing => return,
                Step::Blocked => {
                    self.work.wait_for(&mut state, Pacing::RETRY);
                }
                Step::Idle(_) if state.closing => {
                    if self.view().active.last_seq() <= self.flushed_seq() {
                        return;
                    }
                }
                Step::Idle(left) => {
                    // Checked again under the lock, so that work that came after the step is not slept over.
                    if self.overlooked(&state, left.is_some()) {
                        continue;
                    }
                    match [left, flusher.rest()].into_iter().flatten().min() {
                        Some(left) => {
                            self.work.wait_for(&mut state, left);
                        }
                        None => self.work.wait(&mut state),
                    }
                }
            }
        }
    }
}
