//! One open store as one environment sees it: its collections by slot, the gate if held here, and who waits for what.
//! Lives on the environment's thread.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::{Arc, atomic::AtomicU32},
};

use ledgerstone_canonical_store::{
    CollectionRef, CommitInfo, Error, GateEntry, HeldSegments, Level, ListenerId, Marks, Owner, Pause, Stall,
    StoreHandle,
};

use crate::{
    binding_error::{ErrorRecord, Failure},
    completion::Completion,
    demand::{Demand, NOBODY},
    observation::NativeHappenings,
    slab::{Handle, Slab},
    watch::Watch,
};

/// What JavaScript waits for at the end of a turn: the highest seq at each level, 0 for nobody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes {
    pub(crate) written: u64,
    pub(crate) durable: u64,
    pub(crate) flushed: u64,
    /// Somebody waits until the store is not crowded.
    pub(crate) room: bool,
    /// There are so few waiters that their flush may run on this thread.
    pub(crate) few: bool,
}

#[derive(Default)]
struct Demands {
    written: Demand,
    durable: Demand,
    flushed: Demand,
    room: bool,
}

impl Demands {
    fn is_empty(&self) -> bool {
        !self.room && [&self.written, &self.durable, &self.flushed].iter().all(|demand| demand.next() == NOBODY)
    }
}

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

/// Gives the gate of a transaction back unless its commit has done so: after a panic.
struct GateReturn<'a> {
    entry: &'a StoreEntry,
    owner: Owner,
}

impl GateReturn<'_> {
    fn forget(self) {
        self.entry.holds_gate.set(false);
        std::mem::forget(self);
    }
}

