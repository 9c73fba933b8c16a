//! Trouble from outside: clocks that jump, calls that fail, disks that fill up, power cuts.

use std::time::Duration;

use ledgerstone_vfs::sim::{Aftermath, Fault, SimOp};

use super::world::World;

impl World {
    pub(super) fn move_clock(&mut self) {
        if self.chance.one_in(3) {
            let before = ledgerstone_vfs::Clock::wall_ms(&self.clock);
            let back = 1_000_000 - self.chance.below(5_000);
            self.clock.set_wall_ms(back);
            if back < before {
                self.census.one("clock: set back");
            }
        } else {
            self.clock.advance(Duration::from_millis(self.chance.below(1_500)));
        }
    }

    pub(crate) fn plan_fault(&mut self) {
        if !self.style.faults {
            return;
        }
        if self.chance.one_in(4) {
            // The most important call: the flush that a commit waits for.
            let nth = 1 + self.chance.below(3);
            self.tell(|| format!("plan: flush {nth} of a journal file fails"));
            self.disk.fail_nth_named("journal-0", SimOp::Sync, nth, Fault::SyncFails);
            self.faulty = true;
            return;
        }
        let op = *self.chance.pick(&[
            SimOp::Write,
            SimOp::Write,
            SimOp::Sync,
            SimOp::Sync,
            SimOp::SyncDir,
            SimOp::Rename,
            SimOp::Create,
            SimOp::Remove,
            SimOp::SetLen,
            SimOp::SetLen,
            SimOp::Open,
            SimOp::Read,
            SimOp::List,
            SimOp::Any,
        ]);
        let fault = *self.chance.pick(match op {
            SimOp::Write => &[Fault::Io, Fault::NoSpace, Fault::ShortWrite],
            SimOp::Read => &[Fault::Io, Fault::ShortWrite],
            SimOp::Sync | SimOp::SyncDir => &[Fault::Io, Fault::NoSpace, Fault::SyncFails],
            SimOp::Any => &[Fault::Io, Fault::NoSpace, Fault::ShortWrite, Fault::SyncFails],
            SimOp::Open | SimOp::List => &[Fault::Io],
            _ => &[Fault::Io, Fault::NoSpace],
        });
        // Of the rare calls the first will do; the others are frequent.
        let rare = matches!(op, SimOp::Rename | SimOp::Create | SimOp::Remove | SimOp::SetLen | SimOp::List);
        let nth = 1 + self.chance.below(if rare { 2 } else { 8 });
        self.tell(|| format!("plan: call {nth} of {op:?} fails: {fault:?}"));
        self.disk.fail_nth(op, nth, fault);
        self.faulty = true;
        self.must_reboot |= matches!(op, SimOp::SyncDir | SimOp::Any) && fault != Fault::ShortWrite;
    }

    /// Several troubles in one operation: a call fails, the reaction to it fails too, and then the machine or the process ends;
    /// or the process dies in the middle of it, with what the kernel has; or there is hardly any space left.
    pub(crate) fn plan_compact(&mut self) {
        let kind = self.chance.below(8);
        if kind == 0 {
            let left = self.chance.below(8_192);
            self.tell(|| format!("the disk has room for {left} bytes"));
            self.disk.set_capacity(Some(self.disk.used_bytes() + left));
            self.is_full = true;
            self.census.one("compact: a full disk");
            return;
        }
        let is_kill = self.chance.one_in(2);
        if kind < 3 {
            let operations = self.chance.below(40);
            self.is_kill = is_kill;
            self.tell(|| format!("plan: the end comes after {operations} operations, kill={is_kill}"));
            self.disk.cut_after(operations);
            self.census.one("compact: an end");
            return;
        }
        let op = *self.chance.pick(&[
            SimOp::Write,
            SimOp::Sync,
            SimOp::SyncDir,
            SimOp::Rename,
            SimOp::Rename,
            SimOp::Create,
            SimOp::Remove,
            SimOp::SetLen,
        ]);
        let fault = *self.chance.pick(match op {
            SimOp::Sync | SimOp::SyncDir => &[Fault::SyncFails, Fault::NoSpace],
            _ => &[Fault::Io, Fault::NoSpace],
        });
        let rare = !matches!(op, SimOp::Write | SimOp::Sync | SimOp::SyncDir);
        let nth = 1 + self.chance.below(if rare { 2 } else { 6 });
        let aftermath = Aftermath { more: self.chance.below(4), cut: self.chance.below(3) > 0 };
        self.tell(|| format!("plan: call {nth} of {op:?} fails: {fault:?}, then {aftermath:?}, kill={is_kill}"));
        self.disk.fail_nth_and_more(op, nth, fault, aftermath);
        self.faulty = true;
        self.is_kill = aftermath.cut && is_kill;
        self.must_reboot |= op == SimOp::SyncDir;
        self.census.one("compact: several failures");
    }

    pub(crate) fn plan_cut(&mut self) {
        if self.style.cuts {
            let operations = self.chance.below(25);
            self.tell(|| format!("plan: the power goes after {operations} operations"));
            self.disk.cut_after(operations);
        }
    }

    /// The disk has space for a little more, and then for nothing.
    pub(super) fn fill_up(&mut self) {
        if self.style.fills_up && !self.is_full {
            let left = self.chance.below(30_000);
            self.tell(|| format!("the disk has room for {left} bytes"));
            self.disk.set_capacity(Some(self.disk.used_bytes() + left));
            self.is_full = true;
            self.census.one("full disk: begun");
        }
    }

    pub(super) fn make_room(&mut self) {
        if self.is_full {
            self.tell(|| "there is room again".to_owned());
            self.disk.set_capacity(None);
            self.is_full = false;
        }
    }

    /// Whether a foreign thing replaces a file.
    pub(super) fn meets_strangers(&mut self) -> bool {
        self.style.compact && self.lmdb.is_none() && !self.disk.is_cut() && !self.is_full && self.chance.one_in(3)
    }

    /// Whether bits rot in this life, and now is a moment to check.
    pub(super) fn rots(&mut self) -> bool {
        let rots = self.style.rots || self.unfinished.is_some();
        rots && self.lmdb.is_none() && !self.disk.is_cut() && !self.is_full && self.chance.one_in(2)
    }
}
