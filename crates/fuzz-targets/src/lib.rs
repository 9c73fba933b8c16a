//! What the parsers must make of any bytes: a typed error or the right data, in bounded memory and effort. Each [`Target`] takes one input
//! and panics where that does not hold. `fuzz/` lets libFuzzer look for such an input, `tests/targets.rs` tries the seeds and some thousand
//! variations of them.

#![cfg(feature = "targets")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a target panics where a promise is broken"
)]

mod bounds;
mod event_log;
mod input;
mod journal;
mod manifest;
mod pages;
mod records;
mod seeds;
mod store;
mod write_set;

/// A promise about any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name on the command line and of its corpus.
    pub name: &'static str,
    /// What the bytes are.
    pub about: &'static str,
    /// Panics if the promise does not hold for these bytes.
    pub run: fn(&[u8]),
    /// Inputs to begin with, made of real files.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 9] = [
    Target { name: "journal", about: "the files of a journal", run: journal::files, seeds: journal::seeds },
    Target {
        name: "commits",
        about: "commits, which the journal gives back as they were",
        run: journal::commits,
        seeds: seeds::structured,
    },
    Target { name: "event-log", about: "the files of an event log", run: event_log::files, seeds: event_log::seeds },
    Target {
        name: "appends",
        about: "appends to an event log, which gives them back as they were",
        run: event_log::appends,
        seeds: seeds::structured,
    },
    Target { name: "records", about: "one small sealed record", run: records::one, seeds: records::seeds },
    Target { name: "store", about: "damage to the files of a store", run: store::damaged, seeds: seeds::structured },
    Target { name: "write-set", about: "what JavaScript writes", run: write_set::two, seeds: write_set::seeds },
    Target { name: "pages", about: "LMDB's file", run: pages::file, seeds: pages::seeds },
    Target { name: "manifest", about: "the manifest of a snapshot set", run: manifest::file, seeds: manifest::seeds },
];

/// The target of that name.
pub fn find(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
