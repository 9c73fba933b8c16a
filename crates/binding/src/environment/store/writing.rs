//! Writing: the gate, if a transaction of this environment holds it, and the commit that gives it back.

use ledgerstone_canonical_store::{CommitInfo, GateEntry, Owner, Stall};

use crate::{environment::store::StoreEntry, error::Failure};

/// Gives the gate of a transaction back unless its commit has done so: after a panic.
struct GateReturn<'a> {
    entry: &'a StoreEntry,
    owner: Owner,
}

impl GateReturn<'_> {
    fn forget(self) {
        self.entry.holds_gate.set(false);
        std::mem::forget(self);
    }
}

impl Drop for GateReturn<'_> {
    fn drop(&mut self) {
        self.entry.holds_gate.set(false);
        self.entry.handle.abort(self.owner);
    }
}

impl StoreEntry {
    pub(crate) fn begin(&self, owner: Owner, stall: Stall) -> Result<u64, Failure> {
        let next_event_id = self.handle.begin(owner, stall)?;
        self.holds_gate.set(true);
        Ok(next_event_id)
    }

    pub(crate) fn abort(&self, owner: Owner) {
        if self.holds_gate.replace(false) {
            self.handle.abort(owner);
        }
    }

    /// Whatever becomes of a transaction's commit, its gate is given back. A blind commit gives back what it has taken itself, and nothing else: when
    /// it is refused because a transaction is open here, the gate is still that transaction's.
    pub(crate) fn commit(&self, owner: Owner, entry: GateEntry, write_set: &[u8]) -> Result<CommitInfo, Failure> {
        let gate = matches!(entry, GateEntry::Held).then(|| GateReturn { entry: self, owner });
        let outcome = self.handle.commit(owner, entry, write_set, &self.slots.borrow());
        if let Some(gate) = gate {
            gate.forget();
        }
        let info = outcome?;
        self.note_commit(&info);
        Ok(info)
    }

    fn note_commit(&self, info: &CommitInfo) {
        self.last_commit.set(info.seq);
        if self.first_commit_of_turn.get() == 0 {
            self.first_commit_of_turn.set(info.seq);
        }
    }
}
