//! A store's life on a simulated disk: random work, an ending at a random moment, recovery that may itself be interrupted, and
//! a comparison with the model. One number replays a run: `LEDGERSTONE_SEED=n cargo test -p ledgerstone-journal one_seed`; half
//! of the seeds are fresh in each run (see `Seeds`).

use std::sync::Arc;

use ledgerstone_format::Durability;
use ledgerstone_journal::Error;
use ledgerstone_vfs::{
    Vfs,
    sim::{Fault, Seeds, SimDisk, SimOp},
};

use crate::{
    rig::{Commit, RecoveryError, Rig, is_poisoned, small_files},
    saboteur::{Sabotage, Saboteur},
};

/// Known and fresh ones.
const SEEDS: (u64, u64) = (500, 500);
/// A planted fault must be found within this many seeds.
const PLANTED_SEEDS: u64 = 1000;

/// Deterministic and separate, so that no dependency changes its sequence.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF1)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What a run has seen, so that a test can check that it was not idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    cuts: u64,
    poisonings: u64,
    refusals: u64,
    torn_tails: u64,
    interrupted_recoveries: u64,
    files_recycled: u64,
    frames_copied: u64,
    shrunk: u64,
    trace_hash: u64,
}

struct Life {
    rig: Rig,
    dice: Dice,
    sabotage: Sabotage,
    seen: Seen,
}

/// Runs one seed. `Err` says what was wrong.
pub(crate) fn run(seed: u64, sabotage: Sabotage) -> Result<Seen, String> {
    let wrap = |disk: &SimDisk| Arc::new(Saboteur::new(disk, sabotage)) as Arc<dyn Vfs>;
    let rig = Rig::over(SimDisk::new(seed), small_files(), wrap);
    let mut life = Life { rig, dice: Dice::new(seed), sabotage, seen: Seen::default() };
    for _ in 0..=life.dice.below(4) {
        life.live();
        life.end()?;
    }
    let durable = life.rig.journal.durable();
    life.rig.move_to(life.rig.disk.crash(), wrap);
    life.rig.reopen(durable).map_err(|error| format!("at last: {error:?}"))?;
    life.rig.append_many(2).and_then(|()| life.rig.durable()).map_err(|error| format!("not healed: {error}"))?;
    life.seen.trace_hash = life.rig.disk.trace_hash();
    Ok(life.seen)
}

impl Life {
    /// Works until something fails or the time is over.
    fn live(&mut self) {
        if self.dice.one_in(2) {
            self.rig.disk.cut_after(self.dice.below(120));
        }
        if self.dice.one_in(3) || self.sabotage == Sabotage::RetriedFlush {
            let op = [SimOp::Write, SimOp::Sync, SimOp::SyncDir, SimOp::Rename, SimOp::Any];
            let fault = [Fault::Io, Fault::NoSpace, Fault::ShortWrite, Fault::SyncFails, Fault::SyncFails];
            let (op, fault) = (op[self.dice.below(5) as usize], fault[self.dice.below(5) as usize]);
            let op = if fault == Fault::SyncFails { SimOp::Sync } else { op };
            self.rig.disk.fail_nth(op, 1 + self.dice.below(40), fault);
        }
        for _ in 0..self.dice.below(60) {
            match self.work() {
                Ok(()) => {}
                // Refused until there is room: nothing happened.
                Err(Error::NoSpace(_) | Error::Io(_)) if self.rig.poison.get().is_none() => self.seen.refusals += 1,
                Err(_) => {
                    self.seen.poisonings += 1;
                    break;
                }
            }
        }
    }

    fn work(&mut self) -> Result<(), Error> {
        let rig = &mut self.rig;
        let last = rig.next_seq() - 1;
        match self.dice.below(20) {
            0..9 => {
                let len = match self.dice.below(12) {
                    0 => 20_000 + self.dice.below(30_000),
                    1..4 => 2_000 + self.dice.below(4_000),
                    _ => self.dice.below(300),
                };
                rig.append(Commit::numbered(rig.next_seq(), usize::try_from(len).unwrap()))
            }
            9..13 if rig.journal.no_space().is_none() => {
                rig.journal.want(Durability::Durable, self.dice.below(last + 1));
                rig.journal.step().map(drop)
            }
            13..15 => rig.journal.try_lead(self.dice.below(last + 1)).map(drop),
            15 => {
                rig.journal.hand_over();
                Ok(())
            }
            16 if rig.journal.no_space().is_none() && rig.journal.step()? => {
                let files = rig.journal.stats().files;
                rig.journal.want(Durability::Durable, last);
                rig.journal.step()?;
                if rig.journal.durable() == last {
                    rig.checkpoint()?;
                }
                self.seen.files_recycled += files.saturating_sub(rig.journal.stats().files);
                Ok(())
            }
            _ => rig.journal.step().map(drop),
        }
    }

