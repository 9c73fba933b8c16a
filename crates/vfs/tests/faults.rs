//! Planned failures of calls, a device that is full, bits that rot.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{path::Path, sync::Arc};

use ledgerstone_vfs::{
    OpenHow, Vfs, VfsFile,
    sim::{Fault, Incident, Mishap, SimDisk, SimOp},
};

fn create(disk: &SimDisk, path: &str) -> Arc<dyn VfsFile> {
    disk.open(Path::new(path), OpenHow::CreateNew).unwrap()
}

#[test]
fn the_nth_call_of_its_kind_fails_and_only_that() {
    let disk = SimDisk::new(1);
    let file = create(&disk, "/a");
    disk.fail_nth(SimOp::Sync, 2, Fault::Io);
    disk.fail_nth(SimOp::Read, 1, Fault::Io);
    file.sync_data().unwrap();
    file.write_all_at(b"x", 0).unwrap();
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
    assert_eq!(file.read_at(&mut [0], 0).unwrap_err().syscall, "pread");
    assert_eq!(file.read_at(&mut [0], 0).unwrap(), 1);
}

#[test]
fn every_kind_of_call_can_fail_and_then_has_not_happened() {
    let disk = SimDisk::new(2);
    disk.write_file("/d/a", b"old");
    let file = disk.open(Path::new("/d/a"), OpenHow::ReadWrite).unwrap();
    let path = Path::new("/d/a");
    let calls: [(SimOp, &dyn Fn() -> Option<ledgerstone_vfs::FileError>); 8] = [
        (SimOp::Open, &|| disk.open(path, OpenHow::Read).err()),
        (SimOp::List, &|| disk.read_dir(Path::new("/d")).err()),
        (SimOp::Create, &|| disk.open(path, OpenHow::CreateNew).err()),
        (SimOp::Create, &|| disk.create_dir_all(Path::new("/e")).err()),
        (SimOp::Create, &|| disk.try_lock(Path::new("/lock")).err()),
        (SimOp::Rename, &|| disk.rename(path, Path::new("/b")).err()),
        (SimOp::Remove, &|| disk.remove_file(path).err()),
        (SimOp::SetLen, &|| file.set_len(1).err()),
    ];
    for (number, (op, call)) in calls.iter().enumerate() {
        for op in [*op, SimOp::Any] {
            disk.fail_nth(op, 1, Fault::Io);
            let error = call().unwrap_or_else(|| panic!("call {number} went through"));
            assert!(!error.is_no_space() && !error.is_not_found(), "{error}");
        }
    }
    assert_eq!(disk.list(), [path]);
    assert_eq!(disk.read_file(path).unwrap(), b"old");
    assert!(!disk.exists(Path::new("/e")).unwrap());
}

#[test]
fn a_failed_write_leaves_a_beginning_of_its_bytes_at_most() {
    let lengths: std::collections::BTreeSet<usize> = (0..50)
        .map(|seed| {
            let disk = SimDisk::new(seed);
            let file = create(&disk, "/a");
            disk.fail_nth(SimOp::Write, 1, Fault::Io);
            assert!(file.write_at(&[1; 1_000], 0).is_err());
            let found = disk.read_file("/a").unwrap();
            assert!(found.iter().all(|byte| *byte == 1));
            found.len()
        })
        .collect();
    assert!(lengths.contains(&0) && lengths.contains(&1_000) && lengths.len() > 5, "{lengths:?}");
}

#[test]
fn a_short_write_says_how_short_and_writing_all_goes_on_behind_it() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let file = create(&disk, "/a");
        disk.fail_nth(SimOp::Write, 1, Fault::ShortWrite);
        let written = file.write_at(&[1; 1_000], 0).unwrap();
        assert!((1..1_000).contains(&written));
        assert_eq!(disk.read_file("/a").unwrap().len(), written);
        disk.fail_nth(SimOp::Any, 1, Fault::ShortWrite);
        file.write_all_at(&[2; 1_000], 0).unwrap();
        assert_eq!(disk.read_file("/a").unwrap(), [2; 1_000]);
        disk.fail_nth(SimOp::Read, 1, Fault::ShortWrite);
        let mut bytes = [0; 1_000];
        assert!((1..1_000).contains(&file.read_at(&mut bytes, 0).unwrap()));
        disk.fail_nth(SimOp::Write, 1, Fault::ShortWrite);
        assert_eq!(file.write_at(&[3], 0).unwrap(), 1, "never none");
    }
}

