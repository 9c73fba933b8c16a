//! The hot calls that write to a store: the gate, and the commit of a write set.

#![allow(unsafe_code, reason = "a write set is read where it lies, in the caller's memory")]

use ledgerstone_canonical_store::{CommitInfo, GateEntry, Stall};

use crate::{
    environment::state::EnvState,
    error::{ErrorRecord, Failure},
    hot::{arguments::Arguments, pool::Pool, reply::Answer},
    number::number,
};

/// Bytes in front of the records of a write set, where the result of the commit is written.
const WRITE_SET_HEAD: usize = 64;

/// `begin(store, stall)`
pub(crate) fn begin(state: &EnvState, arguments: &Arguments<2>) -> Answer {
    let store = arguments.handle(0, "store")?;
    let stall = if arguments.flag(1, "stall")? { Stall::Yes } else { Stall::No };
    state.with_store(store, |entry| Ok(number(entry.begin(state.owner, stall)?)))
}

/// `commit(store, writeSet, length, mode)`
pub(crate) fn commit(state: &EnvState, arguments: &Arguments<4>) -> Answer {
    let store = arguments.handle(0, "store")?;
    let entry = if arguments.flag(3, "mode")? { GateEntry::Held } else { GateEntry::Blind };
    state.with_store(store, |store| {
        let committed = write_set(arguments).and_then(|(buffer, end)| {
            // SAFETY: the memory is not shared, and no JavaScript and no `put` runs while the engine reads the records.
            let records = unsafe { buffer.slice(WRITE_SET_HEAD, end) };
            let records =
                records.ok_or_else(|| ErrorRecord::invalid("length", "the length is beyond the write set"))?;
            Ok((buffer, store.commit(state.owner, entry, records)?))
        });
        if committed.is_err() && matches!(entry, GateEntry::Held) {
            store.abort(state.owner);
        }
        let (buffer, info) = committed?;
        state.committed(store);
        write_result(buffer, &info);
        Ok(0.0)
    })
}

fn write_set(arguments: &Arguments<4>) -> Result<(Pool, usize), Failure> {
    let buffer = arguments.own_bytes(1, "writeSet")?;
    let end = arguments.index(2, "length")?;
    if end < WRITE_SET_HEAD || end > buffer.len() {
        return Err(ErrorRecord::invalid("length", "the length is not that of a write set in this buffer"));
    }
    Ok((buffer, end))
}

/// `f64 seq | f64 timestamp | f64 firstEventId | u32 eventsWritten | u32 keysWritten | u32 keysDeleted | u32 flags`. The
/// buffer holds at least the head.
fn write_result(buffer: Pool, info: &CommitInfo) {
    const CROWDED: u32 = 1;
    let numbers = [info.seq, info.timestamp_ms, info.first_event_id.unwrap_or(0)].map(number);
    let words = [info.events_written, info.keys_written, info.keys_deleted, if info.crowded { CROWDED } else { 0 }];
    let all_put = numbers.iter().enumerate().all(|(place, number)| buffer.put_f64(place * 8, *number))
        && words.iter().enumerate().all(|(place, word)| buffer.put_u32(24 + place * 4, *word));
    debug_assert!(all_put, "the head of a write set was checked before the commit");
}

/// `abort(store)`
pub(crate) fn abort(state: &EnvState, arguments: &Arguments<1>) -> Answer {
    let store = arguments.handle(0, "store")?;
    state.with_store(store, |entry| {
        entry.abort(state.owner);
        Ok(0.0)
    })
}
