//! The gate: a token that one writer at a time holds. It has an owner and is not a mutex held by a thread, because JavaScript
//! runs while it is held. Waiters queue and keep their order; newcomers may overtake the first of them for a [`SLICE`], and
//! nobody may after that. A waiter's deadline ends its waiting, never another's ownership (I9). While the gate is paused no
//! writer gets it.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use ledgerstone_vfs::Clock;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::owner::{Owner, Pause};

/// How long the first in the queue may be overtaken. A commit takes a few microseconds, and waking a thread ten times as long:
/// if each token were handed to a sleeping thread, two threads would write more slowly than one. So a thread that is awake
/// continues for some dozens of commits.
const SLICE: Duration = Duration::from_micros(100);
/// How often a waiter checks whether the token is free before it sleeps; most of the time it leaves the processor to other threads.
const GLANCES: u32 = 40;
/// The first checks follow each other without a pause.
const CLOSE_GLANCES: u32 = 20;

/// The rank of a caller decides whether it may enter while the gate is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    /// A writer of data: it may not.
    Writer,
    /// A change of the store's condition: it may.
    Control,
}

#[derive(Debug, Default)]
struct State {
    owner: Option<Owner>,
    waiting: VecDeque<u64>,
    next_ticket: u64,
    /// The first in the queue has waited for its slice: the token is reserved for it.
    called: bool,
    pauses: Vec<Pause>,
    next_pause: u64,
    closed: bool,
}

impl State {
    fn refusal(&self, rank: Rank) -> Option<GateError> {
        if self.closed {
            return Some(GateError::Closed);
        }
        (rank == Rank::Writer && !self.pauses.is_empty()).then_some(GateError::Paused)
    }
}

/// Why the token was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GateError {
    /// This owner already holds it.
    Held,
    /// Another owner held it for too long.
    TimedOut(Duration),
    /// The gate is closed.
    Closed,
    /// The gate is paused for writers.
    Paused,
}

#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    turn: Condvar,
    /// A hint for waiters that are awake.
    free: AtomicBool,
    /// Whether there are pauses, without locking.
    paused: AtomicBool,
}

