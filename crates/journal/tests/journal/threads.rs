//! With the journal thread and other threads. Nothing here waits for time to pass: the test holds the flushes.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ledgerstone_format::Durability;
use ledgerstone_journal::{
    Error, FrameBuilder, FrameKind, Journal, JournalOptions, Led, Listener, OpKind, Poison, Stamp,
};
use ledgerstone_vfs::{OsVfs, SystemClock, Vfs, sim::Fault, sim::SimDisk, sim::SimOp};
use parking_lot::{Condvar, Mutex};

use crate::rig::{Commit, Rig, is_poisoned, store_id};

/// Counts calls and lets a test wait for them.
#[derive(Default)]
struct Calls {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Listener for Calls {
    fn advanced(&self) {
        *self.count.lock() += 1;
        self.changed.notify_all();
    }
}

impl Calls {
    /// Waits until `done`, which is checked after every call.
    fn wait_until(&self, mut done: impl FnMut() -> bool) {
        let mut count = self.count.lock();
        while !done() {
            self.changed.wait(&mut count);
        }
    }

    fn count(&self) -> u64 {
        *self.count.lock()
    }
}

fn roomy(seed: u64) -> (Rig, Arc<Calls>) {
    let rig = Rig::with(seed, JournalOptions::default());
    let calls = Arc::new(Calls::default());
    rig.journal.add_listener(Arc::clone(&calls) as Arc<dyn Listener>);
    (rig, calls)
}

#[test]
fn while_one_flush_runs_the_others_gather() {
    let (mut rig, calls) = roomy(1);
    rig.append_many(1).unwrap();
    rig.durable().unwrap();
    rig.journal.spawn().unwrap();
    let held = rig.disk.hold_syncs("journal-0");
    rig.append_many(1).unwrap();
    rig.journal.want(Durability::Durable, 2);
    assert!(held.wait_for(1));
    rig.append_many(100).unwrap();
    rig.journal.want(Durability::Durable, 102);
    assert_eq!(rig.journal.try_lead(102).unwrap(), Led::Busy, "the I/O mutex is held by the running flush");
    drop(held);
    calls.wait_until(|| rig.journal.durable() == 102);
    let stats = rig.journal.stats();
    assert_eq!((stats.groups, stats.flushes, stats.group_sizes[7]), (3, 3, 1));
    rig.journal.close().unwrap();
    assert_eq!(calls.count(), 3, "one call per group");
}

#[test]
fn what_nobody_waits_for_is_written_soon() {
    let (mut rig, calls) = roomy(1);
    rig.journal.spawn().unwrap();
    rig.append_many(3).unwrap();
    calls.wait_until(|| rig.journal.written() == 3);
    rig.append_many(3).unwrap();
    calls.wait_until(|| rig.journal.written() == 6);
    assert_eq!((rig.journal.durable(), rig.journal.stats().flushes), (0, 0));
    rig.journal.close().unwrap();
    assert_eq!(rig.journal.durable(), 6);
}

#[test]
fn a_hand_over_waits_for_one_flush_only() {
    let (mut rig, calls) = roomy(1);
    rig.append_many(1).unwrap();
    rig.durable().unwrap();
    rig.journal.spawn().unwrap();
    let held = rig.disk.hold_syncs("journal-0");
    rig.append_many(1).unwrap();
    rig.journal.want(Durability::Durable, 2);
    assert!(held.wait_for(1));
    rig.append_many(1).unwrap();
    let journal = Arc::clone(&rig.journal);
    let exiting = std::thread::Builder::new().spawn(move || journal.hand_over()).unwrap();
    held.pass_one();
    exiting.join().unwrap();
    assert_eq!((rig.journal.written(), rig.journal.durable()), (3, 2));
    drop(held);
    rig.journal.want(Durability::Durable, 3);
    calls.wait_until(|| rig.journal.durable() == 3);
    rig.journal.close().unwrap();
}

#[test]
fn a_failure_on_the_thread_reaches_everyone_once() {
    let (mut rig, calls) = roomy(1);
    while rig.journal.step().unwrap() {}
    rig.append_many(2).unwrap();
    rig.disk.fail_nth_named("journal-0", SimOp::Sync, 1, Fault::SyncFails);
    rig.journal.want(Durability::Durable, 2);
    rig.journal.spawn().unwrap();
    calls.wait_until(|| rig.poison.get().is_some());
    assert!(is_poisoned(&rig.journal.wait(Durability::Durable, 2)));
    assert!(is_poisoned(&rig.journal.close()));
    assert_eq!(calls.count(), 1);
    assert_eq!(rig.journal.durable(), 0);
}

#[test]
fn a_poison_from_elsewhere_is_announced_and_ends_the_thread() {
    let (rig, calls) = roomy(1);
    rig.journal.spawn().unwrap();
    rig.poison.set(Error::Internal("the flusher failed"));
    rig.journal.announce_poison();
    rig.journal.announce_poison();
    assert_eq!(calls.count(), 1);
    assert!(matches!(rig.journal.close(), Err(Error::Poisoned(_))));
}

/// Checked again before publishing (I5): a flush that ends after the store was poisoned acknowledges nothing.
#[test]
fn a_poison_from_elsewhere_during_a_flush_keeps_it_from_being_acknowledged() {
    let (mut rig, _calls) = roomy(1);
    rig.append_many(1).unwrap();
    rig.durable().unwrap();
    rig.append_many(1).unwrap();
    let held = rig.disk.hold_syncs("journal-0");
    let journal = Arc::clone(&rig.journal);
    let waiter = std::thread::Builder::new().spawn(move || journal.wait(Durability::Durable, 2)).unwrap();
    assert!(held.wait_for(1));
    rig.poison.set(Error::Internal("the flusher failed"));
    drop(held);
    assert!(is_poisoned(&waiter.join().unwrap()));
    assert_eq!(rig.journal.durable(), 1);
}

/// A disk whose writes panic after a while.
#[derive(Debug)]
struct Panicking(SimDisk, AtomicU64);

impl Vfs for Panicking {
    fn open(
        &self,
        path: &Path,
        how: ledgerstone_vfs::OpenHow,
    ) -> ledgerstone_vfs::Result<Arc<dyn ledgerstone_vfs::VfsFile>> {
        self.0.open(path, how)
    }
    fn read_dir(&self, path: &Path) -> ledgerstone_vfs::Result<Vec<std::ffi::OsString>> {
        self.0.read_dir(path)
    }
    fn create_dir_all(&self, path: &Path) -> ledgerstone_vfs::Result<()> {
        self.0.create_dir_all(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> ledgerstone_vfs::Result<()> {
        assert!(self.1.fetch_add(1, Ordering::Relaxed) == 0, "as planned by the test");
        self.0.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> ledgerstone_vfs::Result<()> {
        self.0.remove_file(path)
    }
    fn sync_dir(&self, path: &Path) -> ledgerstone_vfs::Result<()> {
        self.0.sync_dir(path)
    }
    fn exists(&self, path: &Path) -> ledgerstone_vfs::Result<bool> {
        self.0.exists(path)
    }
    fn try_lock(&self, path: &Path) -> ledgerstone_vfs::Result<Option<Box<dyn ledgerstone_vfs::FileLock>>> {
        self.0.try_lock(path)
    }

    fn try_lock_folder(&self, path: &Path) -> ledgerstone_vfs::Result<Option<Box<dyn ledgerstone_vfs::FileLock>>> {
        self.0.try_lock_folder(path)
    }
}

#[test]
fn a_panic_of_the_thread_poisons() {
    let mut rig = Rig::over(SimDisk::new(1), JournalOptions::default(), |disk| {
        Arc::new(Panicking(disk.clone(), AtomicU64::new(0)))
    });
    let calls = Arc::new(Calls::default());
    rig.journal.add_listener(Arc::clone(&calls) as Arc<dyn Listener>);
    rig.append_many(1).unwrap();
    rig.durable().unwrap();
    rig.journal.spawn().unwrap();
    // Preparing the next spare panics.
    calls.wait_until(|| rig.poison.get().is_some());
    assert!(matches!(rig.poison.get(), Some(Error::Internal(_))));
    assert!(is_poisoned(&rig.append(Commit::numbered(2, 1))));
    assert!(is_poisoned(&rig.journal.close()));
}

#[test]
fn a_removed_listener_is_not_called() {
    let (mut rig, calls) = roomy(1);
    let other = Arc::new(Calls::default());
    let id = rig.journal.add_listener(Arc::clone(&other) as Arc<dyn Listener>);
    rig.append_many(1).unwrap();
    rig.durable().unwrap();
    rig.journal.remove_listener(id);
    rig.append_many(1).unwrap();
    rig.durable().unwrap();
    assert_eq!((calls.count(), other.count()), (2, 1));
}

/// Eight threads commit and wait at every level on the real disk; the gate and the commit lock are one mutex here.
#[test]
fn many_threads_on_the_real_disk() {
    const EACH: u64 = 150;
    let dir = std::env::temp_dir().join(format!("ledgerstone-journal-threads-{}", std::process::id()));
    let (vfs, clock, poison) = (Arc::new(OsVfs), Arc::new(SystemClock::new()), Arc::new(Poison::new()));
    let options = JournalOptions { first_file_bytes: 64 << 10, max_file_bytes: 256 << 10, ..JournalOptions::default() };
    let journal = Journal::create(vfs, clock, &dir, store_id(), options, poison).unwrap();
    journal.spawn().unwrap();
    let gate = Mutex::new(0_u64);
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (journal, gate) = (&journal, &gate);
            scope.spawn(move || {
                for n in 0..EACH {
                    let mut frame =
                        FrameBuilder::new(FrameKind::Commit, 400, std::iter::once(&[7_u8; 200][..])).unwrap();
                    frame.op(OpKind::Put, 1, &n.to_le_bytes(), &[9; 100]).unwrap();
                    let mut last = gate.lock();
                    journal.reserve(frame.encoded_len()).unwrap();
                    let seq = *last + 1;
                    journal.append(frame, Stamp { seq, first_event_id: seq, timestamp_ms: 1 }).unwrap();
                    *last = seq;
                    drop(last);
                    journal.after_append();
                    match (thread + n) % 4 {
                        0 => journal.wait(Durability::Durable, seq).unwrap(),
                        1 => journal.wait(Durability::Written, seq).unwrap(),
                        2 => drop(journal.try_lead(seq).unwrap()),
                        _ => journal.want(Durability::Durable, seq),
                    }
                }
            });
        }
    });
    let stats = journal.stats();
    assert!(stats.groups <= 8 * EACH && stats.flushes <= stats.groups + stats.files, "{stats:?}");
    journal.close().unwrap();
    assert_eq!(journal.durable(), 8 * EACH);
    std::fs::remove_dir_all(&dir).unwrap();
}
