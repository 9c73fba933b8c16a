//! The calls on the hot path: raw Node-API callbacks, one file for each room, and the layouts in which their arguments and answers
//! cross. `table` lists them all.

mod arguments;
mod bounds;
mod callback;
mod event_calls;
mod event_log_calls;
mod lock_calls;
mod page;
mod pool;
mod read_calls;
mod reply;
mod table;
mod wait_calls;
mod write_calls;
