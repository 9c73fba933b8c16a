//! The three levels of durability, in the order in which a commit reaches them.

/// How far a commit has come. Ordered: `Applied < Written < Durable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// In memory, seen by every reader of the process. Survives nothing.
    Applied,
    /// Handed to the operating system. Survives the process being killed.
    Written,
    /// Flushed to the device. Survives power loss.
    Durable,
}
