//! The hot calls on event logs outside of a store: appending, reading one event or a page, the two ends.

#![allow(unsafe_code, reason = "events are appended straight from the caller's memory")]

use ledgerstone_event_log::Direction;

use crate::{
    environment::state::EnvState,
    error::{ErrorRecord, Failure},
    hot::{
        arguments::Arguments,
        page::event_page::EventPage,
        pool::Pool,
        reply::{Answer, MISSING, page_answer, value_answer},
    },
    number::number,
};

/// `logAppend(log, id, bytes)`
pub(crate) fn append(state: &EnvState, arguments: &Arguments<3>) -> Answer {
    let log = arguments.handle(0, "log")?;
    let id = arguments.integer(1, "id")?;
    let bytes = arguments.own_bytes(2, "bytes")?;
    // SAFETY: the memory is not shared, and no JavaScript and no `put` runs while it is appended.
    let event = unsafe { bytes.slice(0, bytes.len()) }.unwrap_or_default();
    state.log(log)?.append_with_id(id, event)?;
    Ok(0.0)
}

/// `logAppendBatch(log, firstId, events, length)`: `[u32 length][bytes]` one after another, without padding.
pub(crate) fn append_batch(state: &EnvState, arguments: &Arguments<4>) -> Answer {
    let log = arguments.handle(0, "log")?;
    let first_id = arguments.integer(1, "firstId")?;
    let packed = arguments.own_bytes(2, "events")?;
    let end = arguments.index(3, "length")?;
    let events = unpack(&packed, end).ok_or_else(|| ErrorRecord::invalid("events", "the events are malformed"))?;
    state.log(log)?.append_batch_with_ids(first_id, &events)?;
    Ok(0.0)
}

fn unpack(packed: &Pool, end: usize) -> Option<Vec<&[u8]>> {
    const HEAD: usize = 4;
    let mut events = Vec::new();
    let mut at = 0_usize;
    while at < end {
        let from = at.checked_add(HEAD)?;
        let to = from.checked_add(usize::try_from(packed.u32_at(at)?).ok()?)?;
        if to > end {
            return None;
        }
        // SAFETY: the memory is not shared, and no JavaScript and no `put` runs while the events are appended.
        events.push(unsafe { packed.slice(from, to) }?);
        at = to;
    }
    (end <= packed.len()).then_some(events)
}

/// `logGet(log, id, pool, offset)`
pub(crate) fn get(state: &EnvState, arguments: &Arguments<4>) -> Answer {
    let log = arguments.handle(0, "log")?;
    let id = arguments.integer(1, "id")?;
    let pool = arguments.memory(2, "pool")?;
    let offset = arguments.index(3, "offset")?;
    if offset > pool.len() {
        return Err(ErrorRecord::invalid("offset", "the offset is beyond the pool"));
    }
    let found =
        state.log(log)?.get_with(id, |_timestamp_ms, bytes| value_answer(state, pool.put(offset, bytes), bytes))?;
    Ok(found.unwrap_or(MISSING))
}

/// `logPage(log, from, to, pool)`
pub(crate) fn page(state: &EnvState, arguments: &Arguments<4>) -> Answer {
    let log = arguments.handle(0, "log")?;
    let from = arguments.integer(1, "from")?;
    let to = arguments.integer(2, "to")?;
    let pool = arguments.bytes(3, "pool")?;
    let log = state.log(log)?;
    let page =
        EventPage::filled(pool, |visit| Ok(log.read_ahead(from, to, Direction::Forward, pool.len() as u64, visit)?))?;
    Ok(page_answer(&page))
}

/// `logEnds(log, ids)`: the oldest event's id, the next one's.
pub(crate) fn ends(state: &EnvState, arguments: &Arguments<2>) -> Answer {
    let log = arguments.handle(0, "log")?;
    let into = arguments.float64s(1, "ids")?;
    let log = state.log(log)?;
    if into.put_f64(0, number(log.oldest_event_id())) && into.put_f64(8, number(log.next_event_id())) {
        return Ok(0.0);
    }
    let refused: Failure = ErrorRecord::invalid("ids", "a Float64Array of 2 is needed");
    Err(refused)
}
