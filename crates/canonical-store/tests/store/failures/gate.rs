//! The end of the gate: closing waits for the current owner and refuses everyone else.

use std::{sync::Arc, thread};

use ledgerstone_canonical_store::{GateEntry, Owner, Stall, testing};

use crate::failures::rig::{Rig, code};

/// Bug: closing ended a store under an open transaction. Mechanism: it waited once for the gate's condition variable, which a
/// writer that leaves the queue signals too. Fix: it waits until the token is released.
#[test]
fn closing_turns_waiting_writers_away_and_lets_the_one_inside_finish() {
    let rig = Rig::threaded();
    let (inside, store) = (Owner::new(), Arc::clone(&rig.store));
    store.begin(inside, Stall::No).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| store.commit(Owner::new(), GateEntry::Blind, &[], &[]));
        while testing::waiting_writers(&store) == 0 {
            thread::yield_now();
        }
        let closing = scope.spawn(|| testing::close_threaded(&store));
        assert_eq!(code(waiting.join().unwrap()), "ERR_CLOSED");
        // Enough time for a closing that does not wait; one that waits is never caught here.
        for _ in 0..20_000 {
            assert!(!closing.is_finished(), "the store was closed under an open transaction");
            thread::yield_now();
        }
        let set = testing::WriteSet::default().event(b"last");
        assert_eq!(store.commit(inside, GateEntry::Held, set.bytes(), &[]).unwrap().seq, 1);
        closing.join().unwrap().unwrap();
    });
    assert_eq!(code(store.begin(Owner::new(), Stall::No)), "ERR_CLOSED");
    let (disk, clock) = (rig.disk.clone(), rig.clock.clone());
    drop(rig);
    let again = Rig::open(disk, clock, false).unwrap();
    assert_eq!(again.store.next_event_id(), 2, "the commit of the one inside is there");
}
