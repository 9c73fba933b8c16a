//! Readers beside the one who appends: each sees a whole log as it was when it asked, also while segments are sealed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{
    path::Path,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use ledgerstone_event_log::{Direction, EventLog, EventLogOptions};
use ledgerstone_format::compression::Compression;
use ledgerstone_vfs::{OsVfs, Vfs, sim::SimDisk};
use support::{STORE, append_made, event, read};

const READERS: u64 = 8;
const EVENTS: u64 = 12_000;

fn check_window(log: &EventLog, seed: u64) {
    let next = log.next_event_id();
    let id = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) % next;
    let len = usize::try_from(id % 300).unwrap();
    assert_eq!(log.get(id).unwrap(), (id > 0).then(|| event(id, len)));
    assert!(log.first_at(event(id, 0).0).unwrap() <= id.max(1));
    let from = id.saturating_sub(50).max(1);
    let to = (id + 50).min(next);
    for direction in [Direction::Forward, Direction::Backward] {
        let mut found = read(log, from, to, direction).unwrap();
        if direction == Direction::Backward {
            found.reverse();
        }
        assert_eq!(found.len() as u64, to.saturating_sub(from));
        for ((found_id, found_event), id) in found.into_iter().zip(from..) {
            assert_eq!((found_id, found_event), (id, event(id, usize::try_from(id % 300).unwrap())));
        }
    }
    let stats = log.stats();
    assert!(stats.count + 1 >= next && stats.segments >= 1);
}

fn eight_readers_and_one_appender(vfs: Arc<dyn Vfs>, dir: &Path) {
    let options =
        EventLogOptions { segment_bytes: 64 * 1024, max_event_bytes: 1 << 20, compression: Compression::None };
    let log = EventLog::create(vfs, dir, STORE, options, 1).unwrap();
    let (done, start) = (AtomicBool::new(false), Barrier::new(usize::try_from(READERS).unwrap() + 1));
    thread::scope(|scope| {
        for reader in 0..READERS {
            let (log, done, start) = (&log, &done, &start);
            scope.spawn(move || {
                start.wait();
                let mut seed = reader;
                while !done.load(Ordering::Relaxed) {
                    check_window(log, seed);
                    seed += READERS;
                }
                check_window(log, seed);
            });
        }
        start.wait();
        while log.next_event_id() <= EVENTS {
            let id = log.next_event_id();
            append_made(&log, 1, usize::try_from(id % 300).unwrap());
            if id.is_multiple_of(97) {
                log.sync().unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(log.stats().segments > 10);
    for seed in 0..200 {
        check_window(&log, seed);
    }
}

#[test]
fn readers_see_only_whole_published_events_on_the_simulated_disk() {
    eight_readers_and_one_appender(Arc::new(SimDisk::new(1)), Path::new("/events"));
}

#[test]
fn readers_see_only_whole_published_events_on_the_real_disk() {
    let dir = std::env::temp_dir().join(format!("ledgerstone-event-log-{}", std::process::id()));
    eight_readers_and_one_appender(Arc::new(OsVfs), &dir);
    std::fs::remove_dir_all(&dir).unwrap();
}
