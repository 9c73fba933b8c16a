//! One budget for the process: caches give way in the order of use, across all of them.

use std::sync::Arc;

use ledgerstone_vfs::handle_budget::{HandleCache, give_way, join, keep_within, use_number};
use parking_lot::Mutex;

/// Has only the numbers of the uses.
#[derive(Default)]
struct Cache(Mutex<Vec<u64>>);

impl Cache {
    fn joined() -> Arc<Self> {
        let cache = Arc::new(Self::default());
        let joining: Arc<dyn HandleCache> = Arc::clone(&cache) as _;
        join(&joining);
        cache
    }

    fn keep(&self) {
        self.0.lock().push(use_number());
        keep_within();
    }

    fn count(&self) -> usize {
        self.0.lock().len()
    }
}

impl HandleCache for Cache {
    fn handles(&self) -> u64 {
        self.count() as u64
    }

    fn oldest_use(&self) -> Option<u64> {
        self.0.lock().first().copied()
    }

    fn close_oldest(&self) -> bool {
        let mut uses = self.0.lock();
        let is_there = !uses.is_empty();
        uses.drain(..usize::from(is_there));
        is_there
    }
}

/// Only one test: the budget is the process's.
#[test]
fn caches_share_one_budget_and_the_oldest_gives_way() {
    let (first, second) = (Cache::joined(), Cache::joined());
    for _ in 0..5_000 {
        first.keep();
        second.keep();
    }
    let (a, b) = (first.count(), second.count());
    assert!((8..=512).contains(&(a + b)), "{a} and {b} are kept");
    assert!(a.abs_diff(b) <= 1, "{a} and {b}: by use, not by cache");

    for _ in 0..a.midpoint(b) {
        second.keep();
    }
    assert_eq!(first.count() + second.count(), a + b);
    assert!(first.count().abs_diff(a / 2) <= 1, "the oldest went, in whichever cache: {} of {a}", first.count());

    drop(first);
    while give_way() {}
    assert_eq!(second.count(), 0);
    assert!(!give_way(), "there is nothing left to give");
}
