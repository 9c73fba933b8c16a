//! A journal on a simulated disk together with its expected content: the commits in a `Vec`, and the state of LMDB.

use std::{path::Path, sync::Arc};

use ledgerstone_format::{Durability, StoreId};
use ledgerstone_journal::{
    Error, Frame, FrameBuilder, FrameKind, Journal, JournalOptions, OpKind, Poison, Promise, Result, Scan, ScanFrom,
    Stamp, scan,
};
use ledgerstone_vfs::{
    Vfs,
    sim::{SimClock, SimDisk},
};

pub(crate) const DIR: &str = "/store/journal";
pub(crate) const FIRST_EVENT_ID: u64 = 1;

pub(crate) fn store_id() -> StoreId {
    StoreId::from_random([7; 16])
}

/// Small, so that files change often and thousands of runs take seconds.
pub(crate) fn small_files() -> JournalOptions {
    JournalOptions { first_file_bytes: 16 << 10, max_file_bytes: 32 << 10, group_wake_bytes: 8 << 10, keep_bytes: 0 }
}

pub(crate) type TestOp = (OpKind, u32, Vec<u8>, Vec<u8>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) kind: FrameKind,
    pub(crate) timestamp_ms: u64,
    pub(crate) events: Vec<Vec<u8>>,
    pub(crate) ops: Vec<TestOp>,
}

impl Commit {
    /// One event and one put, which differ by `n`.
    pub(crate) fn numbered(n: u64, value_len: usize) -> Self {
        let event = format!("event {n}").into_bytes();
        let ops = vec![(OpKind::Put, 3, n.to_be_bytes().to_vec(), vec![n.to_le_bytes()[0]; value_len])];
        Self { kind: FrameKind::Commit, timestamp_ms: 1000 + n, events: vec![event], ops }
    }

    pub(crate) fn of(frame: &Frame) -> Self {
        let bytes = frame.bytes();
        Self {
            kind: frame.kind(),
            timestamp_ms: frame.timestamp_ms(),
            events: frame.events().map(|range| bytes[range].to_vec()).collect(),
            ops: frame
                .ops()
                .map(|op| (op.kind, op.collection, bytes[op.key].to_vec(), bytes[op.value].to_vec()))
                .collect(),
        }
    }

    pub(crate) fn build(&self) -> FrameBuilder {
        let events = self.events.iter().map(Vec::as_slice);
        let mut builder = FrameBuilder::new(self.kind, 256, events).unwrap();
        for (kind, collection, key, value) in &self.ops {
            builder.op(*kind, *collection, key, value).unwrap();
        }
        builder
    }
}

/// Appends one commit as a store would.
pub(crate) fn append(journal: &Journal, commit: &Commit, seq: u64, first_event_id: u64) -> Result<()> {
    let builder = commit.build();
    journal.reserve(builder.encoded_len())?;
    let stamp = Stamp { seq, first_event_id, timestamp_ms: commit.timestamp_ms };
    let appended = journal.append(builder, stamp)?;
    assert_eq!((appended.frame.seq(), Commit::of(&appended.frame)), (seq, commit.clone()));
    journal.after_append();
    Ok(())
}

pub(crate) struct Rig {
    pub(crate) disk: SimDisk,
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) clock: SimClock,
    pub(crate) options: JournalOptions,
    pub(crate) poison: Arc<Poison>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) commits: Vec<Commit>,
    /// The state of LMDB.
    pub(crate) from: ScanFrom,
}

