//! Readers that block others: a map that must grow, the table of LMDB's readers, the bound on what they hold, and LMDB itself
//! after it has given up.

use std::{ops::Bound, path::Path, sync::Arc};

use crate::support::TempDir;
use ledgerstone_canonical_store::{
    CollectionRef, Error, FlushStage, GateEntry, KeyBounds, Level, OpenOptions, Owner, ReadCache, Stall, Store,
    testing::{Step, WriteSet, close_stepped, open_stepped, step_flusher, verify_checkpoint},
};

const VALUE_BYTES: usize = 8_000;
const SMALL_MAP_BYTES: u64 = 1 << 20;

struct Rig {
    store: Arc<Store>,
    slots: Vec<Arc<CollectionRef>>,
    written: u32,
}

impl Rig {
    fn open(dir: &Path, map_bytes: u64) -> Self {
        let options =
            OpenOptions { map_size_bytes: Some(map_bytes), flush_bytes: Some(256 << 10), ..OpenOptions::default() };
        let store = open_stepped(dir, &options).unwrap();
        let slots = vec![store.collection("state", "utf8", "json").unwrap()];
        Self { store, slots, written: 0 }
    }

    /// A store with a small map, stepped, with one flushed entry.
    fn new(dir: &Path) -> Self {
        Self::with_map(dir, SMALL_MAP_BYTES)
    }

    fn with_map(dir: &Path, map_bytes: u64) -> Self {
        let mut rig = Self::open(dir, map_bytes);
        rig.write(1);
        assert_eq!(rig.flush(), Step::Worked);
        rig
    }

    fn write(&mut self, count: u32) {
        for _ in 0..count {
            let set = WriteSet::default().put(0, &self.written.to_be_bytes(), &[7; VALUE_BYTES]);
            self.store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &self.slots).unwrap();
            self.written += 1;
        }
    }

    /// One attempt.
    fn flush(&self) -> Step {
        self.store.want(Level::Flushed, self.store.marks().applied);
        step_flusher(&self.store)
    }

    fn get(&self, cache: &ReadCache, key: u32) -> Result<Option<usize>, Error> {
        self.store.get(cache, &self.slots[0], &key.to_be_bytes(), <[u8]>::len)
    }

    fn count(&self) -> u64 {
        let bounds = KeyBounds { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse: false, limit: None };
        self.store.range(&self.slots[0], bounds).unwrap().count().unwrap()
    }

    fn crowd(&mut self) {
        while !self.store.marks().crowded || self.store.marks().paced {
            self.write(1);
        }
    }

    fn mapped(&self) -> u64 {
        self.store.stats().map_bytes
    }

    fn assert_content(&self) {
        assert_eq!(self.count(), u64::from(self.written));
        let cache = self.store.new_read_cache();
        for key in 0..self.written {
            assert_eq!(self.get(&cache, key).unwrap(), Some(VALUE_BYTES));
        }
    }
}

/// Bug: writers waited for ever, without an error, for a map that could not grow. Mechanism: it grows while no reader uses it,
/// and an environment that had read once kept its transaction. Fix: idle transactions are taken back first, and the flush
/// continues in the same step.
#[test]
fn a_map_grows_beside_environments_that_have_read_and_do_nothing() {
    let dir = TempDir::new("readers-idle");
    let mut rig = Rig::new(dir.path());
    let caches: Vec<_> = (0..20).map(|_| rig.store.new_read_cache()).collect();
    let before = rig.mapped();
    for _ in 0..24 {
        for cache in &caches {
            assert_eq!(rig.get(cache, 0).unwrap(), Some(VALUE_BYTES));
        }
        rig.write(30);
        // Captured under the view that is being flushed, like a thread that reads beside the flusher.
        let store = Arc::clone(&rig.store);
        let cache = Arc::clone(&caches[0]);
        let slot = Arc::clone(&rig.slots[0]);
        rig.store.probe_flushes(Some(Arc::new(move |stage| {
            if stage == FlushStage::EventsWritten {
                assert_eq!(store.get(&cache, &slot, &0u32.to_be_bytes(), <[u8]>::len).unwrap(), Some(VALUE_BYTES));
            }
        })));
        assert_eq!(rig.flush(), Step::Worked);
        rig.store.probe_flushes(None);
    }
    assert!(rig.mapped() > before, "{before}");
    rig.assert_content();
    assert!(verify_checkpoint(&rig.store).unwrap().problems.is_empty());
    close_stepped(&rig.store).unwrap();
}

