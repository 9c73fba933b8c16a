//! One simulated life of a store: the disk, the clock, the open store, its promises, and its expected content. Every action is
//! drawn at random; every answer is checked at once.

use std::sync::Arc;

use ledgerstone_canonical_store::{
    CollectionRef, Error, FlushStage, Level, Marks, Owner, Part, RangeCursor, ReadCache, RetentionPolicy, Snapshot,
    Store, testing,
};
use ledgerstone_vfs::sim::{SimClock, SimDisk};

use super::{
    On,
    census::Census,
    chance::Chance,
    controls::Segment,
    ground::LmdbFolder,
    history::{History, Image, NAMES, codecs},
    reading::{Check, Left, Source, Stop, check_all, ensure},
};

/// How wild a life is; drawn once, so that many lives are calm enough to get far.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(crate) struct Style {
    pub(crate) faults: bool,
    pub(crate) cuts: bool,
    pub(super) fills_up: bool,
    pub(super) rots: bool,
    pub(super) large_values: bool,
    pub(super) large_events: bool,
    pub(super) retains: bool,
    /// Openings are interrupted again and again, by several troubles at once, with more clean closes in between.
    pub(super) restless: bool,
    /// Several troubles come in one operation, and processes die in the middle of openings.
    pub(super) compact: bool,
}

/// An open store, and the state that lives as long.
pub(crate) struct Session {
    pub(crate) store: Arc<Store>,
    pub(super) slots: Vec<Arc<CollectionRef>>,
    pub(super) cache: Arc<ReadCache>,
    pub(super) snapshots: Vec<(Arc<Snapshot>, Arc<Image>)>,
    pub(super) cursors: Vec<(RangeCursor, Left)>,
    pub(super) marks: Marks,
    /// Trims whose space was not freed yet: the commit, the oldest event since then.
    pub(super) trims: Vec<(u64, u64)>,
    /// The disk's number of flushes when writing stopped for good.
    pub(super) syncs_at_failure: Option<u64>,
}

#[allow(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) style: Style,
    pub(crate) disk: SimDisk,
    pub(crate) clock: SimClock,
    pub(crate) session: Option<Session>,
    pub(crate) history: History,
    /// What must survive a kill, and a power cut.
    pub(crate) written_floor: u64,
    pub(crate) durable_floor: u64,
    pub(super) flushed_floor: u64,
    /// The next opening begins an epoch of at least this.
    epoch_floor: u64,
    /// What the store may remove by itself, as it was last opened.
    pub(super) policy: RetentionPolicy,
    /// The segments before the last step of the flusher.
    pub(super) segments_before: Vec<Segment>,
    /// How far an interrupted flush goes that has left parts in the state, without a meta record.
    pub(super) unfinished: Option<u64>,
    /// How far the frozen delta goes, while there is one.
    pub(super) frozen_seq: Option<u64>,
    /// The mark of a clean close exists.
    pub(super) closed_clean: bool,
    /// The flusher is working.
    pub(super) in_flush: bool,
    /// Only the engine is still working.
    pub(super) is_closing: bool,
    /// Failures of disk calls were planned.
    pub(crate) faulty: bool,
    /// The disk's capacity is bounded.
    pub(super) is_full: bool,
    /// LMDB's file, if LMDB has the state.
    pub(super) lmdb: Option<LmdbFolder>,
    pub(crate) census: Census,
    /// A flush of a folder may have failed: until the machine restarts nothing in it becomes durable, whatever is reported.
    pub(crate) must_reboot: bool,
    /// The end looks like a power cut, but only the process ended.
    pub(super) is_kill: bool,
    /// A failure inside a flush.
    pub(crate) stopped: Option<Stop>,
    pub(super) owner: Owner,
    pub(super) serial: u64,
    /// The story, for a person who replays a seed.
    pub(crate) told: Vec<String>,
    /// The story includes the calls of the disk; the number of this disk's calls in it.
    tells_calls: bool,
    calls_told: usize,
}

