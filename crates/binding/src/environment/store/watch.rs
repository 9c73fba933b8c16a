//! What one environment waits for in one store. The engine's threads look at it after each group, flush or failure, and wake the
//! environment only when a waiter there has what it waits for.
//!
//! No wake-up is lost: this side publishes a wish, then looks at the marks; the engine publishes marks, then looks at the
//! wishes; on both sides a full fence separates the two steps, so at least one of them sees the other.
//!
//! JavaScript reads what forbids writing without a call, in one word: see [`Watch::condition`].

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence},
};

use ledgerstone_canonical_store::{FlushReport, Listener, Marks, Store, WrittenGroup};
use parking_lot::Mutex;

use crate::environment::{
    completion::Completion,
    store::{demand::NOBODY, observation::Observation},
};

/// The bits of the word that JavaScript reads; those of `poll` too.
pub(crate) mod flag {
    pub(crate) const CROWDED: u32 = 1;
    pub(crate) const FAILED: u32 = 2;
    pub(crate) const NO_SPACE: u32 = 4;
    pub(crate) const SEALED: u32 = 8;
    pub(crate) const PAUSED: u32 = 16;
    pub(crate) const PACED: u32 = 32;
    pub(crate) const WAITS_FOR_READERS: u32 = 64;
}

/// The flags of a moment.
pub(crate) fn flags(marks: &Marks) -> u32 {
    let all = [
        (marks.crowded, flag::CROWDED),
        (marks.failed, flag::FAILED),
        (marks.no_space, flag::NO_SPACE),
        (marks.sealed, flag::SEALED),
        (marks.paused, flag::PAUSED),
        (marks.paced, flag::PACED),
        (marks.waits_for_readers, flag::WAITS_FOR_READERS),
    ];
    all.into_iter().filter(|(set, _)| *set).fold(0, |flags, (_, flag)| flags | flag)
}

/// There is room, or there will be none soon: then the waiters are refused. What only readers hold may be room for the environment that
/// has them; this thread cannot tell.
fn has_news_of_room(marks: &Marks) -> bool {
    if marks.crowded { marks.no_space || marks.waits_for_readers } else { !marks.paused }
}

pub(crate) struct Watch {
    completion: Arc<Completion>,
    /// Borrowed under the lock and never cloned, so that it is never dropped by a thread of the engine.
    store: Mutex<Option<Arc<Store>>>,
    written: AtomicU64,
    durable: AtomicU64,
    flushed: AtomicU64,
    /// The event that is awaited at each level: applied, written, durable.
    events: [AtomicU64; 3],
    /// The commit that the event loop is held for.
    held: AtomicU64,
    room: AtomicBool,
    told_of_failure: AtomicBool,
    /// [`flag::FAILED`], [`flag::SEALED`] and [`flag::PAUSED`], kept current by each thread that changes them.
    condition: Arc<AtomicU32>,
    /// This environment's thread is flushing itself and looks at the marks afterwards.
    leading: AtomicBool,
    /// For the diagnostics channels.
    pub(crate) observation: Observation,
    /// What was last seen of the room on the device.
    no_space: AtomicBool,
}

impl Watch {
    pub(crate) fn new(completion: Arc<Completion>, store: Arc<Store>) -> Self {
        Self {
            completion,
            store: Mutex::new(Some(store)),
            written: AtomicU64::new(NOBODY),
            durable: AtomicU64::new(NOBODY),
            flushed: AtomicU64::new(NOBODY),
            events: [const { AtomicU64::new(NOBODY) }; 3],
            held: AtomicU64::new(NOBODY),
            room: AtomicBool::new(false),
            told_of_failure: AtomicBool::new(false),
            condition: Arc::default(),
            leading: AtomicBool::new(false),
            observation: Observation::default(),
            no_space: AtomicBool::new(false),
        }
    }

    /// The word that JavaScript reads. It lives as long as anybody refers to it.
    pub(crate) fn condition(&self) -> &Arc<AtomicU32> {
        &self.condition
    }

