//! A bound on unflushed bytes: writers stall, get an error that says why, and continue when there is room.

use std::{thread, time::Duration};

use ledgerstone_canonical_store::{GateEntry, Level, Owner, Stall, testing::WriteSet};

use crate::failures::rig::Rig;

const FLUSH_BYTES: u64 = 64 << 10;

fn large() -> WriteSet {
    WriteSet::default().put(0, b"large", &[1; 8_000])
}

/// Writes without asking until the store is full.
fn crowd(rig: &Rig) {
    while !rig.store.marks().crowded || rig.store.marks().paced {
        rig.store.commit(Owner::new(), GateEntry::Blind, large().bytes(), &rig.slots).unwrap();
    }
}

#[test]
fn a_stalled_writer_is_told_after_its_patience_and_let_in_when_there_is_room() {
    let rig = Rig::threaded();
    let held = rig.disk.hold_syncs("journal-0");
    crowd(&rig);
    thread::scope(|scope| {
        let stalled = scope.spawn(|| rig.store.begin(Owner::new(), Stall::Yes));
        while !stalled.is_finished() {
            rig.clock.advance(Duration::from_secs(1));
            rig.store.want(Level::Room, 0);
            thread::yield_now();
        }
        let error = stalled.join().unwrap().unwrap_err();
        assert_eq!(error.code(), "ERR_BACKPRESSURE");
        // A writer that did not ask to stall enters.
        let owner = Owner::new();
        rig.store.begin(owner, Stall::No).unwrap();
        rig.store.abort(owner);
        let stalled = scope.spawn(|| {
            let owner = Owner::new();
            let outcome = rig.store.begin(owner, Stall::Yes);
            rig.store.abort(owner);
            outcome
        });
        drop(held);
        stalled.join().unwrap().unwrap();
    });
    rig.store.wait(Level::Flushed, rig.store.marks().applied).unwrap();
    assert!(!rig.store.marks().crowded);
    rig.close().0.unwrap();
}

/// Bug: beside a snapshot a stalled writer slept for its whole patience although there was room. Mechanism: when it checked,
/// the flusher still held the delta that it had just flushed, which counted as held by readers; its release woke no writer.
/// Fix: the flusher releases it first and then wakes; a waiter counts anew what is held before it sleeps. Here time stands
/// still: with the bug this test takes minutes.
#[test]
fn a_producer_without_end_keeps_memory_bounded_also_beside_a_long_reader() {
    let rig = Rig::threaded();
    let (owner, snapshot) = (Owner::new(), rig.store.snapshot().unwrap());
    let mut most = 0;
    for number in 0..600 {
        rig.store.begin(owner, Stall::Yes).unwrap();
        let set = WriteSet::default().put(0, b"large", &[1; 8_000]).event(&[2; 500]);
        rig.store.commit(owner, GateEntry::Held, set.bytes(), &rig.slots).unwrap();
        let stats = rig.store.stats();
        most = most.max(stats.delta_bytes);
        // Twice the size of a flush, plus the last transaction that entered.
        assert!(stats.delta_bytes < 2 * FLUSH_BYTES + 20_000, "{number}: {}", stats.delta_bytes);
        assert!(stats.delta_bytes + stats.pinned_bytes < 4 * FLUSH_BYTES + 20_000, "{number}: {}", stats.pinned_bytes);
    }
    assert!(most > FLUSH_BYTES / 2, "the producer never met the bound: {most}");
    assert_eq!(snapshot.seq(), 0);
    snapshot.release();
    rig.close().0.unwrap();
}
