//! The whole store on a simulated disk, driven by a seed: openings, sessions, endings of every kind. After each opening the
//! store must be what it was after some prefix of its commits, no shorter than what was acknowledged.

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

/// What a life stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// The simulated disk, with the checkpoint's twin.
    SimulatedDisk,
    /// The simulated disk, with LMDB in a real folder beside it.
    Lmdb,
}

/// What a life has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Over every call that any of its disks has seen.
    pub(crate) trace: u64,
    pub(crate) census: Census,
}

/// Lives the life of `seed`. `Err` says what was wrong.
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
