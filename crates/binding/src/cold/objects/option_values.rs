//! Values of options that a store and an event log share.

use ledgerstone_canonical_store::Compression;

use crate::{
    error::{ErrorRecord, Failure},
    number::safe_integer,
};

/// The value of the option `argument`, which is an integer from 0 to 2^53 - 1 where it is given.
pub(crate) fn optional_size(argument: &'static str, value: Option<f64>) -> Result<Option<u64>, Failure> {
    match value.map(safe_integer) {
        None => Ok(None),
        Some(Some(size)) => Ok(Some(size)),
        Some(None) => Err(ErrorRecord::invalid(argument, "an integer from 0 to 2^53 - 1 is needed")),
    }
}

/// A compression by its name, for the option `argument`.
pub(crate) fn compression(argument: &'static str, name: &str) -> Result<Compression, Failure> {
    match name {
        "none" => Ok(Compression::None),
        "lz4" => Ok(Compression::Lz4),
        "zstd" => Ok(Compression::Zstd),
        _ => Err(ErrorRecord::invalid(argument, "'none', 'lz4' or 'zstd' is needed")),
    }
}