/// A snapshot keeps the map from growing: the error of a writer that waits for room says so, nothing is lost, and releasing the
/// snapshot is enough.
#[test]
fn a_map_that_a_snapshot_keeps_from_growing_is_told_to_who_waits() {
    let dir = TempDir::new("readers-held");
    let mut rig = Rig::new(dir.path());
    let snapshot = rig.store.snapshot().unwrap();
    let mut steps = 0;
    loop {
        rig.write(20);
        if rig.flush() == Step::Blocked {
            break;
        }
        steps += 1;
        assert!(steps < 100, "the map never was full");
    }
    let marks = rig.store.marks();
    assert!(marks.waits_for_readers && !marks.no_space && !marks.failed, "{marks:?}");
    rig.crowd();
    let error = rig.store.begin(Owner::new(), Stall::Yes).unwrap_err();
    assert_eq!(error.code(), "ERR_BACKPRESSURE");
    let message = error.to_string();
    assert!(message.contains("the map of the state is full") && message.contains("oldestReaderMs="), "{message}");
    assert_eq!(rig.flush(), Step::Blocked);
    rig.assert_content();
    snapshot.release();
    assert_eq!((rig.flush(), rig.flush()), (Step::Worked, Step::Worked));
    let marks = rig.store.marks();
    assert!(!marks.waits_for_readers && !marks.crowded, "{marks:?}");
    rig.assert_content();
    close_stepped(&rig.store).unwrap();
    drop(rig);
    let again = Rig::open(dir.path(), SMALL_MAP_BYTES);
    assert!(verify_checkpoint(&again.store).unwrap().problems.is_empty());
    close_stepped(&again.store).unwrap();
}

/// Bug: with as many snapshots as LMDB has places for readers nothing could be read, verified or iterated any more. Mechanism:
/// they and the store's reads shared one limit. Fix: snapshots have a separate, lower limit, and the store's cached
/// transactions give way.
#[test]
fn as_many_snapshots_as_there_may_be_leave_places_for_the_stores_own_reads() {
    let dir = TempDir::new("readers-many");
    let mut rig = Rig::new(dir.path());
    let mut snapshots: Vec<_> = (0..1_024).map(|_| rig.store.snapshot().unwrap()).collect();
    let refused = rig.store.snapshot().unwrap_err();
    assert_eq!(refused.code(), "ERR_LIMIT");
    assert!(refused.to_string().contains("limit=`readers` size=1025 max=1024"), "{refused}");
    // More environments than there are places left: each keeps a transaction as long as its place is not needed.
    let caches: Vec<_> = (0..400).map(|_| rig.store.new_read_cache()).collect();
    for cache in &caches {
        assert_eq!(rig.get(cache, 0).unwrap(), Some(VALUE_BYTES));
    }
    rig.write(5);
    assert_eq!(rig.flush(), Step::Worked);
    assert!(verify_checkpoint(&rig.store).unwrap().problems.is_empty());
    assert_eq!(rig.count(), 6);
    assert_eq!(rig.get(&caches[0], 5).unwrap(), Some(VALUE_BYTES));
    snapshots.pop().unwrap().release();
    rig.store.snapshot().unwrap().release();
    for snapshot in snapshots {
        snapshot.release();
    }
    close_stepped(&rig.store).unwrap();
}

