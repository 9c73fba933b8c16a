//! The course of a life: opening through trouble, a session of users and engine steps, an end.

use std::{path::Path, sync::Arc, time::Duration};

use ledgerstone_canonical_store::{
    Error, OpenOptions, RetentionPolicy, Store,
    testing::{self, Step, open_simulated, open_simulated_over_lmdb},
};
use ledgerstone_vfs::sim::{SimClock, SimDisk};
use parking_lot::Mutex;

use super::{
    reading::{Check, ensure},
    world::{Session, World},
};

pub(super) const PATH: &str = "/store";
/// Few, so that a small delta has several parts.
const PART_OPERATIONS: u32 = 5;

type Shared = Arc<Mutex<World>>;

/// Runs it; returns a hash over every call on any of its disks.
pub(super) fn live_in(world: &Shared) -> Check<u64> {
    let sessions = 2 + world.lock().chance.below(5);
    let mut trace: u64 = 0;
    for number in 0..=sessions {
        let last = number == sessions;
        if world.lock().rots() {
            world.lock().look_at_damage()?;
        }
        if world.lock().meets_strangers() {
            world.lock().look_at_strangers()?;
        }
        open(world, last)?;
        if !last {
            spend(world)?;
        }
        end(world, &mut trace)?;
        world.lock().restart_clock(number);
    }
    Ok(trace)
}

fn options(retention: RetentionPolicy) -> OpenOptions {
    OpenOptions { flush_bytes: Some(64 << 10), segment_bytes: Some(64 << 10), retention, ..OpenOptions::default() }
}

