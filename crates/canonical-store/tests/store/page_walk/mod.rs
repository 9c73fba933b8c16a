//! The walk over LMDB's pages: it accepts what LMDB writes, and what it accepts is harmless to LMDB.

mod child;
mod damaged;
mod extremes;
mod history;
mod mutation;
mod sound;