impl Drop for GateReturn<'_> {
    fn drop(&mut self) {
        self.entry.holds_gate.set(false);
        self.entry.handle.abort(self.owner);
    }
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

    /// The word in which JavaScript reads what forbids writing.
    pub(crate) fn condition(&self) -> Arc<AtomicU32> {
        Arc::clone(self.watch.condition())
    }

    pub(crate) fn handle(&self) -> &Arc<StoreHandle> {
        &self.handle
    }

    /// The number of a collection; the same for the same names.
    pub(crate) fn slot(&self, name: String, key_codec: String, value_codec: String) -> Result<usize, Failure> {
        let names = (name, key_codec, value_codec);
        if let Some(slot) = self.slot_names.borrow().get(&names) {
            return Ok(*slot);
        }
        let collection = self.handle.collection(&names.0, &names.1, &names.2)?;
        let mut slots = self.slots.borrow_mut();
        slots.push(collection);
        self.slot_names.borrow_mut().insert(names, slots.len() - 1);
        Ok(slots.len() - 1)
    }

    #[inline]
    pub(crate) fn with_slot<R>(
        &self,
        slot: usize,
        work: impl FnOnce(&CollectionRef) -> Result<R, Error>,
    ) -> Result<R, Failure> {
        let slots = self.slots.borrow();
        let collection =
            slots.get(slot).ok_or_else(|| ErrorRecord::invalid("slot", "there is no such collection slot"))?;
        Ok(work(collection)?)
    }

    pub(crate) fn begin(&self, owner: Owner, stall: Stall) -> Result<u64, Failure> {
        let next_event_id = self.handle.begin(owner, stall)?;
        self.holds_gate.set(true);
        Ok(next_event_id)
    }

    pub(crate) fn abort(&self, owner: Owner) {
        if self.holds_gate.replace(false) {
            self.handle.abort(owner);
        }
    }

    /// Keeps writers out; the number stands for this pause.
    pub(crate) fn pause(&self) -> Result<Pause, Failure> {
        let pause = self.handle.pause()?;
        self.pauses.borrow_mut().push(pause);
        Ok(pause)
    }

    /// Ends a pause of this handle; harmless when it has ended.
    pub(crate) fn resume(&self, pause: Pause) {
        let mut pauses = self.pauses.borrow_mut();
        let known = pauses.len();
        pauses.retain(|other| *other != pause);
        if pauses.len() < known {
            self.handle.resume(pause);
        }
    }

    /// Holds the closed segments; the handle stands for them.
    pub(crate) fn hold_segments(&self) -> Result<(Handle, Arc<HeldSegments>), Failure> {
        let held = Arc::new(self.handle.hold_segments()?);
        let number = self.held_segments.borrow_mut().insert(Arc::clone(&held));
        let number = number.ok_or_else(|| ErrorRecord::closed("the store"))?;
        Ok((number, held))
    }

    pub(crate) fn held_segments(&self, number: Handle) -> Result<Arc<HeldSegments>, Failure> {
        let held = self.held_segments.borrow().get(number).cloned();
        held.ok_or_else(|| ErrorRecord::closed("the list of segments"))
    }

    /// Harmless when done before.
    pub(crate) fn release_segments(&self, number: Handle) {
        let released = self.held_segments.borrow_mut().remove(number);
        if released.is_some() {
            drop(released);
            self.handle.reclaim_segments();
        }
    }

    /// Gives back what keeps others out: the gate and the pauses.
    pub(crate) fn let_others_in(&self, owner: Owner) {
        self.abort(owner);
        for pause in self.pauses.take() {
            self.handle.resume(pause);
        }
        self.held_segments.borrow_mut().remove_where(|_| true);
    }

    /// Whatever becomes of a transaction's commit, its gate is given back. A blind commit gives back what it has taken itself, and nothing else: when
    /// it is refused because a transaction is open here, the gate is still that transaction's.
    pub(crate) fn commit(&self, owner: Owner, entry: GateEntry, write_set: &[u8]) -> Result<CommitInfo, Failure> {
        let gate = matches!(entry, GateEntry::Held).then(|| GateReturn { entry: self, owner });
        let outcome = self.handle.commit(owner, entry, write_set, &self.slots.borrow());
        if let Some(gate) = gate {
            gate.forget();
        }
        let info = outcome?;
        self.note_commit(&info);
        Ok(info)
    }

    fn note_commit(&self, info: &CommitInfo) {
        self.last_commit.set(info.seq);
        if self.first_commit_of_turn.get() == 0 {
            self.first_commit_of_turn.set(info.seq);
        }
    }

    /// Registers who waits, lets the engine work for them, and returns the durable seq: whoever waits for that or less, at
    /// the levels written and durable, is to be served now. Others are woken.
    pub(crate) fn want(&self, wishes: Wishes) -> Result<u64, Failure> {
        let mut marks = self.handle.marks();
        if wishes.few && wishes.durable > marks.durable && !marks.failed {
            self.watch.leading(|| self.handle.try_lead(wishes.durable))?;
            marks = self.handle.marks();
        }
        if marks.failed {
            self.give_up_waiting();
            return Err(self.handle.failure().map_or_else(|| ErrorRecord::closed("the store"), Failure::from));
        }
        self.register(wishes, &marks);
        self.publish();
        for (level, seq, mark) in [
            (Level::Written, wishes.written, marks.written),
            (Level::Durable, wishes.durable, marks.durable),
            (Level::Flushed, wishes.flushed, marks.flushed),
        ] {
            if seq > mark {
                self.handle.want(level, seq);
            }
        }
        if wishes.room {
            self.handle.want(Level::Room, marks.applied);
        }
        let marks = self.handle.marks();
        let durable = marks.durable;
        self.let_loop_go(&marks);
        {
            let mut demands = self.demands.borrow_mut();
            demands.written.told(durable);
            demands.durable.told(durable);
        }
        self.publish_and_look();
        Ok(durable)
    }

    fn register(&self, wishes: Wishes, marks: &Marks) {
        let first = match self.first_commit_of_turn.replace(0) {
            0 => u64::MAX,
            first => first,
        };
        let mut demands = self.demands.borrow_mut();
        if wishes.written > marks.durable {
            demands.written.add(first.min(wishes.written), wishes.written);
        }
        if wishes.durable > marks.durable {
            demands.durable.add(first.min(wishes.durable), wishes.durable);
        }
        if wishes.flushed > 0 {
            demands.flushed.add(wishes.flushed, wishes.flushed);
        }
        demands.room |= wishes.room;
    }

    /// Followers wait for these events at the levels applied, written and durable; [`NOBODY`] where none does.
    pub(crate) fn await_events(&self, events: [u64; 3]) {
        let [applied, ..] = events;
        match (self.watches_applied.replace(applied != NOBODY), applied != NOBODY) {
            (false, true) => self.handle.watch_applied(),
            (true, false) => self.handle.unwatch_applied(),
            _ => {}
        }
        self.watch.await_events(events);
        if self.watch.is_reached_by(&self.handle.marks()) {
            self.watch.wake();
        }
    }

    /// What JavaScript is told now, and need not be woken for again.
    pub(crate) fn poll(&self) -> Marks {
        let marks = self.handle.marks();
        if marks.failed {
            self.give_up_waiting();
            return marks;
        }
        {
            let mut demands = self.demands.borrow_mut();
            demands.written.told(marks.written);
            demands.durable.told(marks.durable);
            demands.flushed.told(marks.flushed);
            demands.room &= (marks.crowded && !marks.no_space) || marks.paused;
        }
        self.watch.events_are_told(&marks);
        self.let_loop_go(&marks);
        self.publish_and_look();
        marks
    }

    /// The event loop is about to end: what was committed from here is made durable, and holds the loop until it is. Not after a
    /// failure, when nothing more will become durable.
    pub(crate) fn hold_loop(&self) {
        let (marks, last_commit) = (self.handle.marks(), self.last_commit.get());
        if marks.failed || marks.durable >= last_commit {
            return;
        }
        self.held_for.set(last_commit);
        self.watch.hold(last_commit);
        self.handle.want(Level::Durable, last_commit);
        self.publish_and_look();
    }

    /// Whether this store keeps the event loop alive: it is held for a commit, or somebody waits.
    pub(crate) fn keeps_alive(&self) -> bool {
        if self.held_for.get() > 0 {
            self.let_loop_go(&self.handle.marks());
        }
        self.held_for.get() > 0 || !self.demands.borrow().is_empty()
    }

    /// What has become durable holds nothing, nor is it worth a wake.
    fn let_loop_go(&self, marks: &Marks) {
        let held_for = self.held_for.get();
        if held_for > 0 && (marks.failed || marks.durable >= held_for) {
            self.held_for.set(0);
            self.watch.hold(NOBODY);
        }
    }

    /// Begins or ends keeping what the engine does for [`take_happenings`](Self::take_happenings).
    pub(crate) fn observe(&self, active: bool) {
        if self.watch.observation.set(active) {
            if active { self.handle.begin_observing() } else { self.handle.end_observing() }
        }
    }

    pub(crate) fn take_happenings(&self) -> NativeHappenings {
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

    fn give_up_waiting(&self) {
        self.watch.failure_is_told();
        *self.demands.borrow_mut() = Demands::default();
        self.publish();
    }

    fn publish(&self) {
        let demands = self.demands.borrow();
        self.watch.wish(demands.written.next(), demands.durable.next(), demands.flushed.next(), demands.room);
    }

    fn publish_and_look(&self) {
        self.publish();
        if self.watch.is_reached_by(&self.handle.marks()) {
            self.watch.wake();
        }
    }
}
