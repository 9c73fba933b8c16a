//! Retention by age in a store, with wrong clocks and in idle stores.
//!
//! Bug: one commit under a clock that was a month ahead kept all events for a month; a clock that jumped while the store was
//! open removed them all; in an idle store no event expired. Mechanism: timestamps never go back, and were the only witness;
//! only flushes applied retention. Fix: segments record when they were begun, a jump is compared with the monotonic clock, and
//! the flusher checks now and then.

use std::{path::Path, sync::Arc, time::Duration};

use ledgerstone_canonical_store::{
    GateEntry, Level, OpenOptions, Owner, RetentionPolicy, Store,
    testing::{WriteSet, open_simulated, step_flusher},
};
use ledgerstone_vfs::{
    Clock,
    sim::{SimClock, SimDisk},
};

use crate::failures::rig::options;

const DAY_MS: u64 = 86_400_000;
const DAY: Duration = Duration::from_millis(DAY_MS);
const START_MS: u64 = 20_000 * DAY_MS;

fn open(disk: &SimDisk, clock: &SimClock) -> Arc<Store> {
    let retention = RetentionPolicy { max_age_ms: Some(DAY_MS), ..RetentionPolicy::default() };
    open_simulated(disk, clock, Path::new("/store"), &OpenOptions { retention, ..options() }).unwrap()
}

/// Events for four segments, flushed.
fn write(store: &Store) {
    for _ in 0..40 {
        let set = WriteSet::default().event(&[7; 8_000]);
        store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &[]).unwrap();
        flush(store);
    }
}

fn flush(store: &Store) {
    store.want(Level::Flushed, store.marks().applied);
    while store.step().unwrap() {}
}

fn kept(store: &Store) -> u64 {
    store.stats().event_count
}

#[test]
fn one_commit_a_month_ahead_does_not_keep_everything() {
    let (disk, clock) = (SimDisk::new(3), SimClock::new(START_MS));
    let store = open(&disk, &clock);
    clock.set_wall_ms(START_MS + 30 * DAY_MS);
    write(&store);
    clock.set_wall_ms(START_MS);
    assert_eq!(store.stats().event_lead_ms, 30 * DAY_MS);
    for day in 0..10 {
        clock.advance(DAY);
        write(&store);
        assert!(day < 2 || kept(&store) <= 130, "day {day}: {} events are kept", kept(&store));
        assert!(kept(&store) >= 40, "day {day}: those of the day are");
    }
    assert_eq!(store.stats().event_lead_ms, 20 * DAY_MS);
    // The times in the segments are on disk.
    drop(store);
    let again = open(&disk.crash(), &clock);
    clock.advance(DAY);
    write(&again);
    assert!((40..=130).contains(&kept(&again)), "{}", kept(&again));
}

#[test]
fn a_jump_of_a_month_takes_nothing_until_it_has_stayed_an_hour() {
    let (disk, clock) = (SimDisk::new(3), SimClock::new(START_MS));
    let store = open(&disk, &clock);
    write(&store);
    clock.set_wall_ms(START_MS + 30 * DAY_MS);
    write(&store);
    assert_eq!(kept(&store), 80);
    clock.advance(Duration::from_secs(3_601));
    write(&store);
    assert!(kept(&store) < 90, "then it is believed: {}", kept(&store));
}

#[test]
fn a_clock_that_was_behind_takes_nothing() {
    let (disk, clock) = (SimDisk::new(3), SimClock::new(START_MS));
    let store = open(&disk, &clock);
    write(&store);
    clock.set_wall_ms(DAY_MS);
    write(&store);
    clock.set_wall_ms(START_MS + 1);
    write(&store);
    assert_eq!(kept(&store), 120);
}

#[test]
fn events_of_an_idle_store_grow_old() {
    let (disk, clock) = (SimDisk::new(3), SimClock::new(START_MS));
    let store = open(&disk, &clock);
    write(&store);
    let applied = store.marks().applied;
    while store.step().unwrap() {}
    assert_eq!((kept(&store), store.marks().applied), (40, applied));
    clock.advance(DAY * 2);
    step_flusher(&store);
    assert!(kept(&store) < 15, "{} are kept, and nothing was written", kept(&store));
    assert_eq!(store.marks().applied, applied + 1);
    assert_eq!(clock.wall_ms(), START_MS + 2 * DAY_MS);
}
