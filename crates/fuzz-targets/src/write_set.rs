//! What crosses from JavaScript to the store: any bytes as two write sets, one after the other, against a model of what they mean.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use ledgerstone_canonical_store::{
    CommitInfo, GateEntry, Level, OpenOptions, Owner, Result, Store,
    testing::{WriteSet, close_stepped, open_simulated, step_flusher},
};
use ledgerstone_vfs::sim::{SimClock, SimDisk};

use crate::{
    bounds::in_memory_of,
    input::{Input, RESEALED, encode},
    store::Content,
};

/// Here: flushed between the two.
const FLUSHED: u8 = RESEALED;
const DIR: &str = "/store";
const COLLECTIONS: [&str; 3] = ["state", "others", "third"];
const KEY_BYTES: usize = 40;
const VALUE_BYTES: usize = 300;
const TRANSACTION_BYTES: usize = 4 << 10;
/// Memory of a store that is opened twice.
const STORE_BYTES: u64 = 8 << 20;

fn open(disk: &SimDisk) -> Result<Arc<Store>> {
    let options = OpenOptions {
        key_bytes: Some(KEY_BYTES as u64),
        value_bytes: Some(VALUE_BYTES as u64),
        event_bytes: Some(VALUE_BYTES as u64),
        transaction_bytes: Some(TRANSACTION_BYTES as u64),
        segment_bytes: Some(64 << 10),
        ..OpenOptions::default()
    };
    open_simulated(disk, &SimClock::new(5_000), Path::new(DIR), &options)
}

fn commit(store: &Store, bytes: &[u8]) -> Result<CommitInfo> {
    let slots = COLLECTIONS.map(|name| store.collection(name, "utf8", "json").unwrap());
    store.commit(Owner::new(), GateEntry::Blind, bytes, &slots)
}

/// What a store holds by its collections' numbers, and its events.
#[derive(Clone, Debug, Default)]
struct Model {
    /// `None`: there is no such collection.
    collections: [Option<BTreeMap<Vec<u8>, Vec<u8>>>; COLLECTIONS.len()],
    events: Vec<Vec<u8>>,
}

impl Model {
    fn new() -> Self {
        Self { collections: [Some(BTreeMap::new()), None, None], ..Self::default() }
    }

    /// What a write set makes of it, or the code of the refusal.
    fn after(&self, bytes: &[u8]) -> std::result::Result<Self, &'static str> {
        if bytes.len() > TRANSACTION_BYTES {
            return Err("ERR_LIMIT");
        }
        let (mut model, mut rest, mut records, mut dropped) = (self.clone(), bytes, 0, None);
        while !rest.is_empty() {
            let (record, len) = Record::read(rest).ok_or("ERR_INVALID_ARGUMENT")?;
            rest = &rest[len..];
            records += 1;
            let is_long = record.key.len() > KEY_BYTES || record.value.len() > VALUE_BYTES;
            let collection = model.collections.get_mut(record.slot as usize);
            match (record.kind, collection) {
                (1 | 2 | 4, None) => return Err("ERR_INVALID_ARGUMENT"),
                _ if is_long => return Err("ERR_LIMIT"),
                (1, Some(collection)) => {
                    collection.get_or_insert_default().insert(record.key.to_vec(), record.value.to_vec());
                }
                (2, Some(Some(collection))) => drop(collection.remove(record.key)),
                (3, _) => model.events.push(record.value.to_vec()),
                (4, Some(_)) => dropped = dropped.or(Some(record.slot as usize)),
                _ => {}
            }
        }
        let Some(slot) = dropped else { return Ok(model) };
        if records > 1 || slot == 0 {
            return Err("ERR_INVALID_ARGUMENT");
        }
        model.collections[slot].take().map(|_| model).ok_or("ERR_NOT_FOUND")
    }

    fn content(&self) -> Content {
        let mut content = Content::default();
        let mut named: Vec<_> = COLLECTIONS.iter().zip(&self.collections).collect();
        named.sort_unstable();
        for (name, entries) in named {
            let entries = entries.iter().flatten();
            content.entries.extend(entries.map(|(key, value)| ((*name).to_owned(), key.clone(), value.clone())));
        }
        content.events = (1..).zip(self.events.iter().cloned()).collect();
        content
    }
}

/// A record, read as `write_set.rs` of the store describes it.
struct Record<'a> {
    kind: u8,
    slot: u32,
    key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Record<'a> {
    /// With the bytes that it takes.
    fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let [kind @ 1..=4, 0, k0, k1, s0, s1, s2, s3, v0, v1, v2, v3, ..] = *bytes else { return None };
        let key_end = 12 + usize::from(u16::from_le_bytes([k0, k1]));
        let value_end = key_end + u32::from_le_bytes([v0, v1, v2, v3]) as usize;
        let end = value_end.next_multiple_of(4);
        bytes.get(..end)?;
        let (key, value) = (&bytes[12..key_end], &bytes[key_end..value_end]);
        let is_key = key.is_empty() == (kind > 2);
        let is_value = value.is_empty() || kind == 1 || kind == 3;
        let slot = u32::from_le_bytes([s0, s1, s2, s3]);
        (is_key && is_value).then_some((Self { kind, slot, key, value }, end))
    }
}

fn check(store: &Arc<Store>, model: &mut Model, bytes: &[u8]) {
    match (commit(store, bytes), model.after(bytes)) {
        (Ok(info), Ok(after)) => {
            assert_eq!(info.events_written as usize, after.events.len() - model.events.len());
            *model = after;
        }
        (Err(error), Err(code)) => assert_eq!(error.code(), code, "{error}"),
        (found, expected) => panic!("{found:?}, expected {expected:?}"),
    }
    assert_eq!(Content::of(store).unwrap(), model.content());
}

/// Two write sets.
pub(crate) fn two(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let is_flushed = input.is(FLUSHED);
    let sets = [input.next_file(), input.last_file()];
    in_memory_of(bytes.len(), STORE_BYTES, || {
        let disk = SimDisk::new(1);
        let (store, mut model) = (open(&disk).unwrap(), Model::new());
        for set in &sets {
            check(&store, &mut model, set);
            if is_flushed {
                store.want(Level::Flushed, store.marks().applied);
                step_flusher(&store);
            }
        }
        close_stepped(&store).unwrap();
        drop(store);
        let store = open(&disk.crash()).unwrap();
        assert_eq!(Content::of(&store).unwrap(), model.content(), "opened again");
        close_stepped(&store).unwrap();
    });
}

/// Sets of every kind of record.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let first = WriteSet::default().put(0, b"a", b"1").put(1, b"b", b"").event(b"one").delete(0, b"a").event(b"");
    let second = WriteSet::default().put(2, &[7; KEY_BYTES], &[8; VALUE_BYTES]).delete(1, b"b").delete(2, b"none");
    let third = WriteSet::default().drop_collection(1);
    let sets = [(&first, &second), (&first, &third), (&second, &third), (&second, &first)];
    let pairs = sets.map(|(one, two)| [0, FLUSHED].map(|how| encode(how, &[one.bytes(), two.bytes()])));
    pairs.into_iter().flatten().collect()
}
