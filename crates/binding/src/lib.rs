//! The only crate that knows Node-API. It translates and holds handles; it decides nothing about data.
//!
//! Cold calls are `#[napi]` functions, hot ones raw callbacks. Everything belongs to one environment
//! and ends with it; the engine's threads reach an environment only through its `completion`.

#![cfg_attr(test, allow(dead_code, reason = "`#[napi]` exports nothing to a test binary"))]

mod cold;
mod contain;
mod environment;
mod error;
mod hot;
mod number;
