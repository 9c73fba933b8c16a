//! Snapshot sets: whole files under numbered names, several shards per snapshot, made and published in one atomic step.
//!
//! A set is a folder with one owner. The user of the set writes a *pending* snapshot shard by shard; publishing makes it
//! *full*. *Diffs* are written beside it. To restore: the newest full snapshot, then every later diff. The user decides the
//! content of the files; length and checksum show whether a published file is unchanged.
//!
//! A kill or a power cut at any moment leaves a set that opens and restores: every step is first written to a small manifest,
//! and is finished or undone at the next opening.
//!
//! ```
//! use std::{path::Path, sync::Arc};
//! use ledgerstone_snapshot_set::{FileSnapshotSet, Ground, Purge, SnapshotSetOptions, SnapshotType};
//! use ledgerstone_vfs::{OpenHow, Vfs, sim::{SimClock, SimDisk}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let disk: Arc<dyn Vfs> = Arc::new(SimDisk::new(1));
//! let options = SnapshotSetOptions::default();
//! let ground = Ground { vfs: Arc::clone(&disk), clock: Arc::new(SimClock::new(0)) };
//! let set = FileSnapshotSet::open(&ground, Path::new("/backups"), options)?;
//! let pending = set.create_or_get(SnapshotType::Pending, 2, false)?;
//! for path in &pending.shard_paths {
//!     disk.open(path, OpenHow::ReadWrite)?.write_all_at(b"state", 0)?;
//! }
//! set.publish(pending.ordinal, Purge::default())?;
//! let chain = set.snapshots_to_restore()?;
//! assert_eq!(chain[0].shard_paths[1], Path::new("/backups/snapshot_1_1-of-2_full.bin"));
//! # Ok(())
//! # }
//! ```

mod create;
mod error;
mod file_snapshot_set;
mod folder;
mod look;
mod manifest;
mod prune;
mod publish;
mod recovery;
mod restore;
mod set_state;
mod snapshot_name;

pub use error::{Error, Result};
pub use file_snapshot_set::{FileSnapshotSet, Ground, Listing, SnapshotInfo, SnapshotSetOptions};
pub use folder::ShardCheck;
pub use look::{Look, look};
pub use prune::Prune;
pub use publish::Purge;
pub use set_state::{SetRecovery, SnapshotDamage};
pub use snapshot_name::{MAX_ORDINAL, MAX_SHARDS, SnapshotName, SnapshotType};