    /// Brings the word up to date.
    pub(crate) fn note_condition(&self, marks: &Marks) {
        self.condition.store(flags(marks) & (flag::FAILED | flag::SEALED | flag::PAUSED), Ordering::Release);
    }

    /// Publishes from which marks on JavaScript is to be woken. Look at the marks afterwards.
    pub(crate) fn wish(&self, written: u64, durable: u64, flushed: u64, room: bool) {
        self.written.store(written, Ordering::Relaxed);
        self.durable.store(durable, Ordering::Relaxed);
        self.flushed.store(flushed, Ordering::Relaxed);
        self.room.store(room, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Publishes which events are awaited at the levels applied, written and durable. Look at the marks afterwards.
    pub(crate) fn await_events(&self, events: [u64; 3]) {
        for (awaited, id) in self.events.iter().zip(events) {
            awaited.store(id, Ordering::Relaxed);
        }
        fence(Ordering::SeqCst);
    }

    /// JavaScript knows these marks: a waiter for more says so again.
    pub(crate) fn events_are_told(&self, marks: &Marks) {
        for (awaited, end) in self.events.iter().zip(marks.events()) {
            if end > awaited.load(Ordering::Relaxed) {
                awaited.store(NOBODY, Ordering::Relaxed);
            }
        }
    }

    /// Publishes the commit that the event loop is held for, or [`NOBODY`]. Look at the marks afterwards.
    pub(crate) fn hold(&self, seq: u64) {
        self.held.store(seq, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// From now until the end of `lead` the engine's word is not heard. Look at the marks afterwards.
    pub(crate) fn leading<R>(&self, lead: impl FnOnce() -> R) -> R {
        self.leading.store(true, Ordering::Relaxed);
        let result = lead();
        self.leading.store(false, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        result
    }

    /// Whether JavaScript is to be woken for these marks.
    pub(crate) fn is_reached_by(&self, marks: &Marks) -> bool {
        let at = |level: &AtomicU64| level.load(Ordering::Relaxed);
        marks.written >= at(&self.written)
            || marks.durable >= at(&self.durable).min(at(&self.held))
            || marks.flushed >= at(&self.flushed)
            || self.events.iter().zip(marks.events()).any(|(awaited, end)| end > at(awaited))
            || (self.room.load(Ordering::Relaxed) && has_news_of_room(marks))
            || (self.observation.is_active() && self.no_space.swap(marks.no_space, Ordering::AcqRel) != marks.no_space)
            || (marks.failed && !self.told_of_failure.swap(true, Ordering::AcqRel))
    }

    /// JavaScript knows that the store has failed.
    pub(crate) fn failure_is_told(&self) {
        self.told_of_failure.store(true, Ordering::Release);
    }

    pub(crate) fn wake(&self) {
        self.completion.wake();
    }

    /// What was observed waits. A leading thread looks for itself.
    fn wake_observer(&self) {
        fence(Ordering::SeqCst);
        if !self.leading.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    /// The store is not asked any more, nor the environment woken for it.
    pub(crate) fn detach(&self) {
        let store = self.store.lock().take();
        drop(store);
    }
}

impl Listener for Watch {
    fn advanced(&self) {
        fence(Ordering::SeqCst);
        let reached = {
            let store = self.store.lock();
            let Some(marks) = store.as_ref().map(|store| store.marks()) else { return };
            self.note_condition(&marks);
            !self.leading.load(Ordering::Relaxed) && self.is_reached_by(&marks)
        };
        if reached {
            self.wake();
        }
    }

    fn wrote(&self, group: &WrittenGroup) {
        if self.observation.is_active() {
            self.observation.group(group);
            self.wake_observer();
        }
    }

    fn flushed(&self, flush: &FlushReport) {
        if self.observation.is_active() {
            self.observation.flush(flush);
            self.wake_observer();
        }
    }
}
