//! The readers of a life: single keys, ranges, events, snapshots, and cursors that are held while the store continues.

use super::{
    history::{Entries, NAMES},
    reading::{
        Check, Source, check_all, check_events, check_first_event_at, check_key, check_range, draw_bounds, ensure,
        expected, fill_page,
    },
    world::World,
};

impl World {
    pub(super) fn read_keys(&mut self) -> Check {
        let image = self.history.now();
        let Self { session: Some(session), chance, .. } = self else { return Ok(()) };
        let source = Source::Now(&session.store, &session.cache);
        let mut outcome = Ok(());
        for _ in 0..=chance.below(3) {
            let slot = usize::try_from(chance.below(NAMES.len() as u64)).unwrap();
            let key = chance.key();
            outcome = outcome.and_then(|()| check_key(&source, &session.slots[slot], &image.entries(slot), &key));
        }
        self.tolerate(outcome)
    }

    pub(super) fn read_range(&mut self) -> Check {
        let image = self.history.now();
        let Self { session: Some(session), chance, .. } = self else { return Ok(()) };
        let slot = usize::try_from(chance.below(NAMES.len() as u64)).unwrap();
        let (source, bounds) = (Source::Now(&session.store, &session.cache), draw_bounds(chance));
        let outcome = check_range(&source, &session.slots[slot], &image.entries(slot), bounds, chance);
        self.tolerate(outcome)
    }

    pub(super) fn read_events(&mut self) -> Check {
        let image = self.history.now();
        let Self { session: Some(session), chance, .. } = self else { return Ok(()) };
        let source = Source::Now(&session.store, &session.cache);
        let from = chance.below(image.next_event_id() + 2);
        let to = from + chance.below(30);
        let at = image.timestamp_ms.saturating_sub(chance.below(3_000));
        let outcome = check_events(&source, &image, from, to).and_then(|()| check_first_event_at(&source, &image, at));
        self.tolerate(outcome)
    }

    pub(super) fn use_snapshots(&mut self) -> Check {
        let image = self.history.now();
        let oldest = image.oldest;
        let Self { session: Some(session), chance, census, .. } = self else { return Ok(()) };
        let flushed = session.store.marks().flushed;
        let outcome = match chance.below(4) {
            0 | 1 if session.snapshots.len() < 4 => {
                let snapshot = session.store.snapshot()?;
                let right = snapshot.seq() == image.seq
                    && snapshot.next_event_id() == image.next_event_id()
                    && snapshot.oldest_event_id() == oldest;
                session.snapshots.push((snapshot, image));
                ensure(right, || "a snapshot of another moment".to_owned())
            }
            2 if !session.snapshots.is_empty() => {
                let index = usize::try_from(chance.below(session.snapshots.len() as u64)).unwrap();
                let (snapshot, _) = session.snapshots.swap_remove(index);
                snapshot.release();
                Ok(())
            }
            _ => match session.snapshots.first() {
                Some((snapshot, image)) => {
                    census.one("snapshot: read");
                    census.add("snapshot: read after a later flush", u64::from(flushed > image.seq));
                    census.add("snapshot: overtaken by a trim", u64::from(oldest > image.oldest));
                    check_all(&Source::Held(snapshot, oldest), &session.slots, image, chance)
                }
                None => Ok(()),
            },
        };
        self.tolerate(outcome)
    }

    /// Ranges that are read a page at a time while the store continues.
    pub(super) fn use_cursors(&mut self) -> Check {
        let image = self.history.now();
        let Self { session: Some(session), chance, .. } = self else { return Ok(()) };
        if session.cursors.len() < 3 && chance.one_in(2) {
            let slot = usize::try_from(chance.below(NAMES.len() as u64)).unwrap();
            let bounds = draw_bounds(chance);
            let entries: Entries = image.entries(slot);
            let left = expected(&entries, &bounds);
            session.cursors.push((session.store.range(&session.slots[slot], bounds)?, left));
        }
        let Some((cursor, left)) = session.cursors.first_mut() else { return Ok(()) };
        if fill_page(cursor, left, chance.below(3))? {
            session.cursors.remove(0);
        }
        Ok(())
    }
}
