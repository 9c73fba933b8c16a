//! File handles that are kept open only because they may be wanted again: one budget for the process, since the limit is the
//! process's. Over it, and whenever handles are short, the one that was used longest ago is closed, whosever it is.

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;

/// Of the handles that the process may have, caches take one in so many.
const PART_OF_LIMIT: u64 = 4;
const MIN_CACHED: u64 = 8;
const MAX_CACHED: u64 = 512;
/// Where the limit is not known.
const UNKNOWN_LIMIT: u64 = 1024;

/// Who keeps handles open that it can do without.
pub trait HandleCache: Send + Sync {
    /// How many it keeps.
    fn handles(&self) -> u64;
    /// When the one that was used longest ago was used, as [`use_number`] told then. `None`: it keeps none.
    fn oldest_use(&self) -> Option<u64>;
    /// Closes that one, as soon as nobody is reading by it. Whether there was one.
    fn close_oldest(&self) -> bool;
}

static CACHES: Mutex<Vec<Weak<dyn HandleCache>>> = Mutex::new(Vec::new());
static USES: AtomicU64 = AtomicU64::new(0);

/// The number of a use: later ones have higher ones, in the whole process.
pub fn use_number() -> u64 {
    USES.fetch_add(1, Ordering::Relaxed)
}

/// From now on `cache` is among those that give way, until it is dropped.
pub fn join(cache: &Arc<dyn HandleCache>) {
    let mut caches = CACHES.lock();
    caches.retain(|cache| cache.strong_count() > 0);
    caches.push(Arc::downgrade(cache));
}

/// Closes what is kept beyond the budget. Called after a handle was kept, with no lock of the cache held.
pub fn keep_within() {
    let caches = caches();
    let mut kept: u64 = caches.iter().map(|cache| cache.handles()).sum();
    while kept > max_cached() && close_oldest_of(&caches) {
        kept -= 1;
    }
}

/// Closes the handle of all caches that was used longest ago: something else needs one. Whether there was one.
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

/// How many handles the process may have.
#[cfg(unix)]
fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn limit() -> Option<u64> {
    None
}
