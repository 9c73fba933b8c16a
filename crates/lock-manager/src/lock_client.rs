//! One client: a JavaScript environment, or a test. Only the client itself can release what it holds or waits for, and all of
//! it is released when the client is dropped.

use std::{sync::Arc, time::Duration};

use crate::{
    lock_manager::LockManager,
    lock_set::LockSet,
    request::{Phase, Token},
    state::{State, Told},
};

/// What happens to a set that is not free at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// It waits.
    Wait,
    /// It is refused.
    Refuse,
    /// It is refused, and counted as a time-out.
    TimeOut,
}

/// Why a client stops waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveUp {
    /// Its time is over. A grant that came before stays.
    TimeOut,
    /// It no longer wants the locks. A grant that came before is released.
    Abort,
}

/// What kept a set from being granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The stripe that was not free.
    pub stripe: u32,
    /// How long others have held it: an exclusive holder since its grant, shared ones since the first of them.
    pub held: Duration,
    /// How long it was waited for.
    pub waited: Duration,
}

/// The answer to [`LockClient::acquire`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Acquired {
    /// All of the set is held, until it is released.
    Granted(Token),
    /// It will be among the [grants](LockClient::take_grants), unless it is withdrawn before that.
    Waiting(Token),
    /// Nothing is held.
    Refused(Blocked),
    /// 1,048,576 sets are held or waited for: nothing was done.
    Full,
}

/// The answer to [`LockClient::release`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// Whether the token named a set of this client.
    pub released: bool,
    /// This release granted something to this client; no listener reports that.
    pub own_grants: bool,
}

/// The answer to [`LockClient::withdraw`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// What it waited for. `None`: it no longer waited.
    pub blocked: Option<Blocked>,
    /// This withdrawal granted something to this client; no listener reports that.
    pub own_grants: bool,
}

/// One client. Dropping it releases all that it holds.
#[derive(Debug)]
pub struct LockClient {
    manager: Arc<LockManager>,
    id: u64,
}

impl LockClient {
    pub(crate) fn new(manager: Arc<LockManager>, id: u64) -> Self {
        Self { manager, id }
    }

    /// The manager that it belongs to.
    pub fn manager(&self) -> &Arc<LockManager> {
        &self.manager
    }

    /// Asks for a set: all of it or nothing.
    pub fn acquire(&self, set: &mut LockSet, otherwise: Otherwise) -> Acquired {
        let claims = set.ordered();
        let now = self.manager.now();
        let mut state = self.manager.state();
        let Some(blocked) = state.first_blocked(claims) else {
            return state.take_all(self.id, claims, now).map_or(Acquired::Full, Acquired::Granted);
        };
        if otherwise == Otherwise::Wait {
            let token = state.wait_for(self.id, claims, now);
            state.stats.contended += u64::from(token.is_some());
            return token.map_or(Acquired::Full, Acquired::Waiting);
        }
        state.stats.contended += 1;
        state.stats.timeouts += u64::from(otherwise == Otherwise::TimeOut);
        Acquired::Refused(blocked_on(&state, blocked.stripe(), now, now))
    }

    /// Releases a set. A token that names nothing of this client, because it was released before or is another's, does nothing.
    pub fn release(&self, token: Token) -> Released {
        let now = self.manager.now();
        let mut state = self.manager.state();
        if state.requests.of(token, self.id).is_none() {
            return Released { released: false, own_grants: false };
        }
        let told = state.end(token, now, self.id);
        drop(state);
        Released { released: true, own_grants: tell(told) }
    }

    /// Stops waiting. `why` decides whether a grant that came in between stays.
    pub fn withdraw(&self, token: Token, why: GiveUp) -> Withdrawn {
        const NOTHING: Withdrawn = Withdrawn { blocked: None, own_grants: false };
        let now = self.manager.now();
        let mut state = self.manager.state();
        let Some(request) = state.requests.of(token, self.id) else { return NOTHING };
        let since = request.since;
        let waits_for = match request.phase {
            Phase::Waiting => state.waits_for(token, &request.claims),
            _ => None,
        };
        let blocked = waits_for.map(|claim| blocked_on(&state, claim.stripe(), since, now));
        if blocked.is_none() && why == GiveUp::TimeOut {
            return NOTHING;
        }
        state.stats.timeouts += u64::from(why == GiveUp::TimeOut);
        let told = state.end(token, now, self.id);
        drop(state);
        Withdrawn { blocked, own_grants: tell(told) }
    }

    /// Fetches the grants in order of arrival until `take` returns `false`; the grant that it refused stays.
    pub fn take_grants(&self, mut take: impl FnMut(Token) -> bool) {
        let mut state = self.manager.state();
        let State { owners, requests, .. } = &mut *state;
        let Some(mailbox) = owners.get_mut(&self.id) else { return };
        while let Some(token) = mailbox.granted.front().copied() {
            if !take(token) {
                return;
            }
            mailbox.granted.pop_front();
            if let Some(request) = requests.at(token.index()) {
                request.phase = Phase::Held;
            }
        }
    }

    /// For how long a set has been held; `None` when it is not held.
    pub fn held(&self, token: Token) -> Option<Duration> {
        let now = self.manager.now();
        let state = self.manager.state();
        let request = state.requests.of(token, self.id).filter(|request| request.phase != Phase::Waiting)?;
        Some(Duration::from_nanos(now.saturating_sub(request.since)))
    }
}

impl Drop for LockClient {
    fn drop(&mut self) {
        let now = self.manager.now();
        let mut state = self.manager.state();
        state.owners.remove(&self.id);
        let tokens = state.requests.of_owner(self.id);
        let told: Vec<_> = tokens.into_iter().map(|token| state.end(token, now, self.id)).collect();
        drop(state);
        for told in told {
            tell(told);
        }
    }
}

fn blocked_on(state: &State, stripe: u32, since: u64, now: u64) -> Blocked {
    let held = state.stripes.held_since(stripe).map_or(0, |held| now.saturating_sub(held));
    Blocked { stripe, held: Duration::from_nanos(held), waited: Duration::from_nanos(now.saturating_sub(since)) }
}

/// Notifies the other clients, outside the lock. Returns whether the client itself has grants.
fn tell(told: Told) -> bool {
    for listener in told.others {
        listener.granted();
    }
    told.own
}
