//! The only crate that knows Node-API. It translates and holds handles; it decides nothing about data.
//!
//! Cold calls are `#[napi]` functions, hot ones raw callbacks (`fast_path`). Everything belongs to one environment (`env_state`)
//! and ends with it; the engine's threads reach an environment only through its `completion`.

#![cfg_attr(test, allow(dead_code, reason = "`#[napi]` exports nothing to a test binary"))]

mod arguments;
mod binding_archive;
mod binding_control;
mod binding_env;
mod binding_error;
mod binding_event_log;
mod binding_lock_manager;
mod binding_reader;
mod binding_snapshot_set;
mod binding_store;
mod binding_verification;
mod bounds;
mod call_memory;
mod completion;
mod counters;
mod demand;
mod env_state;
mod event_calls;
mod event_log_calls;
mod exit_hook;
mod fast_path;
mod lock_calls;
mod lock_entry;
mod long_work;
mod observation;
mod off_thread;
mod page;
mod pool;
mod read_calls;
mod reader;
mod slab;
mod store_entry;
mod store_report;
mod watch;
