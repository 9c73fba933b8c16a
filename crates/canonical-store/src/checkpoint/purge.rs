//! Clearing up after a dropped collection, a slice at a time.

use std::{ops::Bound, path::Path};

use super::{environment::Environment, lmdb::failed};
use crate::error::Result;

/// So many entries go in one transaction.
const SLICE: usize = 16 * 1024;

/// Removes some of the entries of a dropped collection; whether there are more. With the last of them it leaves the catalogue.
pub(super) fn purge_part(environment: &Environment, path: &Path, collection: u32) -> Result<bool> {
    let Environment { env, databases } = environment;
    let failed = failed(path, "mdb_del");
    let mut transaction = env.write_txn().map_err(&failed)?;
    let from = collection.to_be_bytes();
    let to = collection.saturating_add(1).to_be_bytes();
    let range = (Bound::Included(from.as_slice()), Bound::Excluded(to.as_slice()));
    let mut keys = Vec::new();
    for entry in databases.state.range(&transaction, &range).map_err(&failed)?.take(SLICE) {
        keys.push(entry.map_err(&failed)?.0.to_vec());
    }
    for key in &keys {
        databases.state.delete(&mut transaction, key).map_err(&failed)?;
    }
    let more = keys.len() == SLICE;
    if !more {
        databases.catalog.delete(&mut transaction, &from).map_err(&failed)?;
    }
    transaction.commit().map_err(&failed)?;
    Ok(more)
}
