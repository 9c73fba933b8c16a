//! Everything that users can see of a store, and a model of it.

use std::{
    collections::BTreeMap,
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use ledgerstone_canonical_store::{
    CollectionRef, Direction, Fill, GateEntry, KeyBounds, OpenOptions, Owner, Store, testing::WriteSet,
};

use crate::chance::Chance;

pub(super) const NAMES: [&str; 4] = ["state", "orders", "pages", "short-lived"];

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// The living ones; `state` is always one.
    pub(super) collections: BTreeMap<String, Entries>,
    /// Id, time, payload.
    pub(super) events: Vec<(u64, u64, Vec<u8>)>,
    pub(super) next_event_id: u64,
    pub(super) oldest_event_id: u64,
    pub(super) seq: u64,
}

impl Contents {
    pub(super) fn new() -> Self {
        let collections = BTreeMap::from([("state".to_owned(), Entries::new())]);
        Self { collections, events: Vec::new(), next_event_id: 1, oldest_event_id: 1, seq: 0 }
    }

    pub(super) fn of(store: &Arc<Store>) -> Self {
        let mut collections = BTreeMap::new();
        for name in store.collections().unwrap() {
            let mut entries = Entries::new();
            let bounds = KeyBounds { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse: false, limit: None };
            let mut range = store.range(&store.collection(&name, "", "").unwrap(), bounds).unwrap();
            let mut take = |key: &[u8], value: &[u8]| {
                entries.insert(key.to_vec(), value.to_vec());
                Fill::Taken
            };
            while !range.fill(&mut take).unwrap() {}
            collections.insert(name, entries);
        }
        let mut events = Vec::new();
        let (oldest_event_id, next_event_id) = (store.oldest_event_id(), store.next_event_id());
        let mut take = |id, timestamp_ms, payload: &[u8]| {
            events.push((id, timestamp_ms, payload.to_vec()));
            ControlFlow::Continue(())
        };
        store.read_events(oldest_event_id, u64::MAX, Direction::Forward, &mut take).unwrap();
        Self { collections, events, next_event_id, oldest_event_id, seq: store.marks().applied }
    }
}

/// What one commit does.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Put(usize, Vec<u8>, Vec<u8>),
    Delete(usize, Vec<u8>),
    Event(Vec<u8>),
    Drop(usize),
}

/// A commit by chance. `large`: values of many pages among the small ones.
pub(super) fn deeds(chance: &mut Chance, keys: u64, large: bool) -> Vec<Deed> {
    let mut deeds = Vec::new();
    for _ in 0..=chance.below(4) {
        let collection = usize::try_from(chance.below(4)).unwrap();
        let number = chance.below(keys);
        let mut key = number.wrapping_mul(0x9e37_79b9).to_be_bytes()[8 - 1 - (number % 7) as usize..].to_vec();
        key.extend_from_slice(&number.to_be_bytes()[6..]);
        let len = if large && chance.below(50) == 0 { 20_000 + chance.below(90_000) } else { chance.below(90) };
        let value: Vec<u8> = (0..len).map(|at| (at ^ number) as u8).collect();
        deeds.push(match chance.below(8) {
            0 => Deed::Delete(collection, key),
            1 | 2 => Deed::Event(value),
            _ => Deed::Put(collection, key, value),
        });
    }
    if chance.below(60) == 0 {
        deeds = vec![Deed::Drop(3)];
    }
    deeds
}

/// Commits them; the commit's number, and when. A collection that cannot be dropped, since there is none, is made instead.
pub(super) fn carry_out(store: &Store, slots: &[Arc<CollectionRef>], deeds: &mut Vec<Deed>) -> (u64, u64) {
    if matches!(deeds[..], [Deed::Drop(_)]) {
        let drop = WriteSet::default().drop_collection(3);
        match store.commit(Owner::new(), GateEntry::Blind, drop.bytes(), slots) {
            Ok(info) => return (info.seq, info.timestamp_ms),
            Err(error) => assert_eq!(error.code(), "ERR_NOT_FOUND"),
        }
        *deeds = vec![Deed::Put(3, b"made".to_vec(), Vec::new())];
    }
    let set = deeds.iter().fold(WriteSet::default(), |set, deed| match deed {
        Deed::Put(collection, key, value) => set.put(*collection as u32, key, value),
        Deed::Delete(collection, key) => set.delete(*collection as u32, key),
        Deed::Event(payload) => set.event(payload),
        Deed::Drop(_) => set,
    });
    let info = store.commit(Owner::new(), GateEntry::Blind, set.bytes(), slots).unwrap();
    (info.seq, info.timestamp_ms)
}

impl Contents {
    /// After a commit of `deeds`.
    pub(super) fn add(&mut self, deeds: &[Deed], (seq, timestamp_ms): (u64, u64)) {
        self.seq = self.seq.max(seq);
        for deed in deeds {
            match deed {
                Deed::Put(collection, key, value) => {
                    let entries = self.collections.entry(NAMES[*collection].to_owned()).or_default();
                    entries.insert(key.clone(), value.clone());
                }
                Deed::Delete(collection, key) => {
                    if let Some(entries) = self.collections.get_mut(NAMES[*collection]) {
                        entries.remove(key);
                    }
                }
                Deed::Event(payload) => {
                    self.events.push((self.next_event_id, timestamp_ms, payload.clone()));
                    self.next_event_id += 1;
                }
                Deed::Drop(collection) => {
                    self.collections.remove(NAMES[*collection]);
                }
            }
        }
    }

    /// After a trim.
    pub(super) fn trim(&mut self, before: u64, seq: u64) {
        self.seq = self.seq.max(seq);
        self.oldest_event_id = self.oldest_event_id.max(before.min(self.next_event_id));
        self.events.retain(|(id, _, _)| *id >= self.oldest_event_id);
    }
}

pub(super) fn slots(store: &Store) -> Vec<Arc<CollectionRef>> {
    NAMES.iter().map(|name| store.collection(name, "utf8", "json").unwrap()).collect()
}

pub(super) fn small() -> OpenOptions {
    OpenOptions {
        flush_bytes: Some(64 << 10),
        flush_interval_ms: Some(20),
        segment_bytes: Some(64 << 10),
        map_size_bytes: Some(4 << 20),
        ..OpenOptions::default()
    }
}
