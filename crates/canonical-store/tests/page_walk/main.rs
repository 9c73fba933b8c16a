//! The walk over LMDB's pages: it accepts what LMDB writes, and what it accepts is harmless to LMDB.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests, also outside of their functions; they damage files behind the store's back"
)]

#[path = "../support/copies.rs"]
mod copies;
#[path = "../support/mod.rs"]
mod support;

mod child;
mod damaged;
mod extremes;
mod history;
mod mutation;
mod sound;
