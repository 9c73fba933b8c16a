//! Who may write. A token with an owner, not a mutex held by a thread: JavaScript runs while it is held. First come first
//! served; a waiter's deadline ends its waiting, never another's ownership (I9).

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use ledgerstone_vfs::Clock;
use parking_lot::{Condvar, Mutex};

/// Who asks: one for each environment (thread) that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(u64);

impl Owner {
    /// An owner that no other call has given out in this process.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Default for Owner {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug, Default)]
struct State {
    owner: Option<Owner>,
    waiting: VecDeque<u64>,
    next_ticket: u64,
    closed: bool,
}

/// Why the token was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GateError {
    /// This owner has it.
    Held,
    /// Somebody else had it for too long.
    TimedOut(Duration),
    /// No token is given any more.
    Closed,
}

#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    turn: Condvar,
}

impl Gate {
    /// Waits for the token, at most for `patience`.
    pub(crate) fn acquire(&self, owner: Owner, patience: Duration, clock: &dyn Clock) -> Result<(), GateError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(GateError::Closed);
        }
        if state.owner.is_none() && state.waiting.is_empty() {
            state.owner = Some(owner);
            return Ok(());
        }
        if state.owner == Some(owner) {
            return Err(GateError::Held);
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(ticket);
        let start = clock.monotonic();
        let outcome = loop {
            if state.closed {
                break Err(GateError::Closed);
            }
            if state.owner.is_none() && state.waiting.front() == Some(&ticket) {
                state.owner = Some(owner);
                break Ok(());
            }
            let waited = clock.monotonic().saturating_sub(start);
            match patience.checked_sub(waited).filter(|left| !left.is_zero()) {
                Some(left) => {
                    self.turn.wait_for(&mut state, left);
                }
                None => break Err(GateError::TimedOut(waited)),
            }
        };
        state.waiting.retain(|waiting| *waiting != ticket);
        // Whoever leaves the queue passes a wake-up on: it may have been the front one's.
        self.turn.notify_all();
        outcome
    }

    /// How many wait.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Whether `owner` has the token.
    pub(crate) fn is_held_by(&self, owner: Owner) -> bool {
        self.state.lock().owner == Some(owner)
    }

    /// Gives the token back, if `owner` has it.
    pub(crate) fn release(&self, owner: Owner) {
        let mut state = self.state.lock();
        if state.owner == Some(owner) {
            state.owner = None;
            if !state.waiting.is_empty() || state.closed {
                self.turn.notify_all();
            }
        }
    }

    /// Gives no token any more; waits until the one that is out has come back, at most for `patience`.
    pub(crate) fn close(&self, patience: Duration) {
        let mut state = self.state.lock();
        state.closed = true;
        self.turn.notify_all();
        // Whoever leaves the queue wakes this one too: only the token's return, or time, ends the wait.
        self.turn.wait_while_for(&mut state, |state| state.owner.is_some(), patience);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use ledgerstone_vfs::SystemClock;
    use parking_lot::Mutex;

    use super::{Gate, GateError, Owner};

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn only_the_owner_gives_the_token_back() {
        let (gate, clock) = (Gate::default(), SystemClock::new());
        let (first, second) = (Owner::new(), Owner::new());
        gate.acquire(first, LONG, &clock).unwrap();
        gate.release(second);
        assert!(gate.is_held_by(first));
        assert_eq!(gate.acquire(first, LONG, &clock), Err(GateError::Held));
        assert!(matches!(gate.acquire(second, Duration::ZERO, &clock), Err(GateError::TimedOut(_))));
        gate.release(first);
        gate.acquire(second, Duration::ZERO, &clock).unwrap();
    }

    #[test]
    fn many_threads_get_the_token_one_at_a_time_and_none_is_lost() {
        let gate = Arc::new(Gate::default());
        let count = Arc::new(Mutex::new((0u32, 0u32)));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (gate, count) = (Arc::clone(&gate), Arc::clone(&count));
                std::thread::Builder::new()
                    .spawn(move || {
                        let (owner, clock) = (Owner::new(), SystemClock::new());
                        for _ in 0..500 {
                            gate.acquire(owner, LONG, &clock).unwrap();
                            count.lock().0 += 1;
                            assert_eq!(count.lock().0, 1);
                            count.lock().0 -= 1;
                            count.lock().1 += 1;
                            gate.release(owner);
                        }
                    })
                    .unwrap()
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*count.lock(), (0, 4_000));
    }
}
