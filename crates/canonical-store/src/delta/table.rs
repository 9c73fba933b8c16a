//! Finds the newest entry of each key: open addressing over the upper half of the key's hash. It doubles before it is three
//! quarters full; the places follow the hashes, so that growing reads and writes memory from front to back.

use std::ptr;

use crate::cache_line::fetch;

const FIRST_SLOTS: usize = 64;

/// `entry` is one more than the entry's index: a slot of zeros is free.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    tag: u32,
    entry: u32,
}

#[derive(Debug, Default)]
pub(super) struct KeyTable {
    slots: Vec<Slot>,
    used: usize,
}

fn tag_of(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(0)
}

impl KeyTable {
    fn with_slots(slots: usize) -> Self {
        Self { slots: vec![Slot::default(); slots], used: 0 }
    }

    /// A larger table with the same keys, if there is no room for `more` of them.
    pub(super) fn grown_for(&self, more: usize) -> Option<Self> {
        let wanted = (self.used + more).saturating_mul(4) / 3;
        if wanted <= self.slots.len() {
            return None;
        }
        let mut grown = Self::with_slots(wanted.next_power_of_two().max(FIRST_SLOTS));
        for slot in self.slots.iter().filter(|slot| slot.entry != 0) {
            if let Some(free) = grown.slot(slot.tag, |_| false) {
                *free = *slot;
            }
        }
        grown.used = self.used;
        Some(grown)
    }

    /// The sequence of slots for `tag`, wrapping at the end.
    fn places(&self, tag: u32) -> impl Iterator<Item = usize> + use<> {
        let mask = self.slots.len().saturating_sub(1);
        let home = usize::try_from((u64::from(tag) * self.slots.len() as u64) >> 32).unwrap_or(0);
        (home..=home + mask).map(move |place| place & mask)
    }

    /// Prefetches the slot for a key with this hash.
    pub(super) fn expect(&self, hash: u64) {
        if let Some(slot) = self.places(tag_of(hash)).next().and_then(|place| self.slots.get(place)) {
            fetch(ptr::from_ref(slot).addr());
        }
    }

    /// The entry of the first key with this hash, which is almost always the right one.
    pub(super) fn likely(&self, hash: u64) -> Option<u32> {
        let tag = tag_of(hash);
        let mut slots = self.places(tag).filter_map(|place| self.slots.get(place));
        slots.find(|slot| slot.tag == tag || slot.entry == 0)?.entry.checked_sub(1)
    }

    /// The newest entry of a key; `is_key` recognises its entries.
    pub(super) fn newest(&self, hash: u64, is_key: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = tag_of(hash);
        for place in self.places(tag) {
            let slot = self.slots.get(place)?;
            let entry = slot.entry.checked_sub(1)?;
            if slot.tag == tag && is_key(entry) {
                return Some(entry);
            }
        }
        None
    }

    /// The slot of a key, or the free one that it will get.
    fn slot(&mut self, tag: u32, is_key: impl Fn(u32) -> bool) -> Option<&mut Slot> {
        let mut places = self.places(tag);
        let place = places.find(|place| {
            self.slots.get(*place).is_none_or(|slot| match slot.entry.checked_sub(1) {
                None => true,
                Some(entry) => slot.tag == tag && is_key(entry),
            })
        })?;
        self.slots.get_mut(place)
    }

    /// Replaces the key's newest entry by `entry`, and returns the previous one. There is room for it:
    /// [`grown_for`](Self::grown_for).
    pub(super) fn replace(&mut self, hash: u64, entry: u32, is_key: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = tag_of(hash);
        let slot = self.slot(tag, is_key)?;
        let before = std::mem::replace(slot, Slot { tag, entry: entry.saturating_add(1) }).entry.checked_sub(1);
        self.used += usize::from(before.is_none());
        before
    }
}

#[cfg(test)]
mod tests {
    use super::KeyTable;

    #[test]
    fn every_key_has_its_newest_entry_whatever_their_hashes_share() {
        // Entries with the same remainder belong to one key; all hashes are equal, or equal except for a few bits, or spread.
        for spread in [0, 1 << 32, 0x9e37_79b9_7f4a_7c15_u64] {
            let keys = 300;
            let mut table = KeyTable::default();
            for entry in 0..3 * keys {
                if let Some(grown) = table.grown_for(1) {
                    table = grown;
                }
                let hash = u64::from(entry % keys).wrapping_mul(spread);
                let before = table.replace(hash, entry, |other| other % keys == entry % keys);
                assert_eq!(before, entry.checked_sub(keys));
            }
            for key in 0..keys {
                let hash = u64::from(key).wrapping_mul(spread);
                assert_eq!(table.newest(hash, |entry| entry % keys == key), Some(2 * keys + key));
                assert!(table.likely(hash).is_some_and(|entry| spread == 0 || entry == 2 * keys + key));
            }
            assert_eq!(table.newest(7, |_| false), None);
            assert!(table.slots.len() >= 400 && table.slots.len() <= 1024, "{}", table.slots.len());
        }
    }
}
