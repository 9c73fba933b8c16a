//! The mishaps of the calls on a disk: a simulation that counts each mishap of each kind of call shows when it no longer causes one.

use super::{
    disk::SimDisk,
    fault::{Fault, SimOp},
};

/// The mishap of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The power was cut in the middle of it.
    PowerCut,
    /// It failed as planned.
    Failed(Fault),
    /// The disk did not have room for all of it.
    NoRoom,
}

/// A call with a mishap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The call.
    pub op: SimOp,
    /// Its mishap.
    pub mishap: Mishap,
}

impl SimDisk {
    /// The incidents since the last time this was called.
    pub fn take_incidents(&self) -> Vec<Incident> {
        std::mem::take(&mut self.state.lock().trace.incidents)
    }
}
