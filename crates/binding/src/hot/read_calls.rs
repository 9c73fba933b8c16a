//! The hot calls that read: single keys, many keys, ranges. A value is copied from where it lies into the caller's memory or, for
//! text, into a string. Nothing is allocated but what the caller keeps.

use std::ops::ControlFlow;

use ledgerstone_canonical_store::Fill;
use napi::sys;

use crate::{
    environment::{
        reader::{Cursor, Reader},
        state::EnvState,
    },
    error::{ErrorRecord, Failure},
    hot::{
        arguments::Arguments,
        bounds::packed_bounds,
        page::{packed_keys::PackedKeys, packed_values::PackedValues, range_page::RangePage},
        reply::{Answer, Noted, Reply, page_answer, value_answer},
    },
    number::safe_integer,
};

/// The buffer for text is given back when it has grown beyond this.
const KEPT_TEXT_BYTES: usize = 64 * 1024;

/// `get(pool)`, with reader, slot, key and offset in the call's memory
pub(crate) fn get(state: &EnvState, arguments: &Arguments<1>) -> Result<Noted, Failure> {
    let call = &state.call;
    let mut buffer = state.key.borrow_mut();
    let key = call.key(&mut buffer)?;
    let (slot, offset) = (call.slot(), call.offset());
    let pool = arguments.memory(0, "pool")?;
    if offset > pool.len() {
        return Err(ErrorRecord::invalid("offset", "the offset is beyond the pool"));
    }
    let mut answer = Noted::MISSING;
    // By reference: on its way to the value it is handed on several times, and this is one word.
    let mut take = |value: &[u8]| answer = Noted::of(value_answer(state, pool.put(offset, value), value));
    state.with_reader(call.reader(), |reader| match key {
        Some(key) => reader.get(slot, key, &mut take).map(drop),
        None => Ok(()),
    })?;
    Ok(answer)
}

/// What `get_text` found.
pub(crate) enum Text {
    Missing,
    Found(sys::napi_value),
}

impl Reply for Text {
    fn to_value(&self, state: &EnvState, env: sys::napi_env) -> Option<sys::napi_value> {
        match self {
            Self::Missing => Noted::MISSING.to_value(state, env),
            Self::Found(text) => Some(*text),
        }
    }

    fn failed(state: &EnvState, env: sys::napi_env) -> Option<sys::napi_value> {
        Noted::failed(state, env)
    }
}

/// `getText()`, with reader, slot and key in the call's memory
pub(crate) fn get_text(state: &EnvState, arguments: &Arguments<0>) -> Result<Text, Failure> {
    let mut buffer = state.key.borrow_mut();
    let (reader, slot, key) = (state.call.reader(), state.call.slot(), state.call.key(&mut buffer)?);
    let Some(key) = key else { return state.with_reader(reader, |_| Ok(Text::Missing)) };
    let mut bytes = state.text.borrow_mut();
    // Copied out: making a string may collect garbage, during which no thread may wait for the reader's lock.
    let mut take = |value: &[u8]| {
        bytes.clear();
        bytes.extend_from_slice(value);
    };
    let found = state.with_reader(reader, |reader| reader.get(slot, key, &mut take))?;
    if found.is_none() {
        return Ok(Text::Missing);
    }
    let text = arguments.text(&bytes);
    bytes.shrink_to(KEPT_TEXT_BYTES);
    Ok(Text::Found(text?))
}

/// `has()`, with reader, slot and key in the call's memory
pub(crate) fn has(state: &EnvState, _: &Arguments<0>) -> Result<Noted, Failure> {
    let mut buffer = state.key.borrow_mut();
    let (slot, key) = (state.call.slot(), state.call.key(&mut buffer)?);
    state.with_reader(state.call.reader(), |reader| {
        let Some(key) = key else { return Ok(Noted::NO) };
        Ok(if reader.has(slot, key)? { Noted::YES } else { Noted::NO })
    })
}

/// `getMany(reader, slot, keys, at, keysLength, pool)`
pub(crate) fn get_many(state: &EnvState, arguments: &Arguments<6>) -> Answer {
    let reader = arguments.handle(0, "reader")?;
    let slot = arguments.index(1, "slot")?;
    let keys = arguments.bytes(2, "keys")?;
    let at = arguments.index(3, "at")?;
    let end = arguments.index(4, "keysLength")?;
    let pool = arguments.bytes(5, "pool")?;
    let answer = |reader: &Reader| {
        let mut buffer = state.key.borrow_mut();
        let mut keys = PackedKeys::new(keys, at, end)?;
        let mut values = PackedValues::new(pool)?;
        let mut batch = state.keys.borrow_mut();
        let mut is_full = false;
        while !is_full {
            batch.clear();
            while !batch.is_full()
                && let Some(key) = keys.next(&mut buffer)?
            {
                batch.push(key);
            }
            if batch.is_empty() {
                break;
            }
            reader.get_many(slot, &mut batch, &mut |value| {
                is_full = !match value {
                    Some(value) => values.put(value),
                    None => values.put_missing(),
                };
                if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
        }
        Ok(f64::from(values.finish()))
    };
    state.with_reader(reader, |reader| reader.at_one_point(answer))
}

/// `rangeOpen(reader, slot, bounds, limit)`
pub(crate) fn range_open(state: &EnvState, arguments: &Arguments<4>) -> Answer {
    let id = arguments.handle(0, "reader")?;
    let slot = arguments.index(1, "slot")?;
    let bounds = arguments.bytes(2, "bounds")?;
    let limit = arguments.number(3, "limit")?;
    let (mut bounds, keys_only) = packed_bounds(bounds)?;
    if limit.to_bits() != (-1.0_f64).to_bits() {
        let limit = safe_integer(limit).ok_or_else(|| ErrorRecord::invalid("limit", "an integer or -1 is needed"))?;
        bounds.limit = Some(limit);
    }
    let range = state.with_reader(id, |reader| reader.range(slot, bounds))?;
    Ok(state.add_cursor(Cursor { range, keys_only, reader: id })?.as_number())
}

/// `rangePage(cursor, pool)`
pub(crate) fn range_page(state: &EnvState, arguments: &Arguments<2>) -> Answer {
    let id = arguments.handle(0, "cursor")?;
    let pool = arguments.bytes(1, "pool")?;
    let mut page = RangePage::new(pool)?;
    let mut cursors = state.cursors.borrow_mut();
    let Cursor { range, keys_only, .. } = cursors.get_mut(id).ok_or_else(|| ErrorRecord::closed("the range"))?;
    let keys_only = *keys_only;
    let filled = range.fill(&mut |key, value| {
        let taken = page.put(key, if keys_only { &[] } else { value });
        if taken { Fill::Taken } else { Fill::Full }
    });
    // After its end or a failure it has nothing more to give.
    if !matches!(filled, Ok(false)) {
        cursors.remove(id);
    }
    Ok(page_answer(&page.finish(filled?)))
}
