//! A folder that one process owns.

mod lock;

pub use lock::{FolderLock, LOCK_NAME, OWNER_NAME, Taken};
