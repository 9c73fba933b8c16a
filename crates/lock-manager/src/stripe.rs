//! The table of stripes: a word for each, and a queue for each on which a request waits. A stripe with a queue goes only to the
//! front of the queue, so nobody is overtaken.

use std::collections::{HashMap, VecDeque};

use crate::lock_set::Claim;

/// Held by one exclusive holder.
const EXCLUSIVE: u32 = 1 << 31;
/// A request waits.
const QUEUED: u32 = 1 << 30;
/// The number of shared holders.
const HOLDERS: u32 = QUEUED - 1;

#[derive(Debug)]
struct Waiter {
    request: u32,
    claim: Claim,
}

#[derive(Debug)]
pub(crate) struct Stripes {
    /// Zeroed memory, which the system provides page by page when it is touched.
    words: Vec<u32>,
    /// Since when each is held, in nanoseconds of the clock; meaningless while it is free.
    since: Vec<u64>,
    queues: HashMap<u32, VecDeque<Waiter>>,
}

impl Stripes {
    pub(crate) fn new(count: usize) -> Self {
        Self { words: vec![0; count], since: vec![0; count], queues: HashMap::new() }
    }

    fn word(&self, stripe: u32) -> u32 {
        self.words.get(stripe as usize).copied().unwrap_or(0)
    }

    fn set(&mut self, stripe: u32, word: u32) {
        if let Some(place) = self.words.get_mut(stripe as usize) {
            *place = word;
        }
    }

    /// Since when a stripe is held, if it is.
    pub(crate) fn held_since(&self, stripe: u32) -> Option<u64> {
        if self.word(stripe) & (EXCLUSIVE | HOLDERS) == 0 { None } else { self.since.get(stripe as usize).copied() }
    }

    /// Whether a new request can take it now.
    pub(crate) fn is_free_for(&self, claim: Claim) -> bool {
        let word = self.word(claim.stripe());
        word == 0 || (!claim.is_exclusive() && word & (EXCLUSIVE | QUEUED) == 0)
    }

    /// Takes a stripe that [`is_free_for`](Self::is_free_for) found free.
    pub(crate) fn take(&mut self, claim: Claim, now: u64) {
        let stripe = claim.stripe();
        let word = self.word(stripe);
        debug_assert!(word & EXCLUSIVE == 0 && (!claim.is_exclusive() || word & HOLDERS == 0));
        if word & HOLDERS == 0
            && let Some(since) = self.since.get_mut(stripe as usize)
        {
            *since = now;
        }
        self.set(stripe, if claim.is_exclusive() { word | EXCLUSIVE } else { word + 1 });
    }

    /// Adds a request to the end of the queue.
    pub(crate) fn enqueue(&mut self, claim: Claim, request: u32) {
        let stripe = claim.stripe();
        self.set(stripe, self.word(stripe) | QUEUED);
        self.queues.entry(stripe).or_default().push_back(Waiter { request, claim });
    }

    /// Releases it; adds the requests that get it next to `ready`.
    pub(crate) fn give_back(&mut self, claim: Claim, now: u64, ready: &mut VecDeque<u32>) {
        let stripe = claim.stripe();
        let word = self.word(stripe);
        self.set(stripe, if claim.is_exclusive() { word & !EXCLUSIVE } else { word - u32::from(word & HOLDERS > 0) });
        if word & QUEUED != 0 {
            self.hand_over(stripe, now, ready);
        }
    }

    /// Whether a request is in the queue.
    pub(crate) fn is_queued(&self, claim: Claim, request: u32) -> bool {
        self.queues.get(&claim.stripe()).is_some_and(|queue| queue.iter().any(|waiter| waiter.request == request))
    }

    /// Removes a request from the queue, if it is there. Those behind it may have waited for it alone.
    pub(crate) fn leave(&mut self, claim: Claim, request: u32, now: u64, ready: &mut VecDeque<u32>) -> bool {
        let stripe = claim.stripe();
        let Some(queue) = self.queues.get_mut(&stripe) else { return false };
        let Some(place) = queue.iter().position(|waiter| waiter.request == request) else { return false };
        queue.remove(place);
        self.hand_over(stripe, now, ready);
        true
    }

    /// Hands the stripe to the front of its queue: one exclusive request, or all shared ones up to the next exclusive one.
    fn hand_over(&mut self, stripe: u32, now: u64, ready: &mut VecDeque<u32>) {
        while let Some(front) = self.queues.get(&stripe).and_then(VecDeque::front) {
            let (claim, request) = (front.claim, front.request);
            let word = self.word(stripe);
            if word & EXCLUSIVE != 0 || (claim.is_exclusive() && word & HOLDERS != 0) {
                return;
            }
            self.take(claim, now);
            ready.push_back(request);
            if let Some(queue) = self.queues.get_mut(&stripe) {
                queue.pop_front();
            }
        }
        self.queues.remove(&stripe);
        self.set(stripe, self.word(stripe) & !QUEUED);
    }
}