/// Bug: a thread that held a snapshot of a large commit and then wrote waited for room that only the snapshot's release would
/// make. Mechanism: the bound on what readers hold counted what the waiter itself held. Fix: a holder does not wait for what is
/// held; others do, and their error says so.
#[test]
fn who_holds_a_snapshot_does_not_wait_for_what_snapshots_hold() {
    let dir = TempDir::new("readers-pinned");
    let mut rig = Rig::with_map(dir.path(), 64 << 20);
    let mut snapshots = Vec::new();
    while rig.store.stats().pinned_bytes < 4 * (256 << 10) {
        rig.write(60);
        snapshots.push(rig.store.snapshot().unwrap());
        assert_eq!(rig.flush(), Step::Worked);
    }
    let owner = Owner::new();
    rig.store.begin(owner, Stall::Yes).unwrap();
    rig.store.abort(owner);
    assert!(!rig.store.marks().crowded);
    std::thread::scope(|scope| {
        let marks = scope.spawn(|| rig.store.marks()).join().unwrap();
        assert!(marks.crowded && marks.waits_for_readers, "{marks:?}");
        let told = scope.spawn(|| rig.store.no_room()).join().unwrap();
        assert!(told.to_string().contains("open snapshots and iterations hold too much"), "{told}");
        assert_eq!(told.code(), "ERR_BACKPRESSURE");
    });
    for snapshot in snapshots {
        snapshot.release();
    }
    let marks = std::thread::scope(|scope| scope.spawn(|| rig.store.marks()).join().unwrap());
    assert!(!marks.crowded, "{marks:?}");
    close_stepped(&rig.store).unwrap();
}

/// Bug: after a failed flush of LMDB's meta page only data in memory could be read. Mechanism: LMDB refuses every transaction
/// in an environment whose meta page it could not write (`MDB_PANIC`). Fix: the file is opened once more, only for reading.
#[cfg(target_os = "linux")]
#[test]
#[allow(unsafe_code, clippy::disallowed_methods, reason = "LMDB's descriptor is taken from it")]
fn after_a_failed_write_of_lmdbs_meta_page_reads_go_on() {
    use std::os::fd::{AsRawFd, RawFd};

    let dir = TempDir::new("readers-panic");
    let mut rig = Rig::new(dir.path());
    let held = rig.store.snapshot().unwrap();
    let is_meta = |fd: &RawFd| {
        let path = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or_default();
        let flags = i32::from_str_radix(flags.trim(), 8).unwrap_or_default();
        path.starts_with(dir.path()) && path.ends_with("data.mdb") && flags & libc::O_DSYNC != 0
    };
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let meta: Vec<RawFd> =
        open.filter_map(|fd| fd.unwrap().file_name().to_str().unwrap().parse().ok()).filter(is_meta).collect();
    assert_eq!(meta.len(), 1, "LMDB's descriptor for its meta pages");
    let unwritable = std::fs::File::open("/dev/null").unwrap();
    // SAFETY: plain descriptors, both open; LMDB closes its descriptor in the end.
    assert_eq!(unsafe { libc::dup2(unwritable.as_raw_fd(), meta[0]) }, meta[0]);
    rig.write(3);
    assert_eq!(rig.flush(), Step::Failed);
    assert_eq!(rig.store.failure().unwrap().code(), "ERR_POISONED");
    rig.assert_content();
    let caches: Vec<_> = (0..3).map(|_| rig.store.new_read_cache()).collect();
    assert!(caches.iter().all(|cache| rig.get(cache, 0).unwrap() == Some(VALUE_BYTES)));
    rig.store.snapshot().unwrap().release();
    held.release();
    assert_eq!(close_stepped(&rig.store).unwrap_err().code(), "ERR_POISONED");
    let mut again = Rig::open(dir.path(), SMALL_MAP_BYTES);
    again.written = 4;
    again.assert_content();
    close_stepped(&again.store).unwrap();
}
