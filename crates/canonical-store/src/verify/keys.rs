//! Checks that every stored key belongs to a known collection, by one key of each collection.

use std::ops::{Bound, ControlFlow};

use crate::{checkpoint::CheckpointRead, error::Result};

/// The first collection with keys in `read` that is not `known`.
pub(super) fn unknown_collection(read: &dyn CheckpointRead, known: &dyn Fn(u32) -> bool) -> Result<Option<u32>> {
    let mut from = None;
    loop {
        let bytes = from.map(u32::to_be_bytes);
        let lower = bytes.as_ref().map_or(Bound::Unbounded, |bytes| Bound::Included(bytes.as_slice()));
        let mut first = None;
        read.scan((lower, Bound::Unbounded), false, &mut |key, _| {
            first = Some(key.first_chunk::<4>().map_or(0, |id| u32::from_be_bytes(*id)));
            ControlFlow::Break(())
        })?;
        let Some(id) = first else { return Ok(None) };
        if !known(id) {
            return Ok(Some(id));
        }
        let Some(next) = id.checked_add(1) else { return Ok(None) };
        from = Some(next);
    }
}
