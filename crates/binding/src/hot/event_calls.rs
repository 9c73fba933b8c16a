//! The hot calls on the events of a store: a page of them, or one.

use ledgerstone_canonical_store::Direction;

use crate::{
    environment::state::EnvState,
    error::{ErrorRecord, Failure},
    hot::{
        arguments::Arguments,
        page::event_page::EventPage,
        reply::{Answer, Noted, page_answer, value_answer},
    },
    number::number,
};

/// Bytes in front of an event's payload, where it comes alone.
const EVENT_HEAD: usize = 8;

/// `eventsPage(reader, from, to, reverse, pool)`
pub(crate) fn page(state: &EnvState, arguments: &Arguments<5>) -> Answer {
    let reader = arguments.handle(0, "reader")?;
    let from = arguments.integer(1, "from")?;
    let to = arguments.integer(2, "to")?;
    let direction = if arguments.flag(3, "reverse")? { Direction::Backward } else { Direction::Forward };
    let pool = arguments.bytes(4, "pool")?;
    let page = EventPage::filled(pool, |visit| {
        state.with_reader(reader, |reader| reader.read_events(from, to, direction, pool.len() as u64, visit))
    })?;
    Ok(page_answer(&page))
}

/// `event(pool)`, with store, id and offset in the call's memory: the timestamp, f64, then the payload, whose length is the answer.
pub(crate) fn event(state: &EnvState, arguments: &Arguments<1>) -> Result<Noted, Failure> {
    let (id, offset) = (state.call.id()?, state.call.offset());
    let pool = arguments.memory(0, "pool")?;
    if offset > pool.len() || pool.len() - offset < EVENT_HEAD {
        return Err(ErrorRecord::invalid("offset", "the pool has no room for an event's timestamp"));
    }
    state.with_store(state.call.reader(), |entry| {
        let found = entry.handle().event(id, |timestamp_ms, payload| {
            let is_put = pool.put_f64(offset, number(timestamp_ms)) && pool.put(offset + EVENT_HEAD, payload);
            value_answer(state, is_put, payload)
        })?;
        Ok(found.map_or(Noted::MISSING, Noted::of))
    })
}