impl Gate {
    /// Waits for the token, at most for `patience`.
    pub(crate) fn acquire(
        &self,
        owner: Owner,
        rank: Rank,
        patience: Duration,
        clock: &dyn Clock,
    ) -> Result<(), GateError> {
        let mut state = self.state.lock();
        if let Some(refusal) = state.refusal(rank) {
            return Err(refusal);
        }
        if state.owner.is_none() && !state.called {
            self.give(&mut state, owner);
            return Ok(());
        }
        if state.owner == Some(owner) {
            return Err(GateError::Held);
        }
        if patience.is_zero() {
            return Err(GateError::TimedOut(patience));
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(ticket);
        let outcome = self.wait(&mut state, ticket, owner, rank, patience, clock);
        if state.waiting.front() == Some(&ticket) {
            state.called = false;
        }
        state.waiting.retain(|waiting| *waiting != ticket);
        // A waiter that leaves the queue wakes the others: one of them is first now, or this wake-up was meant for it.
        if !state.waiting.is_empty() {
            self.turn.notify_all();
        }
        outcome
    }

    fn wait(
        &self,
        state: &mut MutexGuard<'_, State>,
        ticket: u64,
        owner: Owner,
        rank: Rank,
        patience: Duration,
        clock: &dyn Clock,
    ) -> Result<(), GateError> {
        let start = clock.monotonic();
        let mut first_since = None;
        MutexGuard::unlocked(state, || self.glance());
        loop {
            if let Some(refusal) = state.refusal(rank) {
                return Err(refusal);
            }
            let is_first = state.waiting.front() == Some(&ticket);
            if state.owner.is_none() && is_first {
                self.give(state, owner);
                return Ok(());
            }
            let now = clock.monotonic();
            let waited = now.saturating_sub(start);
            let left = patience.saturating_sub(waited);
            if left.is_zero() {
                return Err(GateError::TimedOut(waited));
            }
            if !is_first || state.called {
                self.turn.wait_for(state, left);
                continue;
            }
            let slice = SLICE.saturating_sub(now.saturating_sub(*first_since.get_or_insert(now)));
            if slice.is_zero() {
                state.called = true;
                MutexGuard::unlocked(state, || self.glance());
            } else {
                self.turn.wait_for(state, left.min(slice));
            }
        }
    }

    fn give(&self, state: &mut State, owner: Owner) {
        state.owner = Some(owner);
        self.free.store(false, Ordering::Release);
    }

    /// Spins until the token is free, without sleeping, and not for long.
    fn glance(&self) {
        for glance in 0..GLANCES {
            if self.free.load(Ordering::Acquire) {
                return;
            }
            if glance < CLOSE_GLANCES {
                (0..16).for_each(|_| std::hint::spin_loop());
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// The number of waiters.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Whether `owner` holds the token.
    pub(crate) fn is_held_by(&self, owner: Owner) -> bool {
        self.state.lock().owner == Some(owner)
    }

    /// Releases the token, if `owner` holds it.
    pub(crate) fn release(&self, owner: Owner) {
        let mut state = self.state.lock();
        if state.owner == Some(owner) {
            state.owner = None;
            self.free.store(true, Ordering::Release);
            if state.called || state.closed || !state.pauses.is_empty() {
                self.turn.notify_all();
            }
        }
    }

    /// Gives the token to `owner` if nobody holds it or waits for it.
    pub(crate) fn try_acquire(&self, owner: Owner) -> bool {
        let mut state = self.state.lock();
        let is_free = state.owner.is_none() && state.waiting.is_empty() && state.refusal(Rank::Writer).is_none();
        if is_free {
            self.give(&mut state, owner);
        }
        is_free
    }

    /// From now on keeps writers out, also those that already wait.
    pub(crate) fn pause(&self) -> Pause {
        let mut state = self.state.lock();
        let pause = Pause(state.next_pause);
        state.next_pause += 1;
        state.pauses.push(pause);
        self.paused.store(true, Ordering::Release);
        self.turn.notify_all();
        pause
    }

    /// Waits until the owner that held the token when `pause` began has released it; returns whether that has happened. False
    /// if `pause` has ended in between.
    pub(crate) fn wait_idle(&self, pause: Pause, patience: Duration) -> bool {
        let mut state = self.state.lock();
        let holds = |state: &State| state.pauses.contains(&pause) && !state.closed;
        self.turn.wait_while_for(&mut state, |state| state.owner.is_some() && holds(state), patience);
        state.owner.is_none() && holds(&state)
    }

    /// Ends one pause; harmless when it has ended already.
    pub(crate) fn resume(&self, pause: Pause) {
        let mut state = self.state.lock();
        state.pauses.retain(|other| *other != pause);
        self.paused.store(!state.pauses.is_empty(), Ordering::Release);
        self.turn.notify_all();
    }

    /// Ends all pauses.
    pub(crate) fn resume_all(&self) {
        let mut state = self.state.lock();
        state.pauses.clear();
        self.paused.store(false, Ordering::Release);
        self.turn.notify_all();
    }

    /// Whether writers are kept out.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Grants no more tokens; waits until the granted one is released, at most for `patience`.
    pub(crate) fn close(&self, patience: Duration) {
        let mut state = self.state.lock();
        state.closed = true;
        self.turn.notify_all();
        // A waiter that leaves the queue wakes this one too: only the token's release, or time, ends the wait.
        self.turn.wait_while_for(&mut state, |state| state.owner.is_some(), patience);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use ledgerstone_vfs::{SystemClock, sim::SimClock};
    use parking_lot::Mutex;

    use super::{Gate, GateError, Owner, Rank, SLICE};

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn only_the_owner_gives_the_token_back() {
        let (gate, clock) = (Gate::default(), SystemClock::new());
        let (first, second) = (Owner::new(), Owner::new());
        gate.acquire(first, Rank::Writer, LONG, &clock).unwrap();
        gate.release(second);
        assert!(gate.is_held_by(first));
        assert_eq!(gate.acquire(first, Rank::Writer, LONG, &clock), Err(GateError::Held));
        let refused = gate.acquire(second, Rank::Writer, Duration::ZERO, &clock);
        assert!(matches!(refused, Err(GateError::TimedOut(_))));
        gate.release(first);
        gate.acquire(second, Rank::Writer, Duration::ZERO, &clock).unwrap();
    }

    #[test]
    fn a_pause_keeps_writers_out_and_waits_for_the_one_that_is_in() {
        let (gate, clock) = (Gate::default(), SystemClock::new());
        let (first, second) = (Owner::new(), Owner::new());
        gate.acquire(first, Rank::Writer, LONG, &clock).unwrap();
        let (pause, nested) = (gate.pause(), gate.pause());
        assert!(!gate.wait_idle(pause, Duration::ZERO), "somebody is in");
        assert_eq!(gate.acquire(second, Rank::Writer, LONG, &clock), Err(GateError::Paused));
        gate.release(first);
        assert!(gate.wait_idle(pause, LONG));
        assert!(!gate.try_acquire(second));
        gate.acquire(second, Rank::Control, LONG, &clock).unwrap();
        gate.release(second);
        gate.resume(pause);
        gate.resume(pause);
        assert!(!gate.wait_idle(pause, LONG), "it has ended");
        assert!(gate.is_paused(), "the other one has not");
        gate.resume(nested);
        gate.acquire(second, Rank::Writer, LONG, &clock).unwrap();
        gate.pause();
        gate.resume_all();
        assert!(!gate.is_paused());
    }

    #[test]
    fn a_pause_sends_away_who_waits_already() {
        let gate = Arc::new(Gate::default());
        gate.acquire(Owner::new(), Rank::Writer, LONG, &SystemClock::new()).unwrap();
        let waiting = {
            let gate = Arc::clone(&gate);
            std::thread::Builder::new()
                .spawn(move || gate.acquire(Owner::new(), Rank::Writer, LONG, &SystemClock::new()))
                .unwrap()
        };
        while gate.waiting() == 0 {
            std::thread::yield_now();
        }
        gate.pause();
        assert_eq!(waiting.join().unwrap(), Err(GateError::Paused));
    }

    #[test]
    fn who_has_waited_for_its_slice_is_overtaken_by_nobody() {
        let (gate, clock) = (Arc::new(Gate::default()), Arc::new(SimClock::new(0)));
        let (first, second, third) = (Owner::new(), Owner::new(), Owner::new());
        gate.acquire(first, Rank::Writer, LONG, &*clock).unwrap();
        let waiting = {
            let (gate, clock) = (Arc::clone(&gate), Arc::clone(&clock));
            std::thread::Builder::new().spawn(move || gate.acquire(second, Rank::Writer, LONG, &*clock)).unwrap()
        };
        while !gate.state.lock().called {
            clock.advance(SLICE / 4);
            std::thread::yield_now();
        }
        gate.release(first);
        let overtaken = gate.acquire(third, Rank::Writer, Duration::ZERO, &*clock);
        assert!(matches!(overtaken, Err(GateError::TimedOut(_))));
        assert_eq!(waiting.join().unwrap(), Ok(()));
        assert!(gate.is_held_by(second) && !gate.state.lock().called);
        gate.release(second);
        gate.acquire(third, Rank::Writer, Duration::ZERO, &*clock).unwrap();
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
                            gate.acquire(owner, Rank::Writer, LONG, &clock).unwrap();
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
