//! The cost of a commit, counted: flushes and writes, never time.

use std::sync::Arc;

use ledgerstone_format::Durability;
use ledgerstone_journal::{JournalOptions, Led, Listener, WrittenGroup};
use ledgerstone_vfs::sim::SimDisk;
use parking_lot::Mutex;

use crate::rig::{Commit, Rig};

fn roomy() -> JournalOptions {
    JournalOptions { first_file_bytes: 4 << 20, ..JournalOptions::default() }
}

/// Flushes of files in use or in the pool; those of files in the making have another name.
fn syncs(disk: &SimDisk) -> u64 {
    disk.syncs_of("journal-0")
}

#[test]
fn n_durable_commits_one_after_another_are_n_flushes() {
    let mut rig = Rig::with(1, roomy());
    for n in 1..=50 {
        rig.append(Commit::numbered(n, 100)).unwrap();
        rig.durable().unwrap();
        assert_eq!((syncs(&rig.disk), rig.journal.stats().flushes, rig.journal.durable()), (n, n, n));
    }
    assert_eq!(rig.journal.stats().group_sizes[1], 50);
    assert_eq!(rig.disk.counts().place_checks, 50, "whether the file is still there is asked once for each group");
}

#[test]
fn a_turn_of_256_commits_is_one_write_and_one_flush() {
    let mut rig = Rig::with(1, roomy());
    rig.append_many(256).unwrap();
    let writes = rig.disk.counts().writes;
    rig.durable().unwrap();
    assert_eq!(rig.disk.counts().writes, writes + 1);
    let stats = rig.journal.stats();
    assert_eq!((syncs(&rig.disk), stats.flushes, stats.groups, stats.group_sizes[9]), (1, 1, 1, 1));
}

#[test]
fn what_nobody_wants_durable_is_written_and_not_flushed() {
    let mut rig = Rig::with(1, roomy());
    rig.append_many(10).unwrap();
    assert!(rig.journal.step().unwrap());
    rig.journal.wait(Durability::Written, 10).unwrap();
    assert_eq!(rig.disk.counts().place_checks, 1);
    rig.journal.hand_over();
    assert_eq!((rig.journal.written(), rig.journal.durable(), syncs(&rig.disk)), (10, 0, 0));
    rig.journal.want(Durability::Durable, 4);
    assert!(rig.journal.step().unwrap());
    assert_eq!((rig.journal.durable(), syncs(&rig.disk)), (10, 1));
    while rig.journal.step().unwrap() {}
    assert_eq!(syncs(&rig.disk), 1, "an idle journal does not flush");
}

#[test]
fn a_wait_for_what_is_there_costs_nothing() {
    let mut rig = Rig::with(1, roomy());
    rig.append_many(3).unwrap();
    rig.durable().unwrap();
    let operations = rig.disk.operations();
    rig.durable().unwrap();
    rig.journal.wait(Durability::Written, 2).unwrap();
    assert_eq!(rig.journal.try_lead(3).unwrap(), Led::Done);
    assert_eq!(rig.disk.operations(), operations);
}

#[test]
fn a_leader_flushes_once() {
    let mut rig = Rig::with(1, roomy());
    rig.append_many(3).unwrap();
    assert_eq!(rig.journal.try_lead(2).unwrap(), Led::Done);
    assert_eq!((rig.journal.durable(), syncs(&rig.disk)), (3, 1));
}

#[test]
fn a_group_over_two_files_flushes_the_one_it_leaves() {
    let mut rig = Rig::new(1);
    rig.append(Commit::numbered(1, 9000)).unwrap();
    rig.append(Commit::numbered(2, 9000)).unwrap();
    rig.disk.record_trace();
    rig.durable().unwrap();
    let calls = rig.disk.trace();
    let of = |number: u64, call: &str| {
        calls.iter().position(|line| line.contains(&format!("journal-{number:020}.wal")) && line.contains(call))
    };
    let (left, entered) = (of(1, "sync"), of(2, "write"));
    assert!(left.is_some() && left < entered, "I4: {calls:?}");
    assert_eq!((rig.journal.stats().flushes, rig.journal.stats().files), (2, 2));
}

/// Flushed pages are never written again: a torn sector cannot touch acknowledged frames.
#[test]
fn every_group_begins_on_a_fresh_page() {
    let mut rig = Rig::with(1, roomy());
    let mut pages = Vec::new();
    for _ in 1..=5 {
        rig.append_many(2).unwrap();
        rig.durable().unwrap();
        pages.push(rig.journal.end().position.unwrap().offset / 4096);
    }
    assert_eq!(pages, [1, 2, 3, 4, 5]);
    assert_eq!(rig.journal.stats().bytes_written, 6 * 4096, "header page and five groups");
}

/// Keeps the reports that it gets.
#[derive(Default)]
struct Groups(Mutex<Vec<WrittenGroup>>);

impl Listener for Groups {
    fn advanced(&self) {}

    fn wrote(&self, group: &WrittenGroup) {
        self.0.lock().push(*group);
    }
}

#[test]
fn each_group_is_told_once_with_what_it_is_and_a_flush_alone_is_none() {
    let mut rig = Rig::with(1, JournalOptions { first_file_bytes: 64 << 10, max_file_bytes: 64 << 10, ..roomy() });
    let groups = Arc::new(Groups::default());
    rig.journal.add_listener(Arc::clone(&groups) as Arc<dyn Listener>);
    for _ in 0..20 {
        rig.append_many(30).unwrap();
        rig.journal.wait(Durability::Written, rig.next_seq() - 1).unwrap();
        rig.durable().unwrap(); // a flush without a group
        rig.append_many(30).unwrap();
        rig.durable().unwrap();
    }
    let groups = groups.0.lock();
    let stats = rig.journal.stats();
    assert_eq!((groups.len() as u64, stats.groups), (40, 40));
    assert!(rig.journal.stats().files > 1, "some groups span two files");
    assert_eq!(groups.iter().map(|group| group.bytes).sum::<u64>(), stats.bytes_written);
    for (n, group) in groups.iter().enumerate() {
        assert_eq!((group.last_seq, group.commits, group.is_durable), (30 * (n as u64 + 1), 30, n % 2 == 1));
    }
}

/// Bug: commits were acknowledged for ever into a file whose path led elsewhere.
#[test]
fn a_group_in_a_file_that_is_gone_is_not_told_and_poisons() {
    let mut rig = Rig::with(1, roomy());
    rig.append_many(2).unwrap();
    rig.durable().unwrap();
    let files: Vec<_> =
        rig.disk.list().into_iter().filter(|path| path.extension().is_some_and(|it| it == "wal")).collect();
    for file in files {
        ledgerstone_vfs::Vfs::remove_file(&rig.disk, &file).unwrap();
    }
    rig.append_many(1).unwrap();
    assert!(rig.durable().is_err());
    assert_eq!(rig.journal.durable(), 2);
    let error = rig.journal.reserve(100).unwrap_err();
    assert!(error.to_string().contains("was removed, renamed or replaced"), "{error}");
}
