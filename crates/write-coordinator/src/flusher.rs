//! What the caller does for a flush; the coordinator decides when.

use std::{sync::Arc, time::Duration};

/// Why a flush did not come to its end.
#[derive(Clone, Debug)]
pub enum FlushFailure<E> {
    /// No room now. The frozen delta stays and is written again later; only writers notice.
    Retry(E),
    /// Writing has stopped for good.
    Fatal(E),
}

/// Writes deltas out. In TypeScript: `Flusher`, whose `flushDelta` is [`flush`](Self::flush); the context that `freeze()` hands on to `init` there is the implementor's own state here. All methods but [`freeze`](Self::freeze)'s swap run outside the coordinator's locks, on the flusher's thread.
pub trait Flusher<D>: Send + Sync {
    /// What a failed flush tells everybody who waits.
    type Error: Clone + Send + Sync + 'static;

    /// Makes an empty delta and hands it to `swap` while no writer is between two writes; `swap` returns the one that is full.
    fn freeze(&self, swap: &mut dyn FnMut(Arc<D>) -> Arc<D>);
    /// Writes a frozen delta out, durably. Called again with the same delta after [`FlushFailure::Retry`].
    fn flush(&self, frozen: &Arc<D>) -> Result<(), FlushFailure<Self::Error>>;
    /// After the view without the frozen delta was published: old resources are released, this reference first of all (what
    /// is held counts towards the bound), then whoever waits may be woken.
    fn published(&self, frozen: Arc<D>);
    /// One slice of background work when nothing is due. Whether there is more.
    fn chore(&self) -> Result<bool, FlushFailure<Self::Error>>;
    /// How long the flusher may sleep at most before the next [`chore`](Self::chore). `None`: until there is something to flush.
    fn rest(&self) -> Option<Duration> {
        None
    }
    /// Writing has stopped for good; called once, also for a panic (`what`).
    fn failed(&self, why: Option<Self::Error>, what: &str) -> Self::Error;
}
