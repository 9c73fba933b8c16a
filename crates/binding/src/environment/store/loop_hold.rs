//! Holding the event loop at its end until what was committed from this environment is durable.

use ledgerstone_canonical_store::{Level, Marks};

use crate::environment::store::{StoreEntry, demand::NOBODY};

impl StoreEntry {
    /// The event loop is about to end: what was committed from here is made durable, and holds the loop until it is. Not after a
    /// failure, when nothing more will become durable.
    pub(crate) fn hold_loop(&self) {
        let (marks, last_commit) = (self.handle.marks(), self.last_commit.get());
        if marks.failed || marks.durable >= last_commit {
            return;
        }
        self.held_for.set(last_commit);
        self.watch.hold(last_commit);
        self.handle.want(Level::Durable, last_commit);
        self.publish_and_look();
    }

    /// Whether this store keeps the event loop alive: it is held for a commit, or somebody waits.
    pub(crate) fn keeps_alive(&self) -> bool {
        if self.held_for.get() > 0 {
            self.let_loop_go(&self.handle.marks());
        }
        self.held_for.get() > 0 || !self.demands.borrow().is_empty()
    }

    /// What has become durable holds nothing, nor is it worth a wake.
    pub(crate) fn let_loop_go(&self, marks: &Marks) {
        let held_for = self.held_for.get();
        if held_for > 0 && (marks.failed || marks.durable >= held_for) {
            self.held_for.set(0);
            self.watch.hold(NOBODY);
        }
    }
}
