//! Readers beside the appender: each sees the whole log as of its request, also while segments are sealed, or trimmed by
//! another thread.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{
    ops::ControlFlow,
    path::Path,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use ledgerstone_event_log::{Direction, Error, EventLog, EventLogOptions, Ground, OwnedLog, OwnedLogOptions};
use ledgerstone_format::compression::Compression;
use ledgerstone_vfs::{
    OsVfs, Vfs,
    sim::{SimClock, SimDisk},
};
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

fn payload(id: u64) -> Vec<u8> {
    event(id, 40 + usize::try_from(id % 7).unwrap() * 90).1
}

#[test]
fn readers_go_on_while_the_log_is_appended_to_rotated_and_trimmed() {
    let disk = SimDisk::new(1);
    let options =
        OwnedLogOptions { segment_bytes: 16 << 10, compression: Compression::Lz4, ..OwnedLogOptions::default() };
    let clock = Arc::new(SimClock::new(1_000));
    let ground = Ground { vfs: Arc::new(disk), clock, new_id: |_| STORE };
    let log = OwnedLog::open(&ground, Path::new("/log"), options).unwrap();
    let append_upto = |last| {
        for id in log.next_event_id()..=last {
            log.append_with_id(id, &payload(id)).unwrap();
        }
    };
    append_upto(50);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..8_u64)
            .map(|reader| {
                let log = &log;
                scope.spawn(move || {
                    let (mut seen, mut overtaken, mut rounds) = (0_u64, 0_u64, 0);
                    while log.next_event_id() < 1_500 || rounds < 3 {
                        rounds += 1;
                        let start = log.oldest_event_id() + reader;
                        for event in log.iter_range(start, None) {
                            match event {
                                Ok(event) => {
                                    assert_eq!(event.bytes, payload(event.id));
                                    seen += 1;
                                }
                                Err(Error::Trimmed { requested, oldest }) => {
                                    assert!(requested < oldest);
                                    overtaken += 1;
                                }
                                Err(error) => panic!("{error}"),
                            }
                        }
                        let newest = log.newest_event_id();
                        if let Some((_, found)) = log.get(newest).unwrap() {
                            assert_eq!(found, payload(newest));
                        }
                        let from = log.oldest_event_id();
                        let mut last = u64::MAX;
                        let backward = log.read(from, u64::MAX, Direction::Backward, &mut |id, _, found| {
                            assert!(found == payload(id) && (last == u64::MAX || last == id + 1));
                            last = id;
                            ControlFlow::Continue(())
                        });
                        assert!(matches!(backward, Ok(()) | Err(Error::Trimmed { .. })), "{backward:?}");
                    }
                    (seen, overtaken)
                })
            })
            .collect();
        scope.spawn(|| {
            while log.next_event_id() < 1_500 {
                let oldest = log.oldest_event_id();
                let end = log.newest_event_id().saturating_sub(60);
                if end > oldest {
                    log.delete_range(oldest, end).unwrap();
                }
                log.rotate().unwrap();
                thread::yield_now();
            }
        });
        append_upto(1_500);
        for reader in readers {
            let (seen, _overtaken) = reader.join().unwrap();
            assert!(seen > 100, "{seen}");
        }
    });
    log.delete_range(0, 1_440).unwrap();
    let left: Vec<u64> = log.iter_range(0, None).map(|event| event.unwrap().id).collect();
    assert!(left.iter().copied().eq(1_441..=1_500), "{left:?}");
    // The reader in the way has ended: nothing is pinned for good.
    assert_eq!(log.stats().file_count, log.sealed_segments().len() as u64 + 1);
}
