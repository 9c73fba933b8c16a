//! The store compared with a model, on the real disk with LMDB: random commits, flushes in small parts, snapshots and ranges
//! held across them, closings and kills. Counterexamples are kept as tests below.
//!
//! `LEDGERSTONE_CASES=n` tries n of them.

use std::{ops::Bound, path::Path, sync::Arc};

use crate::chance::Chance;
use crate::history::{Change, History, Image, NAMES, codecs, write_set};
use crate::reading::{Left, Source, Stop, check_all, check_events, check_key, check_range, expected, fill_page};
use crate::support::TempDir;
use ledgerstone_canonical_store::{
    CollectionRef, GateEntry, KeyBounds, Level, OpenOptions, Owner, RangeCursor, ReadCache, Snapshot, Stall, Store,
    testing::{self, Engine, open_in_parts},
};
use proptest::prelude::*;

/// So small that most flushes have several parts.
const PART_OPERATIONS: u32 = 3;

#[derive(Clone, Debug)]
enum Action {
    Commit(Vec<Change>),
    Drop(usize),
    Abort,
    StepJournal,
    StepFlusher,
    Flush,
    Hold,
    Release(usize),
    OpenCursor(usize, KeyBounds),
    Page(usize, u64),
    Range(usize, KeyBounds),
    Key(usize, Vec<u8>),
    Events(u64, u64),
    Close,
    Kill,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(vec![0x00, 0x01, b'a', 0xfe, 0xff]);
    let short = prop::collection::vec(byte.clone(), 1..4);
    let prefixed =
        prop::collection::vec(byte.clone(), 0..3).prop_map(|tail| [b"shared\x00\xff".as_slice(), &tail].concat());
    // Around the maximum length for a look-up without allocation, and the longest.
    let long = (prop::sample::select(vec![122, 123, 124, 125, 1_023]), byte).prop_map(|(len, byte)| {
        let mut key = vec![b'l'; len];
        key.push(byte);
        key
    });
    prop_oneof![6 => short, 3 => prefixed, 1 => long]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![1 => Just(Vec::new()), 8 => prop::collection::vec(any::<u8>(), 1..20), 1 => (4_000usize..9_000).prop_map(|len| vec![b'v'; len])]
}

fn slot() -> impl Strategy<Value = usize> {
    0..NAMES.len()
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        5 => (slot(), key(), value()).prop_map(|(slot, key, value)| Change::Put(slot, key, value)),
        3 => (slot(), key()).prop_map(|(slot, key)| Change::Delete(slot, key)),
        2 => value().prop_map(Change::Event),
    ]
}

fn bounds() -> impl Strategy<Value = KeyBounds> {
    let bound = || {
        prop_oneof![
            1 => Just(Bound::Unbounded),
            1 => key().prop_map(Bound::Included),
            1 => key().prop_map(Bound::Excluded),
        ]
    };
    let limit = prop::option::weighted(0.3, 0u64..6);
    (bound(), bound(), any::<bool>(), limit).prop_map(|(lower, upper, reverse, limit)| KeyBounds {
        lower,
        upper,
        reverse,
        limit,
    })
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => prop::collection::vec(change(), 1..10).prop_map(Action::Commit),
        1 => (1..NAMES.len()).prop_map(Action::Drop),
        1 => Just(Action::Abort),
        2 => Just(Action::StepJournal),
        2 => Just(Action::StepFlusher),
        5 => Just(Action::Flush),
        3 => Just(Action::Hold),
        1 => any::<usize>().prop_map(Action::Release),
        3 => (slot(), bounds()).prop_map(|(slot, bounds)| Action::OpenCursor(slot, bounds)),
        5 => (any::<usize>(), 0u64..4).prop_map(|(cursor, room)| Action::Page(cursor, room)),
        4 => (slot(), bounds()).prop_map(|(slot, bounds)| Action::Range(slot, bounds)),
        4 => (slot(), key()).prop_map(|(slot, key)| Action::Key(slot, key)),
        2 => (0u64..40, 0u64..40).prop_map(|(from, len)| Action::Events(from, len)),
        1 => Just(Action::Close),
        1 => Just(Action::Kill),
    ]
}

struct Model<'a> {
    dir: &'a Path,
    store: Option<Arc<Store>>,
    slots: Vec<Arc<CollectionRef>>,
    /// Two, so that one is outdated while the other is not.
    caches: Vec<Arc<ReadCache>>,
    history: History,
    held: Vec<(Arc<Snapshot>, Arc<Image>)>,
    cursors: Vec<(RangeCursor, Left)>,
    chance: Chance,
    turn: usize,
}

impl<'a> Model<'a> {
    fn new(dir: &'a Path) -> Result<Self, Stop> {
        let mut model = Self {
            dir,
            store: None,
            slots: Vec::new(),
            caches: Vec::new(),
            history: History::new(),
            held: Vec::new(),
            cursors: Vec::new(),
            chance: Chance::new(1),
            turn: 0,
        };
        model.open()?;
        Ok(model)
    }

    fn open(&mut self) -> Result<(), Stop> {
        let store = open_in_parts(self.dir, &OpenOptions::default(), Engine::Stepped, PART_OPERATIONS)?;
        let named = NAMES.iter().enumerate().map(|(slot, name)| store.collection(name, codecs(slot).0, codecs(slot).1));
        self.slots = named.collect::<Result<_, _>>()?;
        self.caches = vec![store.new_read_cache(), store.new_read_cache()];
        self.store = Some(store);
        self.check()
    }

