//! What is applied and not flushed yet.

/// A generation of writes. One writer fills it under the caller's lock; readers read it at any time.
///
/// In TypeScript: `Delta`. There the coordinator applies the writes (`apply`), `bytes` is `estimateSize()`, readers get `reader()` while it takes writes and the `view` of
/// `freeze()` afterwards; here both are the delta itself.
pub trait Delta: Send + Sync + 'static {
    /// The memory that it keeps, in bytes; only grows.
    fn bytes(&self) -> u64;
    /// The last sequence number in it; 0 when it is empty.
    fn last_seq(&self) -> u64;
}
