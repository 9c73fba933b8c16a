//! The whole store on a simulated disk, driven by a seed: openings, sessions, endings of every kind. After each opening the
//! store must equal the result of some prefix of its commits, no shorter than what was acknowledged.

mod census;
mod chance;
mod controls;
mod damage;
mod fork;
mod ground;
mod history;
mod readers;
mod reading;
mod sessions;
mod trouble;
mod world;
mod writing;

use std::sync::Arc;

use parking_lot::Mutex;

pub(crate) use census::Census;
pub(crate) use fork::open_a_mixture;
pub(crate) use world::COMPACT_FROM;
use world::World;

/// The environment of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// The simulated disk, with the checkpoint's twin.
    SimulatedDisk,
    /// The simulated disk, with LMDB in a real folder beside it.
    Lmdb,
}

/// The outcome of a life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// A hash over every call on any of its disks.
    pub(crate) trace: u64,
    pub(crate) census: Census,
}

/// Runs the life of `seed`. `Err` says what was wrong.
pub(crate) fn live(seed: u64, on: On) -> Result<Outcome, String> {
    let world = Arc::new(Mutex::new(World::new(seed, on)));
    let lived = sessions::live_in(&world);
    let mut world = world.lock();
    world.session = None;
    match lived {
        Ok(trace) => Ok(Outcome { trace, census: std::mem::take(&mut world.census) }),
        Err(stop) => {
            let what = stop.text();
            world.tell_calls();
            let story =
                if std::env::var_os("LEDGERSTONE_STORY").is_some() { world.told.join("\n") } else { String::new() };
            Err(format!("{story}\nseed {seed}: {what}"))
        }
    }
}