    fn store(&self) -> Arc<Store> {
        Arc::clone(self.store.as_ref().unwrap())
    }

    /// Checks everything, including the held snapshots.
    fn check(&mut self) -> Result<(), Stop> {
        self.turn += 1;
        let (store, image) = (self.store(), self.history.now());
        let cache = &self.caches[self.turn % 2];
        check_all(&Source::Now(&store, cache), &self.slots, &image, &mut self.chance)?;
        assert_eq!(store.collections()?, image.names());
        for (snapshot, image) in &self.held {
            check_all(&Source::Held(snapshot, image.oldest), &self.slots, image, &mut self.chance)?;
        }
        Ok(())
    }

    fn act(&mut self, action: Action) -> Result<(), Stop> {
        let (store, image) = (self.store(), self.history.now());
        self.turn += 1;
        let source = Source::Now(&store, &self.caches[self.turn % 2]);
        match action {
            Action::Commit(changes) => self.commit(&changes)?,
            Action::Drop(slot) if image.collections[slot].is_some() => self.commit(&[Change::Drop(slot)])?,
            Action::Abort => {
                let owner = Owner::new();
                assert_eq!(store.begin(owner, Stall::Yes)?, image.next_event_id());
                store.abort(owner);
            }
            Action::StepJournal => drop(testing::step_journal(&store)?),
            Action::StepFlusher => drop(testing::step_flusher(&store)),
            Action::Flush => {
                store.want(Level::Flushed, image.seq);
                while store.step()? {}
                assert_eq!(store.marks().flushed, image.seq);
                self.check()?;
            }
            Action::Hold => self.held.push((store.snapshot()?, image)),
            Action::Release(index) if !self.held.is_empty() => {
                let index = index % self.held.len();
                self.held.swap_remove(index).0.release();
            }
            Action::OpenCursor(slot, bounds) => {
                let left = expected(&image.entries(slot), &bounds);
                self.cursors.push((store.range(&self.slots[slot], bounds)?, left));
            }
            Action::Page(index, room) if !self.cursors.is_empty() => {
                let index = index % self.cursors.len();
                let (cursor, left) = &mut self.cursors[index];
                if fill_page(cursor, left, room)? {
                    self.cursors.swap_remove(index);
                }
            }
            Action::Range(slot, bounds) => {
                check_range(&source, &self.slots[slot], &image.entries(slot), bounds, &mut self.chance)?;
            }
            Action::Key(slot, key) => check_key(&source, &self.slots[slot], &image.entries(slot), &key)?,
            Action::Events(from, len) => check_events(&source, &image, from, from + len)?,
            Action::Close => {
                self.let_go();
                testing::close_stepped(&store)?;
                drop(store);
                self.store = None;
                self.open()?;
            }
            Action::Kill => {
                // Exactly what was handed to the operating system exists.
                let written = store.marks().written;
                self.let_go();
                drop(store);
                self.store = None;
                self.history.cut(written);
                self.open()?;
            }
            Action::Drop(_) | Action::Release(_) | Action::Page(..) => {}
        }
        Ok(())
    }

    /// Releases everything that keeps LMDB's file open.
    fn let_go(&mut self) {
        self.held.clear();
        self.cursors.clear();
        self.caches.clear();
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), Stop> {
        let (store, image) = (self.store(), self.history.now());
        let info = store.commit(Owner::new(), GateEntry::Blind, write_set(changes).bytes(), &self.slots)?;
        let counted = image.count(changes);
        assert_eq!(info.seq, image.seq + 1);
        assert_eq!(
            (info.keys_written, info.keys_deleted, info.events_written),
            (counted.written, counted.deleted, counted.events)
        );
        self.history.push(changes, info.timestamp_ms, 0);
        Ok(())
    }
}

fn run(actions: Vec<Action>) {
    let dir = TempDir::new("model");
    let mut model = Model::new(dir.path()).unwrap();
    for action in actions {
        model.act(action).unwrap();
    }
    model.check().unwrap();
    model.act(Action::Close).unwrap();
}

fn cases() -> u32 {
    std::env::var("LEDGERSTONE_CASES").ok().map_or(128, |cases| cases.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_its_model(actions in prop::collection::vec(action(), 1..60)) {
        run(actions);
    }
}

#[test]
fn a_range_goes_on_behind_keys_that_were_deleted_between_its_pages() {
    let put = |byte: u8| Change::Put(0, vec![byte], vec![byte]);
    let delete = |byte: u8| Change::Delete(0, vec![byte]);
    for reverse in [false, true] {
        let all = KeyBounds { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse, limit: None };
        run(vec![
            Action::Commit((1..=6).map(put).collect()),
            Action::Flush,
            Action::Commit(vec![delete(2), put(3)]),
            Action::OpenCursor(0, all),
            Action::Page(0, 1),
            Action::Commit((1..=6).map(delete).collect()),
            Action::Page(0, 0),
            Action::Flush,
            Action::Page(0, 2),
            Action::Commit((1..=6).map(put).collect()),
            Action::Flush,
            Action::Page(0, 9),
        ]);
    }
}