#[test]
fn faults_can_be_bound_to_names_and_last_until_they_are_cleared() {
    let disk = SimDisk::new(3);
    let (journal, events) = (create(&disk, "/journal-1.wal"), create(&disk, "/events-1.log"));
    disk.fail_nth_named("events-", SimOp::Sync, 1, Fault::Io);
    journal.sync_data().unwrap();
    assert!(events.sync_data().is_err());
    events.sync_data().unwrap();
    disk.fail_from("journal-", SimOp::Write, 2, Fault::NoSpace);
    journal.write_all_at(b"x", 0).unwrap();
    for _ in 0..3 {
        let error = journal.write_at(b"y", 0).unwrap_err();
        assert!(error.is_no_space());
        assert_eq!((error.syscall, error.path.as_path()), ("pwrite", Path::new("/journal-1.wal")));
        events.write_all_at(b"y", 0).unwrap();
    }
    assert_eq!(disk.read_file("/journal-1.wal").unwrap(), b"x", "nothing of a write without space");
    disk.clear_faults();
    journal.write_all_at(b"y", 0).unwrap();
}

#[test]
fn a_full_disk_takes_what_fits_and_heals_when_space_is_freed() {
    let disk = SimDisk::new(4);
    let (a, b) = (create(&disk, "/a"), create(&disk, "/b"));
    disk.set_capacity(Some(1_000));
    a.write_all_at(&[1; 600], 0).unwrap();
    assert_eq!(b.write_at(&[2; 600], 0).unwrap(), 400);
    assert!(b.write_at(&[2; 200], 400).unwrap_err().is_no_space());
    assert!(b.write_all_at(&[2], 5_000).unwrap_err().is_no_space());
    assert!(b.set_len(401).unwrap_err().is_no_space());
    a.write_all_at(&[3; 600], 0).unwrap();
    assert_eq!(b.write_at(&[4; 600], 200).unwrap(), 200, "what is there can be written over");
    assert_eq!(disk.used_bytes(), 1_000);
    disk.remove_file(Path::new("/a")).unwrap();
    assert!(b.write_at(&[2; 200], 400).unwrap_err().is_no_space(), "an open file keeps its space");
    drop(a);
    b.write_all_at(&[2; 600], 400).unwrap();
    disk.set_capacity(None);
    b.write_all_at(&[2; 600], 1_000).unwrap();
    assert_eq!((disk.used_bytes(), disk.crash().used_bytes()), (1_600, 1_600));
}

#[test]
fn a_flipped_bit_stays() {
    let disk = SimDisk::new(5);
    disk.write_file("/a", &[0; 600]);
    assert!(disk.flip("/a", 599, 0b100));
    assert!(!disk.flip("/a", 600, 1) && !disk.flip("/b", 0, 1));
    let expected = [[0; 599].as_slice(), &[4]].concat();
    assert_eq!(disk.read_file("/a").unwrap(), expected);
    assert_eq!(disk.power_cut().read_file("/a").unwrap(), expected);
    assert!(disk.flip("/a", 599, 0b100));
    assert_eq!(disk.read_file("/a").unwrap(), [0; 600]);
}

#[test]
fn a_disk_tells_what_befell_which_calls() {
    let disk = SimDisk::new(9);
    let file = create(&disk, "/a");
    disk.fail_nth(SimOp::Sync, 1, Fault::SyncFails);
    assert!(file.sync_data().is_err());
    disk.set_capacity(Some(1));
    assert!(disk.has_capacity());
    assert_eq!(file.write_at(b"xyz", 0).unwrap(), 1);
    assert!(file.set_len(9).is_err());
    disk.set_capacity(None);
    disk.cut_after(0);
    assert!(disk.remove_file(Path::new("/a")).is_err());
    let expected = [
        (SimOp::Sync, Mishap::Failed(Fault::SyncFails)),
        (SimOp::Write, Mishap::NoRoom),
        (SimOp::SetLen, Mishap::NoRoom),
        (SimOp::Remove, Mishap::PowerCut),
    ];
    assert_eq!(disk.take_incidents(), expected.map(|(op, mishap)| Incident { op, mishap }));
    assert!(disk.take_incidents().is_empty());
    let other = SimDisk::new(10);
    other.cut_now();
    assert!(other.is_cut() && other.open(Path::new("/a"), OpenHow::CreateNew).is_err());
}
