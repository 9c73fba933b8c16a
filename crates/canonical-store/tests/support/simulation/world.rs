//! One simulated life of a store: the disk, the clock, the open store, what it promised, and what it must show. Whatever
//! is done to it is drawn by chance; whatever it answers is checked at once.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use ledgerstone_canonical_store::{
    CollectionRef, Error, FlushStage, GateEntry, Level, Marks, Owner, RangeCursor, ReadCache, Snapshot, Stall, Store,
    testing,
};
use ledgerstone_vfs::sim::{Fault, SimClock, SimDisk, SimOp};

use super::{
    chance::Chance,
    history::{Change, Entries, History, Image, NAMES, codecs, write_set},
    reading::{
        Check, Source, Stop, check_all, check_events, check_first_event_at, check_key, check_range, draw_bounds,
        ensure, expected, fill_page,
    },
};

/// How wild a life is; drawn once, so that many lives are calm enough to get far.
#[derive(Debug)]
pub(crate) struct Style {
    pub(crate) faults: bool,
    pub(crate) cuts: bool,
    large_values: bool,
    large_events: bool,
}

/// An open store, and what only lives as long.
pub(crate) struct Session {
    pub(crate) store: Arc<Store>,
    slots: Vec<Arc<CollectionRef>>,
    cache: Arc<ReadCache>,
    snapshots: Vec<(Arc<Snapshot>, Arc<Image>)>,
    cursors: Vec<(RangeCursor, VecDeque<(Vec<u8>, Vec<u8>)>)>,
    marks: Marks,
}

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) style: Style,
    pub(crate) disk: SimDisk,
    pub(crate) clock: SimClock,
    pub(crate) session: Option<Session>,
    pub(crate) history: History,
    /// What must survive a killed process, and a power cut.
    pub(crate) written_floor: u64,
    pub(crate) durable_floor: u64,
    /// Calls of the disk were told to fail.
    pub(crate) faulty: bool,
    /// A flush of a folder may have failed: until the machine starts again nothing in it becomes durable, whatever is said.
    pub(crate) must_reboot: bool,
    /// What went wrong inside a flush.
    pub(crate) stopped: Option<Stop>,
    owner: Owner,
    serial: u64,
    /// What was done, for the eyes of somebody who replays a seed.
    pub(crate) told: Vec<String>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let style = Style {
            faults: chance.one_in(2),
            cuts: chance.below(3) > 0,
            large_values: chance.one_in(4),
            large_events: chance.one_in(6),
        };
        Self {
            disk: SimDisk::new(chance.next()),
            clock: SimClock::new(1_000_000),
            chance,
            style,
            session: None,
            history: History::new(),
            written_floor: 0,
            durable_floor: 0,
            faulty: false,
            must_reboot: false,
            stopped: None,
            owner: Owner::new(),
            serial: 0,
            told: Vec::new(),
        }
    }

    pub(crate) fn tell(&mut self, what: impl FnOnce() -> String) {
        self.told.push(what());
    }

    /// Begins to use a store that was opened.
    pub(crate) fn adopt(&mut self, store: Arc<Store>) -> Check {
        let marks = store.marks();
        let slots: Result<Vec<_>, Error> = NAMES
            .iter()
            .enumerate()
            .map(|(slot, name)| store.collection(name, codecs(slot).0, codecs(slot).1))
            .collect();
        let cache = store.new_read_cache();
        self.tell(|| format!("opened: {marks:?} {:?}", store.stats().recovery));
        let (seq, floor, known) = (marks.applied, self.written_floor, self.history.seq());
        ensure(seq >= floor, || format!("acknowledged commits are lost: recovered={seq} acknowledged={floor}"))?;
        ensure(seq <= known, || format!("commits came from nowhere: recovered={seq} known={known}"))?;
        self.history.cut(seq);
        (self.written_floor, self.durable_floor) = (seq, seq);
        self.session = Some(Session { store, slots: slots?, cache, snapshots: Vec::new(), cursors: Vec::new(), marks });
        self.observe()?;
        self.check_everything()
    }

    /// Reads may fail where calls of the disk do; a shown value is right all the same.
    fn tolerate(&self, outcome: Check) -> Check {
        match outcome {
            Err(Stop::Failed(error)) if error.code() == "ERR_IO" && (self.faulty || self.disk.is_cut()) => Ok(()),
            outcome => outcome,
        }
    }

    /// Whether a write may fail so.
    pub(crate) fn may_fail(&self, error: &Error) -> bool {
        match error.code() {
            "ERR_IO" => self.faulty || self.disk.is_cut(),
            "ERR_NO_SPACE" => self.faulty,
            "ERR_POISONED" => {
                let cause = error.cause().map_or("", Error::code);
                (self.faulty || self.disk.is_cut()) && matches!(cause, "ERR_IO" | "ERR_NO_SPACE")
            }
            _ => false,
        }
    }

    fn session(&mut self) -> &mut Session {
        self.session.as_mut().unwrap()
    }

    /// Marks are in order and only grow; what they say was acknowledged.
    pub(crate) fn observe(&mut self) -> Check {
        let Some(session) = &mut self.session else { return Ok(()) };
        let (now, before) = (session.store.marks(), session.marks);
        session.marks = now;
        let ordered = now.flushed <= now.durable && now.durable <= now.written && now.written <= now.applied;
        let grown = now.flushed >= before.flushed && now.durable >= before.durable && now.written >= before.written;
        ensure(ordered && grown, || format!("marks: {before:?} then {now:?}"))?;
        ensure(now.applied == self.history.seq(), || format!("applied: {now:?}, expected {}", self.history.seq()))?;
        ensure(!now.failed || self.faulty || self.disk.is_cut(), || format!("failed without a cause: {now:?}"))?;
        ensure(!now.no_space || self.faulty, || format!("no space without a cause: {now:?}"))?;
        self.written_floor = self.written_floor.max(now.written);
        self.durable_floor = self.durable_floor.max(now.durable);
        Ok(())
    }

    pub(crate) fn check_everything(&mut self) -> Check {
        let image = self.history.now();
        let Self { session: Some(session), chance, .. } = self else { return Ok(()) };
        let store = &session.store;
        let outcome = check_all(&Source::Now(store, &session.cache), &session.slots, &image, chance);
        let (names, next) = (store.collections()?, store.next_event_id());
        let stats = store.stats();
        self.tolerate(outcome)?;
        ensure(names == image.names(), || format!("collections: {names:?}, expected {:?}", image.names()))?;
        ensure(next == image.next_event_id(), || format!("next event id: {next}, expected {}", image.next_event_id()))?;
        ensure(stats.event_count == image.events.len() as u64, || format!("event count: {}", stats.event_count))
    }

    /// Between two stages of a flush: whatever a thread could do then.
    pub(crate) fn inside_flush(&mut self, stage: FlushStage) {
        self.tell(|| format!("flush: {stage:?}"));
        for _ in 0..self.chance.below(4) {
            if self.stopped.is_none() && self.session.is_some() {
                self.stopped = self.act().err();
            }
        }
    }

    /// One thing that somebody does, the flusher's own work excepted.
    pub(crate) fn act(&mut self) -> Check {
        match self.chance.below(100) {
            0..=37 => self.commit(),
            38..=40 => self.refused(),
            41..=50 => self.read_keys(),
            51..=58 => self.read_range(),
            59..=65 => self.read_events(),
            66..=76 => self.use_snapshots(),
            77..=80 => self.use_cursors(),
            81..=86 => self.want(),
            87..=92 => self.step_journal(),
            93..=95 => self.lead(),
            96 => self.move_clock(),
            97 | 98 => self.plan_fault(),
            _ => self.plan_cut(),
        }?;
        self.observe()
    }

    fn draw_value(&mut self) -> Vec<u8> {
        if self.chance.one_in(8) {
            return Vec::new();
        }
        self.serial += 1;
        let mut value = format!("value {} ", self.serial).into_bytes();
        if self.style.large_values && self.chance.one_in(6) {
            let len = self.chance.below(12_000);
            value.extend(self.chance.filler(len));
        }
        value
    }

    /// No two commits are the same bytes: one that is lost and one that is made later must be told apart.
    fn draw_changes(&mut self) -> Vec<Change> {
        let image = self.history.now();
        if self.chance.one_in(16) {
            self.clock.advance(Duration::from_millis(1));
            let living: Vec<usize> = (1..NAMES.len()).filter(|slot| image.collections[*slot].is_some()).collect();
            let later = ledgerstone_vfs::Clock::wall_ms(&self.clock) > image.timestamp_ms;
            if later && !living.is_empty() {
                return vec![Change::Drop(*self.chance.pick(&living))];
            }
        }
        self.serial += 1;
        let mut changes = vec![if self.chance.one_in(2) {
            let slot = usize::try_from(self.chance.below(NAMES.len() as u64)).unwrap();
            Change::Put(slot, self.chance.key(), format!("serial {}", self.serial).into_bytes())
        } else {
            Change::Event(format!("serial {}", self.serial).into_bytes())
        }];
        for _ in 0..self.chance.below(7) {
            let slot = usize::try_from(self.chance.below(NAMES.len() as u64)).unwrap();
            changes.push(match self.chance.below(8) {
                0..=3 => Change::Put(slot, self.chance.key(), self.draw_value()),
                4 | 5 => Change::Delete(slot, self.chance.key()),
                _ if self.style.large_events && self.chance.one_in(3) => {
                    let len = self.chance.below(30_000);
                    Change::Event(self.chance.filler(len))
                }
                _ => Change::Event(self.draw_value()),
            });
        }
        changes
    }

    fn commit(&mut self) -> Check {
        let store = Arc::clone(&self.session().store);
        let (changes, image, owner) = (self.draw_changes(), self.history.now(), self.owner);
        let mut entry = GateEntry::Blind;
        if self.chance.one_in(3) {
            // Waiting for room waits for real time.
            let stall = if store.marks().crowded { Stall::No } else { Stall::Yes };
            match store.begin(owner, stall) {
                Ok(next) => ensure(next == image.next_event_id(), || format!("begin gave the event id {next}"))?,
                Err(error) if self.may_fail(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            entry = GateEntry::Held;
            self.read_keys()?;
            if self.chance.one_in(6) {
                store.abort(owner);
                return Ok(());
            }
        }
        let outcome = store.commit(owner, entry, write_set(&changes).bytes(), &self.session().slots.clone());
        let info = match outcome {
            Ok(info) => info,
            Err(error) if self.may_fail(&error) => {
                self.tell(|| format!("commit failed: {error}"));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let counted = image.count(&changes);
        self.tell(|| format!("commit {}: {changes:.60?}", info.seq));
        let first_event_id = (counted.events > 0).then(|| image.next_event_id());
        let right = info.seq == image.seq + 1
            && info.first_event_id == first_event_id
            && (info.events_written, info.keys_written, info.keys_deleted)
                == (counted.events, counted.written, counted.deleted)
            && info.timestamp_ms >= image.timestamp_ms;
        ensure(right, || format!("commit info: {info:?}, expected {counted:?} behind {}", image.seq))?;
        self.history.push(&changes, info.timestamp_ms);
        Ok(())
    }

    /// Writes that must be refused, whole.
    fn refused(&mut self) -> Check {
        let store = Arc::clone(&self.session().store);
        let slots = self.session().slots.clone();
        let image = self.history.now();
        let missing = (1..NAMES.len()).find(|slot| image.collections[*slot].is_none());
        let (changes, code) = match (self.chance.below(4), missing) {
            (0, Some(slot)) => (vec![Change::Drop(slot)], "ERR_NOT_FOUND"),
            (1, _) => (vec![Change::Drop(0)], "ERR_INVALID_ARGUMENT"),
            (2, _) => {
                (vec![Change::Event(b"lost".to_vec()), Change::Delete(9, b"key".to_vec())], "ERR_INVALID_ARGUMENT")
            }
            _ => (vec![Change::Event(b"lost".to_vec()), Change::Put(1, vec![7; 1_500], Vec::new())], "ERR_LIMIT"),
        };
        match store.commit(self.owner, GateEntry::Blind, write_set(&changes).bytes(), &slots) {
            Err(error) if error.code() == code || self.may_fail(&error) => Ok(()),
            other => Err(Stop::Wrong(format!("{code} was expected: {other:?}"))),
        }
    }

    fn read_keys(&mut self) -> Check {
        let image = self.history.now();
        let Self { session: Some(session), chance, .. } = self else { return Ok(()) };
        let source = Source::Now(&session.store, &session.cache);
        let mut outcome = Ok(());
        for _ in 0..=chance.below(3) {
            let slot = usize::try_from(chance.below(NAMES.len() as u64)).unwrap();
            let key = chance.key();
            outcome = outcome.and_then(|()| check_key(&source, &session.slots[slot], &image.entries(slot), &key));
        }
        self.tolerate(outcome)
    }

    fn read_range(&mut self) -> Check {
        let image = self.history.now();
        let Self { session: Some(session), chance, .. } = self else { return Ok(()) };
        let slot = usize::try_from(chance.below(NAMES.len() as u64)).unwrap();
        let (source, bounds) = (Source::Now(&session.store, &session.cache), draw_bounds(chance));
        let outcome = check_range(&source, &session.slots[slot], &image.entries(slot), bounds, chance);
        self.tolerate(outcome)
    }

    fn read_events(&mut self) -> Check {
        let image = self.history.now();
        let Self { session: Some(session), chance, .. } = self else { return Ok(()) };
        let source = Source::Now(&session.store, &session.cache);
        let from = chance.below(image.next_event_id() + 2);
        let to = from + chance.below(30);
        let at = image.timestamp_ms.saturating_sub(chance.below(3_000));
        let outcome = check_events(&source, &image, from, to).and_then(|()| check_first_event_at(&source, &image, at));
        self.tolerate(outcome)
    }

    fn use_snapshots(&mut self) -> Check {
        let image = self.history.now();
        let Self { session: Some(session), chance, .. } = self else { return Ok(()) };
        let outcome = match chance.below(4) {
            0 | 1 if session.snapshots.len() < 4 => {
                let snapshot = session.store.snapshot()?;
                let right = snapshot.seq() == image.seq && snapshot.next_event_id() == image.next_event_id();
                session.snapshots.push((snapshot, image));
                ensure(right, || "a snapshot of another moment".to_owned())
            }
            2 if !session.snapshots.is_empty() => {
                let index = usize::try_from(chance.below(session.snapshots.len() as u64)).unwrap();
                let (snapshot, _) = session.snapshots.swap_remove(index);
                snapshot.release();
                Ok(())
            }
            _ => match session.snapshots.first() {
                Some((snapshot, image)) => check_all(&Source::Held(snapshot), &session.slots, image, chance),
                None => Ok(()),
            },
        };
        self.tolerate(outcome)
    }

    /// Ranges that are read a page at a time while the store goes on.
    fn use_cursors(&mut self) -> Check {
        let image = self.history.now();
        let Self { session: Some(session), chance, .. } = self else { return Ok(()) };
        if session.cursors.len() < 3 && chance.one_in(2) {
            let slot = usize::try_from(chance.below(NAMES.len() as u64)).unwrap();
            let bounds = draw_bounds(chance);
            let entries: Entries = image.entries(slot);
            let left = expected(&entries, &bounds);
            session.cursors.push((session.store.range(&session.slots[slot], bounds)?, left));
        }
        let Some((cursor, left)) = session.cursors.first_mut() else { return Ok(()) };
        if fill_page(cursor, left, chance.below(3))? {
            session.cursors.remove(0);
        }
        Ok(())
    }

    fn want(&mut self) -> Check {
        let applied = self.history.seq();
        let level = *self.chance.pick(&[Level::Durable, Level::Durable, Level::Flushed, Level::Written, Level::Room]);
        self.session().store.want(level, applied);
        Ok(())
    }

    pub(crate) fn step_journal(&mut self) -> Check {
        match testing::step_journal(&self.session().store) {
            Err(error) if !self.may_fail(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn lead(&mut self) -> Check {
        let applied = self.history.seq();
        if self.chance.one_in(3) {
            self.session().store.hand_over();
            return Ok(());
        }
        match self.session().store.try_lead(applied) {
            Err(error) if !self.may_fail(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn move_clock(&mut self) -> Check {
        if self.chance.one_in(3) {
            let back = 1_000_000 - self.chance.below(5_000);
            self.clock.set_wall_ms(back);
        } else {
            self.clock.advance(Duration::from_millis(self.chance.below(1_500)));
        }
        Ok(())
    }

    pub(crate) fn plan_fault(&mut self) -> Check {
        if !self.style.faults {
            return Ok(());
        }
        if self.chance.one_in(4) {
            // The call that most depends on: the flush that a commit waits for.
            let nth = 1 + self.chance.below(3);
            self.tell(|| format!("plan: flush {nth} of a journal file fails"));
            self.disk.fail_nth_named("journal-0", SimOp::Sync, nth, Fault::SyncFails);
            self.faulty = true;
            return Ok(());
        }
        let op = *self.chance.pick(&[
            SimOp::Write,
            SimOp::Write,
            SimOp::Sync,
            SimOp::Sync,
            SimOp::SyncDir,
            SimOp::Rename,
            SimOp::Create,
            SimOp::Remove,
            SimOp::SetLen,
            SimOp::Open,
            SimOp::Read,
            SimOp::List,
            SimOp::Any,
        ]);
        let fault = *self.chance.pick(&[Fault::Io, Fault::NoSpace, Fault::ShortWrite, Fault::SyncFails]);
        let nth = 1 + self.chance.below(8);
        self.tell(|| format!("plan: call {nth} of {op:?} fails: {fault:?}"));
        self.disk.fail_nth(op, nth, fault);
        self.faulty = true;
        self.must_reboot |= matches!(op, SimOp::SyncDir | SimOp::Any) && fault != Fault::ShortWrite;
        Ok(())
    }

    pub(crate) fn plan_cut(&mut self) -> Check {
        if self.style.cuts {
            let operations = self.chance.below(25);
            self.tell(|| format!("plan: the power goes after {operations} operations"));
            self.disk.cut_after(operations);
        }
        Ok(())
    }
}
