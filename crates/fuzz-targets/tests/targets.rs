//! Every target over its seeds and some hundred variations of each, the same ones in every run, so that the targets keep compiling and
//! holding. To look further: `npm run fuzz`. `LEDGERSTONE_FUZZ_VARIATIONS` is how many there are of each target.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    fmt::Write,
    panic::{AssertUnwindSafe, catch_unwind},
};

use ledgerstone_format::{PlantedFault, plant};
use ledgerstone_fuzz_targets::{TARGETS, Target, find};

const VARIATIONS: usize = 1_000;

/// A generator of random numbers; the same seed gives the same ones.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % end.max(1) as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

/// Flips, numbers, cuts and copies, a few at a time.
fn vary(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), random.byte()),
            2 => {
                let len = random.below(64).min(bytes.len() - at);
                let to = random.below(bytes.len() - len + 1);
                bytes.copy_within(at..at + len, to);
            }
            3 | 4 => {
                let number = [0_u64, 1, 2, 1 << 16, u64::MAX, 1 << 63, 1 << 30, 1 << 53][random.below(8)].to_le_bytes();
                let len = [1, 2, 4, 8][random.below(4)];
                for (to, from) in bytes.iter_mut().skip(at).take(len).zip(number) {
                    *to = from;
                }
            }
            5 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.byte();
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    bytes
}

fn fails(target: &Target, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err()
}

/// The seeds of a target, then variations of them.
fn inputs(target: &Target, variations: usize) -> Vec<Vec<u8>> {
    let seeds = (target.seeds)();
    assert!(seeds.len() >= 8, "{} seeds", seeds.len());
    let mut random = Random(1);
    let varied: Vec<_> = (0..variations).map(|n| vary(&seeds[n % seeds.len()], &mut random)).collect();
    [seeds, varied].concat()
}

fn hold(name: &str) {
    let target = find(name).unwrap();
    let given = std::env::var("LEDGERSTONE_FUZZ_VARIATIONS").map(|count| count.parse().unwrap());
    for (n, input) in inputs(&target, given.unwrap_or(VARIATIONS)).iter().enumerate() {
        if fails(&target, input) {
            let hex = input.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            panic!("{name} does not hold for input {n} of {} bytes: {}", input.len(), hex.get(..4_000).unwrap_or(&hex));
        }
    }
}

/// A target that nothing can fail would tell nothing.
#[test]
fn a_planted_fault_is_found() {
    let target = find("store").unwrap();
    plant(Some(PlantedFault::ChecksumUnchecked));
    let found = inputs(&target, 10 * VARIATIONS).iter().any(|input| fails(&target, input));
    plant(None);
    assert!(found);
}

#[test]
fn all_targets_are_tried_here() {
    let tried = ["journal", "commits", "event-log", "appends", "records", "store", "write-set", "pages", "manifest"];
    assert_eq!(TARGETS.map(|target| target.name), tried);
}

macro_rules! targets {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            hold($name);
        })*
    };
}

targets! {
    any_journal_files: "journal",
    any_commits: "commits",
    any_event_log_files: "event-log",
    any_appends: "appends",
    any_records: "records",
    any_damage_to_a_store: "store",
    any_write_sets: "write-set",
    any_pages: "pages",
    any_manifests: "manifest",
}
