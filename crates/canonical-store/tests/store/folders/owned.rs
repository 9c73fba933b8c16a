//! What the folders of a store and of a log on its own have in common, checked for both: the identity, the mark of a clean
//! close, and how a verification reports them.
//!
//! Bug: the two had diverged, each correct where the other was wrong (each test says where). Mechanism: two pieces of code
//! wrote and read the same files. Fix: one (`vfs/src/owned_folder`, `format/src/{identity,clean_mark,sealed_record}.rs`).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_canonical_store::{
    Error, GateEntry, OpenOptions, Owner, Store,
    testing::{WriteSet, close_stepped, open_simulated},
};
use ledgerstone_event_log::{Error as LogError, Ground, OwnedLog, OwnedLogOptions};
use ledgerstone_format::{
    CleanMark, DamageKind, FolderKind, Identity, StoreId,
    sealed_record::{Unsealed, seal},
};
use ledgerstone_vfs::{
    Vfs as _,
    sim::{Fault, SimClock, SimDisk, SimOp},
};

const PATH: &str = "/store";
const KINDS: [FolderKind; 2] = [FolderKind::Store, FolderKind::Log];

enum Owned {
    Store(Arc<Store>),
    Log(Box<OwnedLog>),
}

#[derive(Debug)]
struct Refused {
    code: &'static str,
    told: String,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { code: error.code(), told: error.to_string() }
    }
}

impl From<LogError> for Refused {
    fn from(error: LogError) -> Self {
        Self { code: error.code(), told: error.to_string() }
    }
}

fn open(kind: FolderKind, disk: &SimDisk) -> Result<Owned, Refused> {
    let clock = SimClock::new(5_000);
    match kind {
        FolderKind::Store => {
            let opened = open_simulated(disk, &clock, Path::new(PATH), &OpenOptions::default());
            opened.map(Owned::Store).map_err(Refused::from)
        }
        FolderKind::Log => {
            let new_id = |_: &dyn ledgerstone_vfs::Vfs| StoreId::from_random([5; 16]);
            let ground = Ground { vfs: Arc::new(disk.clone()), clock: Arc::new(clock), new_id };
            OwnedLog::open(&ground, Path::new(PATH), OwnedLogOptions::default())
                .map(|log| Owned::Log(Box::new(log)))
                .map_err(Refused::from)
        }
    }
}

impl Owned {
    fn write(&self) -> Result<(), Refused> {
        match self {
            Self::Store(store) => {
                let slots = [store.collection("state", "utf8", "json").map_err(Refused::from)?];
                let set = WriteSet::default().put(0, b"key", b"1").event(b"event");
                store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &slots).map(drop).map_err(Refused::from)
            }
            Self::Log(log) => log.append_with_id(log.next_event_id(), b"event").map_err(Refused::from),
        }
    }

    fn close(self) -> Result<(), Refused> {
        match self {
            Self::Store(store) => close_stepped(&store).map_err(Refused::from),
            Self::Log(log) => log.close().map_err(Refused::from),
        }
    }

    fn damages(&self) -> Vec<(DamageKind, PathBuf)> {
        let mut found = Vec::new();
        match self {
            Self::Store(store) => {
                let problems = store.verify(&|| false).unwrap().problems;
                found.extend(problems.into_iter().map(|problem| (problem.kind, problem.file)));
            }
            Self::Log(log) => {
                log.verify(&mut |damage| found.push((damage.kind, damage.file)), &|| false).unwrap();
            }
        }
        found
    }

    fn next_event_id(&self) -> u64 {
        match self {
            Self::Store(store) => store.marks().applied_events,
            Self::Log(log) => log.next_event_id(),
        }
    }
}

fn identity() -> PathBuf {
    Path::new(PATH).join("IDENTITY")
}

fn clean_mark() -> PathBuf {
    Path::new(PATH).join("CLEAN")
}

/// Two writes, closed.
fn closed(kind: FolderKind) -> SimDisk {
    let disk = SimDisk::new(3);
    let owned = open(kind, &disk).unwrap();
    owned.write().unwrap();
    owned.write().unwrap();
    owned.close().unwrap();
    disk
}

/// The record with more bytes after its fields, sound and of this version.
fn longer(record: &[u8], version: u16) -> Vec<u8> {
    let fields = [&record[10..record.len() - 4], &[7; 40]].concat();
    seal(*record.first_chunk().unwrap(), version, &fields)
}

