//! The calls off the hot path, which napi's macros generate: one file for each bound object. They translate, and nothing else.

mod archive;
mod control;
mod environment;
mod event_log;
mod event_log_options;
mod happenings;
mod lock_manager;
mod option_values;
mod reader;
mod segment;
mod store;
mod store_options;
mod store_report;
mod thread_home;
mod verification;
mod verify_report;
