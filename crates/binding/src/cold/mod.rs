//! The calls off the hot path, which napi's macros generate: one file for each bound object, which translates and nothing else. The
//! plain objects that they take and give are in `objects`.

mod archive;
mod backup;
mod control;
mod environment;
mod event_log;
mod lock_manager;
mod objects;
mod reader;
mod snapshot_set;
mod store;
mod thread_home;
mod verification;
