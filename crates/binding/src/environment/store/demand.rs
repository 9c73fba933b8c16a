//! What JavaScript waits for in one store: at each level ranges of seqs, in order. The first of them decides when this environment
//! is woken. It lives on the environment's thread; the engine's threads see only [`Demand::next`].

use std::collections::VecDeque;

/// The mark that nobody waits for.
pub(crate) const NOBODY: u64 = u64::MAX;

/// More turns than this are not told apart: a waiter may then be woken a little early.
const MAX_RANGES: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Demand {
    /// (lowest, highest) seq awaited since one turn; growing, without overlap.
    ranges: VecDeque<(u64, u64)>,
}

impl Demand {
    /// Somebody waits for `highest`, and perhaps for others from `lowest` on.
    pub(crate) fn add(&mut self, lowest: u64, highest: u64) {
        let known = self.ranges.back().map_or(0, |range| range.1);
        if highest <= known {
            // A late waiter for something older than what is awaited already: wake for everything up to it.
            if let Some(first) = self.ranges.front_mut() {
                first.0 = first.0.min(lowest.max(1));
            }
        } else if self.ranges.len() < MAX_RANGES {
            self.ranges.push_back((lowest.clamp(known + 1, highest), highest));
        } else if let Some(last) = self.ranges.back_mut() {
            last.1 = highest;
        }
    }

    /// JavaScript knows that `mark` is reached.
    pub(crate) fn told(&mut self, mark: u64) {
        while self.ranges.front().is_some_and(|range| range.1 <= mark) {
            self.ranges.pop_front();
        }
        if let Some(first) = self.ranges.front_mut() {
            first.0 = first.0.max(mark + 1);
        }
    }

    /// The mark at which JavaScript is to be woken, or [`NOBODY`].
    pub(crate) fn next(&self) -> u64 {
        self.ranges.front().map_or(NOBODY, |range| range.0)
    }
}

/// What JavaScript waits for in one store.
#[derive(Default)]
pub(crate) struct Demands {
    pub(crate) written: Demand,
    pub(crate) durable: Demand,
    pub(crate) flushed: Demand,
    /// Until the store is not crowded.
    pub(crate) room: bool,
}

impl Demands {
    pub(crate) fn is_empty(&self) -> bool {
        !self.room && [&self.written, &self.durable, &self.flushed].iter().all(|demand| demand.next() == NOBODY)
    }
}

#[cfg(test)]
mod tests {
    use super::{Demand, NOBODY};

    #[test]
    fn marks_of_others_between_two_turns_wake_nobody() {
        let mut demand = Demand::default();
        demand.add(10, 12);
        demand.add(50, 50);
        assert_eq!(demand.next(), 10);
        demand.told(9);
        assert_eq!(demand.next(), 10);
        demand.told(11);
        assert_eq!(demand.next(), 12);
        demand.told(12);
        assert_eq!(demand.next(), 50, "13 to 49 belong to others");
        demand.told(60);
        assert_eq!(demand.next(), NOBODY);
    }

    #[test]
    fn a_late_waiter_for_something_older_is_not_forgotten() {
        let mut demand = Demand::default();
        demand.add(50, 50);
        demand.add(20, 20);
        assert_eq!(demand.next(), 20);
        demand.told(20);
        assert_eq!(demand.next(), 21);
    }

    #[test]
    fn turns_beyond_the_bound_are_merged_and_not_lost() {
        let mut demand = Demand::default();
        for seq in 1..=1000 {
            demand.add(seq, seq);
        }
        demand.told(999);
        assert_eq!(demand.next(), 1000);
    }
}
