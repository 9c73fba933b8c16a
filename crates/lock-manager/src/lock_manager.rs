//! The manager: the table of stripes, the seeds of its hash, its clients. Shared by all threads that lock the same things.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ledgerstone_vfs::{Clock, SystemClock};
use parking_lot::{Mutex, MutexGuard};

use crate::{
    lock_client::LockClient,
    lock_set::Stripe,
    mailbox::{Listener, Mailbox},
    state::State,
    stats::LockStats,
};

/// The most stripes that a manager can have.
pub const MAX_STRIPES: u64 = 1 << 20;

/// Locks by stripe. See the [crate](crate) for what they promise.
#[derive(Debug)]
pub struct LockManager {
    /// Random seeds, so that an attacker cannot choose names that share a stripe.
    hasher: RandomState,
    mask: u64,
    clock: Arc<dyn Clock>,
    next_client: AtomicU64,
    /// Held for a few hundred nanoseconds at most without contention; never while a caller's code runs.
    state: Mutex<State>,
}

impl LockManager {
    /// A manager with `stripes` stripes: a power of two up to [`MAX_STRIPES`], otherwise `None`.
    pub fn new(stripes: u64, clock: Arc<dyn Clock>) -> Option<Self> {
        if !stripes.is_power_of_two() || stripes > MAX_STRIPES {
            return None;
        }
        let count = usize::try_from(stripes).ok()?;
        Some(Self {
            hasher: RandomState::new(),
            mask: stripes - 1,
            clock,
            next_client: AtomicU64::new(0),
            state: Mutex::new(State::new(count)),
        })
    }

    /// The same, with the operating system's clock.
    pub fn by_system_clock(stripes: u64) -> Option<Self> {
        Self::new(stripes, Arc::new(SystemClock::new()))
    }

    /// How many stripes there are.
    pub fn stripes(&self) -> u64 {
        self.mask + 1
    }

    /// The stripe of a name.
    pub fn stripe_of(&self, name: &[u8]) -> Stripe {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(name);
        // The mask leaves at most 20 bits.
        Stripe(u32::try_from(hasher.finish() & self.mask).unwrap_or(0))
    }

    /// The stripe with a number, if there is one.
    pub fn stripe(&self, number: u32) -> Option<Stripe> {
        (u64::from(number) <= self.mask).then_some(Stripe(number))
    }

    /// A new client.
    pub fn client(self: &Arc<Self>, listener: Arc<dyn Listener>) -> LockClient {
        let id = self.next_client.fetch_add(1, Ordering::Relaxed);
        self.state().owners.insert(id, Mailbox { listener, granted: std::collections::VecDeque::new() });
        LockClient::new(Arc::clone(self), id)
    }

    /// Counts and times, as of now.
    pub fn stats(&self) -> LockStats {
        self.state().stats
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Nanoseconds of the clock; a `u64` holds 584 years of them.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_nanos()).unwrap_or(u64::MAX)
    }
}
