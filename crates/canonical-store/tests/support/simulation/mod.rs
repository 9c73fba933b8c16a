//! The whole store on a simulated disk, driven by a seed: openings, sessions, endings of every kind. After each opening the
//! store must be what it was after some prefix of its commits, no shorter than what was acknowledged.

mod chance;
mod fork;
mod history;
mod readers;
mod reading;
mod trouble;
mod world;
mod writing;

use std::{path::Path, sync::Arc, time::Duration};

use ledgerstone_canonical_store::{
    OpenOptions, Store,
    testing::{self, Step, open_simulated},
};
use ledgerstone_vfs::sim::SimClock;
use parking_lot::Mutex;

pub(crate) use fork::open_a_mixture;
use reading::{Check, Stop, ensure};
use world::World;

const PATH: &str = "/store";

/// What a life has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Over every call that any of its disks has seen.
    pub(crate) trace: u64,
    pub(crate) openings: u64,
    pub(crate) commits: u64,
}

type Shared = Arc<Mutex<World>>;

/// Lives the life of `seed`. `Err` says what was wrong.
pub(crate) fn live(seed: u64) -> Result<Outcome, String> {
    let world = Arc::new(Mutex::new(World::new(seed)));
    let mut outcome = Outcome { trace: 0, openings: 0, commits: 0 };
    let lived = live_in(&world, &mut outcome);
    let mut world = world.lock();
    world.session = None;
    match lived {
        Ok(()) => Ok(outcome),
        Err(stop) => {
            let what = match stop {
                Stop::Failed(error) => format!("{}: {error}", error.code()),
                Stop::Wrong(what) => what,
            };
            let story =
                if std::env::var_os("LEDGERSTONE_STORY").is_some() { world.told.join("\n") } else { String::new() };
            Err(format!("{story}\nseed {seed}: {what}"))
        }
    }
}

fn live_in(world: &Shared, outcome: &mut Outcome) -> Check {
    let sessions = 2 + world.lock().chance.below(5);
    for number in 0..=sessions {
        let last = number == sessions;
        open(world, last)?;
        outcome.openings += 1;
        if !last {
            let applied = world.lock().history.seq();
            spend(world)?;
            outcome.commits += world.lock().history.seq() - applied;
        }
        end(world, outcome)?;
    }
    Ok(())
}

fn options() -> OpenOptions {
    OpenOptions { flush_bytes: Some(64 << 10), segment_bytes: Some(64 << 10), ..OpenOptions::default() }
}

/// Opens the store, through cuts and failing calls; the `last` opening is left alone.
fn open(world: &Shared, last: bool) -> Check {
    loop {
        let (disk, clock) = {
            let mut world = world.lock();
            if !last && world.chance.one_in(4) {
                world.plan_cut();
            }
            if !last && world.chance.one_in(4) {
                world.plan_fault();
            }
            (world.disk.clone(), world.clock.clone())
        };
        let opened = open_simulated(&disk, &clock, Path::new(PATH), &options());
        let mut world = world.lock();
        match opened {
            Ok(store) => return world.adopt(store),
            Err(error) if world.may_fail(&error) => {
                world.tell(|| format!("opening failed: {error}"));
                world.recover_power_or_process();
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl World {
    /// The machine or, where that is enough, the process starts again.
    fn recover_power_or_process(&mut self) {
        self.session = None;
        let reboot = self.disk.is_cut() || self.must_reboot;
        if reboot {
            self.lose_power();
        } else {
            self.tell(|| "the process starts again".to_owned());
            self.disk = self.disk.crash();
        }
        self.faulty = false;
    }

    /// Between two openings a clock moves, were it by a nanosecond; another process begins its monotonic time anew.
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
        let seed = self.chance.next();
        self.disk = self.disk.power_cut_seeded(seed);
        self.written_floor = self.durable_floor;
        self.must_reboot = false;
        self.faulty = false;
    }
}

/// A session: what users do, and in between the engine's steps.
fn spend(world: &Shared) -> Check {
    let (store, actions) = {
        let mut guard = world.lock();
        let Some(store) = guard.session.as_ref().map(|session| Arc::clone(&session.store)) else { return Ok(()) };
        let watched = Arc::downgrade(world);
        store.probe_flushes(Some(Arc::new(move |stage| {
            if let Some(world) = watched.upgrade() {
                world.lock().inside_flush(stage);
            }
        })));
        (store, 5 + guard.chance.below(60))
    };
    for _ in 0..actions {
        let flush = {
            let mut world = world.lock();
            match world.chance.below(100) {
                0..=64 => world.act()?,
                65..=79 => world.step_journal()?,
                _ => {}
            }
            world.observe()?;
            world.chance.one_in(5)
        };
        if flush {
            step_flusher(world, &store)?;
        }
        if world.lock().disk.is_cut() {
            break;
        }
    }
    store.probe_flushes(None);
    Ok(())
}

fn step_flusher(world: &Shared, store: &Store) -> Check {
    // Not under the world's lock: the flush comes back to it at each stage.
    let step = testing::step_flusher(store);
    let mut world = world.lock();
    if let Some(stop) = world.stopped.take() {
        return Err(stop);
    }
    world.observe()?;
    ensure(step != Step::Failed || store.marks().failed, || "the flusher ended and writers do not know".to_owned())?;
    let hurt = world.faulty || world.disk.is_cut();
    ensure(hurt || matches!(step, Step::Worked | Step::Idle(_)), || format!("a flush came to {step:?}"))
}

/// How a session ends: closed, killed, or with the power.
fn end(world: &Shared, outcome: &mut Outcome) -> Check {
    let mut guard = world.lock();
    let closes = !guard.disk.is_cut() && guard.chance.one_in(3);
    let Some(session) = guard.session.take() else { return Ok(()) };
    let store = Arc::clone(&session.store);
    store.probe_flushes(None);
    drop(session);
    let mut clean = false;
    if closes {
        let outcome = testing::close_stepped(&store);
        guard.tell(|| format!("closed: {outcome:?} {:?}", store.marks()));
        match outcome {
            Ok(()) => {
                clean = true;
                let applied = guard.history.seq();
                (guard.written_floor, guard.durable_floor) = (applied, applied);
            }
            Err(error) if guard.may_fail(&error) => {}
            Err(error) => return Err(error.into()),
        }
        let refused = store.snapshot().err().map_or("", |error| error.code());
        ensure(refused == "ERR_CLOSED", || format!("a closed store was read: {refused}"))?;
    }
    drop(store);
    outcome.trace = outcome.trace.rotate_left(7) ^ guard.disk.trace_hash();
    let cut = guard.disk.is_cut() || guard.must_reboot || (guard.style.cuts && guard.chance.one_in(2));
    if cut {
        guard.lose_power();
    } else if !clean || guard.faulty || guard.chance.one_in(2) {
        guard.recover_power_or_process();
    }
    guard.restart_clock(outcome.openings);
    Ok(())
}
