//! Two histories of one store: a folder is copied, both copies are written to, and a journal file of one ends up in the other,
//! as after a careless restore. Every frame of that file verifies; only the chain shows it.

use std::path::{Path, PathBuf};

use ledgerstone_canonical_store::{
    Error, GateEntry, Level, OpenOptions, Owner,
    testing::{WriteSet, open_simulated},
};
use ledgerstone_vfs::sim::{SimClock, SimDisk};

use super::chance::Chance;

const PATH: &str = "/store";

/// Commits of these sizes, each durable; then the process dies.
fn write(disk: &SimDisk, clock: &SimClock, sizes: &[usize], byte: u8) -> Result<SimDisk, Error> {
    let store = open_simulated(disk, clock, Path::new(PATH), &OpenOptions::default())?;
    for size in sizes {
        let set = WriteSet::default().event(&vec![byte; *size]);
        let seq = store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &[])?.seq;
        store.wait(Level::Durable, seq)?;
    }
    Ok(disk.crash())
}

fn journal_files(disk: &SimDisk) -> Vec<PathBuf> {
    disk.list().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "wal")).collect()
}

/// The result of opening the mixture. `None`: the two have no file of the same name and place that could be confused.
pub(crate) fn open_a_mixture(seed: u64) -> Option<Result<u64, Error>> {
    let mut chance = Chance::new(seed);
    let clock = SimClock::new(1_000);
    let mut sizes = |count: u64| (0..count).map(|_| 1_000 + chance.below(3_000) as usize).collect::<Vec<_>>();
    let (before, after) = (sizes(3), sizes(14));
    let disk = write(&SimDisk::new(seed), &clock, &before, b'0').unwrap();
    let histories = [b'a', b'b'].map(|byte| {
        clock.advance(std::time::Duration::from_nanos(1));
        write(&disk.crash(), &clock, &after, byte).unwrap()
    });
    let [ours, theirs] = histories;
    // The first files may be from before the fork, and a whole history since the fork is valid.
    let (our_files, their_files) = (journal_files(&ours), journal_files(&theirs));
    let mistaken = our_files.iter().rev().find(|path| their_files.contains(path))?;
    ours.write_file(mistaken, &theirs.read_file(mistaken)?);
    let opened = open_simulated(&ours, &clock, Path::new(PATH), &OpenOptions::default());
    Some(opened.map(|store| store.marks().applied))
}
