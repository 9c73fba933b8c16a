//! When the environment keeps its event loop alive, and what it hands over when the process ends.

use crate::environment::{state::EnvState, store::StoreEntry};

impl EnvState {
    /// The event loop is about to end, or goes on. While it is about to end it is held for each commit that is not yet durable.
    pub(crate) fn loop_ends(&self, ends: bool) {
        self.loop_ends.set(ends);
        if ends {
            for entry in self.entries() {
                entry.hold_loop();
            }
            self.settle_keep_alive();
        }
    }

    /// A commit was made here.
    pub(crate) fn committed(&self, entry: &StoreEntry) {
        if self.loop_ends.get() {
            entry.hold_loop();
            self.settle_keep_alive();
        }
    }

    /// Keeps the event loop alive as long as anything of this environment is under way, and no longer.
    pub(crate) fn settle_keep_alive(&self) {
        let mut busy = false;
        for entry in self.entries() {
            busy |= entry.keeps_alive();
        }
        self.set_reference(busy);
    }

    fn set_reference(&self, referenced: bool) {
        if self.referenced.replace(referenced) != referenced {
            // SAFETY: the state does not leave the thread of its environment, and is freed before that ends.
            unsafe { self.completion.set_reference(self.env, referenced) };
        }
    }

    /// Every open store of this environment hands what is applied to the operating system.
    pub(crate) fn hand_over(&self) {
        for entry in self.entries() {
            entry.handle().hand_over();
        }
    }
}
