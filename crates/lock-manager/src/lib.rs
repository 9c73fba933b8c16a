//! Locks for any number of names on a fixed number of *stripes*: a name is hashed to a stripe, and two names on one stripe
//! share one lock. A set of names is locked as a whole, each name shared or exclusive. Sets that are not free at once wait,
//! first come first served on every stripe, and take their stripes in one order, so they never deadlock.
//!
//! No thread ever blocks here. A client that waits hears of grants through its [`Listener`] and fetches them; a client that no
//! longer wants to wait withdraws. The caller keeps the time limits.
//!
//! ```
//! use std::sync::Arc;
//! use ledgerstone_lock_manager::{Acquired, LockManager, LockSet, Mode, Otherwise, Unheard};
//! use ledgerstone_vfs::SystemClock;
//!
//! let manager = Arc::new(LockManager::new(16_384, Arc::new(SystemClock::new())).unwrap());
//! let client = manager.client(Arc::new(Unheard));
//! let mut set = LockSet::default();
//! set.add(manager.stripe_of(b"alice"), Mode::Exclusive);
//! let Acquired::Granted(token) = client.acquire(&mut set, Otherwise::Refuse) else { panic!("nobody else is here") };
//! assert!(client.release(token).released);
//! assert!(!client.release(token).released);
//! ```

mod lock_client;
mod lock_manager;
mod lock_set;
mod mailbox;
mod request;
mod state;
mod stats;
mod stripe;

pub use lock_client::{Acquired, Blocked, GiveUp, LockClient, Otherwise, Released, Withdrawn};
pub use lock_manager::{LockManager, MAX_STRIPES};
pub use lock_set::{LockSet, Mode, Stripe};
pub use mailbox::{Listener, Unheard};
pub use request::Token;
pub use stats::LockStats;