/// Opens the store, through cuts, failing calls and full disks; nothing disturbs the `last` opening.
fn open(world: &Shared, last: bool) -> Check {
    let mut world = world.lock();
    let mut failed = 0;
    loop {
        // Recovery after a failed recovery, after another failed one, and so on.
        let often = if world.style.restless { 2 } else { 4 };
        if !last && world.chance.one_in(often) {
            world.plan_cut();
        }
        let most = if world.style.restless { 3 } else { 1 };
        for _ in 0..most {
            if !last && world.chance.one_in(4) {
                world.plan_fault();
            }
        }
        // Few openings need room.
        if !last && world.chance.one_in(4) {
            world.fill_up();
        }
        if !last && world.style.compact && world.chance.one_in(2) {
            world.plan_compact();
        }
        if last || world.chance.one_in(2) {
            world.make_room();
        }
        let disk = world.disk.clone();
        world.draw_policy();
        let policy = world.policy;
        let flushes = disk.counts().syncs;
        let opened = world.open_store(&disk, policy);
        let flushes = disk.counts().syncs - flushes;
        if opened.is_ok() && world.closed_clean && failed == 0 {
            ensure(flushes == 0, || format!("{flushes} flushes to open what was closed"))?;
            world.census.one("opening: after a clean close, without a flush");
        }
        world.settle_incidents("while opening");
        match opened {
            Ok(store) => return world.adopt(store),
            Err(error) if world.may_fail(&error) => {
                world.census.one("opening: failed");
                failed += 1;
                world.census.add("opening: failed three times in a row", u64::from(failed == 3));
                world.tell(|| format!("opening failed: {error}"));
                world.recover_power_or_process();
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl World {
    /// Opens the store on `disk`.
    pub(super) fn open_store(&mut self, disk: &SimDisk, policy: RetentionPolicy) -> Result<Arc<Store>, Error> {
        let options = options(policy);
        match &mut self.lmdb {
            None => open_simulated(disk, &self.clock, Path::new(PATH), &options),
            Some(lmdb) => {
                let folder = lmdb.fresh(disk.read_file(Path::new(PATH).join("IDENTITY")).is_some());
                open_simulated_over_lmdb(disk, &self.clock, Path::new(PATH), &options, &folder, PART_OPERATIONS)
            }
        }
    }

    /// The size of the journal's files; one with a garbled header may not be recognised as ours, and stays.
    fn journal_bytes(&self) -> u64 {
        let (seen, journal) = (self.disk.crash(), Path::new(PATH).join("journal"));
        let files = self.disk.list().into_iter().filter(|path| path.starts_with(&journal));
        let ours = files.filter(|path| ledgerstone_journal::is_journal_file(&seen, path).is_ok_and(|it| it));
        ours.filter_map(|path| self.disk.read_file(path)).map(|bytes| bytes.len() as u64).sum()
    }

    /// The machine restarts or, if that is enough, the process.
    fn recover_power_or_process(&mut self) {
        self.session = None;
        let is_killed = self.disk.is_cut() && self.is_kill;
        if (self.disk.is_cut() && !is_killed) || self.must_reboot {
            self.lose_power();
        } else {
            self.census.add("end: killed in the middle of an operation", u64::from(is_killed));
            self.tell(|| "the process starts again".to_owned());
            self.census.one("end: killed");
            self.move_to(self.disk.crash());
            self.forget_trouble();
        }
    }

    /// Between two openings a clock advances, if only by a nanosecond; another process restarts its monotonic time.
    fn restart_clock(&mut self, openings: u64) {
        if self.chance.one_in(4) {
            self.clock = SimClock::new(ledgerstone_vfs::Clock::wall_ms(&self.clock));
        } else if self.chance.one_in(2) {
            self.clock.advance(Duration::from_millis(1));
        }
        self.clock.advance(Duration::from_nanos(1 + openings));
    }

    fn lose_power(&mut self) {
        self.tell(|| "the machine starts again".to_owned());
        self.census.one("end: without power");
        let seed = self.chance.next();
        self.move_to(self.disk.power_cut_seeded(seed));
        self.written_floor = self.durable_floor;
        self.must_reboot = false;
        self.forget_trouble();
    }

    fn forget_trouble(&mut self) {
        self.faulty = false;
        self.is_kill = false;
        self.frozen_seq = None;
        if let Some(lmdb) = &mut self.lmdb {
            lmdb.settle();
        }
    }
}

/// A session: actions of users, with the engine's steps in between.
fn spend(world: &Shared) -> Check {
    let (store, actions) = {
        let mut guard = world.lock();
        let Some(store) = guard.session.as_ref().map(|session| Arc::clone(&session.store)) else { return Ok(()) };
        let watched = (Arc::downgrade(world), Arc::downgrade(&store));
        store.probe_flushes(Some(Arc::new(move |stage| {
            if let (Some(world), Some(store)) = (watched.0.upgrade(), watched.1.upgrade()) {
                world.lock().inside_flush(stage, &store);
            }
        })));
        (store, 5 + guard.chance.below(60))
    };
    for _ in 0..actions {
        let (flush, healing) = {
            let mut world = world.lock();
            match world.chance.below(100) {
                0..=64 => world.act()?,
                65..=79 => world.step_journal()?,
                _ => {}
            }
            world.observe()?;
            world.settle_incidents("in a session");
            let healing = world.is_full && world.chance.one_in(6);
            (world.chance.one_in(5), healing)
        };
        if flush {
            step_flusher(world, &store)?;
        }
        if healing {
            heal(world, &store)?;
        }
        if flush {
            let mut world = world.lock();
            if world.chance.one_in(6) {
                world.rotate()?;
            }
        }
        if world.lock().disk.is_cut() {
            break;
        }
    }
    Ok(())
}

fn step_flusher(world: &Shared, store: &Store) -> Check {
    // Not under the world's lock: the flush takes it at each stage.
    {
        let mut world = world.lock();
        world.note_segments();
        world.in_flush = true;
    }
    let step = testing::step_flusher(store);
    let mut world = world.lock();
    world.in_flush = false;
    world.settle_incidents("in a flush");
    world.follow_retention(store)?;
    if let Some(stop) = world.stopped.take() {
        return Err(stop);
    }
    world.observe()?;
    ensure(step != Step::Failed || store.marks().failed, || "the flusher ended and writers do not know".to_owned())?;
    let hurt = world.faulty || world.disk.is_cut();
    let waits = world.is_full && step == Step::Blocked;
    ensure(hurt || waits || matches!(step, Step::Worked | Step::Idle(_)), || format!("a flush came to {step:?}"))
}

/// There is room again, in the same session: with its steps alone the store accepts writes again (I5).
fn heal(world: &Shared, store: &Store) -> Check {
    world.lock().make_room();
    // Until its next steps it may still report that there is none.
    world.lock().is_full = true;
    for _ in 0..3 {
        world.lock().step_journal()?;
        step_flusher(world, store)?;
    }
    let mut world = world.lock();
    world.is_full = world.disk.has_capacity();
    if world.faulty || world.disk.is_cut() || world.is_full {
        return Ok(());
    }
    let marks = store.marks();
    ensure(!marks.failed && !marks.no_space, || format!("there is room and it does not heal: {marks:?}"))?;
    world.commit()?;
    ensure(store.marks().applied >= marks.applied, || "a commit went back".to_owned())?;
    world.census.one("full disk: healed in the same session");
    Ok(())
}

/// The end of a session: closed, killed, or power cut.
fn end(world: &Shared, trace: &mut u64) -> Check {
    let mut guard = world.lock();
    let seldom = if guard.style.restless { 2 } else { 3 };
    let closes = !guard.disk.is_cut() && guard.chance.one_in(seldom);
    let Some(session) = guard.session.take() else { return Ok(()) };
    let Session { store, slots, mut snapshots, syncs_at_failure, .. } = session;
    let held = snapshots.pop();
    drop(snapshots);
    guard.closed_clean = false;
    guard.is_closing = true;
    guard.note_segments();
    drop(guard);
    let outcome = closes.then(|| testing::close_stepped(&store));
    store.probe_flushes(None);
    let mut guard = world.lock();
    guard.is_closing = false;
    guard.settle_incidents("while closing");
    if let Some(stop) = guard.stopped.take() {
        return Err(stop);
    }
    guard.follow_retention(&store)?;
    let clean = matches!(outcome, Some(Ok(())));
    if let Some(outcome) = outcome {
        guard.tell(|| format!("closed: {outcome:?} {:?}", store.marks()));
        match outcome {
            // LMDB continues after the power cut, and its acknowledgements are lost with the power.
            Ok(()) if guard.disk.is_cut() => guard.census.one("end: closed without power"),
            Ok(()) => {
                let (marks, applied) = (store.marks(), guard.history.seq());
                guard.closed_clean = marks.flushed == marks.applied && !guard.is_full && !guard.faulty;
                guard.flushed_floor = guard.flushed_floor.max(marks.flushed);
                (guard.written_floor, guard.durable_floor) = (applied, applied);
                let bytes = guard.journal_bytes();
                ensure(!guard.closed_clean || bytes <= 16 << 10, || format!("{bytes} bytes of a closed journal"))?;
                guard.census.one("end: closed");
            }
            Err(error) if guard.may_fail(&error) => guard.census.one("end: closed with an error"),
            Err(error) => return Err(error.into()),
        }
        let refused = store.snapshot().err().map_or("", |error| error.code());
        ensure(refused == "ERR_CLOSED", || format!("a closed store was read: {refused}"))?;
        if let Some((snapshot, _)) = &held {
            let refused = snapshot.get(&slots[0], b"key", <[u8]>::to_vec).err().map_or("", |error| error.code());
            ensure(refused == "ERR_CLOSED", || format!("a snapshot outlived its store: {refused}"))?;
            guard.census.one("snapshot: held over a close");
        }
    }
    guard.check_silence(syncs_at_failure)?;
    guard.end_epoch(&store);
    drop((held, store));
    *trace = trace.rotate_left(7) ^ guard.disk.trace_hash();
    let cut =
        (guard.disk.is_cut() && !guard.is_kill) || guard.must_reboot || (guard.style.cuts && guard.chance.one_in(2));
    if cut {
        guard.lose_power();
    } else if !clean || guard.faulty || guard.disk.is_cut() || guard.chance.one_in(2) {
        guard.recover_power_or_process();
    } else {
        guard.forget_trouble();
    }
    Ok(())
}
