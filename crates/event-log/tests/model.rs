//! Random operations compared with a `Vec`: appended, flushed, reopened, killed, truncated, deleted and rotated in any order
//! and with any compression, the log holds what the vector holds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::sync::Arc;

use ledgerstone_event_log::{Direction, EventLog, EventLogOptions};
use ledgerstone_format::compression::Compression;
use ledgerstone_vfs::sim::SimDisk;
use proptest::prelude::*;
use support::{Event, append, assert_holds, create, file_bytes, open, read};

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(u8, usize)>),
    Sync,
    /// Gives the newest segment a footer, as closing does.
    Rest,
    /// Closes and opens again, with another compression from here on.
    Reopen(Compression),
    /// The process is killed, and everything after the last flush is truncated, as a store does.
    Kill,
    /// Truncates at this share of the log.
    Truncate(u8),
    TruncateAtOpening(u8),
    /// Deletes the oldest events up to this share.
    Delete(u8),
    Rotate,
    Read(u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let len = prop_oneof![6 => 0_usize..40, 4 => 40_usize..1_500, 1 => 1_500_usize..20_000, 1 => 60_000_usize..70_000];
    let events = prop::collection::vec((0_u8..4, len), 0..12);
    let kind = prop_oneof![Just(Compression::None), Just(Compression::Lz4), Just(Compression::Zstd)];
    let step = prop_oneof![
        8 => events.prop_map(Step::Append),
        4 => Just(Step::Sync),
        2 => Just(Step::Rest),
        1 => kind.prop_map(Step::Reopen),
        1 => Just(Step::Kill),
        1 => any::<u8>().prop_map(Step::Truncate),
        1 => any::<u8>().prop_map(Step::TruncateAtOpening),
        2 => any::<u8>().prop_map(Step::Delete),
        1 => Just(Step::Rotate),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(from, to)| Step::Read(from, to)),
    ];
    prop::collection::vec(step, 1..40)
}

struct Run {
    disk: SimDisk,
    options: EventLogOptions,
    log: Arc<EventLog>,
    /// All events that ever existed, except the truncated ones.
    model: Vec<Event>,
    /// How many of them were deleted from the front.
    deleted: usize,
    flushed: usize,
    made: u64,
}

impl Run {
    /// A share of the existing events, as a position in the model.
    fn share(&self, share: u8) -> usize {
        self.deleted + (self.model.len() - self.deleted) * usize::from(share) / 255
    }

    fn assert_holds(&self) {
        assert_holds(&self.log, self.deleted as u64 + 1, &self.model[self.deleted..]);
    }

    fn reopen(&mut self, truncate_from: Option<u64>) {
        self.log = open(&self.disk, self.options, truncate_from).unwrap();
    }

    fn truncated(&mut self, len: usize) {
        self.model.truncate(len);
        self.flushed = self.flushed.min(len);
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Append(events) => {
                let mut timestamp_ms = self.model.last().map_or(1_000, |event| event.0);
                let mut batch = Vec::new();
                for (later, len) in events {
                    timestamp_ms += u64::from(*later);
                    self.made += 1;
                    batch.push((timestamp_ms, support::event(self.made, *len).1));
                }
                append(&self.log, &batch).unwrap();
                self.model.extend(batch);
            }
            Step::Sync => {
                self.log.sync().unwrap();
                self.flushed = self.model.len();
            }
            Step::Rest => {
                self.log.rest().unwrap();
                self.flushed = self.model.len();
            }
            Step::Reopen(kind) => {
                self.options.compression = *kind;
                self.reopen(None);
            }
            Step::Kill => {
                self.disk = self.disk.crash();
                self.reopen(Some(self.flushed as u64 + 1));
                self.truncated(self.flushed);
            }
            Step::Truncate(share) => {
                let len = self.share(*share);
                self.log.truncate_from(len as u64 + 1).unwrap();
                self.truncated(len);
            }
            Step::TruncateAtOpening(share) => {
                let len = self.share(*share);
                self.reopen(Some(len as u64 + 1));
                self.truncated(len);
            }
            Step::Delete(share) => {
                let upto = self.share(*share);
                let count = self.log.delete_range(0, upto as u64).unwrap();
                assert_eq!(count, (upto - self.deleted) as u64);
                // A log is flushed before its events are deleted.
                if upto > self.deleted {
                    self.flushed = self.model.len();
                }
                self.deleted = upto;
            }
            Step::Rotate => {
                let rotated = self.log.rotate().unwrap();
                assert_eq!(rotated.is_some(), self.model.len() > self.deleted, "{rotated:?}");
                self.flushed = self.model.len();
            }
            Step::Read(from, to) => {
                let (from, to) = (self.share(*from), self.share(*to));
                let mut expected: Vec<(u64, Event)> =
                    (from..to).map(|position| (position as u64 + 1, self.model[position].clone())).collect();
                let (from, to) = (from as u64 + 1, to as u64 + 1);
                assert!(read(&self.log, from, to, Direction::Forward).unwrap() == expected);
                expected.reverse();
                assert!(read(&self.log, from, to, Direction::Backward).unwrap() == expected);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_log_holds_what_the_model_holds(steps in steps(), segment_bytes in prop_oneof![Just(6_000_u64), Just(20_000), Just(300_000)]) {
        let disk = SimDisk::new(3);
        let options = EventLogOptions { segment_bytes, max_event_bytes: 1 << 20, compression: Compression::None };
        let log = create(&disk, options).unwrap();
        let mut run = Run { disk, options, log, model: Vec::new(), flushed: 0, deleted: 0, made: 0 };
        for step in &steps {
            run.take(step);
            assert_eq!(run.log.next_event_id(), run.model.len() as u64 + 1);
            let stats = run.log.stats();
            assert_eq!(stats.count, (run.model.len() - run.deleted) as u64, "after {step:?}");
            let horizon = run.disk.read_file(support::dir().join("horizon")).map_or(0, |bytes| bytes.len() as u64);
            assert_eq!(stats.bytes + horizon, file_bytes(&run.disk), "after {step:?}");
        }
        run.assert_holds();
        run.reopen(None);
        run.assert_holds();
    }
}
