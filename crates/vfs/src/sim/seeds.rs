//! The seeds that a test runs: known ones in every run, and fresh ones that no run had before. Fixed seeds alone soon find nothing new.
//!
//! Environment: `LEDGERSTONE_SEED=n` runs only that seed. `LEDGERSTONE_SEEDS` is the number of known ones and
//! `LEDGERSTONE_FROM` the first of them; `LEDGERSTONE_FRESH` is the number of fresh ones and `LEDGERSTONE_SEED_BASE` (u64) the
//! first of them: a random one, unless it is set. It is printed.
#![allow(clippy::panic, clippy::print_stdout, reason = "only tests ask, and what the environment says must be right")]

use std::ops::Range;

use crate::{OsVfs, Vfs};

/// Fresh seeds begin below this, so that every tool can print and parse them.
const FRESH_END: u64 = 1 << 48;

/// The seeds of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds {
    known: Range<u64>,
    fresh: Range<u64>,
}

impl Seeds {
    /// This many known and fresh seeds, unless the environment says otherwise.
    pub fn new(known: u64, fresh: u64) -> Self {
        Self::of_kind("", known, fresh)
    }

    /// The same for tests with separate variables: `LEDGERSTONE_<kind>SEEDS` and `LEDGERSTONE_<kind>FRESH`.
    pub fn of_kind(kind: &str, known: u64, fresh: u64) -> Self {
        if let Some(seed) = number("SEED") {
            return Self { known: seed..seed.saturating_add(1), fresh: 0..0 };
        }
        let from = number("FROM");
        let fresh = number(&format!("{kind}FRESH")).unwrap_or(if from.is_some() { 0 } else { fresh });
        let from = from.unwrap_or(0);
        let known = number(&format!("{kind}SEEDS")).unwrap_or(known);
        let base = number("SEED_BASE").unwrap_or_else(|| OsVfs.random());
        if fresh > 0 {
            println!("LEDGERSTONE_SEED_BASE={base}");
        }
        let base = base % FRESH_END;
        Self { known: from..from.saturating_add(known), fresh: base..base + fresh }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        (self.known.end - self.known.start) + (self.fresh.end - self.fresh.start)
    }

    /// The seed at this position, counted from 0.
    pub fn nth(&self, number: u64) -> Option<u64> {
        let known = self.known.end - self.known.start;
        let fresh = || self.fresh.start.saturating_add(number - known);
        let seed = if number < known { self.known.start + number } else { fresh() };
        (number < self.count()).then_some(seed)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = u64> + use<> {
        self.known.clone().chain(self.fresh.clone())
    }

    /// Whether the environment asked for a single one, which may miss what most seeds meet.
    pub fn is_one(&self) -> bool {
        self.count() == 1
    }
}

fn number(name: &str) -> Option<u64> {
    let name = format!("LEDGERSTONE_{name}");
    std::env::var(&name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[cfg(test)]
mod tests {
    use super::Seeds;

    #[test]
    fn the_known_come_first_and_then_the_fresh() {
        let seeds = Seeds { known: 3..5, fresh: 100..103 };
        let all: Vec<u64> = seeds.iter().collect();
        assert_eq!(all, [3, 4, 100, 101, 102]);
        assert!((0..6).map(|number| seeds.nth(number)).eq(all.into_iter().map(Some).chain([None])));
        assert_eq!(seeds.count(), 5);
    }
}
