//! Starts the threads of this room, and counts them: what tests count instead of timing.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    thread::Builder,
};

static STARTED: AtomicU64 = AtomicU64::new(0);

/// Runs `work` on a new thread.
pub(crate) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().name(name.into()).spawn(work)?;
    STARTED.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// How many this process has started.
pub(crate) fn started() -> u64 {
    STARTED.load(Ordering::Relaxed)
}
