//! What one caller wants to lock at once: stripes, each shared or exclusive. Ordered before it is asked for, so that each stripe is
//! claimed once and sets that cannot be had at once are told the same stripe.

/// A place of a lock manager's table; made by [`LockManager::stripe_of`](crate::LockManager::stripe_of).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stripe(pub(crate) u32);

impl Stripe {
    /// Its number, from 0 on.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// How a stripe is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Together with others that read.
    Shared,
    /// Alone.
    Exclusive,
}

/// A stripe and how it is wanted, in one word that sorts by stripe, and on the same stripe the exclusive last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim(u32);

impl Claim {
    fn new(stripe: Stripe, mode: Mode) -> Self {
        Self(stripe.0 << 1 | u32::from(mode == Mode::Exclusive))
    }

    pub(crate) fn stripe(self) -> u32 {
        self.0 >> 1
    }

    pub(crate) fn is_exclusive(self) -> bool {
        self.0 & 1 == 1
    }
}

/// A set of stripes. Reuse it: its memory is kept.
#[derive(Clone, Debug, Default)]
pub struct LockSet {
    claims: Vec<Claim>,
}

impl LockSet {
    /// Adds a stripe. One that is there already is not taken twice; exclusive outweighs shared.
    pub fn add(&mut self, stripe: Stripe, mode: Mode) {
        self.claims.push(Claim::new(stripe, mode));
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.claims.clear();
    }

    /// The claims in ascending order, one for each stripe.
    pub(crate) fn ordered(&mut self) -> &[Claim] {
        self.claims.sort_unstable();
        // `dedup_by` drops its first argument, which stands after the second: the kept one takes over what is stronger.
        self.claims.dedup_by(|later, kept| {
            let same = later.stripe() == kept.stripe();
            if same {
                *kept = *later;
            }
            same
        });
        &self.claims
    }
}

#[cfg(test)]
mod tests {
    use super::{LockSet, Mode, Stripe};

    #[test]
    fn a_stripe_is_claimed_once_and_exclusive_outweighs_shared() {
        let mut set = LockSet::default();
        for (stripe, mode) in
            [(7, Mode::Shared), (3, Mode::Exclusive), (7, Mode::Exclusive), (3, Mode::Shared), (5, Mode::Shared)]
        {
            set.add(Stripe(stripe), mode);
        }
        let claims: Vec<_> = set.ordered().iter().map(|claim| (claim.stripe(), claim.is_exclusive())).collect();
        assert_eq!(claims, [(3, true), (5, false), (7, true)]);
        set.clear();
        assert!(set.ordered().is_empty());
    }
}
