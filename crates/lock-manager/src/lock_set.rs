//! The stripes that one caller wants to lock at once, each shared or exclusive. Sorted before use, so that each stripe is
//! claimed once and sets that are not free at once report the same stripe.

/// A place in a lock manager's table; made by [`LockManager::stripe_of`](crate::LockManager::stripe_of).
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
    /// Together with other shared holders.
    Shared,
    /// Alone.
    Exclusive,
}

/// A stripe and its mode in one word that sorts by stripe, with exclusive last on the same stripe.
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
    /// Adds a stripe. A stripe in the set is not claimed twice; exclusive outweighs shared.
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
        // `dedup_by` drops its first argument, the later one: the one kept takes over the stronger mode.
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
