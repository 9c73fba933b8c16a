//! One open store as one environment sees it: its collections by slot, the gate if it is held here, and what JavaScript waits for.
//! It lives on the environment's thread. Each of the other files here adds one noun.

pub(crate) mod demand;
mod holds;
mod loop_hold;
pub(crate) mod observation;
mod slots;
pub(crate) mod waiting;
pub(crate) mod watch;
mod writing;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::{Arc, atomic::AtomicU32},
};

use ledgerstone_canonical_store::{CollectionRef, HeldSegments, ListenerId, Pause, StoreHandle};

use crate::environment::{
    completion::Completion,
    slab::Slab,
    store::{demand::Demands, observation::Happenings, watch::Watch},
};

/// A collection's name and the names of its codecs.
type SlotName = (String, String, String);

pub(crate) struct StoreEntry {
    handle: Arc<StoreHandle>,
    watch: Arc<Watch>,
    listener: ListenerId,
    slots: RefCell<Vec<Arc<CollectionRef>>>,
    slot_names: RefCell<HashMap<SlotName, usize>>,
    holds_gate: Cell<bool>,
    /// Closed segments that are held, by number.
    held_segments: RefCell<Slab<Arc<HeldSegments>>>,
    /// What this environment keeps writers out by.
    pauses: RefCell<Vec<Pause>>,
    demands: RefCell<Demands>,
    /// The first commit since JavaScript last said what it waits for; 0 for none.
    first_commit_of_turn: Cell<u64>,
    /// The newest commit of this environment; 0 for none.
    last_commit: Cell<u64>,
    /// The commit that the event loop is held for; 0 for none.
    held_for: Cell<u64>,
    /// Somebody here waits for events to be applied.
    watches_applied: Cell<bool>,
}

impl StoreEntry {
    pub(crate) fn new(handle: Arc<StoreHandle>, completion: Arc<Completion>) -> Self {
        let watch = Arc::new(Watch::new(completion, Arc::clone(&**handle)));
        let listener = handle.add_listener(Arc::clone(&watch) as Arc<_>);
        watch.note_condition(&handle.marks());
        Self {
            handle,
            watch,
            listener,
            slots: RefCell::default(),
            slot_names: RefCell::default(),
            holds_gate: Cell::new(false),
            held_segments: RefCell::new(Slab::new()),
            pauses: RefCell::default(),
            demands: RefCell::default(),
            first_commit_of_turn: Cell::new(0),
            last_commit: Cell::new(0),
            held_for: Cell::new(0),
            watches_applied: Cell::new(false),
        }
    }

    pub(crate) fn handle(&self) -> &Arc<StoreHandle> {
        &self.handle
    }

    /// The word in which JavaScript reads what forbids writing.
    pub(crate) fn condition(&self) -> Arc<AtomicU32> {
        Arc::clone(self.watch.condition())
    }

    /// Begins or ends keeping what the engine does for [`take_happenings`](Self::take_happenings).
    pub(crate) fn observe(&self, active: bool) {
        if self.watch.observation.set(active) {
            if active { self.handle.begin_observing() } else { self.handle.end_observing() }
        }
    }

    pub(crate) fn take_happenings(&self) -> Happenings {
        self.watch.observation.take()
    }

    /// After this nothing of the engine refers to the environment.
    pub(crate) fn detach(&self) {
        self.observe(false);
        self.watch.detach();
        if self.watches_applied.replace(false) {
            self.handle.unwatch_applied();
        }
        self.handle.remove_listener(self.listener);
    }
}
