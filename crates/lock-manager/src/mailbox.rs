//! How clients hear of grants: grants go into their owner's mailbox, and its listener is called once until it has emptied the mailbox.

use std::{collections::VecDeque, fmt, sync::Arc};

use crate::request::Token;

/// Fetches its grants when called.
pub trait Listener: Send + Sync {
    /// Another client's call granted something to this one. Called outside all locks, from any thread; must not block.
    fn granted(&self);
}

/// Ignores grants: for clients that never wait, or that poll.
#[derive(Clone, Copy, Debug)]
pub struct Unheard;

impl Listener for Unheard {
    fn granted(&self) {}
}

/// The grants of one client that it has not fetched yet.
pub(crate) struct Mailbox {
    pub(crate) listener: Arc<dyn Listener>,
    pub(crate) granted: VecDeque<Token>,
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("granted", &self.granted).finish_non_exhaustive()
    }
}
