//! What lives have met, by name: shows when a simulation no longer meets something.

use std::collections::BTreeMap;

use ledgerstone_vfs::sim::{Fault, Incident, Mishap};

/// How often each thing has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census(BTreeMap<String, u64>);

#[allow(dead_code, reason = "one of the two tests only fills it")]
impl Census {
    pub(crate) fn add(&mut self, what: impl Into<String>, count: u64) {
        if count > 0 {
            *self.0.entry(what.into()).or_default() += count;
        }
    }

    pub(crate) fn one(&mut self, what: impl Into<String>) {
        self.add(what, 1);
    }

    /// The incidents of disk calls, once by the kind of call and once by the phase.
    pub(crate) fn befell(&mut self, incidents: &[Incident], phase: &str) {
        for Incident { op, mishap } in incidents {
            let what = match mishap {
                Mishap::PowerCut => "power cut",
                Mishap::Failed(Fault::Io) => "EIO",
                Mishap::Failed(Fault::NoSpace) => "ENOSPC",
                Mishap::Failed(Fault::NoHandles) => "EMFILE",
                Mishap::Failed(Fault::ShortWrite) => "short",
                Mishap::Failed(Fault::SyncFails) => "lost pages",
                Mishap::NoRoom => "full disk",
            };
            self.one(format!("{what}: {op:?}"));
            self.one(format!("{what} {phase}"));
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            self.add(what.as_str(), *count);
        }
    }

    pub(crate) fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// One line for each thing.
    pub(crate) fn table(&self) -> String {
        let lines: Vec<_> = self.0.iter().map(|(what, count)| format!("{count:>9}  {what}")).collect();
        lines.join("\n")
    }

    /// The floors, each for 10,000 lives, that these lives miss by more than chance explains: four times the square root of a count.
    pub(crate) fn below(&self, floors: &[(&str, u64)], lives: u64) -> Vec<String> {
        let missed = floors.iter().filter_map(|(what, floor)| {
            let expected = floor * lives / 10_000;
            let least = expected.saturating_sub(4 * expected.isqrt()).max(u64::from(expected >= 4));
            (self.of(what) < least).then(|| format!("{what}: {} of {least}", self.of(what)))
        });
        missed.collect()
    }
}

#[test]
fn a_floor_forgives_what_chance_explains_and_no_more() {
    let mut census = Census::default();
    let floors = &[("a power cut", 120)];
    census.add("a power cut", 40);
    assert_eq!(census.below(floors, 5_000), Vec::<String>::new(), "60 are expected; 40 may happen");
    assert_eq!(census.below(floors, 10_000), ["a power cut: 40 of 80"]);
    assert_eq!(Census::default().below(&[("rare", 3)], 10_000), Vec::<String>::new());
    assert_eq!(Census::default().below(&[("rare", 3)], 15_000), ["rare: 0 of 1"]);
}