/// Lives with these seeds are `compact`. The known seeds are below, so that their meaning does not change.
pub(crate) const COMPACT_FROM: u64 = 1 << 32;

fn is_compact(seed: u64) -> bool {
    seed >= COMPACT_FROM && seed.is_multiple_of(3)
}

impl World {
    pub(crate) fn new(seed: u64, on: On) -> Self {
        let mut chance = Chance::new(seed);
        let style = Style {
            faults: chance.one_in(2),
            cuts: chance.below(3) > 0,
            fills_up: chance.one_in(6),
            rots: chance.one_in(6),
            large_values: chance.one_in(4),
            large_events: chance.one_in(6),
            retains: chance.one_in(3),
            // Not drawn, so that the draws of other lives do not change.
            restless: seed % 6 == 5 || is_compact(seed),
            compact: is_compact(seed),
        };
        let style = if style.compact { Style { faults: true, cuts: true, ..style } } else { style };
        let disk = SimDisk::new(chance.next());
        let tells_calls = std::env::var("LEDGERSTONE_STORY").is_ok_and(|what| what == "calls");
        if tells_calls {
            disk.record_trace();
        }
        Self {
            disk,
            clock: SimClock::new(1_000_000),
            chance,
            style,
            session: None,
            history: History::new(),
            written_floor: 0,
            durable_floor: 0,
            flushed_floor: 0,
            epoch_floor: 1,
            policy: RetentionPolicy::default(),
            segments_before: Vec::new(),
            unfinished: None,
            frozen_seq: None,
            closed_clean: false,
            in_flush: false,
            is_closing: false,
            faulty: false,
            is_full: false,
            lmdb: (on == On::Lmdb).then(LmdbFolder::new),
            census: Census::default(),
            must_reboot: false,
            is_kill: false,
            stopped: None,
            owner: Owner::new(),
            serial: 0,
            told: Vec::new(),
            tells_calls,
            calls_told: 0,
        }
    }

    pub(crate) fn tell(&mut self, what: impl FnOnce() -> String) {
        self.tell_calls();
        self.told.push(what());
    }

    /// The disk's calls since the last time, in a story with calls.
    pub(super) fn tell_calls(&mut self) {
        if self.tells_calls {
            let calls = self.disk.trace();
            self.told.extend(calls.iter().skip(self.calls_told).map(|call| format!("    {call}")));
            self.calls_told = calls.len();
        }
    }

    /// Continues on what is left of the disk.
    pub(super) fn move_to(&mut self, disk: SimDisk) {
        self.tell_calls();
        self.disk = disk;
        self.calls_told = 0;
        if self.tells_calls {
            self.disk.record_trace();
        }
    }

    /// Starts to use a store that was opened.
    pub(crate) fn adopt(&mut self, store: Arc<Store>) -> Check {
        let (marks, recovery) = (store.marks(), store.stats().recovery);
        let slots: Result<Vec<_>, Error> = NAMES
            .iter()
            .enumerate()
            .map(|(slot, name)| store.collection(name, codecs(slot).0, codecs(slot).1))
            .collect();
        let cache = store.new_read_cache();
        self.tell(|| format!("opened: {marks:?} {recovery:?}"));
        let (seq, floor, known) = (marks.applied, self.written_floor, self.history.seq());
        ensure(seq >= floor, || format!("acknowledged commits are lost: recovered={seq} acknowledged={floor}"))?;
        ensure(seq <= known, || format!("commits came from nowhere: recovered={seq} known={known}"))?;
        let (flushed, floor) = (marks.flushed, self.flushed_floor);
        ensure(flushed >= floor, || format!("a flush was undone: found={flushed} acknowledged={floor}"))?;
        ensure(recovery.frames == seq - flushed, || format!("replayed {} of {marks:?}", recovery.frames))?;
        let (epoch, floor) = (recovery.epoch, self.epoch_floor);
        ensure(epoch >= floor, || format!("an epoch came again: {epoch} after {floor}"))?;
        self.census.one("opening: done");
        self.census.add("opening: frames replayed", recovery.frames);
        self.census.add("opening: with a torn tail", u64::from(recovery.bytes_cut > 0));
        self.census.add("opening: unacknowledged commits lost", u64::from(seq < known));
        self.census_of_opening(seq, flushed);
        self.history.cut(seq);
        (self.written_floor, self.durable_floor, self.flushed_floor) = (seq, seq, flushed);
        self.session = Some(Session {
            store,
            slots: slots?,
            cache,
            snapshots: Vec::new(),
            cursors: Vec::new(),
            trims: Vec::new(),
            marks,
            syncs_at_failure: None,
        });
        self.observe()?;
        self.check_everything()
    }

