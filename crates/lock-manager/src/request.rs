//! The sets that are held or waited for, by token. A token is a place and the generation of its occupant. A token that outlived
//! its request finds nothing, so a second release never frees another client's lock.

use crate::lock_set::Claim;

/// The low bits of a token are the place; the rest counts occupants, from 1 on. Together they stay below 2^53.
const INDEX_BITS: u32 = 20;
const MAX_REQUESTS: usize = 1 << INDEX_BITS;
const MAX_GENERATION: u64 = (1 << (53 - INDEX_BITS)) - 1;

/// Names one request: at least 2^20, at most 2^53 - 1, never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(u64);

impl Token {
    /// The token that a caller has kept as a number. Any number is allowed: most name nothing.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// As a number, for the caller to keep.
    pub fn number(self) -> u64 {
        self.0
    }

    pub(crate) fn index(self) -> u32 {
        // The mask leaves 20 bits.
        u32::try_from(self.0 & (MAX_REQUESTS as u64 - 1)).unwrap_or(u32::MAX)
    }

    fn generation(self) -> u64 {
        self.0 >> INDEX_BITS
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The place is free.
    Ended,
    /// Some stripes are held; it is in the queues of the `missing` others.
    Waiting,
    /// All stripes are held, and the owner does not know it yet: its mailbox has the token.
    Granted,
    /// All stripes are held.
    Held,
}

#[derive(Debug)]
pub(crate) struct Request {
    generation: u64,
    pub(crate) phase: Phase,
    pub(crate) owner: u64,
    pub(crate) claims: Vec<Claim>,
    /// How many of the claims are not granted yet.
    pub(crate) missing: usize,
    /// When it began to wait; after the grant, when it was granted. Nanoseconds of the clock.
    pub(crate) since: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Requests {
    places: Vec<Request>,
    free: Vec<u32>,
}

impl Requests {
    /// Adds a request for `claims`. `None` when 1,048,576 are open.
    pub(crate) fn begin(&mut self, owner: u64, claims: &[Claim], phase: Phase, now: u64) -> Option<Token> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.places.len() < MAX_REQUESTS => {
                let claims = Vec::new();
                self.places.push(Request { generation: 0, phase: Phase::Ended, owner, claims, missing: 0, since: 0 });
                u32::try_from(self.places.len() - 1).ok()?
            }
            None => return None,
        };
        let request = self.places.get_mut(index as usize)?;
        request.generation += 1;
        request.phase = phase;
        request.owner = owner;
        request.claims.extend_from_slice(claims);
        request.missing = 0;
        request.since = now;
        Some(Token(request.generation << INDEX_BITS | u64::from(index)))
    }

    /// The request that a token names, if it is `owner`'s and has not ended.
    pub(crate) fn of(&self, token: Token, owner: u64) -> Option<&Request> {
        let request = self.places.get(token.index() as usize)?;
        let is_it = request.generation == token.generation() && request.owner == owner;
        (is_it && request.phase != Phase::Ended).then_some(request)
    }

    pub(crate) fn at(&mut self, index: u32) -> Option<&mut Request> {
        self.places.get_mut(index as usize)
    }

    pub(crate) fn token_at(&self, index: u32) -> Option<Token> {
        let request = self.places.get(index as usize)?;
        Some(Token(request.generation << INDEX_BITS | u64::from(index)))
    }

    /// The tokens of all open requests of an owner, oldest place first.
    pub(crate) fn of_owner(&self, owner: u64) -> Vec<Token> {
        let its = |(index, request): (usize, &Request)| {
            let open = request.owner == owner && request.phase != Phase::Ended;
            open.then_some(Token(request.generation << INDEX_BITS | index as u64))
        };
        self.places.iter().enumerate().filter_map(its).collect()
    }

    /// Frees the place; `claims` is its emptied memory, for the next occupant.
    pub(crate) fn end(&mut self, index: u32, mut claims: Vec<Claim>) {
        /// A larger set does not keep its memory.
        const KEPT_CLAIMS: usize = 64;
        let Some(request) = self.places.get_mut(index as usize) else { return };
        claims.clear();
        claims.shrink_to(KEPT_CLAIMS);
        request.claims = claims;
        request.phase = Phase::Ended;
        // A place whose generations are used up is never used again.
        if request.generation < MAX_GENERATION {
            self.free.push(index);
        }
    }
}
