//! The owner of a folder: foreign files, half-made stores, stores and logs within each other, folders that disappear while they
//! are open, files of absurd sizes.

mod closed;
mod foreign;
#[cfg(unix)]
mod gone;
mod making;
mod marked;
mod nested;
mod owned;
#[cfg(target_os = "linux")]
mod sparse;
mod tree;
