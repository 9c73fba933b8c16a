//! Backups through the store's public interface, and what is restored from them.

mod contents;
mod power_cut;
mod round_trip;
