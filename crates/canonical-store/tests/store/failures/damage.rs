//! One flipped bit in every byte of a small store's files: correct data or a documented error, never a panic, never a wrong
//! value, and a refused opening changes nothing (I10).

use std::{collections::BTreeMap, path::PathBuf};

use ledgerstone_canonical_store::{Error, Level, testing::close_stepped};
use ledgerstone_vfs::sim::{SimClock, SimDisk};

use crate::failures::rig::Rig;

/// The files of a process that died: three commits flushed, and three more in the journal, each durable.
fn killed() -> SimDisk {
    let rig = Rig::stepped();
    rig.commits(3);
    rig.flush();
    for _ in 0..3 {
        let seq = rig.commit().unwrap();
        rig.store.wait(Level::Durable, seq).unwrap();
    }
    rig.disk.crash()
}

/// The same after a clean close.
fn closed() -> SimDisk {
    let rig = Rig::open(killed(), SimClock::new(2_000), false).unwrap();
    close_stepped(&rig.store).unwrap();
    rig.disk.crash()
}

fn files(disk: &SimDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let named = |path: PathBuf| disk.read_file(&path).map(|bytes| (path, bytes));
    disk.list().into_iter().filter_map(named).filter(|(path, _)| !path.ends_with("LOCK.owner")).collect()
}

/// Opens the damaged store; returns its number of commits.
fn open(disk: &SimDisk) -> Result<u64, Error> {
    let before = files(disk);
    let opened = Rig::open(disk.clone(), SimClock::new(3_000), false);
    let rig = match opened {
        Ok(rig) => rig,
        Err(error) => {
            assert_eq!(files(disk), before, "an opening that was refused changed files: {error}");
            return Err(error);
        }
    };
    let applied = rig.store.marks().applied;
    rig.try_content(applied)?;
    // The remaining data can be built on.
    rig.commits(1);
    rig.flush();
    rig.assert_content(applied + 1);
    Ok(applied)
}

fn is_documented(error: &Error) -> bool {
    matches!(error.code(), "ERR_CORRUPT" | "ERR_FORMAT")
}

/// Flips a bit of every byte of the files whose path contains `name`, up to 32 bytes after the last one that is not zero; in
/// sectors of zeros, of every 64th byte.
fn flip_all(disk: &SimDisk, name: &str, mut judge: impl FnMut(&PathBuf, usize, Result<u64, Error>)) {
    let mut flipped = 0;
    for (path, bytes) in files(disk) {
        if !path.to_string_lossy().contains(name) {
            continue;
        }
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| (last + 32).min(bytes.len()));
        for offset in 0..end {
            let page_of_zeros = bytes[offset - offset % 512..].iter().take(512).all(|byte| *byte == 0);
            if page_of_zeros && offset % 64 != 0 {
                continue;
            }
            let damaged = disk.crash();
            assert!(damaged.flip(&path, offset as u64, 1 << (offset % 8)));
            judge(&path, offset, open(&damaged));
            flipped += 1;
        }
    }
    assert!(flipped > 30, "{name}: only {flipped} bytes");
}

#[test]
fn a_flipped_identity_is_refused() {
    for disk in [killed(), closed()] {
        flip_all(&disk, "IDENTITY", |path, offset, outcome| {
            let error = outcome.expect_err("a damaged identity was believed");
            assert!(is_documented(&error), "{} {offset}: {error}", path.display());
        });
    }
}

#[test]
fn a_flipped_clean_mark_is_a_witness_less() {
    flip_all(&closed(), "CLEAN", |path, offset, outcome| {
        assert_eq!(outcome.unwrap(), 6, "{} {offset}", path.display());
    });
}

#[test]
fn a_flipped_journal_loses_nothing_silently_but_the_group_that_nobody_saw_flushed() {
    let mut refused = 0;
    flip_all(&killed(), "/journal/", |path, offset, outcome| match outcome {
        // The very last group has no witness until something is written after it (I6).
        Ok(applied) => assert!((5..=6).contains(&applied), "{} {offset}: {applied}", path.display()),
        Err(error) => {
            assert!(is_documented(&error), "{} {offset}: {error}", path.display());
            refused += 1;
        }
    });
    assert!(refused > 100, "the frames that were seen durable are not watched: {refused}");
    flip_all(&closed(), "/journal/", |path, offset, outcome| match outcome {
        Ok(applied) => assert_eq!(applied, 6, "{} {offset}", path.display()),
        Err(error) => assert!(is_documented(&error), "{} {offset}: {error}", path.display()),
    });
}

#[test]
fn a_flipped_segment_never_shows_a_wrong_event() {
    for disk in [killed(), closed()] {
        flip_all(&disk, "/events/", |path, offset, outcome| match outcome {
            Ok(applied) => assert_eq!(applied, 6, "{} {offset}", path.display()),
            Err(error) => assert!(is_documented(&error), "{} {offset}: {error}", path.display()),
        });
    }
}

#[test]
fn files_cut_at_every_length_are_refused_or_right() {
    let disk = closed();
    for name in ["IDENTITY", "CLEAN"] {
        let path = PathBuf::from("/store").join(name);
        let whole = disk.read_file(&path).unwrap();
        for len in 0..whole.len() {
            let damaged = disk.crash();
            damaged.write_file(&path, &whole[..len]);
            match (name, open(&damaged)) {
                ("CLEAN", outcome) => assert_eq!(outcome.unwrap(), 6, "{len}"),
                (_, Ok(_)) => panic!("an identity of {len} bytes was believed"),
                (_, Err(error)) => assert!(is_documented(&error), "{len}: {error}"),
            }
        }
    }
}

#[test]
fn a_missing_file_is_damage_where_data_was_promised() {
    let mut missed = 0;
    for (disk, name) in [(killed(), "/journal/journal-0"), (killed(), "/events/"), (killed(), "/IDENTITY")] {
        for (path, bytes) in files(&disk) {
            // A file that was prepared and never used is not needed.
            if !path.to_string_lossy().contains(name) || bytes.iter().all(|byte| *byte == 0) {
                continue;
            }
            let damaged = disk.crash();
            ledgerstone_vfs::Vfs::remove_file(&damaged, &path).unwrap();
            match open(&damaged) {
                // The last file holds the last group only, which has no witness.
                Ok(applied) => assert!(applied == 5 && name.contains("journal"), "{}: {applied}", path.display()),
                Err(error) => {
                    assert_eq!(error.code(), "ERR_CORRUPT", "{}: {error}", path.display());
                    missed += 1;
                }
            }
        }
    }
    assert_eq!(missed, 3, "the first journal file, the segment, the identity");
}
