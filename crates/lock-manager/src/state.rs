//! All mutable state, under the manager's one mutex. Every operation is one step: after it no stripe is free that the front of
//! its queue could take, and no request holds more than it may.
//!
//! A request enters all of its stripes in the step in which it arrives. So all queues have the order of arrival, and of two
//! sets with a common stripe the earlier one is granted first. The earliest waiting request waits only for holders, so there is
//! no deadlock.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::{
    lock_set::Claim,
    mailbox::{Listener, Mailbox},
    request::{Phase, Requests, Token},
    stats::LockStats,
    stripe::Stripes,
};

/// The listeners to call for the grants of one operation.
#[derive(Default)]
pub(crate) struct Told {
    /// The owner that made the call; it looks by itself.
    pub(crate) own: bool,
    pub(crate) others: Vec<Arc<dyn Listener>>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) stripes: Stripes,
    pub(crate) requests: Requests,
    pub(crate) owners: HashMap<u64, Mailbox>,
    pub(crate) stats: LockStats,
    /// Requests that got the stripe they waited for and can continue; empty between operations.
    ready: VecDeque<u32>,
}

fn nanos(from: u64, to: u64) -> Duration {
    Duration::from_nanos(to.saturating_sub(from))
}

impl State {
    pub(crate) fn new(stripes: usize) -> Self {
        Self {
            stripes: Stripes::new(stripes),
            requests: Requests::default(),
            owners: HashMap::new(),
            stats: LockStats { stripes: stripes as u64, ..LockStats::default() },
            ready: VecDeque::new(),
        }
    }

    /// The first claim that is not free.
    pub(crate) fn first_blocked(&self, claims: &[Claim]) -> Option<Claim> {
        claims.iter().copied().find(|claim| !self.stripes.is_free_for(*claim))
    }

    /// Takes claims that are all free. `None`: too many requests are open.
    pub(crate) fn take_all(&mut self, owner: u64, claims: &[Claim], now: u64) -> Option<Token> {
        let token = self.requests.begin(owner, claims, Phase::Held, now)?;
        for claim in claims {
            self.stripes.take(*claim, now);
        }
        self.stats.acquired += 1;
        self.stats.held += 1;
        Some(token)
    }

    /// Enters all of its stripes in this one step: it takes the free ones and joins the queues of the others. So a later
    /// request for one of them is behind it. `None`: too many requests are open.
    pub(crate) fn wait_for(&mut self, owner: u64, claims: &[Claim], now: u64) -> Option<Token> {
        let token = self.requests.begin(owner, claims, Phase::Waiting, now)?;
        self.stats.waiting += 1;
        let mut missing = 0;
        for claim in claims {
            if self.stripes.is_free_for(*claim) {
                self.stripes.take(*claim, now);
            } else {
                self.stripes.enqueue(*claim, token.index());
                missing += 1;
            }
        }
        debug_assert!(missing > 0, "a set that was blocked is not granted at once");
        if let Some(request) = self.requests.at(token.index()) {
            request.missing = missing;
        }
        Some(token)
    }

    /// The first of its stripes that a request waits for.
    pub(crate) fn waits_for(&self, token: Token, claims: &[Claim]) -> Option<Claim> {
        claims.iter().copied().find(|claim| self.stripes.is_queued(*claim, token.index()))
    }

    /// A request has got one more of its stripes. Returns whether it has all of them now.
    fn advance(&mut self, index: u32, now: u64) -> bool {
        let Some(request) = self.requests.at(index) else { return false };
        request.missing = request.missing.saturating_sub(1);
        if request.missing > 0 {
            return false;
        }
        request.phase = Phase::Granted;
        self.stats.longest_wait = self.stats.longest_wait.max(nanos(request.since, now));
        request.since = now;
        self.stats.waiting -= 1;
        self.stats.held += 1;
        self.stats.acquired += 1;
        true
    }

    /// Ends a request, held or waiting: releases its stripes and lets the requests behind it continue.
    pub(crate) fn end(&mut self, token: Token, now: u64, by: u64) -> Told {
        let index = token.index();
        let Some(request) = self.requests.at(index) else { return Told::default() };
        let claims = std::mem::take(&mut request.claims);
        let (phase, since, owner) = (request.phase, request.since, request.owner);
        let lasted = nanos(since, now);
        match phase {
            Phase::Ended => return Told::default(),
            Phase::Held | Phase::Granted => {
                // When this empties the mailbox, the owner's listener is called again for the next grant.
                if phase == Phase::Granted
                    && let Some(mailbox) = self.owners.get_mut(&owner)
                {
                    mailbox.granted.retain(|granted| *granted != token);
                }
                self.stats.held -= 1;
                self.stats.longest_hold = self.stats.longest_hold.max(lasted);
            }
            Phase::Waiting => {
                self.stats.waiting -= 1;
                self.stats.longest_wait = self.stats.longest_wait.max(lasted);
            }
        }
        for claim in &claims {
            let waits = phase == Phase::Waiting && self.stripes.leave(*claim, index, now, &mut self.ready);
            if !waits {
                self.stripes.give_back(*claim, now, &mut self.ready);
            }
        }
        self.requests.end(index, claims);
        self.let_go_on(now, by)
    }

    /// Requests that were handed a stripe continue, in the order in which they got it.
    fn let_go_on(&mut self, now: u64, by: u64) -> Told {
        let mut told = Told::default();
        while let Some(index) = self.ready.pop_front() {
            if self.advance(index, now) {
                self.deliver(index, by, &mut told);
            }
        }
        told
    }

    fn deliver(&mut self, index: u32, by: u64, told: &mut Told) {
        let (Some(token), Some(request)) = (self.requests.token_at(index), self.requests.at(index)) else { return };
        let owner = request.owner;
        let Some(mailbox) = self.owners.get_mut(&owner) else { return };
        // An owner that already has mail was notified and is about to look.
        if owner == by {
            told.own = true;
        } else if mailbox.granted.is_empty() {
            told.others.push(Arc::clone(&mailbox.listener));
        }
        mailbox.granted.push_back(token);
    }
}