    /// Each flush has recorded the epoch of its delta; the next opening begins another.
    pub(super) fn end_epoch(&mut self, store: &Store) {
        let stats = store.stats();
        self.census.add("epoch: begun by a flush", stats.flush_runs);
        if stats.flush_runs > 0 && (self.lmdb.is_none() || !self.disk.is_cut()) {
            self.epoch_floor = self.epoch_floor.max(stats.recovery.epoch + stats.flush_runs);
        }
    }

    /// After the first failure nothing is flushed any more, let alone repeated (I5). `known`: the flushes until then.
    pub(super) fn check_silence(&self, known: Option<u64>) -> Check {
        let syncs = self.disk.counts().syncs;
        ensure(known.is_none_or(|known| known == syncs), || format!("{syncs} flushes, {known:?} when writing stopped"))
    }

    /// The incidents of disk calls since the last time.
    pub(super) fn settle_incidents(&mut self, phase: &str) {
        self.census.befell(&self.disk.take_incidents(), phase);
        if let Some(lmdb) = self.lmdb.as_mut().filter(|_| self.disk.is_cut()) {
            lmdb.power_went();
        }
    }

    /// Reads may fail when calls of the disk do; a value that is shown must still be correct.
    pub(super) fn tolerate(&self, outcome: Check) -> Check {
        match outcome {
            Err(Stop::Failed(error)) if error.code() == "ERR_IO" && (self.faulty || self.disk.is_cut()) => Ok(()),
            outcome => outcome,
        }
    }

