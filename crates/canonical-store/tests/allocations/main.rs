//! The engine's allocations, counted exactly. It is a separate program: a store that another test opens or closes at the same
//! time makes the tables of the process grow, and the counting test would pay for it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_docs_in_private_items,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod collections;
