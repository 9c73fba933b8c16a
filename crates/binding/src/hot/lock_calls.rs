//! The hot calls on locks. A set comes as packed names, the answer is a token. One call fetches all that was granted later.
//!
//! A record of a set is `u32 (length << 1 | exclusive) | name`, without padding. What kept a set from being granted is written to
//! the front of the buffer that the call was given: `f64 stripe | f64 heldMs | f64 waitedMs`.

use std::time::Duration;

use ledgerstone_lock_manager::{Acquired, Blocked, GiveUp, LockManager, LockSet, Mode, Otherwise, Token};

use crate::{
    environment::state::EnvState,
    error::{ErrorRecord, Failure},
    hot::{arguments::Arguments, pool::Pool, reply::Answer},
    number::number,
};

/// It is not free, and the call does not wait.
const REFUSED: f64 = -1.0;
/// Added up: the token named something here; there are grants to fetch.
const DONE: u8 = 1;
const OWN_GRANTS: u8 = 2;

const RECORD_HEAD: usize = 4;
const BLOCKED_BYTES: usize = 24;

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn flags(done: bool, own_grants: bool) -> f64 {
    f64::from(if done { DONE } else { 0 } | if own_grants { OWN_GRANTS } else { 0 })
}

fn put_blocked(into: Pool, blocked: &Blocked) -> Result<(), Failure> {
    let numbers = [f64::from(blocked.stripe), ms(blocked.held), ms(blocked.waited)];
    let all_put = numbers.iter().enumerate().all(|(place, number)| into.put_f64(place * 8, *number));
    if all_put { Ok(()) } else { Err(ErrorRecord::invalid("blocked", "room for 24 bytes is needed")) }
}

/// `lock(locks, set, length, otherwise)`: the token when it is granted, the negative token when it is waited for.
pub(crate) fn lock(state: &EnvState, arguments: &Arguments<4>) -> Answer {
    let id = arguments.handle(0, "locks")?;
    let packed = arguments.bytes(1, "set")?;
    let length = arguments.index(2, "length")?;
    let otherwise = match arguments.integer(3, "otherwise")? {
        0 => Otherwise::Refuse,
        1 => Otherwise::Wait,
        2 => Otherwise::TimeOut,
        _ => return Err(ErrorRecord::invalid("otherwise", "0, 1 or 2 is needed")),
    };
    if packed.len() < BLOCKED_BYTES {
        return Err(ErrorRecord::invalid("set", "a buffer of at least 24 bytes is needed"));
    }
    let answer = state.with_locks(id, |entry| {
        let mut set = entry.set.borrow_mut();
        read_set(&mut set, entry.client.manager(), packed, length, &mut state.key.borrow_mut())?;
        match entry.client.acquire(&mut set, otherwise) {
            Acquired::Granted(token) => Ok(number(token.number())),
            Acquired::Waiting(token) => Ok(-number(token.number())),
            Acquired::Refused(blocked) => put_blocked(packed, &blocked).map(|()| REFUSED),
            Acquired::Full => {
                const MAX: u64 = 1 << 20;
                Err(ErrorRecord::limit("too many lock sets are held or waited for", "lockSets", MAX + 1, MAX))
            }
        }
    });
    answer.unwrap_or_else(|| Err(ErrorRecord::closed("the lock manager")))
}

/// Hashes the packed names into `set`; `buffer` has room for most of them.
fn read_set(
    set: &mut LockSet,
    manager: &LockManager,
    packed: Pool,
    length: usize,
    buffer: &mut [u8],
) -> Result<(), Failure> {
    let cut = || ErrorRecord::invalid("set", "the set is cut short");
    set.clear();
    let mut at = 0;
    while at < length {
        let head = packed.u32_at(at).ok_or_else(cut)?;
        let mode = if head & 1 == 1 { Mode::Exclusive } else { Mode::Shared };
        let from = at + RECORD_HEAD;
        // At most 2^31.
        let len = usize::try_from(head >> 1).map_err(|_| cut())?;
        if from.checked_add(len).is_none_or(|end| end > length) {
            return Err(cut());
        }
        let stripe = if let Some(name) = buffer.get_mut(..len) {
            if !packed.take(from, name) {
                return Err(cut());
            }
            manager.stripe_of(name)
        } else {
            // The length was compared with that of the buffer; its memory is there to be copied.
            let mut name = vec![0; len.min(packed.len())];
            if !packed.take(from, &mut name) {
                return Err(cut());
            }
            manager.stripe_of(&name)
        };
        set.add(stripe, mode);
        at = from + len;
    }
    Ok(())
}

/// `unlock(locks, token)`. What has ended holds nothing.
pub(crate) fn unlock(state: &EnvState, arguments: &Arguments<2>) -> Answer {
    let id = arguments.handle(0, "locks")?;
    let token = Token::from_number(arguments.integer(1, "token")?);
    let released = state.with_locks(id, |entry| entry.client.release(token));
    Ok(released.map_or(0.0, |released| flags(released.released, released.own_grants)))
}

/// `withdraw(locks, token, why, blocked)`: done when it still waited.
pub(crate) fn withdraw(state: &EnvState, arguments: &Arguments<4>) -> Answer {
    let id = arguments.handle(0, "locks")?;
    let token = Token::from_number(arguments.integer(1, "token")?);
    let why = if arguments.flag(2, "why")? { GiveUp::Abort } else { GiveUp::TimeOut };
    let into = arguments.bytes(3, "blocked")?;
    let Some(withdrawn) = state.with_locks(id, |entry| entry.client.withdraw(token, why)) else { return Ok(0.0) };
    if let Some(blocked) = &withdrawn.blocked {
        put_blocked(into, blocked)?;
    }
    Ok(flags(withdrawn.blocked.is_some(), withdrawn.own_grants))
}

/// `grants(locks, tokens)`: fills in those that were granted after waiting, as many as fit, and says how many. There may be more.
pub(crate) fn grants(state: &EnvState, arguments: &Arguments<2>) -> Answer {
    let id = arguments.handle(0, "locks")?;
    let into = arguments.float64s(1, "tokens")?;
    let mut told = 0_u32;
    state.with_locks(id, |entry| {
        entry.client.take_grants(|token| {
            let fits = into.put_f64(told as usize * 8, number(token.number()));
            told += u32::from(fits);
            fits
        });
    });
    Ok(f64::from(told))
}

/// `heldMs(locks, token)`: -1 when it is not held.
pub(crate) fn held_ms(state: &EnvState, arguments: &Arguments<2>) -> Answer {
    let id = arguments.handle(0, "locks")?;
    let token = Token::from_number(arguments.integer(1, "token")?);
    let held = state.with_locks(id, |entry| entry.client.held(token)).flatten();
    Ok(held.map_or(-1.0, ms))
}
