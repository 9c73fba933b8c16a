//! A process that opens damaged files, so that a crash of LMDB is recognised.

use std::{env, ops::Range, path::Path, process::Command};

use ledgerstone_canonical_store::testing::verify_state_file;
use ledgerstone_vfs::OsVfs;

use crate::{
    copies::copy,
    page_walk::history::{Expected, History, Random},
    page_walk::mutation,
    support::TempDir,
};

const ARGUMENT: &str = "LEDGERSTONE_PAGE_WALK_CHILD";
pub(crate) const DATA_FILE: &str = "state/data.mdb";

/// Damages the store in `folder` by each seed of the range, in another process; returns how many damaged files passed the walk.
pub(crate) fn survivors(folder: &Path, seeds: &Range<u64>) -> u64 {
    let told = tell_child(format!("{}\n{}\n{}", folder.display(), seeds.start, seeds.end));
    told.lines().find_map(|line| line.strip_prefix("survivors ")).unwrap().parse().unwrap()
}

/// Uses the store in `folder` with this data file, in another process.
pub(crate) fn use_damaged(folder: &Path, data_file: &Path) {
    tell_child(format!("{}\n{}", folder.display(), data_file.display()));
}

fn tell_child(argument: String) -> String {
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "page_walk::child::the_other_process", "--nocapture"])
        .env(ARGUMENT, argument)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success(), "{}: {told}{}", child.status, String::from_utf8_lossy(&child.stderr));
    told
}

#[test]
fn the_other_process() {
    let Ok(argument) = env::var(ARGUMENT) else { return };
    let parts: Vec<&str> = argument.lines().collect();
    let folder = Path::new(parts[0]);
    let sound = std::fs::read(folder.join(DATA_FILE)).unwrap();
    let dir = TempDir::new("survivor");
    let untouched = dir.path().join("untouched");
    copy(folder, &untouched);
    let expected = History::reopen(&untouched, Random(0), Expected::default()).read().unwrap();
    let probe = dir.path().join("probe.mdb");
    let mut survivors = 0;
    let mut look = |seed: u64, damaged: &[u8]| {
        std::fs::write(&probe, damaged).unwrap();
        if damaged == sound || !verify_state_file(&OsVfs, &probe).unwrap().is_ok() {
            return;
        }
        // If this process dies, the last line shows the cause.
        println!("seed {seed}: {}", mutation::difference(&sound, damaged));
        let path = dir.path().join(format!("survivor-{seed}"));
        copy(folder, &path);
        std::fs::write(path.join(DATA_FILE), damaged).unwrap();
        use_store(&path, seed, &expected);
        std::fs::remove_dir_all(path).unwrap();
        survivors += 1;
    };
    match *parts {
        [_, file] => look(0, &std::fs::read(file).unwrap()),
        [_, start, end] => {
            for seed in start.parse().unwrap()..end.parse().unwrap() {
                look(seed, &mutation::apply(&sound, &mut Random(seed)));
            }
        }
        _ => panic!("{argument}"),
    }
    println!("survivors {survivors}");
    assert!(parts.len() > 2 || survivors == 1, "what was not noticed one by one is noticed at once");
}

/// Reads everything, changes much, and reads again: all data must be correct, since the walk has verified it.
fn use_store(path: &Path, seed: u64, expected: &Expected) {
    let mut history = History::reopen(path, Random(seed), expected.clone());
    assert_eq!(history.read().unwrap(), history.expected, "seed {seed}");
    for _ in 0..2 {
        history.change(300);
        history.flush();
    }
    assert_eq!(history.read().unwrap(), history.expected, "seed {seed}, changed");
    history.close();
    let report = verify_state_file(&OsVfs, &path.join(DATA_FILE)).unwrap();
    assert!(report.is_ok(), "seed {seed}, changed: {:?}", report.problems);
}
