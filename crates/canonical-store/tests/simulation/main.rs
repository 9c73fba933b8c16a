//! The store through thousands of simulated lives: power cuts at any operation, killed processes, failing calls, full disks,
//! rotten bits, clocks that jump, and every reader and writer in between. A failing seed is printed with the command that
//! replays it: `npm run simulate -- --seed N`.
//!
//! What checks which invariant (see ARCHITECTURE.md), after each step unless stated otherwise:
//!
//! - I1 `World::adopt`: after every ending state and events together are those of one prefix of the commits.
//! - I2 `World::check_stage`: the log and the checkpoint are written only when the journal is durable to the frozen end;
//!   `World::adopt`: no opening finds a checkpoint that is ahead.
//! - I3 `World::commit`: numbers and event ids are contiguous, also after refused, failed and aborted transactions.
//! - I4 `World::observe` raises what must survive as marks rise; `World::adopt` checks it after each power cut.
//! - I5 `World::observe`, `World::check_silence`, `World::commit`: after a failure no mark moves, no commit is accepted, no
//!   flush is made; `sessions::heal`: a full disk is no failure.
//! - I6 `World::adopt`: nothing acknowledged is lost; `World::look_at_damage`: a rotten bit is reported or harmless.
//! - Trims and seals: `World::check_condition` after each step and each opening; `World::follow_retention` compares automatic
//!   removals with the policy, `World::check_given_back` the remaining segments with the trims.
//! - I7 `World::adopt` after power cuts that undo renames and removals: what the checkpoint lacks is in the journal.
//! - I8 `World::observe`: marks are ordered and only grow; readers check at once after each (`World::act`, also between the
//!   stages of a flush).
//! - I9 `World::commit`: the engine continues while an owner holds the gate; `store/failures/gate.rs` has the deadlines.
//! - I10 `World::look_at_damage`: a refused opening has changed no file; `store/failures/damage.rs` for every byte.
//!
//! Environment: `LEDGERSTONE_SEED=n` runs one life (`LEDGERSTONE_STORY=1` prints it, `=calls` with the calls of the disk);
//! `LEDGERSTONE_FROM`, `LEDGERSTONE_SEEDS`, `LEDGERSTONE_FRESH` and `LEDGERSTONE_SEED_BASE` choose the known and fresh ones
//! (see `Seeds`); `LEDGERSTONE_LMDB_SEEDS` and `LEDGERSTONE_LMDB_FRESH` are the numbers of lives with LMDB.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests, also outside of their functions"
)]

#[path = "../support/simulation/mod.rs"]
mod simulation;

mod planted;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use ledgerstone_vfs::sim::Seeds;
use simulation::{Census, On, live, open_a_mixture};

/// A sample of known and fresh seeds; the long proof sets the numbers by the environment.
const SEEDS: (u64, u64) = (400, 600);
const LMDB_SEEDS: (u64, u64) = (20, 40);

