//! The simulated disk: a file system in memory, driven by a seed, that keeps what is written apart from what is durable.
//!
//! A test runs the engine on a [`SimDisk`], stops it at any operation, and opens what [`SimDisk::power_cut`] or
//! [`SimDisk::crash`] returns. The same seed and the same calls give the same disk, byte for byte. [`SlowVfs`] makes any disk slow.

mod access;
mod clock;
mod content;
mod disk;
mod fault;
mod hold;
mod incident;
mod inode;
mod open_file;
mod power_cut;
mod random;
mod seeds;
mod slow;
mod state;
mod trace;
mod tree;

pub use clock::SimClock;
pub use disk::{SimDisk, Stranger};
pub use fault::{Aftermath, Fault, SimOp};
pub use hold::HeldSyncs;
pub use incident::{Incident, Mishap};
pub use seeds::Seeds;
pub use slow::{SlowFlushes, SlowVfs};
pub use trace::SimCounts;
