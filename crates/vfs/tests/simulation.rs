//! The simulation itself: where the power is cut, what a killed process leaves, that a seed replays, what is counted.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeSet, path::Path, thread};

use ledgerstone_vfs::{
    OpenHow, Result, Vfs,
    sim::{SimCounts, SimDisk},
    write_atomically,
};

/// A short history with every kind of operation; twelve of them.
fn history(disk: &SimDisk) -> Result<()> {
    disk.create_dir_all(Path::new("/s"))?;
    let file = disk.open(Path::new("/s/a"), OpenHow::CreateNew)?;
    file.write_all_at(&[1; 3_000], 0)?;
    file.sync_data()?;
    disk.sync_dir(Path::new("/s"))?;
    file.write_all_at(&[2; 3_000], 1_000)?;
    file.set_len(3_500)?;
    disk.open(Path::new("/s/b"), OpenHow::CreateNew)?.write_all_at(b"b", 0)?;
    disk.rename(Path::new("/s/b"), Path::new("/s/c"))?;
    disk.remove_file(Path::new("/s/c"))?;
    file.read_at(&mut [0; 10], 0)?;
    disk.read_dir(Path::new("/s")).map(drop)
}

fn files(disk: &SimDisk) -> Vec<(String, Vec<u8>)> {
    disk.list().into_iter().map(|path| (path.display().to_string(), disk.read_file(&path).unwrap())).collect()
}

#[test]
fn the_same_seed_replays_to_the_byte_and_another_does_not() {
    let run = |seed, cut| {
        let disk = SimDisk::new(seed);
        disk.cut_after(cut);
        history(&disk).unwrap_err();
        let after = disk.power_cut();
        (disk.trace_hash(), files(&after), files(&disk.power_cut()), after.power_cut().trace_hash())
    };
    let mut outcomes = BTreeSet::new();
    for seed in 0..40 {
        for cut in 0..12 {
            let once = run(seed, cut);
            assert_eq!(once, run(seed, cut), "seed {seed} cut {cut}");
            assert_eq!(once.1, once.2);
            outcomes.insert(once.1);
        }
    }
    assert!(outcomes.len() > 60, "{}", outcomes.len());
}

#[test]
fn the_trace_tells_histories_apart() {
    let hash = |path: &str, bytes: &[u8], offset| {
        let disk = SimDisk::new(1);
        disk.open(Path::new(path), OpenHow::CreateNew).unwrap().write_all_at(bytes, offset).unwrap();
        disk.trace_hash()
    };
    let zeros = vec![0; 10_000];
    let hashes =
        [hash("/a", b"x", 0), hash("/b", b"x", 0), hash("/a", b"y", 0), hash("/a", b"x", 1), hash("/a", &zeros, 0)];
    assert_eq!(BTreeSet::from(hashes).len(), hashes.len());
    assert_eq!(hash("/a", &zeros, 0), hash("/a", &zeros, 0));
    let disk = SimDisk::new(1);
    disk.record_trace();
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(disk.trace(), ["fsync / offset=0 len=0"]);
}

#[test]
fn from_the_cut_on_every_call_fails() {
    let whole = SimDisk::new(3);
    history(&whole).unwrap();
    assert_eq!(whole.operations(), 12);
    for cut in 0..12 {
        let disk = SimDisk::new(3);
        let file = disk.open(Path::new("/kept"), OpenHow::CreateNew).unwrap();
        disk.cut_after(cut);
        assert!(!disk.is_cut());
        let error = history(&disk).unwrap_err();
        assert!(error.to_string().contains("power cut"), "{error}");
        assert!(disk.is_cut());
        assert_eq!(disk.operations(), cut + 1, "counted from when it was ordered");
        let path = Path::new("/kept");
        let errors = [
            disk.open(path, OpenHow::Read).err(),
            disk.read_dir(Path::new("/")).err(),
            disk.create_dir_all(Path::new("/")).err(),
            disk.rename(path, path).err(),
            disk.remove_file(path).err(),
            disk.sync_dir(Path::new("/")).err(),
            disk.exists(path).err(),
            disk.try_lock(path).err(),
            file.len().err(),
            file.read_at(&mut [0], 0).err(),
            file.write_at(&[0], 0).err(),
            file.set_len(0).err(),
            file.sync_data().err(),
        ];
        assert!(errors.iter().all(|error| error.as_ref().is_some_and(|error| error.to_string().contains("power cut"))));
    }
}

#[test]
fn the_operation_in_which_the_power_goes_happens_or_not_or_in_part() {
    let mut written = BTreeSet::new();
    let mut renamed = BTreeSet::new();
    for seed in 0..60 {
        let disk = SimDisk::new(seed);
        let file = disk.open(Path::new("/a"), OpenHow::CreateNew).unwrap();
        disk.cut_after(0);
        file.write_at(&[1; 1_000], 0).unwrap_err();
        written.insert(disk.read_file("/a").unwrap().len());
        let disk = SimDisk::new(seed);
        disk.write_file("/a", b"");
        disk.cut_after(0);
        disk.rename(Path::new("/a"), Path::new("/b")).unwrap_err();
        renamed.insert(disk.list());
    }
    assert!(written.contains(&0) && written.contains(&1_000) && written.len() > 5, "{written:?}");
    assert_eq!(renamed, BTreeSet::from([vec!["/a".into()], vec!["/b".into()]]));
}

