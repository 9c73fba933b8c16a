//! One JavaScript environment: its state and all that the state owns. Knows nothing of the calls that work on it.

pub(crate) mod backup_entry;
pub(crate) mod call_memory;
pub(crate) mod completion;
pub(crate) mod counters;
pub(crate) mod exit_hook;
pub(crate) mod life_cycle;
pub(crate) mod lock_entry;
pub(crate) mod log_syncs;
pub(crate) mod long_work;
pub(crate) mod off_thread;
pub(crate) mod reader;
pub(crate) mod slab;
pub(crate) mod state;
pub(crate) mod store;
pub(crate) mod threads;
pub(crate) mod verification;
