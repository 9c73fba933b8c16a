//! A store on a simulated disk whose commit `n` puts `key n` and appends `event n`, so that its number of commits determines
//! its content.

use std::{path::Path, sync::Arc};

use ledgerstone_canonical_store::{
    CollectionRef, Direction, Error, Fill, GateEntry, KeyBounds, Level, OpenOptions, Owner, Store,
    testing::{self, WriteSet, open_simulated, open_simulated_with_threads},
};
use ledgerstone_vfs::sim::{SimClock, SimDisk};

const PATH: &str = "/store";

pub(crate) struct Rig {
    pub(crate) disk: SimDisk,
    pub(crate) clock: SimClock,
    pub(crate) store: Arc<Store>,
    pub(crate) slots: Vec<Arc<CollectionRef>>,
    threads: bool,
}

pub(crate) fn options() -> OpenOptions {
    OpenOptions { flush_bytes: Some(64 << 10), segment_bytes: Some(64 << 10), ..OpenOptions::default() }
}

pub(crate) fn key(number: u64) -> Vec<u8> {
    format!("key {number:04}").into_bytes()
}

fn write_set(number: u64) -> WriteSet {
    WriteSet::default().put(0, &key(number), &number.to_le_bytes()).event(format!("event {number}").as_bytes())
}

impl Rig {
    pub(crate) fn stepped() -> Self {
        Self::open(SimDisk::new(7), SimClock::new(1_000), false).unwrap()
    }

    pub(crate) fn threaded() -> Self {
        Self::open(SimDisk::new(7), SimClock::new(1_000), true).unwrap()
    }

    pub(crate) fn open(disk: SimDisk, clock: SimClock, threads: bool) -> Result<Self, Error> {
        let open = if threads { open_simulated_with_threads } else { open_simulated };
        let store = open(&disk, &clock, Path::new(PATH), &options())?;
        let slots = vec![store.collection("state", "utf8", "json")?];
        Ok(Self { disk, clock, store, slots, threads })
    }

    /// Closes; returns the outcome, and the same disk to open again.
    pub(crate) fn close(self) -> (Result<(), Error>, SimDisk) {
        let close = if self.threads { testing::close_threaded } else { testing::close_stepped };
        (close(&self.store), self.disk)
    }

    /// Kills the process and opens the store in another one.
    pub(crate) fn kill_and_reopen(self) -> Self {
        let disk = self.disk.crash();
        // Closed, so that no thread outlives the test; that does not reach the other disk.
        if self.threads {
            let _ = testing::close_threaded(&self.store);
        }
        Self::open(disk, self.clock, false).unwrap()
    }

    pub(crate) fn commit(&self) -> Result<u64, Error> {
        let number = self.store.marks().applied + 1;
        let info = self.store.commit(Owner::new(), GateEntry::Blind, write_set(number).bytes(), &self.slots)?;
        assert_eq!(info.seq, number);
        Ok(number)
    }

    pub(crate) fn commits(&self, count: u64) {
        for _ in 0..count {
            self.commit().unwrap();
        }
    }

    /// Without threads: steps until nothing is left to do.
    pub(crate) fn flush(&self) {
        self.store.want(Level::Flushed, self.store.marks().applied);
        while self.store.step().unwrap() {}
    }

    /// The content after this many commits.
    pub(crate) fn assert_content(&self, commits: u64) {
        self.try_content(commits).unwrap();
    }

    /// This many commits are applied; events may be unreadable for lack of a handle.
    pub(crate) fn assert_known(&self, commits: u64) {
        let cache = self.store.new_read_cache();
        for number in 1..=commits {
            assert!(self.store.get(&cache, &self.slots[0], &key(number), |_| ()).unwrap().is_some());
        }
    }

    pub(crate) fn try_content(&self, commits: u64) -> Result<(), Error> {
        assert_eq!(self.store.marks().applied, commits);
        let bounds = KeyBounds {
            lower: std::ops::Bound::Unbounded,
            upper: std::ops::Bound::Unbounded,
            reverse: false,
            limit: None,
        };
        let mut entries = Vec::new();
        self.store.range(&self.slots[0], bounds)?.fill(&mut |key, value| {
            entries.push((key.to_vec(), u64::from_le_bytes(value.try_into().unwrap())));
            Fill::Taken
        })?;
        let expected: Vec<_> = (1..=commits).map(|number| (key(number), number)).collect();
        assert_eq!(entries, expected);
        let cache = self.store.new_read_cache();
        for (key, value) in &expected {
            let seen = self.store.get(&cache, &self.slots[0], key, <[u8]>::to_vec)?;
            assert_eq!(seen.as_deref(), Some(value.to_le_bytes().as_slice()));
        }
        let mut events = Vec::new();
        self.store.read_events(0, u64::MAX, Direction::Forward, &mut |id, _, payload| {
            events.push((id, payload.to_vec()));
            std::ops::ControlFlow::Continue(())
        })?;
        assert_eq!(events, (1..=commits).map(|id| (id, format!("event {id}").into_bytes())).collect::<Vec<_>>());
        Ok(())
    }
}

pub(crate) fn code<T: std::fmt::Debug>(outcome: Result<T, Error>) -> &'static str {
    outcome.unwrap_err().code()
}
