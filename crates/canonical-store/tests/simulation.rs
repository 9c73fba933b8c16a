//! The store through thousands of simulated lives: power cuts at any operation, killed processes, failing calls, clocks
//! that jump, and every reader and writer in between. A failing seed is printed with the command that replays it.
//!
//! `LEDGERSTONE_SEED=n` lives one life (`LEDGERSTONE_STORY=1` tells it), `LEDGERSTONE_SEEDS=n` lives the first n.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests, also outside of their functions"
)]

#[path = "support/simulation/mod.rs"]
mod simulation;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use simulation::{live, open_a_mixture};

const SEEDS: u64 = 10_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// Lives in parallel; the sums of openings and commits, or the first failure in the order of seeds.
fn live_all(seeds: std::ops::Range<u64>) -> (u64, u64) {
    let next = AtomicU64::new(seeds.start);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let results = thread::scope(|scope| {
        let work = || {
            let (mut openings, mut commits) = (0, 0);
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return Ok((openings, commits));
                }
                let outcome = live(seed).map_err(|what| (seed, what))?;
                openings += outcome.openings;
                commits += outcome.commits;
            }
        };
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let mut sums = (0, 0);
    for result in results {
        match result {
            Ok((openings, commits)) => sums = (sums.0 + openings, sums.1 + commits),
            Err((seed, what)) => panic!(
                "{what}\nreplay: LEDGERSTONE_SEED={seed} LEDGERSTONE_STORY=1 \
                 cargo test --profile fast -p ledgerstone-canonical-store --test simulation"
            ),
        }
    }
    sums
}

#[test]
fn every_life_recovers_a_prefix_that_holds_what_was_acknowledged() {
    let seeds = match number("LEDGERSTONE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LEDGERSTONE_SEEDS").unwrap_or(SEEDS),
    };
    let (lives, (openings, commits)) = (seeds.end - seeds.start, live_all(seeds));
    println!("{lives} lives, {openings} openings, {commits} commits");
    if lives >= 100 {
        assert!(openings > 4 * lives && commits > 20 * lives, "the lives have become too dull to show anything");
    }
}

#[test]
fn one_seed_is_one_history() {
    for seed in [1, 7, 42, 1_000] {
        let (first, second) = (live(seed).unwrap(), live(seed).unwrap());
        assert_eq!(first, second, "seed {seed}");
        assert_ne!(first.trace, live(seed + 1).unwrap().trace, "seed {seed}");
    }
}

#[test]
fn a_journal_file_of_another_history_is_damage() {
    for seed in 0..20 {
        let code = open_a_mixture(seed).unwrap().map_err(|error| error.code());
        assert_eq!(code, Err("ERR_CORRUPT"), "seed {seed}");
    }
}
