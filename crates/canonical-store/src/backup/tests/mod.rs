//! Backups that are made by hand, wrong in every way, on a simulated disk; and the files that they are made of.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod blocks;
mod craft;
mod hostile;
