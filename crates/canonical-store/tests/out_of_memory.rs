//! No memory for something that a file or a user makes large: an error that says so, and nothing is lost.
//!
//! Bug: a compressed event, a large commit, its flush and its recovery each ended the process when memory was short. Mechanism:
//! `vec![0; n]`, `with_capacity`, `to_vec` and growing vectors abort when an allocation fails. Fix: memory whose size a file or
//! a user decides is allocated by calls that may fail.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_docs_in_private_items,
    clippy::panic,
    unsafe_code,
    reason = "a test fails by panicking; its allocator refuses"
)]

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ops::ControlFlow,
    path::Path,
    sync::Arc,
};

use ledgerstone_canonical_store::{
    CollectionRef, Direction, Error, GateEntry, Level, OpenOptions, Owner, Store,
    testing::{Step, WriteSet, close_stepped, open_stepped, step_flusher, step_journal},
};
use ledgerstone_format::compression::Compression;
use support::TempDir;

/// Refuses allocations larger than this thread's limit.
struct Refusing;

thread_local! {
    static MOST: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn is_refused(bytes: usize) -> bool {
    MOST.try_with(Cell::get).is_ok_and(|most| bytes > most)
}

// SAFETY: the system's allocator, or nothing.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if is_refused(bytes) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.realloc(memory, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

/// Runs `act` while nothing larger than this can be allocated.
fn short_of_memory<R>(act: impl FnOnce() -> R) -> R {
    MOST.set(4 << 20);
    let result = act();
    MOST.set(usize::MAX);
    result
}

const LARGE: usize = 12 << 20;

/// Compresses very well, or hardly at all.
fn payload(is_noise: bool) -> Vec<u8> {
    let mut state = 7_u64;
    let noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    if is_noise { std::iter::repeat_with(noise).take(LARGE).collect() } else { vec![7; LARGE] }
}

struct Rig {
    store: Arc<Store>,
    slots: Vec<Arc<CollectionRef>>,
}

impl Rig {
    fn open(dir: &Path, compression: Compression) -> Result<Self, Error> {
        let options = OpenOptions {
            event_compression: Some(compression),
            event_bytes: Some(64 << 20),
            value_bytes: Some(64 << 20),
            ..OpenOptions::default()
        };
        let store = open_stepped(dir, &options)?;
        let slots = vec![store.collection("state", "utf8", "json")?];
        Ok(Self { store, slots })
    }

    fn commit(&self, set: &WriteSet) -> Result<u64, Error> {
        self.store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &self.slots).map(|info| info.seq)
    }

    fn flush(&self) -> Step {
        self.store.want(Level::Flushed, self.store.marks().applied);
        step_flusher(&self.store)
    }

    fn event(&self, id: u64) -> Result<usize, Error> {
        let mut bytes = 0;
        self.store.read_events(id, id + 1, Direction::Forward, &mut |_, _, payload| {
            bytes = payload.len();
            ControlFlow::Break(())
        })?;
        Ok(bytes)
    }

    fn value(&self) -> Result<Option<usize>, Error> {
        self.store.get(&self.store.new_read_cache(), &self.slots[0], b"large", <[u8]>::len)
    }
}

fn assert_short<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), "ERR_IO", "{error}");
    assert!(error.to_string().contains("out of memory"), "{error}");
}

#[test]
fn a_commit_that_there_is_no_memory_for_is_refused_and_the_next_one_is_taken() {
    let dir = TempDir::new("memory-commit");
    let rig = Rig::open(dir.path(), Compression::None).unwrap();
    for set in [WriteSet::default().put(0, b"large", &payload(false)), WriteSet::default().event(&payload(false))] {
        assert_short(short_of_memory(|| rig.commit(&set)));
        assert_eq!(rig.commit(&WriteSet::default().event(b"small")).unwrap(), rig.store.marks().applied);
    }
    assert_eq!(rig.store.marks().applied, 2);
    close_stepped(&rig.store).unwrap();
}

#[test]
fn a_flush_that_there_is_no_memory_for_is_tried_again() {
    for (compression, is_noise) in [
        (Compression::None, false),
        (Compression::Lz4, false),
        (Compression::Lz4, true),
        (Compression::Zstd, false),
        (Compression::Zstd, true),
    ] {
        let dir = TempDir::new("memory-flush");
        let rig = Rig::open(dir.path(), compression).unwrap();
        rig.commit(&WriteSet::default().put(0, b"large", b"1").event(&payload(is_noise))).unwrap();
        assert_eq!(short_of_memory(|| rig.flush()), Step::Blocked, "{compression:?}");
        assert!(!rig.store.marks().failed, "{compression:?}");
        assert_eq!(rig.flush(), Step::Worked);
        assert_eq!(rig.event(1).unwrap(), LARGE);
        close_stepped(&rig.store).unwrap();
    }
}

#[test]
fn a_value_that_there_is_no_memory_for_is_flushed_later() {
    let dir = TempDir::new("memory-value");
    let rig = Rig::open(dir.path(), Compression::None).unwrap();
    rig.commit(&WriteSet::default().put(0, b"large", &payload(true))).unwrap();
    assert_eq!(short_of_memory(|| rig.flush()), Step::Blocked);
    assert!(!rig.store.marks().failed);
    assert_eq!(rig.flush(), Step::Worked);
    assert_eq!(rig.value().unwrap(), Some(LARGE));
    close_stepped(&rig.store).unwrap();
}

#[test]
fn an_event_that_there_is_no_memory_for_is_read_later() {
    for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
        let dir = TempDir::new("memory-read");
        let rig = Rig::open(dir.path(), compression).unwrap();
        rig.commit(&WriteSet::default().event(&payload(false)).event(b"small")).unwrap();
        assert_eq!(rig.flush(), Step::Worked);
        assert_short(short_of_memory(|| rig.event(1)));
        assert_eq!(short_of_memory(|| rig.event(2)).unwrap(), 5);
        assert_eq!(rig.event(1).unwrap(), LARGE);
        // Reading in pieces needs no large allocation; a failed one is reported.
        let report = short_of_memory(|| rig.store.verify(&|| false)).unwrap();
        assert!(report.problems.iter().all(|problem| problem.what.contains("out of memory")), "{:?}", report.problems);
        assert!(rig.store.verify(&|| false).unwrap().is_ok());
        close_stepped(&rig.store).unwrap();
    }
}

#[test]
fn a_store_that_there_is_no_memory_for_opens_later() {
    for (compression, is_flushed) in
        [(Compression::None, false), (Compression::None, true), (Compression::Zstd, true), (Compression::Lz4, true)]
    {
        let dir = TempDir::new("memory-open");
        let rig = Rig::open(dir.path(), compression).unwrap();
        let set = WriteSet::default().put(0, b"large", &payload(true)).event(&payload(false));
        rig.commit(&set).unwrap();
        if is_flushed {
            assert_eq!(rig.flush(), Step::Worked);
        }
        rig.commit(&set).unwrap();
        while step_journal(&rig.store).unwrap() {}
        // Killed: nothing is closed.
        drop(rig);
        assert_short(short_of_memory(|| Rig::open(dir.path(), compression).map(drop)));
        let rig = Rig::open(dir.path(), compression).unwrap();
        assert_eq!((rig.event(1).unwrap(), rig.event(2).unwrap(), rig.value().unwrap()), (LARGE, LARGE, Some(LARGE)));
        close_stepped(&rig.store).unwrap();
    }
}
