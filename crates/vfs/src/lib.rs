//! Files and time as the engine needs them: a small trait with two implementations, the operating system and a simulated disk
//! that keeps written and durable bytes apart. All I/O except LMDB's goes through this crate.

mod aside;
mod atomic_file;
mod clock;
mod error;
mod error_macros;
mod file;
mod file_system;
mod folders;
pub mod handle_budget;
mod os;
mod owned_folder;
#[cfg(feature = "sim")]
pub mod sim;
mod verification;

pub use aside::{Aside, aside_of, asides_of, remove_leftovers};
pub use atomic_file::{read_small_file, write_atomically};
pub use clock::{Clock, SystemClock};
pub use error::{FileError, Result};
pub use file::{FileLock, OpenHow, Vfs, VfsFile};
pub use file_system::FileSystem;
pub use os::OsVfs;
pub use owned_folder::{
    FolderError, FolderLock, LOCK_NAME, LastMark, NotForgotten, OWNER_NAME, Occupied, OwnedFolder, Owner, Remains,
    SET_MANIFEST, SnapshotSetOwner, Taken, Unfinished, kind_of, random_id,
};
pub use verification::{NotBegun, Plan, Verification, Verifications};
