//! What a reader looks at, in this order: the active delta, the frozen one if there is one, the flushed state.

use std::sync::Arc;

/// One immutable arrangement of generations. Replaced as a whole; two are distinguished by `version`.
///
/// In TypeScript: `View`, whose `current` is `active`, whose `frozen` may be several, and whose `snapshot` stands for the flushed state, which is the implementor's here.
#[derive(Debug)]
pub struct View<D> {
    /// Grows with each replacement.
    pub version: u64,
    /// Number of the active delta's generation.
    pub epoch: u64,
    /// The delta that takes the writes.
    pub active: Arc<D>,
    /// The delta that is being flushed. While it is here no reader may use the flushed state alone.
    pub frozen: Option<Arc<D>>,
    /// How many flushes the flushed state has seen since opening.
    pub generation: u64,
}
