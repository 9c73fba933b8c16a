//! The hot calls of a store's waiters: JavaScript says what it waits for, and looks how far the store has come.

use ledgerstone_canonical_store::Marks;

use crate::{
    environment::{
        state::EnvState,
        store::{waiting::Wishes, watch::flags},
    },
    error::ErrorRecord,
    hot::{arguments::Arguments, reply::Answer},
    number::number,
};

/// `want(store, written, durable, flushed, room, few)`
pub(crate) fn want(state: &EnvState, arguments: &Arguments<6>) -> Answer {
    let store = arguments.handle(0, "store")?;
    let wishes = Wishes {
        written: arguments.integer(1, "written")?,
        durable: arguments.integer(2, "durable")?,
        flushed: arguments.integer(3, "flushed")?,
        room: arguments.flag(4, "room")?,
        few: arguments.flag(5, "few")?,
    };
    let answer = state.with_waiting_store(store, |entry| Ok(number(entry.want(wishes)?)));
    state.settle_keep_alive();
    answer
}

/// `poll(store, marks)`
pub(crate) fn poll(state: &EnvState, arguments: &Arguments<2>) -> Answer {
    let store = arguments.handle(0, "store")?;
    let into = arguments.float64s(1, "marks")?;
    if into.len() < 8 * 8 {
        return Err(ErrorRecord::invalid("marks", "a Float64Array of 8 is needed"));
    }
    let marks = state.with_waiting_store(store, |entry| Ok(entry.poll()))?;
    let Marks { applied, written, durable, flushed, .. } = marks;
    state.settle_keep_alive();
    let [applied_events, written_events, durable_events] = marks.events().map(number);
    let numbers = [
        number(applied),
        number(written),
        number(durable),
        number(flushed),
        f64::from(flags(&marks)),
        applied_events,
        written_events,
        durable_events,
    ];
    let all_put = numbers.iter().enumerate().all(|(place, number)| into.put_f64(place * 8, *number));
    debug_assert!(all_put, "the length was checked");
    Ok(0.0)
}
