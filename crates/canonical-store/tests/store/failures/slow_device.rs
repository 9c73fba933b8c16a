//! A device that is a thousand times slower: 75 ms for a flush that takes 75 µs. The store is a real one, with threads, LMDB
//! and a folder; only its disk is slowed, and LMDB's commits with it. Memory stays within its bound, writers keep their order
//! and wait no longer than their limit, readers do not notice, nothing deadlocks. Asserts counts, never times.

use std::{
    cell::RefCell,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use ledgerstone_canonical_store::{
    CollectionRef, FlushStage, GateEntry, KeyBounds, Level, OpenOptions, Owner, Stall, Store,
    testing::{self, WriteSet, open_on},
};
use ledgerstone_vfs::{
    Clock, OsVfs, SystemClock,
    sim::{SimClock, SlowVfs},
};
use parking_lot::Mutex;

use crate::{failures::rig::key, support::TempDir};

const FLUSH: Duration = Duration::from_millis(75);
/// At 200 MB/s instead of 2 GB/s.
const MIB_WRITTEN: Duration = Duration::from_millis(5);
const FLUSH_BYTES: u64 = 64 << 10;
const WRITERS: usize = 4;
/// The memory of a transaction, at most, in bytes.
const TRANSACTION_BYTES: u64 = 9_000;
/// How long `Stall::Yes` waits.
const PATIENCE: Duration = Duration::from_secs(5);

thread_local! {
    static LOOKS: RefCell<Vec<Duration>> = const { RefCell::new(Vec::new()) };
}

/// The store's clock, which records its answers to each thread.
#[derive(Debug)]
struct WatchedClock(Arc<dyn Clock>);

impl Clock for WatchedClock {
    fn wall_ms(&self) -> u64 {
        self.0.wall_ms()
    }

    fn monotonic(&self) -> Duration {
        let now = self.0.monotonic();
        LOOKS.with_borrow_mut(|looks| looks.push(now));
        now
    }
}

/// Lets a writer enter; returns how often it was refused: at the first reading of the clock after its limit. With readers there
/// may be one reading more, since the error contains their age.
fn begin(store: &Store, owner: Owner, with_readers: bool) -> u64 {
    for refused in 0.. {
        LOOKS.take();
        let Err(error) = store.begin(owner, Stall::Yes) else { return refused };
        assert_eq!(error.code(), "ERR_BACKPRESSURE", "{error}");
        let looks = LOOKS.take();
        let late = looks.iter().filter(|look| **look >= looks[0] + PATIENCE).count();
        assert!(late == 1 || (with_readers && late == 2), "{looks:?}");
    }
    unreachable!("there is no last number")
}

struct Slow {
    store: Arc<Store>,
    slots: Vec<Arc<CollectionRef>>,
    disk: SlowVfs,
    /// Writers between entering and the end of their commit.
    inside: AtomicU64,
    /// Finished reads, and those of them during which a flush of the device was under way all the time.
    reads: Arc<[AtomicU64; 2]>,
    order: Mutex<Vec<u64>>,
    _dir: TempDir,
}

impl Slow {
    fn open(clock: Arc<dyn Clock>) -> Self {
        let dir = TempDir::new("slow");
        let disk = SlowVfs::new(Arc::new(OsVfs), FLUSH, MIB_WRITTEN);
        let options = OpenOptions { flush_bytes: Some(FLUSH_BYTES), ..OpenOptions::default() };
        let clock = Arc::new(WatchedClock(clock));
        let store = open_on(Arc::new(disk.clone()), clock, dir.path(), &options).unwrap();
        let slots = vec![store.collection("state", "utf8", "json").unwrap()];
        Self {
            store,
            slots,
            disk,
            inside: AtomicU64::new(0),
            reads: Arc::default(),
            order: Mutex::default(),
            _dir: dir,
        }
    }

    /// LMDB does its I/O itself: a stop of the flusher after each of its commits makes them slow. And no flush ends before a
    /// reader has read during it.
    fn slow_the_flusher(&self) {
        let (reads, at_start) = (Arc::clone(&self.reads), AtomicU64::new(0));
        self.store.probe_flushes(Some(Arc::new(move |stage| match stage {
            FlushStage::Frozen => at_start.store(reads[0].load(Ordering::Acquire), Ordering::Release),
            FlushStage::StateWritten(_) => {
                thread::sleep(FLUSH);
                // A read may have begun before the flush, but not the second one of a thread, nor two of two threads.
                while reads[0].load(Ordering::Acquire) < at_start.load(Ordering::Acquire) + 4 {
                    thread::yield_now();
                }
            }
            FlushStage::Begun | FlushStage::EventsWritten | FlushStage::Published => {}
        })));
    }

    /// Commits by the owner of the gate; returns its number.
    fn commit(&self, owner: Owner) -> u64 {
        self.inside.fetch_add(1, Ordering::AcqRel);
        let number = {
            let mut order = self.order.lock();
            let number = order.len() as u64 + 1;
            order.push(number);
            number
        };
        let set = WriteSet::default().put(0, &key(number), &[number as u8; 4_000]).event(&[number as u8; 4_000]);
        let info = self.store.commit(owner, GateEntry::Held, set.bytes(), &self.slots).unwrap();
        self.inside.fetch_sub(1, Ordering::AcqRel);
        assert_eq!(info.seq, number, "commits stand in the order in which their writers were let in");
        number
    }

    /// A writer enters below the bound; each of the others may have entered at the same time, and wait for the gate.
    fn assert_bound(&self) {
        let room = WRITERS as u64 * TRANSACTION_BYTES;
        let stats = self.store.stats();
        assert!(stats.delta_bytes < 2 * FLUSH_BYTES + room, "{} bytes wait", stats.delta_bytes);
        let all = stats.delta_bytes + stats.pinned_bytes;
        assert!(all < 4 * FLUSH_BYTES + room, "{all} bytes in memory");
    }

    /// Reads all data in every way, again and again.
    fn read_until(&self, end: &AtomicBool) {
        let cache = self.store.new_read_cache();
        while !end.load(Ordering::Acquire) {
            let before = self.disk.flushes();
            let snapshot = self.store.snapshot().unwrap();
            let seq = self.store.marks().applied;
            let all = KeyBounds { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse: false, limit: None };
            let keys = snapshot.range(&self.slots[0], all).unwrap().count().unwrap();
            assert!(keys <= seq);
            if keys > 0 {
                let newest = self.store.get(&cache, &self.slots[0], &key(keys), <[u8]>::to_vec).unwrap();
                assert_eq!(newest.as_deref(), Some([keys as u8; 4_000].as_slice()));
                assert!(snapshot.get(&self.slots[0], &key(keys + 1), |_| ()).unwrap().is_none());
            }
            snapshot.release();
            let after = self.disk.flushes();
            self.reads[0].fetch_add(1, Ordering::AcqRel);
            if before.begun == after.begun && after.ended < after.begun {
                self.reads[1].fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    fn close(&self, commits: u64) {
        self.store.probe_flushes(None);
        testing::close_threaded(&self.store).unwrap();
        let marks = self.store.marks();
        assert_eq!((marks.applied, marks.durable, marks.flushed), (commits, commits, commits));
    }
}

/// Runs `scene`, which must end.
fn without_deadlock(scene: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let running = thread::Builder::new().spawn(move || {
        scene();
        let _ = done.send(());
    });
    if let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(Duration::from_secs(100)) {
        panic!("it has come to a standstill");
    }
    running.unwrap().join().unwrap();
}

#[test]
fn on_a_slow_device_writers_go_in_order_within_the_bound_and_readers_do_not_notice() {
    without_deadlock(|| {
        let slow = Slow::open(Arc::new(SystemClock::new()));
        slow.slow_the_flusher();
        let (crowded, readers_end) = (AtomicU64::new(0), AtomicBool::new(false));
        let firsts = std::array::from_fn::<_, WRITERS, _>(|_| AtomicU64::new(0));
        let write = |index: usize| {
            let (owner, mut last) = (Owner::new(), 0);
            for round in 0..24 {
                crowded.fetch_add(u64::from(slow.store.marks().crowded), Ordering::Relaxed);
                begin(&slow.store, owner, true);
                let number = slow.commit(owner);
                assert!(number > last, "{index}: {number} after {last}");
                if round == 0 {
                    firsts[index].store(number, Ordering::Release);
                }
                last = number;
                slow.assert_bound();
                if round % 6 == 5 {
                    slow.store.wait(Level::Durable, number).unwrap();
                    assert!(slow.store.marks().durable >= number);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| slow.read_until(&readers_end));
            }
            let inside = Owner::new();
            slow.store.begin(inside, Stall::No).unwrap();
            let writers: Vec<_> = (0..WRITERS)
                .map(|index| {
                    let write = &write;
                    let writer = scope.spawn(move || write(index));
                    while testing::waiting_writers(&slow.store) <= index {
                        thread::yield_now();
                    }
                    writer
                })
                .collect();
            slow.store.abort(inside);
            let outcomes: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
            readers_end.store(true, Ordering::Release);
            for outcome in outcomes {
                outcome.unwrap();
            }
        });
        let firsts = firsts.each_ref().map(|number| number.load(Ordering::Acquire));
        assert!(firsts.is_sorted(), "who stood in line has kept its place: {firsts:?}");
        let [reads, during_flushes] = [0, 1].map(|kind| slow.reads[kind].load(Ordering::Acquire));
        let runs = slow.store.stats().flush_runs;
        slow.close(24 * WRITERS as u64);
        let flushes = slow.disk.flushes();
        println!(
            "{reads} reads, {during_flushes} of them during one of {} flushes; {} writers found it crowded; {runs} deltas",
            flushes.ended,
            crowded.load(Ordering::Relaxed),
        );
        assert!(crowded.load(Ordering::Relaxed) >= WRITERS as u64, "the store was hardly ever crowded");
        assert!(runs >= 3 && during_flushes >= runs, "{during_flushes} reads during {runs} flushes");
        assert_eq!(flushes.begun, flushes.ended);
    });
}

/// The test controls the time here, and makes it so fast that a flush of the store takes longer than a writer's patience.
#[test]
fn on_a_device_that_is_too_slow_writers_are_refused_at_their_limit_and_go_on_later() {
    without_deadlock(|| {
        let clock = SimClock::new(1_000);
        let slow = Slow::open(Arc::new(clock.clone()));
        let (refused, end) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !end.load(Ordering::Acquire) {
                    thread::sleep(Duration::from_millis(1));
                    // Time does not pass for the other limits, of the gate and of the journal's files.
                    let only_room_is_awaited =
                        testing::waiting_writers(&slow.store) == 0 && slow.inside.load(Ordering::Acquire) == 0;
                    if only_room_is_awaited && slow.store.marks().crowded {
                        clock.advance(Duration::from_millis(100));
                        slow.store.want(Level::Room, 0);
                    }
                }
            });
            let writers: Vec<_> = (0..WRITERS)
                .map(|_| {
                    scope.spawn(|| {
                        let owner = Owner::new();
                        for _ in 0..12 {
                            refused.fetch_add(begin(&slow.store, owner, false), Ordering::Relaxed);
                            slow.commit(owner);
                            slow.assert_bound();
                        }
                    })
                })
                .collect();
            let outcomes: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
            end.store(true, Ordering::Release);
            for outcome in outcomes {
                outcome.unwrap();
            }
        });
        slow.close(12 * WRITERS as u64);
        println!("{} refused", refused.load(Ordering::Relaxed));
        assert!(refused.load(Ordering::Relaxed) > 0, "nobody was refused");
    });
}
