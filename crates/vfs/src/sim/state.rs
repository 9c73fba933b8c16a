//! The whole state of a simulated disk, behind its one mutex.

use std::{collections::BTreeSet, io};

use super::{
    fault::{Fault, Faults, Struck},
    hold::Hold,
    incident::Mishap,
    power_cut,
    random::{Random, mix},
    trace::{Call, Trace},
    tree::{Node, NodeId, Tree},
};
use crate::{FileError, FileSystem, Result};

pub(super) struct State {
    seed: u64,
    pub(super) random: Random,
    pub(super) tree: Tree,
    pub(super) faults: Faults,
    pub(super) trace: Trace,
    /// Random numbers that were drawn.
    pub(super) randoms: u64,
    /// Operations since the disk was made.
    pub(super) operations: u64,
    /// The number of operations at which the power is cut.
    pub(super) cut_at: Option<u64>,
    pub(super) cut: bool,
    pub(super) capacity: Option<u64>,
    pub(super) locked: BTreeSet<NodeId>,
    pub(super) hold: Option<Hold>,
    /// The file system that every folder claims to be on.
    pub(super) file_system: FileSystem,
}

/// What happens to a call.
pub(super) enum Step {
    Proceeds,
    /// The power is cut in the middle of it.
    Dies,
    Fails(Fault),
}

impl State {
    pub(super) fn new(seed: u64, tree: Tree) -> Self {
        Self {
            seed,
            random: Random::new(mix(seed, 1)),
            tree,
            faults: Faults::default(),
            trace: Trace::default(),
            randoms: 0,
            operations: 0,
            cut_at: None,
            cut: false,
            capacity: None,
            locked: BTreeSet::new(),
            hold: None,
            file_system: FileSystem::Local,
        }
    }

    /// The disk as found after a power cut, chosen by `seed`.
    pub(super) fn after_power_cut(&self, seed: u64) -> Self {
        let tree = power_cut::tree_after(&self.tree, &mut Random::new(mix(seed, 2)));
        Self { capacity: self.capacity, file_system: self.file_system.clone(), ..Self::new(seed, tree) }
    }

    /// The disk as found after the process died.
    pub(super) fn after_crash(&self, seed: u64) -> Self {
        let mut tree = self.tree.clone();
        let mut orphans = Vec::new();
        for (id, node) in &mut tree.nodes {
            if let Node::File(inode) = node {
                inode.handles = 0;
                orphans.push(*id);
            }
        }
        for id in orphans {
            tree.forget_unused(id);
        }
        Self { capacity: self.capacity, file_system: self.file_system.clone(), ..Self::new(seed, tree) }
    }

    /// The seed for the disk after this moment.
    pub(super) fn next_seed(&self) -> u64 {
        mix(self.seed, self.operations)
    }

    /// A number that no disk before this one has given; it does not influence the rest of the disk's behaviour.
    pub(super) fn next_random(&mut self) -> u64 {
        self.randoms += 1;
        mix(mix(self.seed, 3), self.randoms)
    }

    pub(super) fn check_power(&self, call: &Call) -> Result<()> {
        if self.cut { Err(call.failed(power_cut_error())) } else { Ok(()) }
    }

    /// Counts and traces a call, and decides what happens to it.
    pub(super) fn begin(&mut self, call: &Call) -> Result<Step> {
        self.check_power(call)?;
        self.trace.note(call);
        if call.op.changes() {
            if self.cut_at == Some(self.operations) {
                self.cut = true;
                self.trace.befell(call.op, Mishap::PowerCut);
                return Ok(Step::Dies);
            }
            self.operations += 1;
        }
        let Some(Struck { fault, cut }) = self.faults.strike(call.op, call.path) else { return Ok(Step::Proceeds) };
        self.trace.befell(call.op, Mishap::Failed(fault));
        if cut {
            self.cut = true;
            self.trace.befell(call.op, Mishap::PowerCut);
        }
        Ok(Step::Fails(fault))
    }

    /// A call that happens as a whole or not at all.
    pub(super) fn whole<T>(&mut self, call: &Call, act: impl FnOnce(&mut Self) -> io::Result<T>) -> Result<T> {
        match self.begin(call)? {
            Step::Proceeds => act(self).map_err(|error| call.failed(error)),
            Step::Fails(fault) => Err(call.failed(fault.error())),
            Step::Dies => {
                if self.random.one_in(2) {
                    // The caller never learns its outcome.
                    drop(act(self));
                }
                Err(call.failed(power_cut_error()))
            }
        }
    }

    /// How many bytes the disk has left.
    pub(super) fn room(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.tree.used_bytes()))
    }
}

impl Call<'_> {
    pub(super) fn failed(&self, source: io::Error) -> FileError {
        FileError::new(self.syscall, self.path, source)
    }
}

pub(super) fn power_cut_error() -> io::Error {
    io::Error::other("power cut")
}
