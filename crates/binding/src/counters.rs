//! How often each hot call was made in this environment: what the tests count instead of timing.

use std::cell::Cell;

/// The hot calls, in the order of `HotCalls` in `src/native/binding.ts`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HotCall {
    Get,
    Has,
    GetMany,
    RangeOpen,
    RangePage,
    EventsPage,
    Event,
    Begin,
    Commit,
    Abort,
    Want,
    Poll,
    Lock,
    Unlock,
    Withdraw,
    Grants,
    HeldMs,
    LogAppend,
    LogAppendBatch,
    LogGet,
    LogPage,
    LogEnds,
}

const HOT_CALLS: usize = 22;

#[derive(Default)]
pub(crate) struct Counters([Cell<u64>; HOT_CALLS]);

impl Counters {
    pub(crate) fn count(&self, call: HotCall) {
        if let Some(counter) = self.0.get(call as usize) {
            counter.set(counter.get().wrapping_add(1));
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "nobody calls 2^53 times")]
    pub(crate) fn of(&self, call: HotCall) -> f64 {
        self.0.get(call as usize).map_or(0.0, |counter| counter.get() as f64)
    }
}
