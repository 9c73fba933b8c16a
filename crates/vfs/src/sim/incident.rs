//! What befell the calls on a disk: a simulation that tells how often each kind of call met each kind of trouble cannot
//! become dull unnoticed.

use super::{
    disk::SimDisk,
    fault::{Fault, SimOp},
};

/// What happened to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The power went in the middle of it.
    PowerCut,
    /// It failed as it was told to.
    Failed(Fault),
    /// The disk had no room for all of it.
    NoRoom,
}

/// A call that something happened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// What was called.
    pub op: SimOp,
    /// What happened.
    pub mishap: Mishap,
}

impl SimDisk {
    /// What has happened since this was last asked.
    pub fn take_incidents(&self) -> Vec<Incident> {
        std::mem::take(&mut self.state.lock().trace.incidents)
    }
}
