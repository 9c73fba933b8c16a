//! One simulated life of a store: the disk, the clock, the open store, what it promised, and what it must show. Whatever
//! is done to it is drawn by chance; whatever it answers is checked at once.

use std::sync::Arc;

use ledgerstone_canonical_store::{
    CollectionRef, Error, FlushStage, Level, Marks, Owner, RangeCursor, ReadCache, Snapshot, Store, testing,
};
use ledgerstone_vfs::sim::{SimClock, SimDisk};

use super::{
    chance::Chance,
    history::{History, Image, NAMES, codecs},
    reading::{Check, Left, Source, Stop, check_all, ensure},
};

/// How wild a life is; drawn once, so that many lives are calm enough to get far.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(crate) struct Style {
    pub(crate) faults: bool,
    pub(crate) cuts: bool,
    pub(super) large_values: bool,
    pub(super) large_events: bool,
}

/// An open store, and what only lives as long.
pub(crate) struct Session {
    pub(crate) store: Arc<Store>,
    pub(super) slots: Vec<Arc<CollectionRef>>,
    pub(super) cache: Arc<ReadCache>,
    pub(super) snapshots: Vec<(Arc<Snapshot>, Arc<Image>)>,
    pub(super) cursors: Vec<(RangeCursor, Left)>,
    pub(super) marks: Marks,
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
    pub(super) owner: Owner,
    pub(super) serial: u64,
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
    pub(super) fn tolerate(&self, outcome: Check) -> Check {
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

    pub(super) fn session(&mut self) -> &mut Session {
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
            0..=37 => self.commit()?,
            38..=40 => self.refused()?,
            41..=50 => self.read_keys()?,
            51..=58 => self.read_range()?,
            59..=65 => self.read_events()?,
            66..=76 => self.use_snapshots()?,
            77..=80 => self.use_cursors()?,
            81..=86 => self.want(),
            87..=92 => self.step_journal()?,
            93..=95 => self.lead()?,
            96 => self.move_clock(),
            97 | 98 => self.plan_fault(),
            _ => self.plan_cut(),
        }
        self.observe()
    }

    pub(super) fn want(&mut self) {
        let applied = self.history.seq();
        let level = *self.chance.pick(&[Level::Durable, Level::Durable, Level::Flushed, Level::Written, Level::Room]);
        self.session().store.want(level, applied);
    }

    pub(crate) fn step_journal(&mut self) -> Check {
        match testing::step_journal(&self.session().store) {
            Err(error) if !self.may_fail(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    pub(super) fn lead(&mut self) -> Check {
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
}
