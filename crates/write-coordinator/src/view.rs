//! What a reader has to look at, in this order: the active delta, the frozen one if there is one, what was flushed before.

use std::sync::Arc;

/// One immutable arrangement of generations. Replaced as a whole; `version` tells two apart.
///
/// In TypeScript: `View`, whose `current` is `active`, whose `frozen` may be several, and whose `snapshot` stands for the flushed state, which is the implementor's here.
#[derive(Debug)]
pub struct View<D> {
    /// Grows with each replacement.
    pub version: u64,
    /// Number of the active delta's generation.
    pub epoch: u64,
    /// Takes the writes.
    pub active: Arc<D>,
    /// Being flushed. Until it is gone nobody reads the flushed state alone.
    pub frozen: Option<Arc<D>>,
    /// How many flushes the flushed state has seen since opening.
    pub generation: u64,
}
