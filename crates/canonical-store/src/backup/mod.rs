//! Backups: a store at one point in time as portable files of our own format, made while writes go on, and a store made from them.
//!
//! A backup is one full snapshot of a set (`ledgerstone-snapshot-set`): a manifest, the state by ranges of keys, the events by ranges of ids. Every
//! file is checksummed block by block and as a whole, and nothing in it is believed before it is checked. `docs/FORMATS.md` has every byte.

mod block_reader;
mod block_writer;
mod build;
mod copy;
mod full;
mod job;
mod manifest;
mod owner;
mod parallel;
mod plan;
mod reason;
mod record;
mod restore;
mod shard_head;
mod target;
#[cfg(test)]
mod tests;
mod verify;

pub use full::{BackupInfo, BackupOptions};
pub use job::{BackupJob, JobPhase};
pub use reason::BackupReason;
pub use restore::{RestoreInfo, restore};
