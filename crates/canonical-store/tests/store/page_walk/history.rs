//! A store with a random history (trees of several levels, values on separate pages, deletions, dropped collections, many
//! transactions), and its expected content.

use std::{collections::BTreeMap, ops::Bound, path::Path, sync::Arc};

use ledgerstone_canonical_store::{
    CollectionRef, Fill, GateEntry, KeyBounds, Level, OpenOptions, Owner, Result, Store,
    testing::{self, Engine, WriteSet, open_in_parts},
};

pub(crate) const COLLECTIONS: [&str; 3] = ["state", "words", "numbers"];
/// Small parts: a flush is many transactions.
const PART_OPERATIONS: u32 = 700;

/// A generator of random numbers; the same seed gives the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % end
    }

    pub(crate) fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }
}

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;
/// The content of each collection.
pub(crate) type Expected = [Entries; 3];

/// An open store and its content.
pub(crate) struct History {
    pub(crate) store: Arc<Store>,
    pub(crate) expected: Expected,
    pub(crate) random: Random,
    slots: Vec<Arc<CollectionRef>>,
}

fn options() -> OpenOptions {
    OpenOptions { key_bytes: Some(1_978), map_size_bytes: Some(1 << 30), ..OpenOptions::default() }
}

fn key(random: &mut Random) -> Vec<u8> {
    let number = random.below(4_000);
    let len = match random.below(40) {
        0 => 1_978,
        1..=4 => 300,
        _ => 12,
    };
    let mut key = format!("{:08x}", number.wrapping_mul(2_654_435_761) & 0xffff_ffff).into_bytes();
    key.resize(len, b'k');
    key
}

fn value(random: &mut Random) -> Vec<u8> {
    let len = match random.below(60) {
        0 => 4_096 + random.index(30_000),
        1..=4 => 1_900 + random.index(2_200),
        5..=9 => 0,
        _ => random.index(120),
    };
    vec![u8::try_from(random.below(256)).unwrap(); len]
}

impl History {
    pub(crate) fn open(path: &Path, seed: u64) -> Self {
        Self::reopen(path, Random(seed), Expected::default())
    }

    pub(crate) fn reopen(path: &Path, random: Random, expected: Expected) -> Self {
        let store = open_in_parts(path, &options(), Engine::Stepped, PART_OPERATIONS).unwrap();
        let slots = COLLECTIONS.map(|name| store.collection(name, "utf8", "json").unwrap()).to_vec();
        Self { store, expected, random, slots }
    }

    fn commit(&mut self, set: &WriteSet) {
        self.store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &self.slots).unwrap();
    }

    /// Commits a random number of random changes; then, one time in 20 each, drops or empties a collection.
    pub(crate) fn change(&mut self, most: usize) {
        let mut set = WriteSet::default();
        let deletes = self.random.below(4);
        for _ in 0..=self.random.index(most) {
            let which = self.random.index(3);
            let slot = u32::try_from(which).unwrap();
            if self.random.below(4) < deletes {
                let from = key(&mut self.random);
                let Some((key, _)) = self.expected[which].range(from..).next() else { continue };
                let key = key.clone();
                set = set.delete(slot, &key);
                self.expected[which].remove(&key);
            } else {
                let (key, value) = (key(&mut self.random), value(&mut self.random));
                set = set.put(slot, &key, &value);
                self.expected[which].insert(key, value);
            }
        }
        self.commit(&set);
        match self.random.below(20) {
            0 => {
                let which = 1 + self.random.index(2);
                if !self.store.collections().unwrap().contains(&COLLECTIONS[which].to_owned()) {
                    return;
                }
                self.expected[which].clear();
                self.commit(&WriteSet::default().drop_collection(u32::try_from(which).unwrap()));
            }
            1 => {
                let which = self.random.index(3);
                let mut set = WriteSet::default();
                for key in std::mem::take(&mut self.expected[which]).into_keys() {
                    set = set.delete(u32::try_from(which).unwrap(), &key);
                }
                self.commit(&set);
            }
            _ => {}
        }
    }

    /// Flushes everything to LMDB.
    pub(crate) fn flush(&self) {
        self.store.want(Level::Flushed, self.store.marks().applied);
        while self.store.step().unwrap() {}
        assert_eq!(self.store.marks().flushed, self.store.marks().applied);
    }

    /// The stored data, or the first error.
    pub(crate) fn read(&self) -> Result<Expected> {
        let mut found = Expected::default();
        for (collection, entries) in self.slots.iter().zip(&mut found) {
            for reverse in [false, true] {
                let bounds = KeyBounds { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse, limit: None };
                let mut cursor = self.store.range(collection, bounds)?;
                let mut seen = Entries::new();
                while !cursor.fill(&mut |key, value| {
                    assert!(seen.insert(key.to_vec(), value.to_vec()).is_none(), "a key comes twice");
                    Fill::Taken
                })? {}
                assert!(!reverse || seen == *entries, "backwards it is not the same");
                *entries = seen;
            }
        }
        Ok(found)
    }

    pub(crate) fn close(self) -> (Random, Expected) {
        testing::close_stepped(&self.store).unwrap();
        (self.random, self.expected)
    }
}