impl Rig {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, small_files())
    }

    pub(crate) fn with(seed: u64, options: JournalOptions) -> Self {
        Self::over(SimDisk::new(seed), options, |disk| Arc::new(disk.clone()))
    }

    /// Over a disk wrapped by `wrap`.
    pub(crate) fn over(disk: SimDisk, options: JournalOptions, wrap: impl Fn(&SimDisk) -> Arc<dyn Vfs>) -> Self {
        let vfs = wrap(&disk);
        let clock = SimClock::new(1_700_000_000_000);
        let poison = Arc::new(Poison::new());
        let journal = Journal::create(
            Arc::clone(&vfs),
            Arc::new(clock.clone()),
            Path::new(DIR),
            store_id(),
            options,
            Arc::clone(&poison),
        )
        .unwrap();
        let from = ScanFrom {
            applied_seq: 0,
            next_event_id: FIRST_EVENT_ID,
            position: None,
            promised: Promise { seq: 0, next_event_id: FIRST_EVENT_ID, is_end: false },
        };
        Self { disk, vfs, clock, options, poison, journal, commits: Vec::new(), from }
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.commits.len() as u64 + 1
    }

    pub(crate) fn event_id_behind(&self, seq: u64) -> u64 {
        let commits = &self.commits[..usize::try_from(seq).unwrap()];
        FIRST_EVENT_ID + commits.iter().map(|commit| commit.events.len() as u64).sum::<u64>()
    }

    pub(crate) fn append(&mut self, commit: Commit) -> Result<()> {
        let (seq, first_event_id) = (self.next_seq(), self.event_id_behind(self.next_seq() - 1));
        append(&self.journal, &commit, seq, first_event_id)?;
        self.commits.push(commit);
        Ok(())
    }

    /// Appends as a store does: leaves room for frames that free space.
    pub(crate) fn append_and_leave_room(&mut self, commit: Commit) -> Result<()> {
        self.journal.reserve_and_leave_room(commit.build().encoded_len())?;
        self.append(commit)
    }

    /// Appends `count` small commits.
    pub(crate) fn append_many(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            self.append(Commit::numbered(self.next_seq(), 100))?;
        }
        Ok(())
    }

    pub(crate) fn durable(&self) -> Result<()> {
        self.journal.wait(Durability::Durable, self.next_seq() - 1)
    }

    /// As the flusher does: makes the journal durable, then LMDB, then gives up files.
    pub(crate) fn checkpoint(&mut self) -> Result<()> {
        let end = self.journal.end();
        self.journal.wait(Durability::Durable, end.seq)?;
        let next_event_id = self.event_id_behind(end.seq);
        self.from = ScanFrom {
            applied_seq: end.seq,
            next_event_id,
            position: end.position,
            promised: Promise { seq: end.seq, next_event_id, is_end: false },
        };
        self.journal.recycle(end.seq)
    }

    /// Continues on another disk, as the next process would see it.
    pub(crate) fn move_to(&mut self, disk: SimDisk, wrap: impl Fn(&SimDisk) -> Arc<dyn Vfs>) {
        self.vfs = wrap(&disk);
        self.disk = disk;
    }

    pub(crate) fn scan(&self) -> Result<Scan> {
        scan(Arc::clone(&self.vfs), Path::new(DIR), store_id(), self.from)
    }

    /// Scans and opens; compares the result with the model, which drops the commits that were not found.
    pub(crate) fn reopen(&mut self, at_least: u64) -> std::result::Result<(), RecoveryError> {
        let scan = self.scan().map_err(RecoveryError::Failed)?;
        self.check(&scan, at_least).map_err(RecoveryError::Wrong)?;
        let last_seq = scan.last_seq;
        self.poison = Arc::new(Poison::new());
        self.journal = scan
            .open(Arc::new(self.clock.clone()), self.options, Arc::clone(&self.poison))
            .map_err(RecoveryError::Failed)?;
        self.commits.truncate(usize::try_from(last_seq).unwrap());
        let journal = &self.journal;
        if [journal.end().seq, journal.written(), journal.durable()] != [last_seq; 3] {
            return Err(RecoveryError::Wrong(format!("marks are not {last_seq} after opening")));
        }
        Ok(())
    }

    pub(crate) fn check(&self, scan: &Scan, at_least: u64) -> std::result::Result<(), String> {
        if scan.last_seq < at_least {
            return Err(format!("acknowledged up to {at_least}, found up to {}", scan.last_seq));
        }
        if scan.last_seq > self.commits.len() as u64 {
            return Err(format!("appended up to {}, found up to {}", self.commits.len(), scan.last_seq));
        }
        if scan.durable_upto > scan.last_seq {
            return Err(format!("durable up to {}, found up to {}", scan.durable_upto, scan.last_seq));
        }
        if scan.next_event_id != self.event_id_behind(scan.last_seq) {
            return Err(format!("next event id is {}", scan.next_event_id));
        }
        let wanted = self.from.applied_seq + 1..=scan.last_seq;
        if !scan.frames.iter().map(Frame::seq).eq(wanted.clone()) {
            return Err(format!("not the frames {wanted:?}"));
        }
        for frame in &scan.frames {
            let commit = &self.commits[usize::try_from(frame.seq() - 1).unwrap()];
            if Commit::of(frame) != *commit || frame.first_event_id() != self.event_id_behind(frame.seq() - 1) {
                return Err(format!("frame {} is not what was committed", frame.seq()));
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) enum RecoveryError {
    /// An error was returned.
    Failed(Error),
    /// It answered, but incorrectly.
    Wrong(String),
}

pub(crate) fn is_poisoned<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Poisoned(_)))
}

pub(crate) fn is_corrupt<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Corrupt { .. }))
}
