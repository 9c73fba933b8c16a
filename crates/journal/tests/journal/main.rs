//! The journal as its users see it, over the simulated disk and over the real one.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests, also outside of their functions"
)]

mod damage;
mod endings;
mod faults;
mod flush_counts;
mod lost_futures;
mod model;
mod recycling;
mod rig;
mod saboteur;
mod search;
mod shrinking;
mod simulation;
mod space;
mod threads;
mod verify;
