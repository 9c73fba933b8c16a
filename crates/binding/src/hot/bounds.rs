//! The bounds of a range as they cross: `[u32 flags][u32 lower len][u32 upper len][lower][upper]`, little endian.

use std::ops::Bound;

use ledgerstone_canonical_store::KeyBounds;

use crate::{
    error::{ErrorRecord, Failure},
    hot::pool::Pool,
};

const HAS_LOWER: u32 = 1;
const LOWER_EXCLUSIVE: u32 = 2;
const HAS_UPPER: u32 = 4;
const UPPER_INCLUSIVE: u32 = 8;
const REVERSE: u32 = 16;
const KEYS_ONLY: u32 = 32;
const ALL: u32 = 63;

/// The bounds, without a limit, and whether only keys are asked for.
pub(crate) fn packed_bounds(bounds: Pool) -> Result<(KeyBounds, bool), Failure> {
    const HEAD: usize = 12;
    let malformed = || ErrorRecord::invalid("bounds", "the packed bounds are malformed");
    let word = |at| bounds.u32_at(at).ok_or_else(malformed);
    let flags = word(0)?;
    let lower_len = usize::try_from(word(4)?).map_err(|_| malformed())?;
    let upper_len = usize::try_from(word(8)?).map_err(|_| malformed())?;
    let fits =
        HEAD.checked_add(lower_len).and_then(|end| end.checked_add(upper_len)).is_some_and(|end| end <= bounds.len());
    if !fits || flags & !ALL != 0 {
        return Err(malformed());
    }
    let copy = |from, len| {
        let mut bytes = vec![0; len];
        if bounds.take(from, &mut bytes) { Ok(bytes) } else { Err(malformed()) }
    };
    let is = |flag| flags & flag != 0;
    let lower = match (is(HAS_LOWER), is(LOWER_EXCLUSIVE)) {
        (false, _) => Bound::Unbounded,
        (true, true) => Bound::Excluded(copy(HEAD, lower_len)?),
        (true, false) => Bound::Included(copy(HEAD, lower_len)?),
    };
    let upper = match (is(HAS_UPPER), is(UPPER_INCLUSIVE)) {
        (false, _) => Bound::Unbounded,
        (true, true) => Bound::Included(copy(HEAD + lower_len, upper_len)?),
        (true, false) => Bound::Excluded(copy(HEAD + lower_len, upper_len)?),
    };
    Ok((KeyBounds { lower, upper, reverse: is(REVERSE), limit: None }, is(KEYS_ONLY)))
}