#[test]
fn a_killed_process_loses_its_locks_and_nothing_else() {
    let disk = SimDisk::new(4);
    let _lock = disk.try_lock(Path::new("/lock")).unwrap().unwrap();
    let file = disk.open(Path::new("/a"), OpenHow::CreateNew).unwrap();
    file.write_all_at(b"unflushed", 0).unwrap();
    disk.remove_file(Path::new("/a")).unwrap();
    disk.open(Path::new("/b"), OpenHow::CreateNew).unwrap().write_all_at(b"too", 0).unwrap();
    let after = disk.crash();
    assert_eq!(files(&after), [("/b".into(), b"too".to_vec()), ("/lock".into(), vec![])]);
    assert_eq!((disk.used_bytes(), after.used_bytes()), (12, 3), "only the living hold removed files");
    assert!(after.try_lock(Path::new("/lock")).unwrap().is_some());
    assert!(disk.try_lock(Path::new("/lock")).unwrap().is_none(), "the disk left behind is not changed");
    assert!((0..100).any(|seed| after.power_cut_seeded(seed).list().is_empty()), "written is not yet durable");
    after.open(Path::new("/b"), OpenHow::ReadWrite).unwrap().write_all_at(b"TOO", 0).unwrap();
    assert_eq!(disk.read_file("/b").unwrap(), b"too");
    assert!(disk.power_cut().try_lock(Path::new("/lock")).unwrap().is_some());
}

#[test]
fn what_is_found_after_a_cut_is_durable() {
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        disk.cut_after(seed % 12);
        history(&disk).unwrap_err();
        let found = disk.power_cut();
        assert!((0..5).all(|again| files(&found.power_cut_seeded(again)) == files(&found)));
        let before = files(&found);
        let lock = found.try_lock(Path::new("/lock")).unwrap();
        assert!(lock.is_some());
        write_atomically(&found, Path::new("/new"), b"works").unwrap();
        assert_eq!(found.power_cut().read_file("/new").unwrap(), b"works");
        let others = files(&found.power_cut()).into_iter().filter(|(path, _)| path != "/new" && path != "/lock");
        assert_eq!(others.collect::<Vec<_>>(), before);
    }
}

#[test]
fn calls_are_counted() {
    let disk = SimDisk::new(5);
    history(&disk).unwrap();
    let counts = SimCounts {
        calls: 14,
        reads: 1,
        writes: 3,
        syncs: 1,
        dir_syncs: 2,
        renames: 1,
        bytes_written: 6_001,
        bytes_read: 10,
        place_checks: 0,
    };
    assert_eq!(disk.counts(), counts);
    assert_eq!((disk.syncs_of("a"), disk.syncs_of("b"), disk.syncs_of("")), (1, 0, 1));
    assert_eq!(disk.power_cut().counts(), SimCounts::default());
}

#[test]
fn a_flush_covers_what_was_written_before_it_began() {
    let disk = SimDisk::new(6);
    disk.write_file("/a", &[0; 1_024]);
    let file = disk.open(Path::new("/a"), OpenHow::ReadWrite).unwrap();
    file.write_all_at(&[1; 512], 0).unwrap();
    let held = disk.hold_syncs("a");
    thread::scope(|scope| {
        let flush = scope.spawn(|| file.sync_data());
        assert!(held.wait_for(1));
        file.write_all_at(&[2; 512], 512).unwrap();
        assert!(!flush.is_finished());
        held.pass_one();
        flush.join().unwrap().unwrap();
        assert_eq!(held.waiting(), 0);
    });
    let found: BTreeSet<(u8, u8)> = (0..100)
        .map(|seed| disk.power_cut_seeded(seed).read_file("/a").unwrap())
        .map(|bytes| (bytes[0], bytes[1_023]))
        .collect();
    assert!(found.iter().all(|(first, _)| *first == 1));
    assert!(found.contains(&(1, 0)) && found.contains(&(1, 2)), "{found:?}");
    thread::scope(|scope| {
        let flushes = [scope.spawn(|| file.sync_data()), scope.spawn(|| file.sync_data())];
        assert!(held.wait_for(2));
        drop(held);
        assert!(flushes.into_iter().all(|flush| flush.join().unwrap().is_ok()));
    });
    assert_eq!(disk.power_cut().read_file("/a").unwrap(), [[1; 512], [2; 512]].concat());
}

#[test]
fn a_flush_that_waits_when_the_power_goes_fails() {
    let disk = SimDisk::new(7);
    let file = disk.open(Path::new("/a"), OpenHow::CreateNew).unwrap();
    let held = disk.hold_syncs("");
    thread::scope(|scope| {
        let flush = scope.spawn(|| file.sync_data());
        assert!(held.wait_for(1));
        disk.cut_after(0);
        file.write_at(b"x", 0).unwrap_err();
        drop(held);
        assert!(flush.join().unwrap().is_err());
    });
}