    /// Whether a write may fail with this error.
    pub(crate) fn may_fail(&self, error: &Error) -> bool {
        match error.code() {
            "ERR_IO" => self.faulty || self.disk.is_cut(),
            "ERR_NO_SPACE" => self.faulty || self.is_full,
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

    /// Marks are ordered and only grow; they acknowledge what they cover. After a failure nothing is acknowledged.
    pub(crate) fn observe(&mut self) -> Check {
        let Some(session) = &mut self.session else { return Ok(()) };
        let (now, before) = (session.store.marks(), session.marks);
        session.marks = now;
        let ordered = now.flushed <= now.durable && now.durable <= now.written && now.written <= now.applied;
        let grown = now.flushed >= before.flushed && now.durable >= before.durable && now.written >= before.written;
        ensure(ordered && grown, || format!("marks: {before:?} then {now:?}"))?;
        let still =
            Marks { applied: now.applied, crowded: now.crowded, paced: now.paced, no_space: now.no_space, ..before };
        ensure(!before.failed || now == still, || format!("acknowledged after the failure: {before:?} then {now:?}"))?;
        ensure(now.applied == self.history.seq(), || format!("applied: {now:?}, expected {}", self.history.seq()))?;
        ensure(!now.failed || self.faulty || self.disk.is_cut(), || format!("failed without a cause: {now:?}"))?;
        ensure(!now.no_space || self.faulty || self.is_full, || format!("no space without a cause: {now:?}"))?;
        self.check_condition()?;
        self.census.add("acknowledged: written", now.written - before.written);
        self.census.add("acknowledged: durable", now.durable - before.durable);
        self.census.add("acknowledged: flushed", now.flushed - before.flushed);
        self.written_floor = self.written_floor.max(now.written);
        self.durable_floor = self.durable_floor.max(now.durable);
        // LMDB's progress after the power cut is not in its saved image.
        if self.lmdb.is_none() || !self.disk.is_cut() {
            self.flushed_floor = self.flushed_floor.max(now.flushed);
        }
        self.census.add("poisoned", u64::from(now.failed && !before.failed));
        if self.in_flush {
            // A part of the checkpoint may be under way.
            return Ok(());
        }
        let syncs = self.disk.counts().syncs;
        let session = self.session();
        if now.failed {
            session.syncs_at_failure.get_or_insert(syncs);
        }
        let known = session.syncs_at_failure;
        self.check_silence(known)
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
        ensure(stats.event_count == next - image.oldest, || format!("event count: {}", stats.event_count))
    }

    /// Between two stages of a flush: anything that a thread could do then.
    pub(crate) fn inside_flush(&mut self, stage: FlushStage, store: &Store) {
        if stage == FlushStage::Begun {
            // Retention comes next. A failed attempt may have left segments for it.
            self.note_segments();
            return;
        }
        self.tell(|| format!("flush: {stage:?}"));
        self.settle_incidents("in a flush");
        // The delta was frozen before retention ran.
        self.frozen_seq.get_or_insert(self.history.seq());
        let followed = self.follow_retention(store).and_then(|()| self.check_stage(stage, store.marks().durable));
        self.stopped = self.stopped.take().or(followed.err());
        for _ in 0..self.chance.below(4) {
            if self.stopped.is_none() && self.session.is_some() && !self.is_closing {
                self.stopped = self.act().err();
            }
        }
        self.settle_incidents("in a session");
        if let Some(lmdb) = &mut self.lmdb {
            lmdb.part_begins();
        }
    }

    /// The order of a flush: the journal is durable before the checkpoint is written (I2), and everything of the frozen delta
    /// is in the checkpoint before the view without it is published.
    fn check_stage(&mut self, stage: FlushStage, durable: u64) -> Check {
        let frozen = self.frozen_seq.unwrap_or_default();
        self.census.one(match stage {
            FlushStage::StateWritten(Part::State(_)) => "flush: StateWritten".to_owned(),
            stage => format!("flush: {stage:?}"),
        });
        match stage {
            FlushStage::Begun | FlushStage::Frozen => {}
            FlushStage::EventsWritten => {
                ensure(durable >= frozen, || format!("the log is ahead of the journal: {durable} of {frozen}"))?;
            }
            FlushStage::StateWritten(part) => {
                self.unfinished = (part != Part::Last).then_some(frozen);
                ensure(durable >= frozen, || format!("the state is ahead of the journal: {durable} of {frozen}"))?;
                if self.style.cuts && !self.disk.is_cut() && self.chance.one_in(8) {
                    self.cut_inside_lmdb();
                }
            }
            FlushStage::Published => {
                self.frozen_seq = None;
                self.note_segments();
                self.check_given_back(&self.history.at(frozen))?;
            }
        }
        Ok(())
    }

    /// The power was cut while LMDB wrote the part that has just ended.
    fn cut_inside_lmdb(&mut self) {
        let Self { lmdb: Some(lmdb), chance, .. } = self else { return };
        if lmdb.power_went_inside(chance) {
            self.disk.cut_now();
            self.census.one("power cut: inside of LMDB's commit");
            self.tell(|| "the power went inside of LMDB's commit".to_owned());
        }
    }

    /// One action of a user or the engine, except the flusher's work.
    pub(crate) fn act(&mut self) -> Check {
        match self.chance.below(100) {
            0..=32 => self.commit()?,
            33..=37 => self.control()?,
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
            97 if self.style.fills_up => self.fill_up(),
            97 | 98 if self.style.compact => self.plan_compact(),
            97 | 98 => self.plan_fault(),
            _ => self.plan_cut(),
        }
        self.observe()
    }

    pub(super) fn want(&mut self) {
        let applied = self.history.seq();
        let level = *self.chance.pick(&[Level::Durable, Level::Durable, Level::Flushed, Level::Written, Level::Room]);
        self.census.one(format!("asked for: {level:?}"));
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
