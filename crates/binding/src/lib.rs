//! The only crate that knows Node-API.
