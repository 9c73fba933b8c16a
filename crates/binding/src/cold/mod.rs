//! The calls off the hot path, which napi's macros generate: one file for each bound object. They translate, and nothing else.

mod archive;
mod control;
pub(crate) mod environment;
mod event_log;
mod lock_manager;
mod reader;
mod store;
mod store_report;
pub(crate) mod verification;