/// A store judged an identity with a damaged magic to be a foreign file, and accepted one with more fields than it knows. A log
/// judged a longer one of a later version to be damaged.
#[test]
fn an_identity_is_sound_or_damaged_or_of_another_version_or_somebody_elses() {
    for kind in KINDS {
        let disk = closed(kind);
        let sound = disk.read_file(identity()).unwrap();
        assert!(matches!(Identity::decode(kind, &sound), Unsealed::Record(_)));
        let outcome = |bytes: &[u8]| {
            let disk = disk.crash();
            disk.write_file(identity(), bytes);
            open(kind, &disk).map(drop).unwrap_err()
        };
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 0x40;
            // A magic that is not this kind's does not identify it, so its fields are read.
            assert_eq!(outcome(&damaged).code, "ERR_CORRUPT", "{kind:?} {at}");
        }
        assert_eq!(outcome(&longer(&sound, 1)).code, "ERR_CORRUPT", "{kind:?}");
        let Refused { code, told } = outcome(&longer(&sound, 2));
        assert!(code == "ERR_FORMAT" && told.contains("found=2"), "{kind:?}: {code} {told}");
        assert_eq!(outcome(b"Dear diary, nothing happened today").code, "ERR_FORMAT", "{kind:?}");
    }
}

/// A log was poisoned by a removal that had not happened, and by a passing shortage of handles, before anything was written.
#[test]
fn a_mark_that_cannot_be_taken_away_refuses_a_write_and_stops_nothing() {
    for kind in KINDS {
        let disk = closed(kind);
        let owned = open(kind, &disk).unwrap();
        disk.fail_nth_named("CLEAN", SimOp::Remove, 1, Fault::Io);
        assert_eq!(owned.write().unwrap_err().code, "ERR_IO", "{kind:?}");
        disk.fail_nth_named("store", SimOp::SyncDir, 1, Fault::NoHandles);
        assert_eq!(owned.write().unwrap_err().code, "ERR_IO", "{kind:?}");
        owned.write().unwrap();
        assert_eq!(disk.power_cut().read_file(clean_mark()), None, "{kind:?}");
        assert_eq!(owned.next_event_id(), 4, "{kind:?}");
        disk.clear_faults();
        owned.close().unwrap();
        assert_eq!(open(kind, &disk).unwrap().next_event_id(), 4, "{kind:?}");
    }
}

#[test]
fn a_mark_whose_removal_may_not_become_durable_stops_all_writing() {
    for kind in KINDS {
        let disk = closed(kind);
        let owned = open(kind, &disk).unwrap();
        disk.fail_nth_named("store", SimOp::SyncDir, 1, Fault::SyncFails);
        owned.write().unwrap_err();
        assert_eq!(owned.write().unwrap_err().code, "ERR_POISONED", "{kind:?}");
        drop(owned);
        assert_eq!(open(kind, &disk.power_cut()).unwrap().next_event_id(), 3, "{kind:?}");
    }
}

/// A log kept a mark that it did not accept while it wrote, and another version could accept it; a store kept it when it was
/// closed without a write.
#[test]
fn a_mark_that_is_not_believed_goes_before_the_first_write_and_is_replaced_by_closing() {
    for kind in KINDS {
        let original = closed(kind);
        let sound = original.read_file(clean_mark()).unwrap();
        let mut damaged = sound.clone();
        damaged[20] ^= 1;
        for mark in [damaged, longer(&sound, 2), longer(&sound, 1)] {
            let disk = original.crash();
            disk.write_file(clean_mark(), &mark);
            let owned = open(kind, &disk).unwrap();
            owned.write().unwrap();
            assert_eq!(disk.read_file(clean_mark()), None, "{kind:?}");
            drop(owned);

            let disk = original.crash();
            disk.write_file(clean_mark(), &mark);
            open(kind, &disk).unwrap().close().unwrap();
            let left = disk.read_file(clean_mark()).unwrap();
            let Unsealed::Record((_, left)) = CleanMark::decode(kind, &left) else { panic!("{kind:?}: {left:?}") };
            assert_eq!(left.next_event_id, 3, "{kind:?}");
        }
    }
}

/// A log's verification did not report a missing identity, another log's identity, or a damaged mark.
#[test]
fn a_verification_tells_of_the_identity_and_of_the_mark() {
    for kind in KINDS {
        let disk = closed(kind);
        let owned = open(kind, &disk).unwrap();
        assert_eq!(owned.damages(), [], "{kind:?}");
        let (ours, mark) = (disk.read_file(identity()).unwrap(), disk.read_file(clean_mark()).unwrap());

        disk.flip(clean_mark(), 20, 1);
        assert_eq!(owned.damages(), [(DamageKind::Checksum, clean_mark())], "{kind:?}");
        disk.write_file(clean_mark(), &mark);

        disk.flip(identity(), 20, 1);
        assert_eq!(owned.damages(), [(DamageKind::Checksum, identity())], "{kind:?}");
        let Unsealed::Record(other) = Identity::decode(kind, &ours) else { panic!("{ours:?}") };
        disk.write_file(identity(), &Identity { id: StoreId::from_random([9; 16]), ..other }.encode());
        assert_eq!(owned.damages(), [(DamageKind::Foreign, identity())], "{kind:?}");
        disk.remove_file(&identity()).unwrap();
        assert_eq!(owned.damages(), [(DamageKind::Missing, identity())], "{kind:?}");
        disk.write_file(identity(), &ours);
        assert_eq!(owned.damages(), [], "{kind:?}");
    }
}