    /// Kills the process or cuts the power, and opens what is left until that succeeds.
    fn end(&mut self) -> Result<(), String> {
        let rig = &mut self.rig;
        let mut durable = rig.journal.durable();
        if rig.journal.written() < durable {
            return Err("durable before written".into());
        }
        let mut acknowledged = durable;
        // After a failed flush of the folder the file system stores no names any more, without an error: only a new mount heals.
        let folder_lost = matches!(rig.poison.get(), Some(Error::Io(error)) if error.syscall == "fsync");
        let mut disk = if rig.disk.is_cut() || folder_lost || self.dice.one_in(2) {
            self.seen.cuts += 1;
            rig.disk.power_cut()
        } else {
            if rig.poison.get().is_none() && self.dice.one_in(3) {
                let is_flushed = self.dice.one_in(2) && rig.checkpoint().is_ok();
                if rig.journal.close().is_ok() {
                    durable = rig.next_seq() - 1;
                    if is_flushed {
                        shrink(rig, &mut self.dice, &mut self.seen)?;
                    }
                }
            }
            let is_lost = rig.disk.is_cut() || rig.poison.get().is_some();
            acknowledged = if is_lost { durable } else { rig.journal.written().max(durable) };
            if is_lost { rig.disk.power_cut() } else { rig.disk.crash() }
        };
        // Each attempt of recovery must find what is acknowledged, however the earlier ones ended.
        loop {
            let sabotage = self.sabotage;
            rig.move_to(disk, |disk| Arc::new(Saboteur::new(disk, sabotage)));
            let interrupt = self.dice.one_in(3);
            if interrupt {
                rig.disk.cut_after(self.dice.below(20));
            }
            if let Ok(scan) = rig.scan() {
                self.seen.torn_tails += u64::from(scan.bytes_cut > 0);
                self.seen.frames_copied += scan.last_seq - scan.durable_upto;
            }
            match rig.reopen(acknowledged) {
                Ok(()) => break,
                Err(RecoveryError::Failed(_)) if rig.disk.is_cut() => {
                    self.seen.interrupted_recoveries += 1;
                    // Now the power is cut too.
                    acknowledged = durable;
                    disk = rig.disk.power_cut();
                }
                Err(RecoveryError::Failed(error)) => return Err(error.to_string()),
                Err(RecoveryError::Wrong(wrong)) => return Err(wrong),
            }
        }
        // A cut that was planned too late for this recovery is still to come.
        Ok(())
    }
}

/// A clean close frees what it can, whatever interrupts it.
fn shrink(rig: &mut Rig, dice: &mut Dice, seen: &mut Seen) -> Result<(), String> {
    if dice.one_in(3) {
        rig.disk.cut_after(dice.below(8));
    }
    match rig.journal.shrink() {
        Ok(()) if rig.disk.is_cut() => {}
        Ok(()) => seen.shrunk += u64::from(rig.disk.used_bytes() <= rig.options.first_file_bytes),
        Err(error) if is_poisoned(&Err::<(), _>(error.clone())) => {}
        Err(error) => return Err(error.to_string()),
    }
    Ok(())
}

fn run_all(sabotage: Sabotage, seeds: impl Iterator<Item = u64>) -> Result<Seen, (u64, String)> {
    let mut sum = Seen::default();
    for seed in seeds {
        let seen = run(seed, sabotage).map_err(|wrong| (seed, wrong))?;
        sum.cuts += seen.cuts;
        sum.poisonings += seen.poisonings;
        sum.refusals += seen.refusals;
        sum.torn_tails += seen.torn_tails;
        sum.interrupted_recoveries += seen.interrupted_recoveries;
        sum.files_recycled += seen.files_recycled;
        sum.frames_copied += seen.frames_copied;
        sum.shrunk += seen.shrunk;
    }
    Ok(sum)
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_acknowledged_is_ever_lost() {
    let seeds = Seeds::new(SEEDS.0, SEEDS.1);
    let seen = run_all(Sabotage::Nothing, seeds.iter()).unwrap_or_else(|(seed, wrong)| {
        panic!("LEDGERSTONE_SEED={seed}: {wrong}");
    });
    println!("{seen:?}");
    let counted = [
        seen.cuts,
        seen.poisonings,
        seen.refusals,
        seen.torn_tails,
        seen.interrupted_recoveries,
        seen.files_recycled,
        seen.frames_copied,
        seen.shrunk,
    ];
    assert!(
        seeds.count() < 1_000 || counted.iter().all(|count| *count >= 50),
        "the simulation has gone idle: {seen:?}"
    );
}

#[test]
fn one_seed_twice_is_the_same_run() {
    for seed in 0..20 {
        assert_eq!(run(seed, Sabotage::Nothing), run(seed, Sabotage::Nothing), "seed {seed}");
    }
}

#[test]
fn one_seed() {
    if let Some(seed) = from_environment("LEDGERSTONE_SEED") {
        run(seed, Sabotage::Nothing).unwrap();
    }
}

/// A simulation is worth something only if it finds planted faults.
#[test]
fn each_planted_fault_is_found() {
    for sabotage in [
        Sabotage::NoFlush,
        Sabotage::SomeFlushes,
        Sabotage::NoFlushOfSpares,
        Sabotage::NoFolderFlush,
        Sabotage::RetriedFlush,
    ] {
        let found = run_all(sabotage, 0..PLANTED_SEEDS);
        println!("{sabotage:?}: {found:?}");
        assert!(found.is_err(), "{sabotage:?} was not noticed");
    }
}
