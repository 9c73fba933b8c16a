//! The walk over LMDB's pages accepts what LMDB writes, and files that it accepts are harmless to LMDB.

mod child;
mod damaged;
mod extremes;
mod history;
mod mutation;
mod sound;
