//! File handles that are kept open only because they may be needed again: one budget for the process, since the limit is the
//! process's. Over the budget, and whenever handles are short, the least recently used one is closed, in whichever cache it is.

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;

/// Caches take one in this many of the handles that the process may have.
const PART_OF_LIMIT: u64 = 4;
const MIN_CACHED: u64 = 8;
const MAX_CACHED: u64 = 512;
/// Used if the limit is unknown.
const UNKNOWN_LIMIT: u64 = 1024;

/// Keeps handles open that it can close at any time.
pub trait HandleCache: Send + Sync {
    /// How many it keeps.
    fn handles(&self) -> u64;
    /// When its least recently used handle was used, as a [`use_number`]. `None`: it keeps none.
    fn oldest_use(&self) -> Option<u64>;
    /// Closes that handle, as soon as no reader uses it. Returns whether there was one.
    fn close_oldest(&self) -> bool;
}

static CACHES: Mutex<Vec<Weak<dyn HandleCache>>> = Mutex::new(Vec::new());
static USES: AtomicU64 = AtomicU64::new(0);

/// The number of a use: later uses have higher numbers, in the whole process.
pub fn use_number() -> u64 {
    USES.fetch_add(1, Ordering::Relaxed)
}

/// Adds `cache` to the caches that share the budget, until it is dropped.
pub fn join(cache: &Arc<dyn HandleCache>) {
    let mut caches = CACHES.lock();
    caches.retain(|cache| cache.strong_count() > 0);
    caches.push(Arc::downgrade(cache));
}

/// Closes the handles beyond the budget. Called after a handle was kept, with no lock of the cache held.
pub fn keep_within() {
    let caches = caches();
    let mut kept: u64 = caches.iter().map(|cache| cache.handles()).sum();
    while kept > max_cached() && close_oldest_of(&caches) {
        kept -= 1;
    }
}

/// Closes the least recently used handle of all caches, because a handle is needed elsewhere. Returns whether there was one.
pub fn give_way() -> bool {
    close_oldest_of(&caches())
}

fn caches() -> Vec<Arc<dyn HandleCache>> {
    CACHES.lock().iter().filter_map(Weak::upgrade).collect()
}

fn close_oldest_of(caches: &[Arc<dyn HandleCache>]) -> bool {
    let oldest = caches.iter().filter_map(|cache| Some((cache.oldest_use()?, cache))).min_by_key(|(used, _)| *used);
    oldest.is_some_and(|(_, cache)| cache.close_oldest())
}

fn max_cached() -> u64 {
    static MAX: OnceLock<u64> = OnceLock::new();
    *MAX.get_or_init(|| (limit().unwrap_or(UNKNOWN_LIMIT) / PART_OF_LIMIT).clamp(MIN_CACHED, MAX_CACHED))
}

/// The process's limit of handles.
#[cfg(unix)]
fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn limit() -> Option<u64> {
    None
}
