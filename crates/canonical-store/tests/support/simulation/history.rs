//! The expected content of the store: one image for each commit, so that "some prefix of the commits" is one comparison.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use ledgerstone_canonical_store::testing::WriteSet;

/// The collections that a simulation uses. The first one always exists.
pub(crate) const NAMES: [&str; 4] = ["state", "a", "ab", "\u{e9}"];

pub(crate) fn codecs(slot: usize) -> (&'static str, &'static str) {
    if slot == 0 { ("utf8", "json") } else { ("binary", "binary") }
}

pub(crate) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Put(usize, Vec<u8>, Vec<u8>),
    Delete(usize, Vec<u8>),
    Event(Vec<u8>),
    Drop(usize),
}

pub(crate) fn write_set(changes: &[Change]) -> WriteSet {
    let slot = |slot: &usize| u32::try_from(*slot).unwrap();
    changes.iter().fold(WriteSet::default(), |set, change| match change {
        Change::Put(collection, key, value) => set.put(slot(collection), key, value),
        Change::Delete(collection, key) => set.delete(slot(collection), key),
        Change::Event(payload) => set.event(payload),
        Change::Drop(collection) => set.drop_collection(slot(collection)),
    })
}

/// A commit that changes the store's condition and none of its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Seal,
    Unseal,
    /// The oldest event that is kept since then.
    Trim(u64),
}

/// An event: its time and its bytes.
pub(crate) type Event = (u64, Arc<[u8]>);

/// All data after one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) seq: u64,
    pub(crate) timestamp_ms: u64,
    /// By slot; `None`: the collection does not exist.
    pub(crate) collections: [Option<Entries>; NAMES.len()],
    /// From the very first one on, including trimmed ones.
    pub(crate) events: Vec<Event>,
    pub(crate) oldest: u64,
    /// The newest event when the store was sealed, 0 for none.
    pub(crate) sealed: Option<u64>,
}

/// A commit's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) events: u32,
    pub(crate) written: u32,
    pub(crate) deleted: u32,
}

impl Image {
    fn empty() -> Self {
        Self {
            seq: 0,
            timestamp_ms: 0,
            collections: [Some(Entries::new()), None, None, None],
            events: Vec::new(),
            oldest: 1,
            sealed: None,
        }
    }

    pub(crate) fn next_event_id(&self) -> u64 {
        self.events.len() as u64 + 1
    }

    pub(crate) fn entries(&self, slot: usize) -> Entries {
        self.collections[slot].clone().unwrap_or_default()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let living = NAMES.iter().zip(&self.collections).filter(|(_, entries)| entries.is_some());
        let mut names: Vec<String> = living.map(|(name, _)| (*name).to_owned()).collect();
        names.sort();
        names
    }

    /// The first event at or after this time when all below `oldest` are trimmed; without one the next id.
    pub(crate) fn first_event_at(&self, timestamp_ms: u64, oldest: u64) -> u64 {
        let found = self.events.partition_point(|(at, _)| *at < timestamp_ms) as u64 + 1;
        found.max(oldest).min(self.next_event_id())
    }

    pub(crate) fn count(&self, changes: &[Change]) -> Counted {
        let made: BTreeSet<usize> = changes
            .iter()
            .filter_map(|change| if let Change::Put(slot, ..) = change { Some(*slot) } else { None })
            .collect();
        let lives = |slot: usize| self.collections[slot].is_some() || made.contains(&slot);
        let mut last = HashMap::new();
        for change in changes {
            match change {
                Change::Put(slot, key, _) => last.insert((*slot, key), true),
                Change::Delete(slot, key) if lives(*slot) => last.insert((*slot, key), false),
                _ => None,
            };
        }
        let events = changes.iter().filter(|change| matches!(change, Change::Event(_))).count();
        let written = last.values().filter(|put| **put).count();
        let of = |count: usize| u32::try_from(count).unwrap();
        Counted { events: of(events), written: of(written), deleted: of(last.len() - written) }
    }

    fn then(&self, changes: &[Change], timestamp_ms: u64) -> Self {
        let mut image = Self { seq: self.seq + 1, timestamp_ms, ..self.clone() };
        for change in changes {
            match change {
                Change::Put(slot, key, value) => {
                    image.collections[*slot].get_or_insert_default().insert(key.clone(), value.clone());
                }
                Change::Delete(slot, key) => {
                    if let Some(entries) = &mut image.collections[*slot] {
                        entries.remove(key);
                    }
                }
                Change::Event(payload) => image.events.push((timestamp_ms, payload.as_slice().into())),
                Change::Drop(slot) => image.collections[*slot] = None,
            }
        }
        image
    }

    fn then_control(&self, control: Control, timestamp_ms: u64) -> Self {
        let mut image = Self { seq: self.seq + 1, timestamp_ms, ..self.clone() };
        match control {
            Control::Seal => image.sealed = Some(image.next_event_id() - 1),
            Control::Unseal => image.sealed = None,
            Control::Trim(oldest) => image.oldest = oldest,
        }
        image
    }
}

/// All images from the empty store on.
#[derive(Debug)]
pub(crate) struct History {
    images: Vec<Arc<Image>>,
    /// What was durable when each commit was made: its frame proves that.
    durable: Vec<u64>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { images: vec![Arc::new(Image::empty())], durable: vec![0] }
    }

    pub(crate) fn seq(&self) -> u64 {
        self.images.len() as u64 - 1
    }

    pub(crate) fn now(&self) -> Arc<Image> {
        Arc::clone(self.images.last().unwrap())
    }

    /// The image after the commit `seq`.
    pub(crate) fn at(&self, seq: u64) -> Arc<Image> {
        Arc::clone(&self.images[usize::try_from(seq).unwrap()])
    }

    /// What was durable before the commit `seq`.
    pub(crate) fn durable_before(&self, seq: u64) -> u64 {
        self.durable[usize::try_from(seq).unwrap()]
    }

    pub(crate) fn push(&mut self, changes: &[Change], timestamp_ms: u64, durable: u64) {
        self.durable.push(durable);
        self.images.push(Arc::new(self.now().then(changes, timestamp_ms)));
    }

    pub(crate) fn push_control(&mut self, control: Control, wall_ms: u64, durable: u64) {
        let before = self.now();
        self.durable.push(durable);
        self.images.push(Arc::new(before.then_control(control, before.timestamp_ms.max(wall_ms))));
    }

    /// Everything after `seq` was lost.
    pub(crate) fn cut(&mut self, seq: u64) {
        self.images.truncate(usize::try_from(seq + 1).unwrap());
        self.durable.truncate(self.images.len());
    }
}
