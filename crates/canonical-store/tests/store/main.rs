//! The store through its public interface, on the real disk with LMDB and on the simulated one. It is one program, because a
//! program with the engine takes long to link. Tests that need a separate process are programs beside this folder:
//! `allocations` (counts every allocation), `out_of_memory` (replaces the allocator), `written_bytes` (counts what a thread
//! writes) and `simulation` (its environment decides how long it runs).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::missing_docs_in_private_items,
    reason = "a test fails by panicking, and damages files behind the store's back"
)]

#[allow(dead_code, reason = "shared with the simulation")]
#[path = "../support/simulation/chance.rs"]
mod chance;
#[path = "../support/copies.rs"]
mod copies;
#[allow(dead_code, reason = "shared with the simulation")]
#[path = "../support/simulation/history.rs"]
mod history;
#[allow(dead_code, reason = "shared with the simulation")]
#[path = "../support/simulation/reading.rs"]
mod reading;
#[path = "../support/mod.rs"]
mod support;

mod backup;
mod basic;
mod extremes;
mod failures;
mod flush_stages;
mod folders;
mod gone;
mod gone_scans;
mod model;
mod page_walk;
mod readers;
mod state_file;
mod unfinished_flush;
