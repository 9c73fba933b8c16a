//! The only crate that knows Node-API. It translates and holds handles; it decides nothing about data.
//!
//! Three rooms: `environment` is the state of one JavaScript environment and all it owns, which ends with it; `hot` has the raw
//! callbacks and `cold` the generated functions that work on it. The two know nothing of each other. The engine's threads reach an
//! environment only through its `completion`.

#![cfg_attr(test, allow(dead_code, reason = "`#[napi]` exports nothing to a test binary"))]

mod cold;
mod contain;
mod environment;
mod error;
mod hot;
mod number;
