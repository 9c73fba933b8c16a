//! How those who wait hear of it: grants go into their owner's mailbox, and the owner is told once until it has emptied it.

use std::{collections::VecDeque, fmt, sync::Arc};

use crate::request::Token;

/// Somebody who fetches its grants when told to.
pub trait Listener: Send + Sync {
    /// Something was granted by another client's doing. Called outside all locks, from any thread; must not block.
    fn granted(&self);
}

/// Hears nothing: for clients that never wait, or that look by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Unheard;

impl Listener for Unheard {
    fn granted(&self) {}
}

/// The grants of one client that it has not fetched.
pub(crate) struct Mailbox {
    pub(crate) listener: Arc<dyn Listener>,
    pub(crate) granted: VecDeque<Token>,
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("granted", &self.granted).finish_non_exhaustive()
    }
}