/// Runs lives in parallel; returns all that they have met, or the first failure in the order of seeds.
fn live_all(seeds: &Seeds, on: On) -> Census {
    let next = AtomicU64::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let results = thread::scope(|scope| {
        let work = || {
            let mut census = Census::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(seed) = seeds.nth(number) else { return Ok(census) };
                match live(seed, on) {
                    Ok(outcome) => census.merge(&outcome.census),
                    Err(what) => {
                        next.store(seeds.count(), Ordering::Relaxed);
                        return Err((number, seed, what));
                    }
                }
            }
        };
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let mut census = Census::default();
    let mut failures = Vec::new();
    for result in results {
        match result {
            Ok(met) => census.merge(&met),
            Err(failure) => failures.push(failure),
        }
    }
    if let Some((_, seed, what)) = failures.into_iter().min() {
        let lmdb = if on == On::Lmdb { " --lmdb" } else { "" };
        panic!("{what}\nreplay: npm run simulate -- --seed {seed}{lmdb}");
    }
    census
}

fn report(lives: u64, census: &Census) {
    let (openings, commits) = (census.of("opening: done"), census.of("transaction: committed"));
    println!("{lives} lives, {openings} openings, {commits} commits");
    if std::env::var_os("LEDGERSTONE_CENSUS").is_some() {
        println!("{}", census.table());
    }
}

#[test]
fn every_life_recovers_a_prefix_that_holds_what_was_acknowledged() {
    let seeds = Seeds::new(SEEDS.0, SEEDS.1);
    let lives = seeds.count();
    let census = live_all(&seeds, On::SimulatedDisk);
    report(lives, &census);
    // A sample is too small for rare things.
    if lives >= 5_000 {
        let missed = census.below(FLOORS, lives);
        assert!(missed.is_empty(), "the lives have become too dull to show anything: {missed:#?}");
    }
}

#[test]
fn lmdb_in_place_of_its_twin_keeps_the_same_promises() {
    let seeds = Seeds::of_kind("LMDB_", LMDB_SEEDS.0, LMDB_SEEDS.1);
    let lives = seeds.count();
    let census = live_all(&seeds, On::Lmdb);
    report(lives, &census);
    if lives >= 100 {
        let missed = census.below(LMDB_FLOORS, lives);
        assert!(missed.is_empty(), "the lives have become too dull to show anything: {missed:#?}");
    }
}

/// The minimum that 10,000 lives must have met.
const FLOORS: &[(&str, u64)] = &[
    ("opening: done", 40_000),
    ("opening: failed", 2_500),
    ("opening: failed three times in a row", 150),
    ("opening: with a torn tail", 1_000),
    ("opening: unacknowledged commits lost", 7_000),
    ("opening: frames replayed", 100_000),
    ("end: closed", 5_000),
    ("end: closed with an error", 1_000),
    ("end: killed", 10_000),
    ("end: without power", 10_000),
    ("transaction: committed", 200_000),
    ("transaction: aborted", 8_000),
    ("transaction: refused", 10_000),
    ("transaction: deletes a range", 3_000),
    ("transaction: drops a collection", 7_000),
    ("transaction: ERR_NO_SPACE", 100),
    ("transaction: ERR_POISONED", 3_000),
    ("poisoned", 2_500),
    ("acknowledged: written", 100_000),
    ("acknowledged: durable", 80_000),
    ("acknowledged: flushed", 40_000),
    ("epoch: begun by a flush", 8_000),
    ("clock: set back", 1_000),
    ("snapshot: read", 5_000),
    ("snapshot: read after a later flush", 700),
    ("snapshot: held over a close", 2_500),
    ("flush: StateWritten", 50_000),
    ("flush: StateWritten(Last)", 8_000),
    ("power cut: Write", 1_000),
    ("power cut: Sync", 700),
    ("power cut: SyncDir", 600),
    ("power cut: Rename", 500),
    ("power cut: Create", 700),
    ("power cut: Remove", 120),
    ("power cut: SetLen", 10),
    ("power cut while opening", 1_500),
    ("power cut in a session", 800),
    ("power cut in a flush", 800),
    ("power cut while closing", 400),
    ("EIO: Write", 130),
    ("EIO: Read", 40),
    ("EIO: Sync", 80),
    ("EIO: SyncDir", 40),
    ("EIO: Rename", 50),
    ("EIO: Create", 60),
    ("EIO: Remove", 35),
    ("EIO: SetLen", 3),
    ("EIO: Open", 40),
    ("EIO: List", 30),
    ("ENOSPC: Write", 120),
    ("ENOSPC: Sync", 80),
    ("ENOSPC: SyncDir", 40),
    ("ENOSPC: Rename", 50),
    ("ENOSPC: Create", 70),
    ("ENOSPC: Remove", 45),
    ("ENOSPC: SetLen", 3),
    ("lost pages: Sync", 600),
    ("lost pages: SyncDir", 50),
    ("short: Write", 120),
    ("short: Read", 50),
    ("EIO while opening", 200),
    ("EIO in a session", 130),
    ("EIO in a flush", 120),
    ("EIO while closing", 60),
    ("lost pages in a session", 350),
    ("lost pages in a flush", 150),
    ("lost pages while closing", 100),
    ("full disk: begun", 800),
    ("full disk while opening", 300),
    ("full disk in a session", 200),
    ("full disk in a flush", 150),
    ("full disk while closing", 10),
    ("full disk: healed in the same session", 450),
    ("flipped bit: journal", 1_000),
    ("flipped bit: events", 500),
    ("flipped bit: twin", 250),
    ("flipped bit: IDENTITY", 400),
    ("flipped bit: CLEAN", 80),
    ("flipped bit: harmless", 1_000),
    ("flipped bit: a torn tail", 60),
    ("flipped bit: refused by the opening", 1_000),
    ("flipped bit: told by a reader", 15),
    ("flipped bit: horizon", 50),
    ("control: trimmed", 10_000),
    ("control: trimmed beyond the end", 3_000),
    ("control: trimmed to the end", 5_000),
    ("control: trimmed in memory only", 6_000),
    ("control: trimmed by retention", 40),
    ("control: sealed", 2_000),
    ("control: unsealed", 2_000),
    ("control: ERR_POISONED", 500),
    ("refused while sealed: a commit", 5_000),
    ("refused while sealed: a trim", 500),
    ("rotated", 400),
    ("segments: given back by a trim", 120),
    ("segments: some trimmed, none too many", 4_000),
    ("snapshot: overtaken by a trim", 1_500),
    ("opening: sealed", 600),
    ("opening: a seal replayed", 400),
    ("opening: a seal lost", 150),
    ("opening: trimmed", 10_000),
    ("opening: a trim replayed", 6_000),
    ("opening: a trim lost", 1_000),
    ("power cut in a trim", 100),
    ("power cut in a rotation", 15),
    ("EIO in a trim", 15),
    ("ENOSPC in a trim", 15),
    ("lost pages in a trim", 20),
    ("full disk in a trim", 15),
];

/// The same for lives with LMDB.
const LMDB_FLOORS: &[(&str, u64)] = &[
    ("opening: done", 40_000),
    ("transaction: committed", 200_000),
    ("flush: StateWritten", 40_000),
    ("flush: StateWritten(Last)", 8_000),
    ("power cut: inside of LMDB's commit", 2_500),
    ("end: without power", 10_000),
    ("end: killed", 10_000),
    ("end: closed", 4_000),
    ("poisoned", 2_500),
    ("control: trimmed", 10_000),
    ("control: sealed", 2_000),
    ("opening: trimmed", 8_000),
    ("opening: sealed", 400),
];

#[test]
fn one_seed_is_one_history() {
    for seed in [1, 7, 42, 1_000] {
        let (first, second) = (live(seed, On::SimulatedDisk).unwrap(), live(seed, On::SimulatedDisk).unwrap());
        assert_eq!(first, second, "seed {seed}");
        assert_ne!(first.trace, live(seed + 1, On::SimulatedDisk).unwrap().trace, "seed {seed}");
    }
}

#[test]
fn a_journal_file_of_another_history_is_damage() {
    for seed in 0..20 {
        let code = open_a_mixture(seed).unwrap().map_err(|error| error.code());
        assert_eq!(code, Err("ERR_CORRUPT"), "seed {seed}");
    }
}
