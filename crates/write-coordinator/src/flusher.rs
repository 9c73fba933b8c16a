//! The caller's part of a flush; the coordinator decides when.

use std::{sync::Arc, time::Duration};

/// Why a flush did not finish.
#[derive(Clone, Debug)]
pub enum FlushFailure<E> {
    /// No room at present. The frozen delta stays and is flushed again later; only writers notice.
    Retry(E),
    /// Writing has stopped for good.
    Fatal(E),
}

/// Writes deltas out. In TypeScript: `Flusher`, whose `flushDelta` is [`flush`](Self::flush); the context that `freeze()` hands on to `init` there is the implementor's own state here. All methods but [`freeze`](Self::freeze)'s swap run outside the coordinator's locks, on the flusher's thread.
pub trait Flusher<D>: Send + Sync {
    /// The error of a failed flush, for every caller that waits.
    type Error: Clone + Send + Sync + 'static;

    /// Makes an empty delta and hands it to `swap` while no writer is between two writes; `swap` returns the full one.
    fn freeze(&self, swap: &mut dyn FnMut(Arc<D>) -> Arc<D>);
    /// Writes a frozen delta out, durably. Called again with the same delta after [`FlushFailure::Retry`].
    fn flush(&self, frozen: &Arc<D>) -> Result<(), FlushFailure<Self::Error>>;
    /// Called after the view without the frozen delta was published. Releases old resources, this reference first (what is held
    /// counts towards the bound), and then may wake callers that wait.
    fn published(&self, frozen: Arc<D>);
    /// One slice of background work when nothing is due. Returns whether there is more.
    fn chore(&self) -> Result<bool, FlushFailure<Self::Error>>;
    /// How long the flusher may sleep at most before the next [`chore`](Self::chore). `None`: until there is something to flush.
    fn rest(&self) -> Option<Duration> {
        None
    }
    /// Writing has stopped for good; called once, also for a panic (`what`).
    fn failed(&self, why: Option<Self::Error>, what: &str) -> Self::Error;
}
